"""Hashes of blocks, and a number for each row by which two forms of it are compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._compiled import compiled
from ._decode import SCRATCH, decode_row
from ._xxh64 import xxh64_at

__all__ = ["SCRATCH", "hash_blocks", "marks_of_csr", "marks_of_rows", "wrong_block"]

_U64 = np.uint64


@compiled
def hash_blocks(address: int, offsets: Any, hashes: Any) -> None:
    """Hash the bytes between offsets, each part by itself."""
    for i in range(len(hashes)):
        start = np.int64(offsets[i])
        hashes[i] = xxh64_at(address + start, np.int64(offsets[i + 1]) - start)


@compiled
def wrong_block(address: int, length: int, offsets: Any, hashes: Any) -> int:
    """Find the first block that is not where it can be, or has another hash; -1 if there is none."""
    last = _U64(0)
    for i in range(len(hashes)):
        start, end = offsets[i], offsets[i + 1]
        if start != last or end < start or end > _U64(length):
            return i
        if xxh64_at(address + np.int64(start), np.int64(end - start)) != hashes[i]:
            return i
        last = end
    return -1 if last == _U64(length) else len(hashes) - 1


@compiled
def _mixed(gene: Any, bits: Any) -> Any:
    x = (gene ^ bits) * _U64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> _U64(31))) * _U64(0xBF58476D1CE4E5B9)
    x = (x ^ gene) * _U64(0x94D049BB133111EB)
    return x ^ (x >> _U64(29))


@compiled
def marks_of_csr(indptr: Any, indices: Any, data: Any, genes: Any, marks: Any) -> None:
    """Give each row a number that depends on every gene and value, and not on their order."""
    single = np.empty(1, np.float64)
    for row in range(len(indptr) - 1):
        total = _U64(0)
        for i in range(indptr[row], indptr[row + 1]):
            single[0] = data[i]
            total += _mixed(genes[indices[i]], single.view(np.uint64)[0])
        marks[row] = total


@compiled
def marks_of_rows(
    address: int,
    offsets: Any,
    n_values: Any,
    genes: Any,
    scratch: Any,
    ids: Any,
    values: Any,
    marks: Any,
) -> int:
    """Give packed rows the same numbers; -1, or the first row that cannot be decoded."""
    bits = values.view(np.uint64)
    for row in range(len(marks)):
        start, n = np.int64(offsets[row]), np.int64(n_values[row])
        length = np.int64(offsets[row + 1]) - start
        if n > len(ids):
            return row
        failed, _ = decode_row(address + start, length, n, len(genes), scratch, ids[:n], values[:n])
        if failed:
            return row
        total = _U64(0)
        for k in range(n):
            total += _mixed(genes[ids[k]], bits[k])
        marks[row] = total
    return -1
