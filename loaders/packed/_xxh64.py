"""XXH64, as its published specification says, at the speed of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._compiled import compiled, load8, load32, load64

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["xxh64", "xxh64_at"]

_U8, _U64 = np.uint8, np.uint64
_P1 = _U64(0x9E3779B185EBCA87)
_P2 = _U64(0xC2B2AE3D27D4EB4F)
_P3 = _U64(0x165667B19E3779F9)
_P4 = _U64(0x85EBCA77C2B2AE63)
_P5 = _U64(0x27D4EB2F165667C5)
_START1 = _U64(0x60EA27EEADC0B5D6)  # P1 + P2
_START4 = _U64(0x61C8864E7A143579)  # -P1


@compiled
def _turned(x: Any, n: int) -> Any:
    return (x << _U64(n)) | (x >> _U64(64 - n))


@compiled
def _round(lane: Any, word: Any) -> Any:
    return _turned(lane + word * _P2, 31) * _P1


@compiled
def _merge(total: Any, lane: Any) -> Any:
    return (total ^ _round(_U64(0), lane)) * _P1 + _P4


@compiled
def xxh64_at(address: int, length: int) -> Any:
    """Hash `length` bytes at `address` with seed 0."""
    place, end = address, address + length
    if length >= 32:
        a, b, c, d = _START1, _P2, _U64(0), _START4
        while place + 32 <= end:
            a = _round(a, load64(place))
            b = _round(b, load64(place + 8))
            c = _round(c, load64(place + 16))
            d = _round(d, load64(place + 24))
            place += 32
        total = _turned(a, 1) + _turned(b, 7) + _turned(c, 12) + _turned(d, 18)
        total = _merge(_merge(_merge(_merge(total, a), b), c), d)
    else:
        total = _P5
    total += _U64(length)
    while place + 8 <= end:
        total = _turned(total ^ _round(_U64(0), load64(place)), 27) * _P1 + _P4
        place += 8
    if place + 4 <= end:
        total = _turned(total ^ (_U64(load32(place)) * _P1), 23) * _P2 + _P3
        place += 4
    while place < end:
        # the last bytes one by one: never read past the end
        total = _turned(total ^ (_U64(load8(place)) * _P5), 11) * _P1
        place += 1
    total = (total ^ (total >> _U64(33))) * _P2
    total = (total ^ (total >> _U64(29))) * _P3
    return total ^ (total >> _U64(32))


def xxh64(data: bytes | memoryview | npt.NDArray[Any]) -> int:
    """Hash bytes, or a contiguous array as its bytes, with seed 0.

    Examples
    --------
    >>> f"{xxh64(b''):016x}"
    'ef46db3751d8e999'
    """
    flat = data.reshape(-1).view(_U8) if isinstance(data, np.ndarray) else np.frombuffer(data, _U8)
    return int(xxh64_at(flat.ctypes.data, flat.nbytes))
