"""Cells with the same fingerprint, found on disk: memory does not grow with the corpus."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

RECORD = np.dtype([("fingerprint", "<u8"), ("rank", "<u4"), ("row", "<u4")])
"""One cell on disk, 16 bytes. `rank` orders copies: see `rank_of`."""
CHUNK = 2**20
"""Cells of a file that are read at a time."""
PARTITION = 2**22
"""Cells that are compared in memory at a time, about 50 bytes each."""
MAX_PARTITIONS = 512
"""Files open at once."""
PRIMARY, NOT_STATED, NON_PRIMARY = 0, 1, 2
"""What a cell says of itself, in the order in which copies are kept."""
DATASET_BITS = 29


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of one curated file, as they are compared."""

    path: Path
    """An h5ad file."""
    links: bool = False
    """Whether it is declared to repeat cells of another one here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """What was written of one file."""

    n_cells: int
    n_shallow: int
    """Cells with too few genes to be compared."""
    n_non_primary: int
    compared: bool
    """False if the file was curated before cells had fingerprints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Cells that have copies; copies stand together, the one to keep first. Each ``(n,)``."""

    first: npt.NDArray[np.int64]
    """Place of the first of its copies."""
    dataset: npt.NDArray[np.int64]
    row: npt.NDArray[np.uint32]
    links: npt.NDArray[np.bool_]
    """Whether the cell's dataset is declared to repeat another."""
    primary: npt.NDArray[np.int64]
    """`PRIMARY`, `NOT_STATED` or `NON_PRIMARY`."""

    @property
    def is_first(self) -> npt.NDArray[np.bool_]:
        """Whether a cell is the first of its copies."""
        return np.equal(self.first, np.arange(len(self.first)))


def rank_of(primary: npt.NDArray[np.int64], *, dataset: int, links: bool) -> npt.NDArray[np.uint32]:
    """Order copies: datasets that link to none first, then primary cells, then the dataset."""
    rank = (int(links) << 31) + (primary << DATASET_BITS) + dataset
    return rank.astype(np.uint32)


def spool(
    files: Sequence[Cells],
    folder: Path,
    *,
    n_cells: int,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[Spooled], list[Path]]:
    """Deal the cells of all files to partitions, so that copies meet in one.

    Parameters
    ----------
    files
        In the order in which copies are kept.
    folder
        For the partitions, 16 bytes a cell.
    n_cells
        Of all files, which decides the number of partitions.
    progress
        Called with the cells that were read.
    """
    bits = min(max(-(-n_cells // PARTITION) - 1, 0).bit_length(), MAX_PARTITIONS.bit_length() - 1)
    paths = [folder / f"{number}.cells" for number in range(2**bits)]
    facts = []
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(path.open("wb")) for path in paths]
        for number, file in enumerate(files):
            counts = np.zeros(3, dtype=np.int64)
            compared = True
            for start, fingerprint, primary in read_cells(file.path):
                compared = fingerprint is not None
                counts[0] += len(primary)
                counts[2] += np.count_nonzero(primary == NON_PRIMARY)
                if fingerprint is not None:
                    deep = np.flatnonzero(fingerprint)
                    counts[1] += len(fingerprint) - len(deep)
                    records = np.empty(len(deep), dtype=RECORD)
                    records["fingerprint"] = fingerprint[deep]
                    records["rank"] = rank_of(primary[deep], dataset=number, links=file.links)
                    records["row"] = deep + start
                    _deal(records, parts, bits)
                if progress is not None:
                    progress(len(primary))
            n, n_shallow, n_non_primary = counts.tolist()
            facts.append(
                Spooled(
                    n_cells=n, n_shallow=n_shallow, n_non_primary=n_non_primary, compared=compared
                )
            )
    return facts, paths


def read_cells(
    path: Path,
) -> Iterator[tuple[int, npt.NDArray[np.uint64] | None, npt.NDArray[np.int64]]]:
    """Read first row, fingerprints (None if there are none) and what cells say of themselves."""
    import h5py

    with h5py.File(path, "r") as file:
        obs: Any = file["obs"]
        n = len(obs[obs.attrs["_index"]])
        stored = obs.get("fingerprint")
        for start in range(0, n, CHUNK):
            span = slice(start, min(start + CHUNK, n))
            yield start, None if stored is None else stored[span], _primary(obs, span)


def _primary(obs: Any, span: slice) -> npt.NDArray[np.int64]:
    stored = obs.get("is_primary_data")
    if stored is None:
        return np.full(span.stop - span.start, NOT_STATED)
    if hasattr(stored, "shape"):
        return np.where(stored[span], PRIMARY, NON_PRIMARY)
    stated = np.where(stored["values"][span], PRIMARY, NON_PRIMARY)
    return np.where(stored["mask"][span], NOT_STATED, stated)


def _deal(records: npt.NDArray[Any], parts: Sequence[Any], bits: int) -> None:
    if not bits:
        parts[0].write(records.tobytes())
        return
    part = (records["fingerprint"] >> np.uint64(64 - bits)).astype(np.uint16)
    records = records[np.argsort(part, kind="stable")]  # a radix sort for 16 bits
    bounds = np.concatenate([[0], np.cumsum(np.bincount(part, minlength=len(parts)))])
    for number, file in enumerate(parts):
        file.write(records[bounds[number] : bounds[number + 1]].tobytes())


def copies_in(path: Path) -> Copies:
    """Find the cells of a partition that have copies in it."""
    records = np.fromfile(path, dtype=RECORD)  # by dataset and row, as they were read
    fingerprint = np.ascontiguousarray(records["fingerprint"])
    order = np.argsort(fingerprint)
    fingerprint = fingerprint[order]
    is_first = np.ones(len(records), dtype=np.bool_)
    is_first[1:] = fingerprint[1:] != fingerprint[:-1]
    repeated = ~is_first
    repeated[:-1] |= ~is_first[1:]
    del fingerprint
    place, run = order[repeated], np.cumsum(is_first[repeated])
    word = records["rank"][place].astype(np.int64) >> DATASET_BITS
    key = run << 35 | word << 32 | place  # one number sorts several times as fast as three
    key.sort()
    records = records[key & (2**32 - 1)]
    is_first = np.diff(key >> 35, prepend=0) > 0
    rank = records["rank"].astype(np.int64)
    return Copies(
        first=np.maximum.accumulate(np.where(is_first, np.arange(len(records)), 0)),
        dataset=rank & (2**DATASET_BITS - 1),
        row=np.ascontiguousarray(records["row"]),
        links=rank >> 31 > 0,
        primary=rank >> DATASET_BITS & 3,
    )
