"""One packed row as ids and values: see ``docs/packed-format.md``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._compiled import bytes_at, carray, compiled, load16, load32, load64
from ._sums import running_sum16, running_sum32, sum_nibbles, widen

__all__ = ["DAMAGED", "SCRATCH", "decode_row"]

WIDE = 65_535
DAMAGED = -1
"""What decoding gives for a row that is not as its length, or its number of values, says."""
SCRATCH = 65_536 + 16
"""Length of the scratch, u16: that of the longest packed row, and as much as one step writes."""


@compiled
def decode_row(
    address: int, length: int, n: int, n_genes: int, scratch: Any, ids: Any, values: Any
) -> Any:
    """Decode the row of `length` bytes at `address`, which should have `n` values.

    Nothing else is read, and nothing is written but `scratch` and the first `n` of `ids` and
    `values`, whatever the bytes are. Ids are below `n_genes`; they are of type uint16 or int32.

    Returns
    -------
    0 and the sum of the values; or `DAMAGED` and 0, and what was written means nothing.
    """
    if length < 6:
        return DAMAGED, 0.0
    if load16(address) == WIDE:
        return _decode_wide(address, length, n, n_genes, ids, values)
    n_ids, n_values = load16(address + 2), load16(address + 4)
    n_codes = (n + 1) >> 1
    if load16(address) != n or length != 6 + n + n_codes + 4 * (n_ids + n_values):
        return DAMAGED, 0.0
    lows = carray(bytes_at(address + 6), (n,), np.uint8)
    codes = carray(bytes_at(address + 6 + n), (n_codes,), np.uint8)
    place = address + 6 + n + n_codes
    reach: Any = n + _widen(lows, scratch)
    for _ in range(n_ids):
        at, high = load16(place), load16(place + 2)
        if at >= n:
            return DAMAGED, 0.0
        scratch[at] += np.uint16(high)
        reach += high
        place += 4
    if reach > min(n_genes, WIDE):  # the id after the last one
        return DAMAGED, 0.0
    n_steps = n >> 4
    if ids.itemsize == 2:
        last = running_sum16(scratch.ctypes.data, n_steps, ids.ctypes.data)
    else:
        last = running_sum32(scratch.ctypes.data, n_steps, ids.ctypes.data)
    for k in range(16 * n_steps, n):
        last = (last + 1 + scratch[k]) & WIDE
        ids[k] = last
    total: Any = n + _sum_halves(codes[: n >> 1])
    for k in range(n >> 1):
        values[2 * k] = np.int32((codes[k] & 15) + 1)  # less work to make a float of than 64 bits
        values[2 * k + 1] = np.int32((codes[k] >> 4) + 1)
    if n & 1:
        values[n - 1] = (codes[n_codes - 1] & 15) + 1
        total += np.int64(codes[n_codes - 1] & 15)
    for _ in range(n_values):
        at, value = load16(place), load16(place + 2)
        if at >= n:
            return DAMAGED, 0.0
        values[at] = value
        total += value - 16  # the code counted as 16
        place += 4
    return 0, float(total)


@compiled
def _widen(lows: Any, scratch: Any) -> Any:
    """Write bytes as u16, and give their sum."""
    total: Any = 0
    n = len(lows) >> 5
    for step in range(0, n, 128):
        at, to = lows.ctypes.data + 32 * step, scratch.ctypes.data + 64 * step
        total += widen(at, min(128, n - step), to)
    for k in range(32 * n, len(lows)):
        scratch[k] = lows[k]
        total += np.int64(lows[k])
    return total


@compiled
def _sum_halves(codes: Any) -> Any:
    """Sum the upper and lower halves of bytes, of which a row has no more than 32,767."""
    n = len(codes) >> 5
    total: Any = sum_nibbles(codes.ctypes.data, n)
    for k in range(32 * n, len(codes)):
        total += np.int64(codes[k] & 15) + np.int64(codes[k] >> 4)
    return total


@compiled
def _decode_wide(address: int, length: int, n: int, n_genes: int, ids: Any, values: Any) -> Any:
    if length < 8:
        return DAMAGED, 0.0
    kind = load16(address + 2)
    size = 8 if kind == 2 else 4
    if kind > 2 or load32(address + 4) != n or length != 8 + (4 + size) * n:
        return DAMAGED, 0.0
    last, place = -1, address + 8
    for k in range(n):
        gene = load32(place + 4 * k)
        if gene <= last or gene >= n_genes:
            return DAMAGED, 0.0
        ids[k] = last = gene
    place += 4 * n
    total = 0.0
    single, double = np.empty(1, np.uint32), np.empty(1, np.uint64)
    for k in range(n):
        if kind == 0:
            value = np.float64(load32(place + 4 * k))
        elif kind == 1:
            single[0] = load32(place + 4 * k)
            value = np.float64(single.view(np.float32)[0])
        else:
            double[0] = load64(place + 8 * k)
            value = double.view(np.float64)[0]
        values[k] = value
        total += value
    return 0, total
