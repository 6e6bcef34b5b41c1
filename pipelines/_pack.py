"""The training form of a collection version: packed in parallel, registered with its lineage."""

from __future__ import annotations

import os
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..curation import content_hash, copy_file
from ..errors import InputError
from ..loaders import PackOptions
from ..loaders.packed._pack import finish, pack_one, plan_shards, prepare_folder
from ._answers import made_by
from ._collect import find_collection, open_corpus
from ._lamin import connect
from ._memory_limit import memory_bytes
from ._registrar import NewFile, NewRun, register
from ._staging import file_facts, staging
from ._versions import code_version
from ._worker import MEMORY_SHARE, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..loaders import Corpus
    from ..loaders.packed._format import ShardEntry
    from ..loaders.packed._pack import ShardPlan

STEP = "corpuscle/pack"
PACKED = "packed/"
"""Prefix of the keys of shards and manifests."""
BYTES_PER_VALUE = {"plain": 1.55, "zstd": 0.95}
"""Of typical counts; see docs/design/0016."""
BYTES_PER_CELL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A packed version of a collection."""

    name: str
    version: str
    folder: str
    codec: str
    n_cells: int
    n_shards: int
    n_written: int
    """Shards that were not there; the others were read and are whole."""
    n_bytes: int
    """Of all shards; expected ones if it is only planned."""
    new: bool
    """False if exactly this was registered before."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)


def pack(
    name: str,
    out: str | os.PathLike[str],
    *,
    version: str | int | None = None,
    options: PackOptions | None = None,
    processes: int | None = None,
    dry_run: bool = False,
    home: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Write the training form of a version of a collection, and register it.

    Every shard is read back before it gets its name. What is in the folder or in the registry
    already, also of another version, is checked and used again; so packing that was stopped goes
    on. The manifest is written last. The folder shares its shards with the storage by hard links
    where it is on the same file system, and needs no registry to be read.

    Parameters
    ----------
    name
        Name of the collection.
    out
        Folder to make.
    version
        Of the collection; the latest by default.
    options
        Codec, columns, sizes.
    processes
        Shards that are written at once; as many as there are cores by default.
    dry_run
        Only tell what there is to do, and how large it will be.
    home
        The workspace; see `connect` for the default.
    progress
        Called with cells done and cells in all.

    Raises
    ------
    NotFoundError
        If there is no such collection or version.
    InputError
        If `processes` is less than 1.
    ConflictError
        If another collection was packed in the folder.
    CorpuscleError
        If a dataset cannot be packed. What is done stays.
    """
    options, folder = options or PackOptions(), Path(out)
    if processes is not None and processes < 1:
        msg = f"{processes} processes cannot pack. Ask for at least 1."
        raise InputError(msg, {"processes": processes})
    connect(home)
    collection = find_collection(name, None if version is None else str(version))
    corpus = open_corpus(name, collection.version_tag)
    plans = plan_shards(corpus, options)
    known = _registered(plans)
    facts: dict[str, Any] = {
        "name": name,
        "version": corpus.version,
        "folder": str(folder),
        "codec": options.codec,
        "n_cells": corpus.n_cells,
        "n_shards": len(plans),
    }
    if dry_run:
        there = {p.file: size for p in plans if (size := _size(p, folder, known)) is not None}
        missing = [plan for plan in plans if plan.file not in there]
        n_bytes = sum(there.values()) + sum(_expected(plan, options.codec) for plan in missing)
        return Packed(**facts, n_written=len(missing), n_bytes=n_bytes, new=True)
    prepare_folder(corpus, folder)
    for plan in plans:
        place = folder / plan.file
        if plan.file in known and not place.exists():
            _link(Path(known[plan.file]["path"]), place)
    processes = min(processes or len(os.sched_getaffinity(0)), len(plans))
    results = _pack_all(plans, folder, options, processes, progress)
    entries = [entry for entry, _ in results]
    manifest = finish(corpus, folder, options, entries)
    return Packed(
        **facts,
        n_written=sum(made for _, made in results),
        n_bytes=sum(entry.n_bytes for entry in entries),
        new=_register(corpus, collection, options, manifest, entries, known),
    )


def _pack_all(
    plans: Sequence[ShardPlan],
    folder: Path,
    options: PackOptions,
    processes: int,
    progress: Callable[[int, int], None] | None,
) -> list[tuple[ShardEntry, bool]]:
    """Make shards, each in one of some processes, which end with this one."""
    share = int(MEMORY_SHARE * memory_bytes() / max(processes, 1))
    workers = [Worker(max_bytes=share) for _ in range(processes)]
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)
    done, n_cells = dict.fromkeys(range(len(plans)), 0), sum(plan.n_cells for plan in plans)

    def one(place: int) -> tuple[ShardEntry, bool]:
        def tell(n_done: int, _: int) -> None:
            done[place] = n_done
            if progress is not None:
                progress(sum(done.values()), n_cells)

        worker, plan = idle.get(), plans[place]
        try:
            found: tuple[ShardEntry, bool] = worker.call(
                pack_one, plan, folder, options, about=plan.ref.path, on_progress=tell
            )
        finally:
            idle.put(worker)
        return found

    pool = ThreadPoolExecutor(max(processes, 1), thread_name_prefix="pack")
    try:
        return list(pool.map(one, range(len(plans))))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()
        raise
    finally:
        pool.shutdown(wait=True)
        for worker in workers:
            worker.close()


def _registered(plans: Sequence[ShardPlan]) -> dict[str, dict[str, Any]]:
    """Find shards in the registry, by their path in the folder."""
    import lamindb as ln

    keys = {_key(plan.file): plan.file for plan in plans}
    found = ln.Artifact.objects.filter(key__in=keys, is_latest=True).select_related("storage")
    return {
        keys[artifact.key]: {
            "path": str(artifact.path),
            "facts": (artifact.size, artifact.hash, artifact._hash_type, artifact.n_files),
        }
        for artifact in found
        if Path(str(artifact.path)).is_file()
    }


def _register(
    corpus: Corpus,
    collection: Any,
    options: PackOptions,
    manifest: Path,
    entries: Sequence[ShardEntry],
    known: dict[str, dict[str, Any]],
) -> bool:
    """Register manifest and shards, unless exactly this is registered."""
    import lamindb as ln

    reference = content_hash(manifest)
    if ln.Run.objects.filter(reference=reference, transform__key=STEP).exists():
        return False
    inputs = [artifact.id for artifact in collection.artifacts.all()]
    if corpus.duplicates is not None:
        inputs.append(made_by(collection.run_id, corpus.duplicates.key).id)
    with staging() as folder:
        own = folder / manifest.name
        copy_file(manifest, own)
        outputs = [
            NewFile(
                key=f"{PACKED}{corpus.name}/{options.codec}.json",
                staged=own,
                suffix=".json",
                description=f"Packed form ({options.codec}) of {corpus.name}@{corpus.version}",
                kind="packed",
            )
        ]
        for entry in entries:
            place = manifest.parent / entry.file
            facts = known[entry.file]["facts"] if entry.file in known else None
            if facts is None or facts[0] != place.stat().st_size:
                facts = file_facts(place)
                _link(place, folder / place.name)
            outputs.append(
                NewFile(
                    key=_key(entry.file),
                    staged=folder / place.name,
                    suffix=place.suffix,
                    description=f"{entry.n_cells:,} packed cells of dataset {entry.dataset}",
                    kind="packed",
                    n_observations=entry.n_cells,
                    facts=facts,
                )
            )
        params = {
            "collection": corpus.name,
            "version": corpus.version,
            "uid": corpus.uid,
            "options": asdict(options),
            "code_version": code_version(),
        }
        register(
            [
                NewRun(
                    step=STEP,
                    params=params,
                    reference=reference,
                    input_ids=inputs,
                    collection_ids=[collection.id],
                    outputs=outputs,
                )
            ]
        )
    return True


def _key(file: str) -> str:
    return f"{PACKED}{Path(file).name}"


def _link(source: Path, target: Path) -> None:
    """Give a file another name, or copy it to another file system."""
    try:
        os.link(source, target)
    except OSError:
        copy_file(source, target)


def _size(plan: ShardPlan, folder: Path, known: dict[str, dict[str, Any]]) -> int | None:
    place = folder / plan.file
    if place.is_file():
        return place.stat().st_size
    return int(known[plan.file]["facts"][0]) if plan.file in known else None


def _expected(plan: ShardPlan, codec: str) -> int:
    """Estimate the bytes of a shard."""
    from ..loaders._handles import open_local

    _, store = open_local(plan.ref.path)
    x = store["X"]
    n_values = (x.size if hasattr(x, "shape") else x["data"].shape[0]) / max(plan.ref.n_rows, 1)
    if hasattr(store, "close"):
        store.close()
    return int(plan.n_cells * (n_values * BYTES_PER_VALUE[codec] + BYTES_PER_CELL))
