"""Matrix Market text as rows of cells: read as a stream into a store without a name."""

from __future__ import annotations

import contextlib
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._matrix import CHUNK_VALUES, Rows, stored_sparse
from ._mtx_text import TYPES, read_entries, read_header
from ._transpose import by_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt


def open_mtx(
    path: Path,
    *,
    cells: Literal["columns", "rows"] = "columns",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[int, int], np.dtype[Any], Callable[[], Rows]]:
    """Open a sparse matrix in Matrix Market text, plain or gzip.

    Only the header is read here. The entries are read when the rows are first asked for, in
    blocks, and spooled into temporary files without a name: 8 bytes an entry, 12 if its field is
    real. If they are not in the order of cells they are sorted there, which takes as much again
    and 4 bytes more.

    Parameters
    ----------
    path
        The file.
    cells
        Whether cells are the columns, as in the files of Cell Ranger, or the rows.
    progress
        Called with entries read and entries in all.

    Returns
    -------
    Numbers of cells and features; type of the values, int32 or float64; and how to find the rows.
    The last raises `SchemaError` if a line is not an entry within the shape, if there are fewer
    or more than the header says, or if the file ends early.

    Raises
    ------
    SchemaError
        If the file does not begin as a sparse, general matrix of numbers should.
    """
    header = read_header(path)
    by_column = cells == "columns"
    shape = (header.n_columns, header.n_rows) if by_column else (header.n_rows, header.n_columns)
    dtype: np.dtype[Any] = TYPES[header.field]

    def open_rows() -> Rows:
        n_seen = 0
        with contextlib.ExitStack() as files:
            spool = _Spool(shape[0], dtype, files)
            for rows, columns, values in read_entries(header):
                spool.add(*((columns, rows) if by_column else (rows, columns)), values)
                n_seen += len(values)
                if progress is not None:
                    progress(n_seen, header.n_entries)
            return stored_sparse(spool.csr(), shape)()

    return shape, dtype, open_rows


class _Spool:
    """Entries in files without a name. Cells are written down only if they come out of order."""

    def __init__(self, n_cells: int, dtype: np.dtype[Any], files: contextlib.ExitStack) -> None:
        self.new_file = partial(_File, files)
        self.counts = np.zeros(n_cells, dtype=np.int64)
        self.features, self.values = self.new_file(np.dtype(np.int32)), self.new_file(dtype)
        self.cells: _File | None = None
        self.last = 0

    def add(self, cells: npt.NDArray[Any], features: npt.NDArray[Any], values: Any) -> None:
        is_in_order = cells[0] >= self.last and bool((cells[1:] >= cells[:-1]).all())
        if not is_in_order and self.cells is None:
            self.cells = self._cells_so_far()
        if self.cells is not None:
            self.cells.add(cells)
        self.features.add(features)
        self.values.add(values)
        lowest, self.last = int(cells.min()), int(cells[-1])
        found = np.bincount(cells - lowest)
        self.counts[lowest : lowest + len(found)] += found

    def _cells_so_far(self) -> _File:
        """Write down the cells of what was in order, a bounded number at a time."""
        file, ends = self.new_file(np.dtype(np.int32)), np.cumsum(self.counts)
        n = int(ends[-1])
        for start in range(0, n, CHUNK_VALUES // 4):
            entries = np.arange(start, min(start + CHUNK_VALUES // 4, n))
            file.add(np.searchsorted(ends, entries, side="right"))
        return file

    def csr(self) -> dict[str, npt.NDArray[Any]]:
        """Give ``data``, ``indices`` and ``indptr`` of CSR."""
        features, values = self.features.array(), self.values.array()
        if self.cells is not None:
            return by_rows(
                self.cells.array(),
                lambda start, stop: features[start:stop],
                values,
                n_rows=len(self.counts),
                block=CHUNK_VALUES // 8,
            )
        indptr = np.concatenate([[0], np.cumsum(self.counts)])
        return {"data": values, "indices": features, "indptr": indptr}


class _File:
    """An array that grows in a temporary file; the system drops it when nobody maps it."""

    def __init__(self, files: contextlib.ExitStack, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115

    def add(self, part: npt.NDArray[Any]) -> None:
        self.file.write(np.ascontiguousarray(part, dtype=self.dtype).data)

    def array(self) -> npt.NDArray[Any]:
        self.file.flush()
        n = self.file.tell() // self.dtype.itemsize
        return np.memmap(self.file, self.dtype, "r", shape=(n,)) if n else np.empty(0, self.dtype)
