"""Columns into rows, out of core."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    counts = np.zeros(shape[0] + 1, dtype=np.int64)
    for start, stop in _blocks(n, block):
        rows = np.asarray(indices[start:stop]).astype(np.int64)
        if rows.min() < 0 or rows.max() >= shape[0]:
            msg = f"row {rows.max():,} of a matrix of {shape[0]:,} rows"
            raise ValueError(msg)
        counts[1:] += np.bincount(rows, minlength=shape[0])
    indptr = np.cumsum(counts)
    out = {"data": _scratch(n, data.dtype), "indices": _scratch(n, np.dtype(np.int32))}
    free = indptr[:-1].copy()
    for start, stop in _blocks(n, block):
        rows = np.asarray(indices[start:stop]).astype(np.int64)
        columns = np.searchsorted(column_starts, np.arange(start, stop), side="right") - 1
        order = np.argsort(rows, kind="stable")
        of_row, first, n_new = np.unique(rows[order], return_index=True, return_counts=True)
        place = np.repeat(free[of_row] - first, n_new) + np.arange(stop - start)
        out["data"][place] = np.asarray(data[start:stop])[order]
        out["indices"][place] = columns[order]
        free[of_row] += n_new
    return {**out, "indptr": indptr}


def _blocks(n: int, block: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + block, n)) for start in range(0, n, block))


def _scratch(n: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=(n,)) if n else np.empty(0, dtype)
