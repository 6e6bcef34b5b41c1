"""A row in the terms that were asked for: checked, renamed, scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._compiled import compiled, fetch_ahead, trailing_zeros
from ._decode import decode_row
from ._xxh64 import xxh64_at

__all__ = [
    "ADDRESS",
    "CHECK",
    "GENES",
    "HASH",
    "LENGTH",
    "N_FACTS",
    "N_VALUES",
    "ROW_DAMAGED",
    "ROW_DIFFERS",
    "fetch_row",
    "read_row",
]

ADDRESS, LENGTH, N_VALUES, GENES, HASH, CHECK = range(6)
N_FACTS = 6
"""What is known of each row of a batch, int64: where it is, its bytes, its values, the number of
its gene list, the hash that it should have, and whether to see to that."""

ROW_DIFFERS, ROW_DAMAGED = 1, 2

SAME, RISING, SOME, ANY = range(4)
"""What renaming does: nothing; ids keep their order; some genes are left out; anything."""

_TABLE = 64


@compiled
def read_row(
    row: Any, renames: Any, starts: Any, kinds: Any, scale: Any, work: Any, ids: Any, values: Any
) -> Any:
    """Read a row.

    Parameters
    ----------
    row
        Its facts.
    renames, starts, kinds
        Place of each gene of each list in the vocabulary or -1, where each list begins, and what
        its renaming does.
    scale
        float64: target of the sum or 0, 1 for the logarithm, number of bins or 0.
    work
        scratch, sums and marks, see `Work`.
    ids, values
        Where to write; no less than the row's number of values.

    Returns
    -------
    0 or what is wrong, how many values there are, and the sum of all values of the row.
    """
    scratch, sums, marks = work
    address, length, n = row[ADDRESS], row[LENGTH], row[N_VALUES]
    if row[CHECK] and np.int64(xxh64_at(address, length)) != row[HASH]:
        return ROW_DIFFERS, 0, 0.0
    begin, end = starts[row[GENES]], starts[row[GENES] + 1]
    failed, depth = decode_row(address, length, n, end - begin, scratch, ids, values)
    if failed:
        return ROW_DAMAGED, 0, 0.0
    kind, rename = kinds[row[GENES]], renames[begin:end]
    if kind == RISING:
        for k in range(n):
            ids[k] = rename[np.uint64(ids[k])]
    elif kind == SOME:
        n = _leave_out(n, rename, ids, values)
    elif kind == ANY:
        n = _collect(n, rename, sums, marks, ids, values)
    if scale[0] or scale[1]:
        _normalise(n, depth, scale[0], scale[1] != 0, values)
    if scale[2]:
        _put_in_bins(n, int(scale[2]), values)
    return 0, n, depth


@compiled
def fetch_row(rows: Any, i: int) -> None:
    """Let row `i`, if there is one, come from memory while another is decoded."""
    if i < len(rows):
        for k in range(0, rows[i, LENGTH], 64):
            fetch_ahead(rows[i, ADDRESS] + k)


@compiled
def _leave_out(n: int, rename: Any, ids: Any, values: Any) -> int:
    """Rename, without the genes that were not asked for; the others keep their order."""
    m = 0
    for k in range(n):
        gene = rename[np.uint64(ids[k])]
        ids[m], values[m] = gene, values[k]
        m += gene >= 0
    return m


@compiled
def _collect(n: int, rename: Any, sums: Any, marks: Any, ids: Any, values: Any) -> int:
    """Rename in any way: sorted, and summed where genes become one."""
    low, high = len(marks), 0
    for k in range(n):
        gene = rename[np.uint64(ids[k])]
        if gene >= 0:
            word = gene >> 6
            sums[gene] += values[k]
            marks[word] |= np.uint64(1) << np.uint64(gene & 63)
            low, high = min(low, word), max(high, word + 1)
    m = 0
    for word in range(low, high):
        left = marks[word]
        marks[word] = 0
        while left:
            gene = 64 * word + trailing_zeros(left)
            left &= left - np.uint64(1)
            ids[m], values[m] = gene, sums[gene]
            sums[gene] = 0
            m += 1
    return m


@compiled
def _normalise(n: int, depth: float, target: float, log: Any, values: Any) -> None:
    factor = target / depth if target and depth else 1.0
    if not log:
        for k in range(n):
            values[k] *= factor
        return
    table = np.empty(_TABLE, np.float32)
    n_known = 0
    for k in range(n):
        value = values[k]
        if value >= 0 and value < _TABLE and value == np.floor(value):
            count = np.int64(value)
            while n_known <= count:
                table[n_known] = np.log1p(n_known * factor)
                n_known += 1
            values[k] = table[count]
        else:
            values[k] = np.log1p(np.float64(value) * factor)


@compiled
def _put_in_bins(n: int, n_bins: int, values: Any) -> None:
    """Replace values by the number, from 1, of the row's own bin that they are in.

    The bins are bounded by ``n_bins - 1`` quantiles of the row's values.
    """
    if n == 0:
        return
    ordered: Any = np.sort(values[:n])
    edges = np.empty(n_bins - 1, np.float64)
    for i in range(n_bins - 1):
        place = i * (n - 1) / max(n_bins - 2, 1)
        at = min(int(place), n - 1)
        above = np.float64(ordered[min(at + 1, n - 1)])
        edges[i] = ordered[at] + (place - at) * (above - ordered[at])
    for k in range(n):
        values[k] = np.searchsorted(edges, np.float64(values[k]), side="right")
