"""Columns into rows, out of core."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from ._alive import sign_of_life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt


def transpose(group: Any, shape: tuple[int, int], block: int) -> dict[str, npt.NDArray[Any]]:
    """Turn stored CSC into CSR.

    The entries are read twice in blocks, once to count those of each row and once to put them
    into place. Their place is a temporary file without a name: the system drops it when nobody
    has it open any more.

    Parameters
    ----------
    group
        Has ``data``, ``indices`` and ``indptr`` of CSC.
    shape
        Rows and columns.
    block
        Entries held in memory at a time.

    Returns
    -------
    ``data``, ``indices`` (sorted within rows) and ``indptr`` of CSR.

    Raises
    ------
    ValueError
        If the entries contradict each other or the shape.
    """
    column_starts = np.asarray(group["indptr"][...]).astype(np.int64)
    indices, data = group["indices"], group["data"]
    n = int(data.shape[0])
    if len(column_starts) != shape[1] + 1 or int(column_starts[-1]) != n or indices.shape[0] != n:
        msg = f"{n:,} values do not fit into {len(column_starts) - 1:,} of {shape[1]:,} columns"
        raise ValueError(msg)
    if int(column_starts[0]) != 0 or (np.diff(column_starts) < 0).any():
        msg = "column offsets do not ascend from 0"
        raise ValueError(msg)

    def columns(start: int, stop: int) -> npt.NDArray[np.int64]:
        return np.searchsorted(column_starts, np.arange(start, stop), side="right") - 1

    return by_rows(indices, columns, data, n_rows=shape[0], block=block)


def by_rows(
    rows: Any,
    columns: Callable[[int, int], npt.NDArray[Any]],
    data: Any,
    *,
    n_rows: int,
    block: int,
) -> dict[str, npt.NDArray[Any]]:
    """Put entries in the order of their rows; those of one row stay in the order given.

    Parameters
    ----------
    rows
        Row of each entry, stored.
    columns
        Gives the columns of the entries from start to stop.
    data
        Value of each entry, stored.
    n_rows
        Rows of the matrix.
    block
        Entries held in memory at a time.

    Returns
    -------
    ``data``, ``indices`` and ``indptr`` of CSR, the first two in files without a name.

    Raises
    ------
    ValueError
        If there is no such row.
    """
    n = int(data.shape[0])
    counts = np.zeros(n_rows + 1, dtype=np.int64)
    for start, stop in _blocks(n, block):
        of_block = np.asarray(rows[start:stop]).astype(np.int64)
        if of_block.min() < 0 or of_block.max() >= n_rows:
            msg = f"row {of_block.max():,} of a matrix of {n_rows:,} rows"
            raise ValueError(msg)
        counts[1:] += np.bincount(of_block, minlength=n_rows)
    indptr = np.cumsum(counts)
    out = {"data": _scratch(n, data.dtype), "indices": _scratch(n, np.dtype(np.int32))}
    free = indptr[:-1].copy()
    for start, stop in _blocks(n, block):
        of_block = np.asarray(rows[start:stop]).astype(np.int64)
        order = np.argsort(of_block, kind="stable")
        of_row, first, n_new = np.unique(of_block[order], return_index=True, return_counts=True)
        place = np.repeat(free[of_row] - first, n_new) + np.arange(stop - start)
        out["data"][place] = np.asarray(data[start:stop])[order]
        out["indices"][place] = columns(start, stop)[order]
        free[of_row] += n_new
    return {**out, "indptr": indptr}


def _blocks(n: int, block: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n, block):
        sign_of_life()
        yield start, min(start + block, n)


def _scratch(n: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    with tempfile.TemporaryFile() as file:
        if not n:
            return np.empty(0, dtype)
        os.posix_fallocate(file.fileno(), 0, n * dtype.itemsize)  # a full disk is an error here
        return np.memmap(file, dtype=dtype, mode="r+", shape=(n,))
