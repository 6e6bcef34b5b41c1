"""A corpus becomes a folder of shards."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConflictError, CorpuscleError, NotFoundError
from .._kept import excluded_rows
from ._format import MANIFEST, SHARDS, VERSION, Manifest, ShardEntry
from ._shard import Shard
from ._verify import verify_shard
from ._write import PackOptions, pack_shard, remove_half_files, written_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from ..corpus import Corpus, DatasetRef

__all__ = [
    "ShardPlan",
    "finish",
    "pack_corpus",
    "pack_one",
    "plan_shards",
    "prepare_folder",
    "verify_packed",
]

WRITER = 1
"""Raised when the same cells become other bytes, so that shards of before are not taken for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """A shard to be."""

    file: str
    """Its path in the folder: the name tells all that decides about its bytes."""
    ref: DatasetRef
    first: int
    n_cells: int
    excluded: npt.NDArray[np.uint32]
    """Rows of the dataset's file that the corpus leaves out."""


def plan_shards(corpus: Corpus, options: PackOptions) -> list[ShardPlan]:
    """Cut a corpus into shards, in the order of its cells.

    The name of a shard depends on its dataset, which of its cells are left out, and the options:
    two corpora that share these share the file.

    Raises
    ------
    NotFoundError, IntegrityError
        If the list of cells that are left out is not there, or of another version.
    """
    from blake3 import blake3

    excluded, plans = excluded_rows(corpus), []
    nothing = np.empty(0, dtype=np.uint32)
    how = [WRITER, VERSION, options.codec, options.n_block_rows, options.columns, options.obsm]
    for i, ref in enumerate(corpus.datasets):
        out = excluded.get(i, nothing)
        for first in range(0, ref.n_cells, options.shard_cells):
            n_cells = min(options.shard_cells, ref.n_cells - first)
            facts = [*how, ref.uid, ref.organism, ref.n_rows, first, n_cells]
            digest = blake3(json.dumps(facts).encode() + out.tobytes()).hexdigest()[:16]
            name = re.sub(r"[^A-Za-z0-9-]", "_", ref.uid)
            file = f"{SHARDS}/{name}-{first // options.shard_cells}-{digest}.packed"
            plans.append(ShardPlan(file=file, ref=ref, first=first, n_cells=n_cells, excluded=out))
    return plans


def prepare_folder(corpus: Corpus, folder: Path) -> None:
    """Make the folder of a packed corpus, and remove what killed processes left half done.

    Raises
    ------
    ConflictError
        If another collection was packed there.
    """
    path = folder / MANIFEST
    if path.exists() and (there := Manifest.read(path).corpus["name"]) != corpus.name:
        msg = f"{folder} holds {there!r}, packed. Choose another folder for {corpus.name!r}."
        raise ConflictError(msg, {"folder": str(folder), "collection": there})
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    for place in (folder, folder / SHARDS):
        remove_half_files(place)


def pack_one(
    plan: ShardPlan,
    folder: Path,
    options: PackOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ShardEntry, bool]:
    """Make a shard, unless it is there and whole; every byte of what is there is checked.

    Returns
    -------
    What the manifest says of it, and whether it was made.
    """
    path = folder / plan.file
    if (entry := whole_shard(plan, path)) is not None:
        if progress is not None:
            progress(plan.n_cells, plan.n_cells)
        return entry, False
    entry = pack_shard(
        plan.ref,
        path,
        first=plan.first,
        n_cells=plan.n_cells,
        excluded=plan.excluded,
        options=options,
        progress=progress,
    )
    return replace(entry, file=plan.file), True


def whole_shard(plan: ShardPlan, path: Path) -> ShardEntry | None:
    """Describe a file, if it is the shard that was planned, and whole."""
    try:
        shard = Shard.open(path)
        verify_shard(shard)
    except NotFoundError:
        return None
    except CorpuscleError:
        path.unlink()
        return None
    entry = replace(shard.entry, file=plan.file)
    facts = (entry.dataset, entry.first, entry.n_cells)
    return entry if facts == (plan.ref.uid, plan.first, plan.n_cells) else None


def finish(
    corpus: Corpus, folder: Path, options: PackOptions, entries: Sequence[ShardEntry]
) -> Path:
    """Write the manifest, which makes the folder a packed corpus.

    Returns
    -------
    Its path.
    """
    from importlib.metadata import version

    genes: dict[str, set[str]] = {}
    for entry in entries:
        genes.setdefault(entry.organism, set()).update(Shard.open(folder / entry.file).genes)
    manifest = Manifest(
        corpus=corpus.to_manifest(),
        genes={organism: tuple(sorted(ids)) for organism, ids in sorted(genes.items())},
        codec=options.codec,
        shards=tuple(entries),
        written_by={name: version(name) for name in ("corpuscle", "numba", "numpy", "zstandard")},
    )
    path = folder / MANIFEST
    content = manifest.to_bytes()
    if not path.exists() or path.read_bytes() != content:
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
    return path


def pack_corpus(
    corpus: Corpus,
    folder: str | os.PathLike[str],
    *,
    options: PackOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Pack a corpus, without a registry and in this process: see `corpuscle.pipelines.pack`.

    Shards that are there and whole are used again. The manifest is written last: a folder without
    one is not finished.

    Parameters
    ----------
    corpus
        What to pack.
    folder
        Where.
    options
        How.
    progress
        Called with cells done and cells in all.

    Returns
    -------
    The folder.

    Raises
    ------
    ConflictError
        If another collection was packed there.
    CorpuscleError
        If a dataset cannot be packed, see `pack_shard`.
    """
    options, folder = options or PackOptions(), Path(folder)
    plans = plan_shards(corpus, options)
    prepare_folder(corpus, folder)
    entries: list[ShardEntry] = []
    for plan in plans:
        before = sum(entry.n_cells for entry in entries)
        told = None
        if progress is not None:
            told = _counted(progress, before, corpus.n_cells)
        entries.append(pack_one(plan, folder, options, progress=told)[0])
    finish(corpus, folder, options, entries)
    return folder


def _counted(
    progress: Callable[[int, int], None], before: int, n_cells: int
) -> Callable[[int, int], None]:
    return lambda done, _: progress(before + done, n_cells)


def verify_packed(
    folder: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Check every byte of a packed corpus, and decode every row.

    Parameters
    ----------
    folder
        The folder of the manifest.
    progress
        Called with cells done and cells in all.

    Returns
    -------
    ``n_shards``, ``n_cells``, ``n_values``, ``n_bytes``.

    Raises
    ------
    NotFoundError
        If the folder is no packed corpus, or a shard is not there.
    IntegrityError
        If something is not as it was written; names shard, section and block.
    SchemaError
        If it is of another version of the format.
    """
    folder = Path(folder)
    entries = Manifest.read(folder / MANIFEST).shards
    done, n_cells = 0, sum(entry.n_cells for entry in entries)
    for entry in entries:
        verify_shard(Shard.open(folder / entry.file, entry))
        done += entry.n_cells
        if progress is not None:
            progress(done, n_cells)
    return {
        "n_shards": len(entries),
        "n_cells": n_cells,
        "n_values": sum(entry.n_values for entry in entries),
        "n_bytes": sum(entry.n_bytes for entry in entries),
    }
