"""Many rows of one or more files with few reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from scipy import sparse

from ._hdf5 import find_layout, read_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    import numpy.typing as npt

    from ._handles import Handles
    from ._hdf5 import Layout

__all__ = [
    "ColumnCache",
    "FileRows",
    "gather_csr",
    "group_by_file",
    "read_block",
    "read_csr_block",
    "read_together",
]


Fetched = TypeVar("Fetched")
Taken = TypeVar("Taken")


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


def read_together(
    wanted: Sequence[npt.NDArray[np.int64]],
    *,
    read: Callable[[npt.NDArray[np.int64]], Fetched],
    take: Callable[[Fetched, npt.NDArray[np.int64]], Taken],
) -> Iterator[Taken]:
    """Read the cells of several batches at once, and give each batch.

    Parameters
    ----------
    wanted
        Cells of each batch, none twice.
    read
        Takes ascending cells.
    take
        Takes what was read, and which of its cells, in order, make a batch.
    """
    cells = np.concatenate(wanted)
    ranks = np.empty(len(cells), dtype=np.int64)
    ascending = np.argsort(cells)
    ranks[ascending] = np.arange(len(cells))
    fetched = read(cells[ascending])
    for places in np.split(ranks, np.cumsum([len(part) for part in wanted])[:-1]):
        yield take(fetched, places)


def read_block(
    array: Any, rows: npt.NDArray[np.int64], layout: Layout | None = None
) -> npt.NDArray[Any]:
    """Read ascending `rows` of an array on disk, one read for each run of neighbours."""
    block = np.empty((len(rows), *array.shape[1:]), dtype=array.dtype)
    _read_ranges(array, rows, rows + 1, layout, block)
    return block


def read_csr_block(
    group: Any, rows: npt.NDArray[np.int64], *, cache: ColumnCache, key: Hashable
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Read ascending, distinct `rows` of a CSR group on disk.

    Returns
    -------
    Values ``(nnz,)``, columns ``(nnz,)`` as they are stored, and row pointers ``(n_rows + 1,)``.
    """
    block = _CsrRows(group, rows, cache=cache, key=key)
    data, indices = (
        np.empty(block.ends[-1], dtype=group[name].dtype) for name in ("data", "indices")
    )
    block.read_into(data, indices)
    return data, indices, block.ends


class _CsrRows:
    """Rows of a CSR group on disk; the values are read when there is a place for them."""

    def __init__(
        self, group: Any, rows: npt.NDArray[np.int64], *, cache: ColumnCache, key: Hashable
    ) -> None:
        indptr = group["indptr"]  # `group` is one, or a dictionary of its arrays
        self._start = cache.take(key, indptr, rows).astype(np.int64)
        self._stop = cache.take(key, indptr, rows + 1).astype(np.int64)
        self._arrays = {name: group[name] for name in ("data", "indices")}
        self._layouts = {
            name: cache.layout((key, name), array) for name, array in self._arrays.items()
        }
        layout = self._layouts["data"]
        self.dtype: np.dtype[Any] = (layout or self._arrays["data"]).dtype
        self.ends = np.concatenate([[0], np.cumsum(self._stop - self._start)])

    def read_into(self, data: npt.NDArray[Any], indices: npt.NDArray[Any]) -> None:
        for name, out in (("data", data), ("indices", indices)):
            _read_ranges(self._arrays[name], self._start, self._stop, self._layouts[name], out)


class _DenseRows:
    """Rows of a dense array on disk as those of a CSR matrix."""

    def __init__(
        self, array: Any, rows: npt.NDArray[np.int64], *, cache: ColumnCache, key: Hashable
    ) -> None:
        self._x = sparse.csr_matrix(read_block(array, rows, cache.layout(key, array)))
        self.dtype: np.dtype[Any] = self._x.dtype
        self.ends = self._x.indptr.astype(np.int64)

    def read_into(self, data: npt.NDArray[Any], indices: npt.NDArray[Any]) -> None:
        data[:], indices[:] = self._x.data, self._x.indices


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
    order = np.empty(len(rows), dtype=np.int64)
    blocks: list[_CsrRows | _DenseRows] = []
    moves, n_read = [], 0
    kind: type[_CsrRows | _DenseRows]
    for part in group_by_file(files, rows):
        x, kind = stores.part(part.file, "X"), _DenseRows
        if not hasattr(x, "shape"):
            names, kind = ("data", "indices", "indptr"), _CsrRows
            x = {name: stores.part(part.file, f"X/{name}") for name in names}
        blocks.append(kind(x, part.rows, cache=cache, key=(part.file, "X")))
        moves.append(columns[part.file])
        order[part.places] = n_read + part.source
        n_read += len(part.rows)
    if not blocks:
        return sparse.csr_matrix(np.zeros((0, n_columns), dtype=dtype))
    dtype = np.result_type(*(block.dtype for block in blocks)) if dtype is None else dtype
    first = np.cumsum([0, *(block.ends[-1] for block in blocks)])
    indptr = np.concatenate(
        [[0], *(start + block.ends[1:] for start, block in zip(first, blocks, strict=False))]
    )
    if indptr[-1] < 2**31:  # else scipy makes another copy of the columns
        indptr = indptr.astype(np.int32)
    data, indices = np.empty(first[-1], dtype=dtype), np.empty(first[-1], dtype=indptr.dtype)
    for start, block, to in zip(first, blocks, moves, strict=False):
        own = indices[start : start + block.ends[-1]]
        block.read_into(data[start : start + block.ends[-1]], own)
        if to is not None:
            own[:] = to[own]
    if any(to is not None and (to < 0).any() for to in moves):
        kept = indices >= 0
        indptr = np.concatenate([[0], np.cumsum(kept)])[indptr].astype(indptr.dtype)
        data, indices = data[kept], indices[kept]
    read = sparse.csr_matrix((data, indices, indptr), shape=(n_read, n_columns), copy=False)
    result = read if (np.diff(order, prepend=-1) == 1).all() else read[order]
    result.sort_indices()
    return result


def _read_ranges(
    array: Any,
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    layout: Layout | None,
    out: npt.NDArray[Any],
) -> None:
    """Read ascending ranges end to end into `out`; ranges that touch are read at once."""
    filled = stop > start
    start, stop = start[filled], stop[filled]
    if not len(start):
        return
    apart = np.flatnonzero(start[1:] != stop[:-1]) + 1
    start = start[np.concatenate([[0], apart])]
    stop = stop[np.concatenate([apart, [len(stop)]]) - 1]
    if layout is not None and layout.dtype == out.dtype:
        read_ranges(array, layout, start, stop, out)
    elif len(start) > 1 and hasattr(array, "oindex"):
        # zarr decodes whole chunks for every read, so it is asked once
        wanted = np.concatenate([np.arange(*span) for span in zip(start, stop, strict=True)])
        out[:] = array.oindex[(wanted, *[slice(None)] * (array.ndim - 1))]
    else:
        done = 0
        for first, last in zip(start.tolist(), stop.tolist(), strict=True):
            out[done : done + last - first] = array[first:last]
            done += last - first
