"""Many rows of one or more files with few reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from ._hdf5 import find_layout, read_ranges

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    import numpy.typing as npt

    from ._handles import Handles
    from ._hdf5 import Layout

__all__ = ["ColumnCache", "FileRows", "gather_csr", "group_by_file", "read_block", "read_csr_block"]


class ColumnCache:
    """Columns (row pointers, label codes) and layouts of datasets, kept in memory while they fit.

    What does not fit any more is read from the file each time: nothing is evicted, so a corpus
    larger than the budget costs more reads but never reads a whole column for one row.

    Parameters
    ----------
    max_bytes
        Budget of one process.
    """

    def __init__(self, max_bytes: int = 256 * 2**20) -> None:
        self._free = max_bytes
        self._max_bytes = max_bytes
        self._held: dict[Hashable, npt.NDArray[Any]] = {}
        self._layouts: dict[Hashable, Layout | None] = {}

    def take(self, key: Hashable, column: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Values of `column`, an array on disk, at `rows` (ascending). Shape ``(n_rows,)``."""
        held = self._held.get(key)
        if held is None:
            size = int(column.shape[0]) * int(column.dtype.itemsize)
            if column.dtype.kind not in "biuf" or size > self._free:
                return read_block(column, rows)
            held = self._held[key] = column[...]
            self._free -= size
        return held[rows]

    def layout(self, key: Hashable, array: Any) -> Layout | None:
        """Layout of `array`, a dataset on disk; None if its own library must read it."""
        if key not in self._layouts:
            found = find_layout(array)
            if found is not None and found.nbytes > self._free:
                return None
            self._layouts[key] = found
            self._free -= 0 if found is None else found.nbytes
        return self._layouts[key]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "_free": self._max_bytes,
            "_max_bytes": self._max_bytes,
            "_held": {},
            "_layouts": {},
        }


class FileRows(NamedTuple):
    """The part of a request that one file answers."""

    file: int
    """Number of the file."""
    rows: npt.NDArray[np.int64]
    """Rows to read, ascending, each once. Shape ``(n_rows,)``."""
    places: npt.NDArray[np.int64]
    """Where in the request the file's rows were asked for. Shape ``(n_asked,)``."""
    source: npt.NDArray[np.int64]
    """Which of `rows` goes to each of `places`. Shape ``(n_asked,)``."""


def group_by_file(files: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Iterator[FileRows]:
    """Split a request, given as file and row of each cell, by file. Both of shape ``(n,)``."""
    order = np.argsort(files, kind="stable")
    ends = np.flatnonzero(np.diff(files[order])) + 1
    for places in np.split(order, ends) if len(order) else ():
        unique, source = np.unique(rows[places], return_inverse=True)
        yield FileRows(int(files[places[0]]), unique, places, source)


def read_block(
    array: Any, rows: npt.NDArray[np.int64], layout: Layout | None = None
) -> npt.NDArray[Any]:
    """Read ascending `rows` of an array on disk, one read for each run of neighbours."""
    return _read_ranges(array, rows, rows + 1, layout)


def read_csr_block(
    group: Any, rows: npt.NDArray[np.int64], *, cache: ColumnCache, key: Hashable
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Read ascending, distinct `rows` of a CSR group on disk.

    Returns
    -------
    Values ``(nnz,)``, columns ``(nnz,)`` as they are stored, and row pointers ``(n_rows + 1,)``.
    """
    indptr = group["indptr"]
    start = cache.take(key, indptr, rows).astype(np.int64)
    stop = cache.take(key, indptr, rows + 1).astype(np.int64)
    data, indices = (
        _read_ranges(array, start, stop, cache.layout((key, name), array))
        for name in ("data", "indices")
        for array in (group[name],)
    )
    return data, indices, np.concatenate([[0], np.cumsum(stop - start)])


def gather_csr(
    stores: Handles,
    files: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    *,
    columns: Sequence[npt.NDArray[np.integer[Any]] | None],
    n_columns: int,
    dtype: npt.DTypeLike | None,
    cache: ColumnCache,
) -> sparse.csr_matrix:
    """Read X of cells from many files into one sparse matrix.

    Parameters
    ----------
    stores
        The open files.
    files, rows
        File and row of each cell. Shape ``(n,)``.
    columns
        For each file, the output column of each of its own, or -1 to leave it out. None: the same.
    n_columns
        Columns of the result.
    dtype
        Of the values; None for the common type of the files that were read.
    cache
        Keeps row pointers.

    Returns
    -------
    Shape ``(n, n_columns)``, in the order asked, columns ascending within each row.
    """
    parts = []
    order = np.empty(len(rows), dtype=np.int64)
    n_read = 0
    for part in group_by_file(files, rows):
        x = stores[part.file]["X"]
        block = _csr_of(x, part.rows, cache=cache, key=(part.file, "X"))
        parts.append(_move_columns(block, columns[part.file]))
        order[part.places] = n_read + part.source
        n_read += len(part.rows)
    if not parts:
        return sparse.csr_matrix(np.zeros((0, n_columns), dtype=dtype))
    data = np.concatenate([data for data, _, _ in parts]).astype(dtype, copy=False)
    indices = np.concatenate([indices for _, indices, _ in parts])
    lengths = np.concatenate([np.diff(indptr) for _, _, indptr in parts])
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    read = sparse.csr_matrix((data, indices, indptr), shape=(n_read, n_columns), copy=False)
    result = read[order]
    result.sort_indices()
    return result


def _csr_of(
    x: Any, rows: npt.NDArray[np.int64], *, cache: ColumnCache, key: Hashable
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int64]]:
    if not hasattr(x, "shape"):
        return read_csr_block(x, rows, cache=cache, key=key)
    block = sparse.csr_matrix(read_block(x, rows, cache.layout(key, x)))
    return block.data, block.indices, block.indptr.astype(np.int64)


def _move_columns(
    block: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int64]],
    columns: npt.NDArray[np.integer[Any]] | None,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int64]]:
    data, indices, indptr = block
    if columns is None:
        return block
    moved = columns[indices]
    kept = moved >= 0
    if kept.all():
        return data, moved, indptr
    before = np.concatenate([[0], np.cumsum(kept)])
    return data[kept], moved[kept], before[indptr]


def _read_ranges(
    array: Any,
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    layout: Layout | None = None,
) -> npt.NDArray[Any]:
    """Read ascending ranges end to end; ranges that touch are read at once."""
    filled = stop > start
    start, stop = start[filled], stop[filled]
    if not len(start):
        nothing: npt.NDArray[Any] = array[:0]
        return nothing
    apart = np.flatnonzero(start[1:] != stop[:-1]) + 1
    start = start[np.concatenate([[0], apart])]
    stop = stop[np.concatenate([apart, [len(stop)]]) - 1]
    if layout is not None:
        return read_ranges(array, layout, start, stop)
    firsts, lasts = start.tolist(), stop.tolist()
    if len(firsts) > 1 and hasattr(array, "oindex"):
        # zarr decodes whole chunks for every read, so it is asked once
        wanted = np.concatenate([np.arange(a, b) for a, b in zip(firsts, lasts, strict=True)])
        found: npt.NDArray[Any] = array.oindex[(wanted, *[slice(None)] * (array.ndim - 1))]
        return found
    pieces: list[npt.NDArray[Any]] = [array[a:b] for a, b in zip(firsts, lasts, strict=True)]
    return np.concatenate(pieces)
