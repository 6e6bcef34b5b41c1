"""One dataset to curate, and its curation: what any process can do, without the registry."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..curation import write_decisions
from ._curate_one import curate_one
from ._dataset_run import hash_of, registration
from ._outcome import Watch
from ._staging import file_facts
from .sources import get_source
from .transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..curation import Curated, CurationOptions, CurationReport
    from ._memory import MemoryVersion
    from ._registrar import NewFile, NewRun
    from ._worker import Worker
    from .sources import Source, SourceDataset


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAt:
    """How to open a source again in another process."""

    name: str
    release: str
    at: str | None
    options: Mapping[str, str]

    @classmethod
    def of(cls, source: Source) -> SourceAt:
        """Describe an open source."""
        return cls(
            name=source.name, release=source.release, at=source.at, options=dict(source.options)
        )

    def open(self) -> Source:
        """Open the source, with the cache and the credentials of this process."""
        return get_source(self.name)(
            Transfer.from_environment(),
            release=self.release or None,
            at=self.at,
            options={name: value for name, value in self.options.items() if value},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A dataset that is to be curated, and what decides the result. Can be pickled."""

    source: SourceAt
    dataset: SourceDataset
    options: CurationOptions
    reference: str
    """Identity of the result, and the memory it is made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all jobs of a build have in common. Can be pickled."""

    folder: Path
    """Staging folder on the file system of the storage."""
    memory: MemoryVersion
    setup: Callable[[], None]
    """Makes a process use the gene tables of the workspace."""
    code_version: str
    """Of the process that plans and registers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A curated dataset in a staging folder, ready to be registered. Can be pickled."""

    run: NewRun
    report: CurationReport
    seconds: float
    """That fetching and curating took."""


def curate_job(
    job: Job,
    folder: Path,
    *,
    source: Source,
    reader: Worker,
    memory: MemoryVersion,
    watch: Watch | None = None,
) -> Finished:
    """Fetch and curate a dataset into a staging folder.

    Parameters
    ----------
    job
        The dataset.
    folder
        An empty folder on the file system of the storage.
    source
        Its source, open.
    reader
        The process that reads strangers' files.
    memory
        Decisions of curators.
    watch
        Told about bytes and cells.

    Raises
    ------
    CorpuscleError
        If the dataset cannot be fetched, or is refused.
    """
    started, watch = time.perf_counter(), watch or Watch()
    with source.fetch(job.dataset, on_progress=watch.bytes) as fetched:
        here = time.perf_counter()
        curated: Curated = reader.call(
            curate_one,
            job.dataset,
            [file.path for file in fetched],
            folder / "curated.h5ad",
            about=fetched[0].path,
            on_progress=watch.cells,
            source_hash=hash_of(fetched),
            options=job.options,
            memory=memory.by_field(),
            memory_version=memory.version,
        )
        write_decisions(curated.decisions, folder / "decisions.tsv", dataset=job.dataset.key)
        seconds = {"fetch": here - started, "curate": time.perf_counter() - here}
        run = registration(job, fetched, curated, folder, memory=memory, seconds=seconds)
        run = replace(
            run, inputs=[_known(f) for f in run.inputs], outputs=[_known(f) for f in run.outputs]
        )
    return Finished(run=run, report=curated.report, seconds=time.perf_counter() - started)


def _known(file: NewFile) -> NewFile:
    """Hash a file here: what was fetched may be gone when it is registered."""
    return replace(file, facts=file_facts(file.staged))
