"""Rows as tokens: so many genes of each cell, padded to one length."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._compiled import compiled, ones, trailing_zeros
from ._row import GENES, fetch_row, read_row

__all__ = ["ALL_OF_LIST", "RANDOM", "RANDOM_AND_ZEROS", "TOP", "fill_tokens"]

TOP, RANDOM, RANDOM_AND_ZEROS, ALL_OF_LIST = range(4)
_U64 = np.uint64
_CLIP = 256


@compiled
def _mixed(word: Any) -> Any:
    """Finish of splitmix64: every bit of the result depends on every bit of `word`."""
    word = (word ^ (word >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> _U64(27))) * _U64(0x94D049BB133111EB)
    return word ^ (word >> _U64(31))


@compiled
def _start(seed: Any, epoch: Any, cell: Any) -> Any:
    """State of the generator of one cell in one epoch."""
    step = _U64(0x9E3779B97F4A7C15)
    return _mixed(_mixed(_mixed(_U64(seed) + step) + _U64(epoch) + step) + _U64(cell) + step)


@compiled
def _draw(state: Any, n: int) -> Any:
    """Next state, and a number below `n` (which is below 2**32)."""
    state = state + _U64(0x9E3779B97F4A7C15)
    return state, np.int64(((_mixed(state) >> _U64(32)) * _U64(n)) >> _U64(32))


@compiled
def _cutoff(n: int, values: Any, k: int) -> Any:
    """The k-th highest value, and how many of that value belong to the k highest."""
    histogram = np.zeros(_CLIP, np.int32)
    for i in range(n):
        histogram[_bin(values[i])] += 1
    left, at = k, _CLIP - 1
    while histogram[at] < left:
        left -= histogram[at]
        at -= 1
    ties = np.empty(histogram[at], np.float32)
    m = 0
    for i in range(n):
        if _bin(values[i]) == at:
            ties[m] = values[i]
            m += 1
    if ties.max() != ties.min():
        ties.sort()
    value = ties[m - left]
    return value, left - (ties > value).sum()


@compiled
def _bin(value: Any) -> int:
    return int(value) if value >= 0 and value < _CLIP - 1 else (_CLIP - 1 if value > 0 else 0)


@compiled
def _take_top(n: int, k: int, ids: Any, values: Any, out_ids: Any, out_values: Any) -> int:
    value, left = _cutoff(n, values, k)
    m = 0
    for i in range(n):
        if m == k:
            break
        tie = values[i] == value and left > 0
        if values[i] > value or tie:
            out_ids[m], out_values[m] = ids[i], values[i]
            m += 1
            left -= tie
    return m


@compiled
def _take_random(
    n: int, k: int, state: Any, ids: Any, values: Any, out_ids: Any, out_values: Any
) -> Any:
    """Take `k` of `n` by the first steps of Fisher and Yates' shuffle; the next state."""
    for i in range(k):
        state, j = _draw(state, n - i)
        j += i
        gene, value = ids[j], values[j]
        ids[j], values[j] = ids[i], values[i]
        ids[i], values[i] = gene, value
        out_ids[i], out_values[i] = gene, value
    return state


@compiled
def _take_zeros(m: int, n: int, bits: Any, state: Any, ids: Any, free: Any, out: Any) -> int:
    """Fill `out` from `m` on with genes that were measured and are not among the `n` of `ids`."""
    n_free = -n
    for word in range(len(bits)):
        free[word] = bits[word]
        n_free += ones(bits[word])
    for i in range(n):
        free[ids[i] >> 6] &= ~(_U64(1) << _U64(ids[i] & 63))
    wanted = min(len(out) - m, n_free)
    reach = 64 * len(bits)
    if 8 * (n_free - wanted) > reach:  # one draw in eight hits, or more
        end = m + wanted
        while m < end:
            state, gene = _draw(state, reach)
            bit = _U64(1) << _U64(gene & 63)
            out[m] = gene
            m += (free[gene >> 6] & bit) != 0
            free[gene >> 6] &= ~bit
    else:
        genes = np.empty(n_free, np.int32)
        k = 0
        for word in range(len(bits)):
            while free[word]:
                genes[k] = 64 * word + trailing_zeros(free[word])
                free[word] &= free[word] - _U64(1)
                k += 1
        for i in range(wanted):
            state, j = _draw(state, n_free - i)
            out[m + i] = genes[i + j]
            genes[i + j] = genes[i]
        m += wanted
    free[:] = 0
    return m


@compiled
def _take_listed(
    n: int, listed: Any, bits: Any, sums: Any, ids: Any, values: Any, out: Any, mask: Any
) -> None:
    for k in range(n):
        sums[ids[k]] = values[k]
    for k in range(len(listed)):
        gene = listed[k]
        out[k] = sums[gene]
        mask[k] = (bits[gene >> 6] >> _U64(gene & 63)) & _U64(1)
    for k in range(n):
        sums[ids[k]] = 0


@compiled
def fill_tokens(
    rows: Any,
    renames: Any,
    starts: Any,
    kinds: Any,
    scale: Any,
    work: Any,
    measured: Any,
    choose: int,
    n_zeros: int,
    listed: Any,
    draws: Any,
    cells: Any,
    ids: Any,
    values: Any,
    out_ids: Any,
    out_values: Any,
    mask: Any,
    depth: Any,
) -> Any:
    """Write tokens; what is wrong with which row, or zeros.

    Parameters
    ----------
    measured
        One bit for each gene of the vocabulary, by gene list.
    choose, n_zeros, listed
        Which genes; places for those that are not expressed; the genes of `ALL_OF_LIST`.
    draws, cells
        Seed and epoch; number of each cell.
    ids, values
        Scratch for the longest row.
    """
    length = out_ids.shape[1]
    for i in range(len(rows)):
        fetch_row(rows, i + 1)
        failed, n, depth[i] = read_row(rows[i], renames, starts, kinds, scale, work, ids, values)
        if failed:
            return failed, i
        bits = measured[rows[i, GENES]]
        if choose == ALL_OF_LIST:
            out_ids[i] = listed
            _take_listed(n, listed, bits, work[1], ids, values, out_values[i], mask[i])
            continue
        m = min(n, length - n_zeros if choose == RANDOM_AND_ZEROS else length)
        state = _start(draws[0], draws[1], cells[i])
        if m == n:
            out_ids[i, :n] = ids[:n]
            out_values[i, :n] = values[:n]
        elif choose == TOP:
            m = _take_top(n, m, ids, values, out_ids[i], out_values[i])
        else:
            state = _take_random(n, m, state, ids, values, out_ids[i], out_values[i])
        out_values[i, m:] = 0
        if choose == RANDOM_AND_ZEROS:
            m = _take_zeros(m, n, bits, state, ids, work[2], out_ids[i])
        out_ids[i, m:] = 0
        mask[i, :m] = True
        mask[i, m:] = False
    return 0, 0
