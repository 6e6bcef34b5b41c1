"""Datasets of a source become registered, curated datasets."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ..curation import CurationOptions
from ..errors import ConflictError, CorpuscleError, InputError
from ..ontologies import tables_in_use
from ._job import curate_job
from ._memory import current_memory
from ._outcome import Outcome, Watch, outcome_of, reason_of
from ._plan import plan, register_jobs
from ._staging import staging
from ._worker import file_reader
from .sources import Wanted
from .sources._local import LocalSource
from .sources._wanted import first_taken

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from ._memory import MemoryVersion
    from .sources import Source, SourceDataset

logger = logging.getLogger(__name__)


def ingest(
    paths: Sequence[str | os.PathLike[str]],
    *,
    options: CurationOptions | None = None,
    name: str | None = None,
    dry_run: bool = False,
    watch: Watch | None = None,
) -> Iterator[Outcome]:
    """Curate and register files one after the other; see `ingest_source`.

    Parameters
    ----------
    paths
        Files and folders.
    options
        What the curator decided, for all of them.
    name
        Name of the dataset, for a single file; revises the dataset if there is one.
    dry_run
        Only tell what would be done. Files are opened and judged as far as their content hash.
    watch
        Told about progress.

    Yields
    ------
    What became of each file.

    Raises
    ------
    InputError
        If `name` is given for several files.
    NotFoundError
        If a path does not exist.
    """
    source = LocalSource(paths=paths, genome=None if options is None else options.genome)
    datasets = list(source.datasets(Wanted()))
    if name is not None:
        if len(datasets) != 1:
            msg = (
                f"--name is for one file, and there are {len(datasets)}. Ingest that one by itself."
            )
            raise InputError(msg, {"files": len(datasets)})
        datasets = [replace(datasets[0], key=name, extra={**datasets[0].extra, "named": True})]
    yield from _ingest_all(source, datasets, options or CurationOptions(), dry_run, watch)


def ingest_source(
    source: Source,
    wanted: Wanted | None = None,
    *,
    limit: int | None = None,
    options: CurationOptions | None = None,
    dry_run: bool = False,
    watch: Watch | None = None,
) -> Iterator[Outcome]:
    """Fetch, curate and register datasets of a source one after the other.

    A dataset that is refused costs nothing but itself. What is registered stays if the run stops,
    and is passed over by the next without being fetched, unless the source has another version of
    it, or curators decided otherwise about its labels since.

    Parameters
    ----------
    source
        Where they come from.
    wanted
        Which of them; all by default.
    limit
        At most so many, besides those that are skipped.
    options
        What the curator decided, for all of them.
    dry_run
        Only tell what would be done; nothing is fetched.
    watch
        Told about progress.

    Yields
    ------
    What became of each dataset.

    Raises
    ------
    TransferError
        If the source cannot be listed.
    SchemaError
        If its tables are not what they were.
    """
    listed = source.datasets(wanted or Wanted())
    chosen = list(first_taken(listed, limit))
    yield from _ingest_all(source, chosen, options or CurationOptions(), dry_run, watch)


def _ingest_all(
    source: Source,
    datasets: Sequence[SourceDataset],
    options: CurationOptions,
    dry_run: bool,  # noqa: FBT001 - private
    watch: Watch | None,
) -> Iterator[Outcome]:
    watch = watch or Watch()
    memory = current_memory()
    seen: dict[str, SourceDataset] = {}
    for number, dataset in enumerate(datasets):
        if watch.start is not None:
            watch.start(number, len(datasets), dataset.title)
        started = time.perf_counter()
        try:
            refuse_namesake(dataset, seen)
            outcome = _ingest_one(source, dataset, options, memory, dry_run, watch)
        except CorpuscleError as error:
            outcome = outcome_of(dataset, "refused", error=reason_of(error))
        seconds = time.perf_counter() - started
        logger.info(
            "step=ingest dataset=%s status=%s seconds=%.1f", dataset.key, outcome.status, seconds
        )
        yield replace(outcome, seconds=round(seconds, 2))


def refuse_namesake(dataset: SourceDataset, seen: dict[str, SourceDataset]) -> None:
    other = seen.setdefault(dataset.key, dataset)
    if other is not dataset and (other.id != dataset.id or other.version == dataset.version):
        msg = (
            f"{dataset.files[0].url} and {other.files[0].url} are both called {dataset.key!r}. "
            "Ingest one of them by itself with --name."
        )
        raise ConflictError(msg, {"file": dataset.files[0].url, "dataset": dataset.key})


def _ingest_one(
    source: Source,
    dataset: SourceDataset,
    options: CurationOptions,
    memory: MemoryVersion,
    dry_run: bool,  # noqa: FBT001 - private
    watch: Watch,
) -> Outcome:
    job = plan(source, dataset, options, memory)
    if isinstance(job, Outcome):
        return job
    if dry_run:
        return outcome_of(dataset, "planned")
    reader = file_reader()
    reader.setup = tables_in_use()
    with staging() as folder:
        finished = curate_job(job, folder, source=source, reader=reader, memory=memory, watch=watch)
        (outcome,) = register_jobs([(job, finished)])
    return outcome
