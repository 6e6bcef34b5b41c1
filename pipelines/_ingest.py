"""Files of a user become registered, curated datasets."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blake3 import blake3

from ..curation import CurationOptions, content_hash, curate, versions, write_decisions
from ..errors import ConflictError, CorpuscleError, InputError, NotFoundError
from ..ontologies import get_organism, tables_in_use
from ._answers import DATASETS, DECISIONS, is_outdated, made_by
from ._memory import current_memory
from ._registrar import NewFile, NewRun, register
from ._seed import ensure_genes
from ._staging import copy, staging
from ._versions import code_version
from ._worker import file_reader

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from ..curation import Curated
    from ._memory import MemoryVersion

logger = logging.getLogger(__name__)

STEP = "corpuscle/ingest"
RAW = "raw/"
"""Prefix of the keys of files as they were given."""
ENDINGS = (".h5ad", ".zarr", ".h5", ".hdf5")


Status = Literal["new", "revised", "unchanged", "refused", "planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file."""

    source: str
    """The path given."""
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
    """Why it was refused: ``kind``, ``message``, ``details``."""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def find_files(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List the single-cell files among paths; in a folder, all of them, sorted by name.

    Raises
    ------
    NotFoundError
        If a path does not exist, or a folder holds no file we read.
    """
    found: list[Path] = []
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            msg = f"There is no file or folder {path}. Check the path."
            raise NotFoundError(msg, {"file": str(path)})
        if not path.is_dir() or _is_dataset_folder(path):
            found.append(path)
            continue
        inside = sorted(_walk(path))
        if not inside:
            msg = f"{path} holds no {', '.join(ENDINGS)} and no folder with matrix.mtx."
            raise NotFoundError(msg, {"file": str(path)})
        found += inside
    return list(dict.fromkeys(path.resolve() for path in found))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if _is_dataset_folder(path):
                yield path
            else:
                yield from _walk(path)
        elif path.suffix in ENDINGS:
            yield path


def _is_dataset_folder(path: Path) -> bool:
    marks = (".zgroup", "zarr.json", "matrix.mtx", "matrix.mtx.gz")
    return path.suffix == ".zarr" or any((path / mark).exists() for mark in marks)


def dataset_name(path: Path) -> str:
    """Name of the dataset in a file: the file's name without its ending."""
    return path.stem if path.suffix in ENDINGS else path.name


def ingest(
    paths: Sequence[str | os.PathLike[str]],
    *,
    options: CurationOptions | None = None,
    name: str | None = None,
    dry_run: bool = False,
    on_start: Callable[[int, int, Path], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Outcome]:
    """Curate and register files one after the other.

    A file that is refused costs nothing but itself. What is registered stays if the run stops, and
    is passed over by the next, unless curators decided otherwise about its labels since.

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
    on_start
        Called before each file with its number, how many there are, and its path.
    on_progress
        Called with cells done and cells in all of the file at hand.

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
    files = find_files(paths)
    if name is not None and len(files) != 1:
        msg = f"--name is for one file, and there are {len(files)}. Ingest that one by itself."
        raise InputError(msg, {"files": len(files)})
    options = options or CurationOptions()
    memory = current_memory()
    seen: dict[str, Path] = {}
    for number, path in enumerate(files):
        if on_start is not None:
            on_start(number, len(files), path)
        dataset = name or dataset_name(path)
        started = time.perf_counter()
        try:
            if dataset in seen:
                msg = (
                    f"{path} and {seen[dataset]} are both called {dataset!r}. "
                    "Ingest one of them by itself with --name."
                )
                raise ConflictError(msg, {"file": str(path), "dataset": dataset})
            seen[dataset] = path
            outcome = _ingest_one(
                path, dataset, options, memory, name is not None, dry_run, on_progress
            )
        except CorpuscleError as error:
            reason = {"kind": error.kind, "message": error.message, "details": error.details}
            outcome = Outcome(source=str(path), dataset=dataset, status="refused", error=reason)
        seconds = time.perf_counter() - started
        logger.info(
            "step=ingest dataset=%s status=%s seconds=%.1f", dataset, outcome.status, seconds
        )
        yield _with_seconds(outcome, seconds)


def _with_seconds(outcome: Outcome, seconds: float) -> Outcome:
    from dataclasses import replace

    return replace(outcome, seconds=round(seconds, 2))


def identity(source_hash: str, dataset: str, options: CurationOptions) -> str:
    """Name the result of a curation: the same inputs and memory give the same bytes."""
    parts = {
        "source": source_hash,
        "dataset": dataset,
        "options": options.to_dict(),
        "versions": {key: value for key, value in versions().items() if key != "corpuscle"},
    }
    return blake3(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _ingest_one(
    path: Path,
    dataset: str,
    options: CurationOptions,
    memory: MemoryVersion,
    named: bool,  # noqa: FBT001 - private
    dry_run: bool,  # noqa: FBT001 - private
    on_progress: Callable[[int, int], None] | None,
) -> Outcome:
    import lamindb as ln

    source_hash = content_hash(path)
    reference = identity(source_hash, dataset, options)
    done = _find_done(reference, dataset, memory)
    if done is not None:
        return Outcome(source=str(path), dataset=dataset, status="unchanged", **done)
    latest = ln.Artifact.objects.filter(key=f"{DATASETS}{dataset}.h5ad", is_latest=True).first()
    if latest is not None and not named:
        _refuse_other_source(path, dataset, latest)
    if dry_run:
        return Outcome(source=str(path), dataset=dataset, status="planned")
    with staging() as folder:
        reader = file_reader()
        reader.setup = tables_in_use()
        curated: Curated = reader.call(
            curate,
            path,
            folder / "curated.h5ad",
            about=path,
            on_progress=on_progress,
            dataset=dataset,
            source_hash=source_hash,
            options=options,
            memory=memory.by_field(),
            memory_version=memory.version,
        )
        copy(path, folder / "raw")
        write_decisions(curated.decisions, folder / "decisions.tsv", dataset=dataset)
        ensure_genes(get_organism(curated.report.organism["taxon_id"]))
        if memory.uid:
            reference = f"{reference}/{memory.uid}"
        run = _registration(
            path, curated, folder, reference=reference, options=options, memory=memory
        )
        ((registered, _),) = register([run])
    new: Status = "new" if registered.version == "1" else "revised"
    return Outcome(
        source=str(path),
        dataset=dataset,
        status=new if registered.new else "unchanged",
        version=registered.version,
        uid=registered.uid,
        report=curated.report.to_dict(),
    )


def _registration(
    path: Path,
    curated: Curated,
    folder: Path,
    *,
    reference: str,
    options: CurationOptions,
    memory: MemoryVersion,
) -> NewRun:
    """Describe what goes into the registry for one curated file."""
    report = curated.report
    dataset = report.dataset
    raw_name = path.name if dataset == dataset_name(path) else f"{dataset}{path.suffix}"
    raw = NewFile(
        key=f"{RAW}{raw_name}",
        staged=folder / "raw",
        suffix=path.suffix,
        description=f"As given: {path.name}",
        n_observations=report.n_cells_in,
    )
    data = NewFile(
        key=f"{DATASETS}{dataset}.h5ad",
        staged=curated.path,
        suffix=".h5ad",
        description=f"Curated: {report.organism['name']}, {report.n_cells:,} cells",
        kind="dataset",
        otype="AnnData",
        n_observations=report.n_cells,
        terms=curated.terms,
    )
    decisions = NewFile(
        key=f"{DECISIONS}{dataset}.sssom.tsv",
        staged=folder / "decisions.tsv",
        suffix=".tsv",
        description=f"Mapping decisions of {dataset}",
        kind="decisions",
    )
    params = {
        "source": str(path),
        "source_hash": report.source_hash,
        "options": options.to_dict(),
        "code_version": code_version(),
        "classes": curated.classes,
        "report": report.to_dict(),
        "memory": {"version": memory.version, "uid": memory.uid},
        "answers": curated.answers,
    }
    return NewRun(
        step=STEP,
        reference=reference,
        params=params,
        inputs=[raw],
        input_ids=[] if memory.id is None else [memory.id],
        outputs=[data, decisions],
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


def _refuse_other_source(path: Path, dataset: str, latest: Any) -> None:
    """Refuse to take another file of the same name for a new version of a dataset."""
    before = latest.run.params["source"]
    if before != str(path):
        msg = (
            f"Dataset {dataset!r} came from {before}, and {path} has the same name. If it is a new "
            f"version of it, pass --name {dataset}; if it is another dataset, pass another --name."
        )
        raise ConflictError(msg, {"file": str(path), "dataset": dataset, "before": before})
