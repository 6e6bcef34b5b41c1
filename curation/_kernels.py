"""Loops over the values of CSR rows that numpy has no single pass for.

Values are float32 or float64. All sums are over whole numbers that float64 holds exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.floating[Any]]
    Places = npt.NDArray[np.integer[Any]]


@njit(cache=True, nogil=True)
def first_offence(values: Values, limit: float) -> tuple[int, float]:
    """Find the first value that is no whole number from 0 to below `limit`.

    Returns
    -------
    Its place, or -1; and the largest value before it, at least 0.
    """
    largest = 0.0
    for i in range(len(values)):
        value = values[i]
        if not (value >= 0 and value < limit and np.floor(value) == value):
            return i, largest
        largest = max(largest, value)
    return -1, largest


@njit(cache=True, nogil=True)
def moved(
    indptr: Places, indices: Places, data: Values, target: npt.NDArray[np.int64]
) -> tuple[Places, Places, Values]:
    """Give each value the column `target` has for its own; those of -1 go."""
    new_indptr, new_indices, new_data = indptr.copy(), np.empty_like(indices), np.empty_like(data)
    n = 0
    for row in range(len(indptr) - 1):
        for i in range(indptr[row], indptr[row + 1]):
            to = target[indices[i]]
            if to >= 0:
                new_indices[n] = to
                new_data[n] = data[i]
                n += 1
        new_indptr[row + 1] = n
    return new_indptr, new_indices[:n], new_data[:n]


@njit(cache=True, nogil=True)
def marked_sums(
    indptr: Places, indices: Places, data: Values, marks: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Sum each row, and where columns have a mark. Shape ``(n_rows, 1 + n_marks)``.

    `marks` has shape ``(n_columns, n_marks)``.
    """
    n_marks = marks.shape[1]
    is_marked = np.zeros(len(marks), dtype=np.bool_)
    for mark in range(n_marks):
        is_marked |= marks[:, mark]
    sums = np.zeros((len(indptr) - 1, 1 + n_marks))
    for row in range(len(sums)):
        total = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            total += data[i]
            if is_marked[indices[i]]:
                for mark in range(n_marks):
                    if marks[indices[i], mark]:
                        sums[row, 1 + mark] += data[i]
        sums[row, 0] = total
    return sums


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def row_sums(indptr: Places, data: Values) -> npt.NDArray[np.float64]:
    """Sum each row."""
    sums = np.zeros(len(indptr) - 1)
    for row in range(len(sums)):
        total = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            total += data[i]
        sums[row] = total
    return sums


@njit(cache=True, nogil=True)
def largest_sums(indptr: Places, data: Values, n: int) -> npt.NDArray[np.float64]:
    """Sum the `n` largest values of each row, none of which is negative."""
    sums = np.zeros(len(indptr) - 1)
    top = np.zeros(n)
    for row in range(len(sums)):
        top[:] = 0
        for i in range(indptr[row], indptr[row + 1]):
            value = data[i]
            if value > top[0]:
                place = 0
                while place + 1 < n and top[place + 1] < value:
                    top[place] = top[place + 1]
                    place += 1
                top[place] = value
        sums[row] = top.sum()
    return sums


@njit(cache=True, nogil=True)
def hashed_sums(
    indptr: Places, indices: Places, data: Values, hashes: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Mix the hash of each column with the value, by the end of splitmix64, and sum each row.

    Returns
    -------
    How many columns of each row have a hash that is not 0, and their sum modulo 2**64.
    """
    n_hashed = np.zeros(len(indptr) - 1, dtype=np.int64)
    sums = np.zeros(len(indptr) - 1, dtype=np.uint64)
    for row in range(len(sums)):
        n, total = 0, np.uint64(0)
        for i in range(indptr[row], indptr[row + 1]):
            x = hashes[indices[i]]
            if x != 0:
                x += np.uint64(np.int64(data[i])) * np.uint64(0x9E3779B97F4A7C15)
                x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                total += x ^ (x >> np.uint64(31))
                n += 1
        n_hashed[row], sums[row] = n, total
    return n_hashed, sums


@njit(cache=True, nogil=True)
def byte_planes(values: npt.NDArray[np.unsignedinteger[Any]]) -> npt.NDArray[np.uint8]:
    """Put the first bytes of all numbers before their second ones, and so on. Shape ``(n_bytes, n)``."""
    planes = np.empty((values.itemsize, len(values)), dtype=np.uint8)
    for k in range(len(planes)):
        for i in range(len(values)):
            planes[k, i] = (values[i] >> (8 * k)) & 0xFF
    return planes
