"""Many rows at once: found, and written in the form that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._compiled import compiled, load16, load32, load64
from ._row import ADDRESS, CHECK, GENES, HASH, LENGTH, N_VALUES, ROW_DAMAGED, fetch_row, read_row

__all__ = [
    "N_SHARD_FACTS",
    "fill_dense",
    "fill_rows",
    "find_cells",
    "find_in_blocks",
    "find_rows",
    "mark_seen",
]

(
    FIRST,
    ROWS,
    ROWS_LENGTH,
    OFFSETS,
    COUNTS,
    COUNT_BYTES,
    CHECKS,
    GENE_LIST,
) = range(8)
N_SHARD_FACTS = 8
"""What is known of each shard, int64: number of its first cell, address and length of its rows,
address of the offsets, of the numbers of values, bytes of one of these, address of the hashes, and
the number of its gene list."""


@compiled
def find_cells(cells: Any, firsts: Any, shards: Any, places: Any) -> None:
    """Find the shard of each cell, and its place there."""
    for i in range(len(cells)):
        low, high = 0, len(firsts)
        while high - low > 1:
            middle = (low + high) >> 1
            if firsts[middle] <= cells[i]:
                low = middle
            else:
                high = middle
        shards[i], places[i] = low, cells[i] - firsts[low]


@compiled
def _n_values(facts: Any, place: int) -> Any:
    """Give the non-zeros of a cell, of 16 or 32 bits each in the shard."""
    at = facts[COUNTS] + facts[COUNT_BYTES] * place
    return np.int64(load16(at)) if facts[COUNT_BYTES] == 2 else np.int64(load32(at))


@compiled
def find_rows(
    cells: Any,
    firsts: Any,
    table: Any,
    check: int,
    seen: Any,
    shards: Any,
    places: Any,
    rows: Any,
) -> Any:
    """Find the rows of cells whose blocks are single rows.

    Parameters
    ----------
    cells, firsts
        Cells, and the first of each shard.
    table
        Facts of the shards.
    check
        0 for none, 1 for those that were not seen, 2 for all.
    seen
        One bit for each cell. Set here for those to be checked: a failure ends the reading.
    shards, places, rows
        Where the cells are, and facts of the rows, written here.

    Returns
    -------
    How many values all rows have; or of the first cell whose offsets cannot be the number, which
    counts from -1 down.
    """
    total: Any = 0
    find_cells(cells, firsts, shards, places)
    for i in range(len(cells)):
        facts, place = table[shards[i]], places[i]
        start = np.int64(load64(facts[OFFSETS] + 8 * place))
        end = np.int64(load64(facts[OFFSETS] + 8 * place + 8))
        if start < 0 or start > end or end > facts[ROWS_LENGTH]:
            return -1 - i
        row = rows[i]
        row[ADDRESS], row[LENGTH], row[GENES] = facts[ROWS] + start, end - start, facts[GENE_LIST]
        row[N_VALUES] = _n_values(facts, place)
        total += row[N_VALUES]
        row[CHECK] = check == 2
        if check == 1:
            row[CHECK] = not (seen[cells[i] >> 3] >> (cells[i] & 7)) & 1
        row[HASH] = np.int64(load64(facts[CHECKS] + 8 * place)) if row[CHECK] else 0
    return total


@compiled
def mark_seen(cells: Any, seen: Any) -> None:
    """Set the bits of cells that were checked."""
    for cell in cells:
        seen[cell >> 3] |= np.uint8(1 << (cell & 7))


@compiled
def fill_rows(
    rows: Any,
    renames: Any,
    starts: Any,
    kinds: Any,
    scale: Any,
    work: Any,
    indptr: Any,
    ids: Any,
    values: Any,
    depth: Any,
) -> Any:
    """Write rows one after the other; what is wrong with which row, or zeros."""
    q = 0
    indptr[0] = 0
    for i in range(len(rows)):
        n = rows[i, N_VALUES]
        fetch_row(rows, i + 1)
        if q + n > len(ids):
            return ROW_DAMAGED, i
        failed, m, depth[i] = read_row(
            rows[i], renames, starts, kinds, scale, work, ids[q : q + n], values[q : q + n]
        )
        if failed:
            return failed, i
        q += m
        indptr[i + 1] = q
    return 0, 0


@compiled
def fill_dense(
    rows: Any,
    renames: Any,
    starts: Any,
    kinds: Any,
    scale: Any,
    work: Any,
    ids: Any,
    values: Any,
    out: Any,
    depth: Any,
) -> Any:
    """Write rows with their zeros; what is wrong with which row, or zeros."""
    for i in range(len(rows)):
        fetch_row(rows, i + 1)
        failed, m, depth[i] = read_row(rows[i], renames, starts, kinds, scale, work, ids, values)
        if failed:
            return failed, i
        row = out[i]
        row[:] = 0
        for k in range(m):
            row[np.uint64(ids[k])] = values[k]
    return 0, 0


@compiled
def find_in_blocks(
    shards: Any, places: Any, table: Any, which: Any, inner: Any, blocks: Any, rows: Any
) -> int:
    """Find rows in blocks that are in memory; -1, or the first row whose block is damaged.

    Parameters
    ----------
    shards, places, table
        Where the rows are, and facts of the shards.
    which, inner
        Number of each row's block among `blocks`, and of the row in it.
    blocks
        Address and length of each block, and how many rows it has: 0 for one that is a row.
    rows
        Facts of the rows, written here.
    """
    for i in range(len(which)):
        address, length, n = blocks[which[i]]
        if n:
            head = 4 * (n + 1)
            if head > length:
                return i
            start = load32(address + 4 * inner[i])
            end = load32(address + 4 * inner[i] + 4)
            if start > end or head + end > length:
                return i
            address, length = address + head + start, end - start
        facts = table[shards[i]]
        row = rows[i]
        row[ADDRESS], row[LENGTH], row[GENES] = address, length, facts[GENE_LIST]
        row[N_VALUES] = _n_values(facts, places[i])
        row[HASH], row[CHECK] = 0, 0
    return -1
