"""Rows of counts as packed bytes: see ``docs/packed-format.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CountsError, SchemaError
from ._compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["WIDE", "encode_rows"]

WIDE = 65_535
"""What a wide row has in place of its number of values; also the first id that needs one."""
_PACKED, _UINT32, _FLOAT32, _FLOAT64 = -1, 0, 1, 2
_BAD_IDS, _BAD_VALUE = -1, -2
_EXACT = 2.0**53


def encode_rows(
    indptr: npt.NDArray[Any],
    indices: npt.NDArray[Any],
    data: npt.NDArray[Any],
    n_genes: int,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
    """Pack the rows of a CSR matrix, each by itself and exactly.

    Parameters
    ----------
    indptr, indices, data
        The matrix. Ids ascend within a row, each once. Stored zeros stay.
    n_genes
        Its number of columns.

    Returns
    -------
    The rows, one after the other, and where each begins and the last ends. Shapes ``(n_bytes,)``
    and ``(n_rows + 1,)``.

    Raises
    ------
    SchemaError
        If the ids of a row do not ascend, or are out of range.
    CountsError
        If a value is an integer that no float64 holds.
    """
    if not n_genes < 2**32 - 1:
        msg = f"{n_genes:,} genes are too many: ids are stored in 32 bits."
        raise SchemaError(msg, {"n_genes": n_genes})
    begin = np.ascontiguousarray(indptr, dtype=np.int64)
    kinds = np.empty(len(begin) - 1, dtype=np.int8)
    offsets = np.zeros(len(begin), dtype=np.uint64)
    whole = data.dtype.kind in "iu"
    problem, at = _measure(begin, indices, data, n_genes, whole, kinds, offsets)
    if problem:
        row = int(np.searchsorted(begin, at, side="right")) - 1
        if problem == _BAD_IDS:
            msg = (
                f"Gene {int(indices[at]):,} of row {row:,} is out of place: ids must ascend within a row, "
                f"each once, below {n_genes:,}. Call `sum_duplicates` on the matrix."
            )
            raise SchemaError(msg, {"row": row, "gene": int(indices[at])})
        msg = f"Row {row:,} holds {data[at]}, which float64 cannot hold. Store counts below 2**53."
        raise CountsError(msg, {"row": row, "value": int(data[at])})
    packed = np.zeros(int(offsets[-1]), dtype=np.uint8)
    _write(begin, indices, data, kinds, offsets, packed)
    return packed, offsets


@compiled
def _measure(
    begin: Any, indices: Any, data: Any, n_genes: int, whole: Any, kinds: Any, offsets: Any
) -> Any:
    """Find each row's kind and size; or what is wrong with which entry."""
    total = 0
    for row in range(len(begin) - 1):
        n, n_patches = begin[row + 1] - begin[row], 0
        last: Any = -1
        is_u16, is_u32, is_f32 = n < WIDE, True, True
        for i in range(begin[row], begin[row + 1]):
            gene = np.int64(indices[i])
            if gene <= last or gene >= n_genes:
                return _BAD_IDS, i
            x = np.float64(data[i])
            if whole and abs(x) >= _EXACT:
                return _BAD_VALUE, i
            if not (x >= 0 and x <= 4_294_967_295.0 and np.floor(x) == x and not np.signbit(x)):
                is_u32 = False
            is_u16 = is_u16 and x <= 65_535
            is_f32 = is_f32 and np.float64(np.float32(x)) == x
            n_patches += (gene - last > 256) + (not 1 <= x <= 15)
            last = gene
        if is_u16 and is_u32 and last < WIDE:
            kinds[row] = _PACKED
            total += 6 + n + (n + 1) // 2 + 4 * n_patches
        else:
            kinds[row] = _UINT32 if is_u32 else _FLOAT32 if is_f32 else _FLOAT64
            total += 8 + 4 * n + (4 if is_u32 or is_f32 else 8) * n
        offsets[row + 1] = np.uint64(total)
    return 0, 0


@compiled
def _put(out: Any, at: int, value: int, n_bytes: int) -> int:
    """Write a little-endian number; where the next goes."""
    for i in range(n_bytes):
        out[at + i] = (value >> (8 * i)) & 255
    return at + n_bytes


@compiled
def _write_packed(out: Any, start: int, indices: Any, data: Any) -> None:
    n = len(indices)
    lows, codes = start + 6, start + 6 + n
    place = codes + (n + 1) // 2
    last: Any = -1
    n_ids = 0
    for k in range(n):
        step = np.int64(indices[k]) - last - 1
        last = np.int64(indices[k])
        out[lows + k] = step & 255
        if step > 255:
            place = _put(out, _put(out, place, k, 2), step & 0xFF00, 2)
            n_ids += 1
    n_values = 0
    for k in range(n):
        value = np.int64(data[k])
        code = value - 1 if 1 <= value <= 15 else 15
        out[codes + (k >> 1)] |= code << (4 * (k & 1))
        if code == 15:
            place = _put(out, _put(out, place, k, 2), value, 2)
            n_values += 1
    _put(out, _put(out, _put(out, start, n, 2), n_ids, 2), n_values, 2)


@compiled
def _write_wide(out: Any, start: int, indices: Any, data: Any, kind: int) -> None:
    place = _put(out, _put(out, _put(out, start, WIDE, 2), kind, 2), len(indices), 4)
    for gene in indices:
        place = _put(out, place, np.int64(gene), 4)
    single, double = np.empty(1, np.float32), np.empty(1, np.float64)
    for value in data:
        if kind == _UINT32:
            place = _put(out, place, np.int64(value), 4)
        elif kind == _FLOAT32:
            single[0] = value
            place = _put(out, place, np.int64(single.view(np.uint32)[0]), 4)
        else:
            double[0] = value
            place = _put(out, place, double.view(np.int64)[0], 8)


@compiled
def _write(begin: Any, indices: Any, data: Any, kinds: Any, offsets: Any, out: Any) -> None:
    for row in range(len(kinds)):
        a, b, start = begin[row], begin[row + 1], np.int64(offsets[row])
        if kinds[row] == _PACKED:
            _write_packed(out, start, indices[a:b], data[a:b])
        else:
            _write_wide(out, start, indices[a:b], data[a:b], np.int64(kinds[row]))
