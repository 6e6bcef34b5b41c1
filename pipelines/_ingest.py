"""Datasets of a source become registered, curated datasets."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..curation import CurationOptions, content_hash, versions, write_decisions
from ..errors import ConflictError, CorpuscleError, InputError
from ..ontologies import get_organism, tables_in_use
from ._answers import DATASETS, is_outdated, made_by
from ._curate_one import curate_one
from ._dataset_run import hash_json, hash_of, registration
from ._memory import current_memory
from ._registrar import register
from ._seed import ensure_genes
from ._staging import staging
from ._worker import file_reader
from .sources import Wanted
from .sources._local import LocalSource
from .sources._wanted import first_taken
from .transfer import public_url

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from ..curation import Curated
    from ._memory import MemoryVersion
    from .sources import Source, SourceDataset

logger = logging.getLogger(__name__)

Status = Literal["new", "revised", "unchanged", "refused", "skipped", "planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one dataset."""

    source: str
    """Path or URL of its data."""
    dataset: str
    """Name of the dataset."""
    status: Status
    version: str = ""
    """Version of the curated dataset."""
    uid: str = ""
    """Its identifier in the registry."""
    report: dict[str, Any] | None = None
    """What curation did, see `CurationReport`."""
    error: dict[str, Any] | None = None
    """Why it was refused or skipped: ``kind``, ``message``, ``details``."""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is told while datasets are ingested."""

    start: Callable[[int, int, str], None] | None = None
    """Before each dataset: its number, how many there are, its name."""
    cells: Callable[[int, int], None] | None = None
    """Cells done and cells in all of the dataset at hand."""
    bytes: Callable[[int, int | None], None] | None = None
    """Bytes fetched and bytes in all of the dataset at hand."""


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
            _refuse_namesake(dataset, seen)
            outcome = _ingest_one(source, dataset, options, memory, dry_run, watch)
        except CorpuscleError as error:
            reason = {"kind": error.kind, "message": error.message, "details": error.details}
            outcome = _outcome(dataset, "refused", error=reason)
        seconds = time.perf_counter() - started
        logger.info(
            "step=ingest dataset=%s status=%s seconds=%.1f", dataset.key, outcome.status, seconds
        )
        yield replace(outcome, seconds=round(seconds, 2))


def _outcome(dataset: SourceDataset, status: Status, **facts: Any) -> Outcome:
    where = public_url(dataset.files[0].url) if dataset.files else dataset.id
    return Outcome(source=where, dataset=dataset.key, status=status, **facts)


def _refuse_namesake(dataset: SourceDataset, seen: dict[str, SourceDataset]) -> None:
    other = seen.setdefault(dataset.key, dataset)
    if other is not dataset and (other.id != dataset.id or other.version == dataset.version):
        msg = (
            f"{dataset.files[0].url} and {other.files[0].url} are both called {dataset.key!r}. "
            "Ingest one of them by itself with --name."
        )
        raise ConflictError(msg, {"file": dataset.files[0].url, "dataset": dataset.key})


def identity(source_hash: str, dataset: str, options: CurationOptions) -> str:
    """Name the result of a curation: the same inputs and memory give the same bytes."""
    parts = {
        "source": source_hash,
        "dataset": dataset,
        "options": options.to_dict(),
        "versions": {key: value for key, value in versions().items() if key != "corpuscle"},
    }
    return hash_json(parts)


def _content(dataset: SourceDataset) -> str:
    """Name the content of a dataset before it is fetched: its bytes if it is here, else its version."""
    if not dataset.version:
        return content_hash(Path(dataset.files[0].url))
    files = [(file.name, file.size, file.checksum) for file in dataset.files]
    return hash_json([dataset.source, dataset.id, dataset.version, files, dict(dataset.extra)])


def _ingest_one(
    source: Source,
    dataset: SourceDataset,
    options: CurationOptions,
    memory: MemoryVersion,
    dry_run: bool,  # noqa: FBT001 - private
    watch: Watch,
) -> Outcome:
    if dataset.skip:
        reason = {"kind": "skipped", "message": dataset.skip, "details": {}}
        return _outcome(dataset, "skipped", error=reason)
    reference = identity(_content(dataset), dataset.key, options)
    done = _find_done(reference, dataset.key, memory)
    if done is not None:
        return _outcome(dataset, "unchanged", **done)
    _refuse_other_source(dataset)
    if dry_run:
        return _outcome(dataset, "planned")
    with source.fetch(dataset, on_progress=watch.bytes) as fetched, staging() as folder:
        reader = file_reader()
        reader.setup = tables_in_use()
        curated: Curated = reader.call(
            curate_one,
            dataset,
            [file.path for file in fetched],
            folder / "curated.h5ad",
            about=fetched[0].path,
            on_progress=watch.cells,
            source_hash=hash_of(fetched),
            options=options,
            memory=memory.by_field(),
            memory_version=memory.version,
        )
        write_decisions(curated.decisions, folder / "decisions.tsv", dataset=dataset.key)
        ensure_genes(get_organism(curated.report.organism["taxon_id"]))
        if memory.uid:
            reference = f"{reference}/{memory.uid}"
        run = registration(
            source,
            dataset,
            fetched,
            curated,
            folder,
            reference=reference,
            options=options,
            memory=memory,
        )
        ((registered, _),) = register([run])
    new: Status = "new" if registered.version == "1" else "revised"
    return _outcome(
        dataset,
        new if registered.new else "unchanged",
        version=registered.version,
        uid=registered.uid,
        report=curated.report.to_dict(),
    )


def _find_done(reference: str, dataset: str, memory: MemoryVersion) -> dict[str, Any] | None:
    """Find the dataset that the last run made from the same inputs, if it would be the same now.

    It would not if the memory answers otherwise about any of its labels.
    """
    import lamindb as ln

    runs = ln.Run.objects.filter(reference__startswith=reference, reference_type="corpuscle")
    run = runs.order_by("id").last()
    if run is None:
        return None
    made = made_by(run.id, f"{DATASETS}{dataset}.h5ad")
    if made is None or is_outdated(run, dataset, memory):
        return None
    return {"version": made.version_tag, "uid": made.uid, "report": run.params["report"]}


def _refuse_other_source(dataset: SourceDataset) -> None:
    """Refuse to take another file of the same name for a new version of a dataset."""
    import lamindb as ln

    key = f"{DATASETS}{dataset.key}.h5ad"
    latest = ln.Artifact.objects.filter(key=key, is_latest=True).select_related("run").first()
    if latest is None or dataset.version or "named" in dataset.extra:
        return
    path, before = dataset.files[0].url, latest.run.params["source"]
    if before != path:
        msg = (
            f"Dataset {dataset.key!r} came from {before}, and {path} has the same name. If it is a "
            f"new version of it, pass --name {dataset.key}; if it is another dataset, pass another "
            "--name."
        )
        raise ConflictError(msg, {"file": path, "dataset": dataset.key, "before": before})
