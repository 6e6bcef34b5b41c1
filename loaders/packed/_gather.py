"""Values of many cells out of columns that lie in many shards."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._compiled import bytes_at, carray, compiled

__all__ = ["gather_bytes", "gather_codes"]


@compiled
def gather_codes(shards: Any, places: Any, table: Any, classes: Any, out: Any) -> int:
    """Read codes and translate them.

    Parameters
    ----------
    shards, places
        Where the cells are.
    table
        For each shard the address of the column or 0, bytes of a code, where its translation
        begins in `classes` and how long it is.
    classes
        Translations one after the other, the first entry of each for code -1, which also is that
        of cells without a column.
    out
        Written here.

    Returns
    -------
    -1, or the first cell whose code has no translation, or one below -1.
    """
    for i in range(len(shards)):
        address, size, start, length = table[shards[i]]
        code: Any = -1
        if address:
            at = address + size * places[i]
            if size == 1:
                code = np.int64(carray(bytes_at(at), (1,), np.int8)[0])
            elif size == 2:
                code = np.int64(carray(bytes_at(at), (1,), np.int16)[0])
            else:
                code = np.int64(carray(bytes_at(at), (1,), np.int32)[0])
            if code < -1 or code + 1 >= length:
                return i
        out[i] = classes[start + code + 1]
        if out[i] < -1:
            return i
    return -1


@compiled
def gather_bytes(shards: Any, places: Any, addresses: Any, out: Any) -> None:
    """Copy the entry of each cell. Shape of `out`: ``(n_cells, n_bytes)``, u8; 0 leaves it."""
    size = out.shape[1]
    for i in range(len(shards)):
        if addresses[shards[i]]:
            at = addresses[shards[i]] + size * places[i]
            out[i] = carray(bytes_at(at), (size,), np.uint8)
