"""One matrix of a file, read in chunks of rows, however it is stored."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import CorpuscleError, CrashError, SchemaError
from ._alive import sign_of_life
from ._kept import Kept
from ._transpose import transpose
from ._unpack import read_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

T = TypeVar("T")
CHUNK_VALUES = 2_000_000
"""Stored values (dense: entries) in a chunk of rows: 16 MB as float32 and int32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """How the rows of a matrix are found."""

    indptr: npt.NDArray[Any]
    """Where the values of each row begin, and the end. Shape ``(n_rows + 1,)``."""
    read: Callable[[int, int], Any]
    """Rows from start to stop, sparse or dense."""


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """One matrix of a file, with the table of its features."""

    path: Path
    """The file."""
    name: str
    """``raw.X``, ``X`` or ``layers/NAME``."""
    shape: tuple[int, int]
    """Cells and features."""
    dtype: np.dtype[Any]
    """Type of the values in the file."""
    var: pd.DataFrame = field(repr=False)
    """One row per feature, as in the file."""
    open: Callable[[], Rows] = field(repr=False)
    """Find the rows; called once, when the matrix is first read."""
    kept: Kept = field(init=False, default_factory=Kept, repr=False)
    """Rows that were read and need not be read again."""

    @cached_property
    def rows(self) -> Rows:
        """The rows, found."""
        return self.open()

    def chunks(self) -> Iterator[tuple[int, csr_matrix]]:
        """Iterate over ``(first row, rows)``: CSR, sorted, without duplicates and stored zeros.

        Raises
        ------
        SchemaError
            If the file is damaged.
        """
        for start, stop in self._guarded(self._bounds):
            sign_of_life()
            rows = self.kept.take(start)
            yield (
                start,
                rows if rows is not None else self._guarded(partial(self._chunk, start, stop)),
            )

    def _bounds(self) -> list[tuple[int, int]]:
        indptr = self.rows.indptr
        if len(indptr) != self.shape[0] + 1 or (np.diff(indptr.astype(np.int64)) < 0).any():
            msg = f"{len(indptr):,} row offsets for {self.shape[0]:,} rows, or not ascending"
            raise ValueError(msg)
        if int(indptr[0]) != 0:
            msg = f"the first row begins at {int(indptr[0]):,}"
            raise ValueError(msg)
        return row_bounds(indptr)

    def _chunk(self, start: int, stop: int) -> csr_matrix:
        from scipy import sparse

        rows = sparse.csr_matrix(_readable(self.rows.read(start, stop)))
        rows.check_format(full_check=True)  # an index out of range would crash the interpreter
        if not rows.has_canonical_format:
            rows = rows.astype(_summable(rows.dtype))
            rows.sum_duplicates()
        rows.eliminate_zeros()
        return rows

    def _guarded(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (CorpuscleError, MemoryError):
            raise
        except Exception as error:  # a damaged file raises what its library pleases
            if getattr(error, "errno", None) == errno.ENOSPC:
                msg = (
                    f"{self.name} of {self.path} is sorted in temporary files, and "
                    f"{tempfile.gettempdir()} has no room for them. Set TMPDIR to a larger folder."
                )
                raise CrashError(msg, {"file": str(self.path), "matrix": self.name}) from error
            msg = (
                f"{self.name} of {self.path} cannot be read: {type(error).__name__}: {error}. "
                "The file is damaged: fetch or write it again."
            )
            raise SchemaError(msg, {"file": str(self.path), "matrix": self.name}) from error


def _readable(values: Any) -> Any:
    """Give numbers in the byte order of this machine, in a type scipy has sparse matrices of."""
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _summable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give a type in which sums of duplicate entries neither overflow nor round."""
    if dtype.kind == "f":
        return np.dtype(np.float64)
    return dtype if dtype.itemsize == 8 else np.dtype(np.int64)


def row_bounds(indptr: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Cut rows into chunks of at most `CHUNK_VALUES` values, or one row."""
    n_rows = len(indptr) - 1
    bounds, start = [], 0
    while start < n_rows:
        fit = int(np.searchsorted(indptr, int(indptr[start]) + CHUNK_VALUES, side="right")) - 1
        stop = min(max(fit, start + 1), n_rows)
        bounds.append((start, stop))
        start = stop
    return bounds


def stored_sparse(
    group: Any, shape: tuple[int, int], *, columns: npt.NDArray[np.intp] | None = None
) -> Callable[[], Rows]:
    """Read CSR from arrays of HDF5 or zarr.

    Parameters
    ----------
    group
        Has ``data``, ``indices`` and ``indptr``.
    shape
        Rows and columns.
    columns
        The columns to keep. All by default.
    """

    def open_rows() -> Rows:
        from scipy import sparse

        indptr = np.asarray(group["indptr"][...])
        if int(indptr[-1]) != int(group["data"].shape[0]):
            msg = f"{group['data'].shape[0]:,} values in rows that end at {int(indptr[-1]):,}"
            raise ValueError(msg)

        def read(start: int, stop: int) -> csr_matrix:
            first, last = int(indptr[start]), int(indptr[stop])
            data, indices = (_own(read_values(group[n], first, last)) for n in ("data", "indices"))
            data, indices = _readable(data), _signed(indices)
            offsets = _signed(indptr[start : stop + 1]) - first
            rows = sparse.csr_matrix((data, indices, offsets), (stop - start, shape[1]))
            if columns is None:
                return rows
            rows.check_format(full_check=True)
            return sparse.csr_matrix(rows[:, columns])

        return Rows(indptr=indptr, read=read)

    return open_rows


def stored_csc(group: Any, shape: tuple[int, int]) -> Callable[[], Rows]:
    """Read CSC: it is turned into CSR in a file without a name, which no crash leaves behind."""
    return lambda: stored_sparse(transpose(group, shape, max(CHUNK_VALUES // 8, 1)), shape)()


def dense(values: Any) -> Callable[[], Rows]:
    """Read a dense matrix in memory or in a file."""
    n_rows, n_columns = values.shape
    indptr = np.arange(n_rows + 1, dtype=np.int64) * max(n_columns, 1)
    return lambda: Rows(indptr=indptr, read=lambda start, stop: values[start:stop])


def in_memory(values: Any) -> Callable[[], Rows]:
    """Read a sparse or dense matrix that is in memory already."""
    if not hasattr(values, "tocsr"):
        return dense(values)
    rows = values.tocsr()
    return lambda: Rows(indptr=rows.indptr, read=lambda start, stop: rows[start:stop].copy())


def _own(values: Any) -> npt.NDArray[Any]:
    """Copy what is a view: rows are tidied in place, and may be read again."""
    array: npt.NDArray[Any] = np.asarray(values)
    return array if array.flags.owndata else array.copy()


def _signed(values: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.asarray(values)
    return array.astype(np.int64) if array.dtype.kind == "u" or not array.dtype.isnative else array
