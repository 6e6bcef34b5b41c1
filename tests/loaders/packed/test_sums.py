from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from corpuscle.loaders.packed._sums import running_sum16, running_sum32, sum_nibbles, widen


@numba.njit
def widened(values: Any, n_steps: int, out: Any) -> Any:
    return widen(values.ctypes.data, n_steps, out.ctypes.data)


@numba.njit
def nibbles_of(values: Any, n_steps: int) -> Any:
    return sum_nibbles(values.ctypes.data, n_steps)


@numba.njit
def ids_of(differences: Any, n_steps: int, ids: Any) -> Any:
    if ids.itemsize == 2:
        return running_sum16(differences.ctypes.data, n_steps, ids.ctypes.data)
    return running_sum32(differences.ctypes.data, n_steps, ids.ctypes.data)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("n_steps", [0, 1, 2, 127, 128])
def test_bytes_are_widened_and_summed(n_steps: int, start: int) -> None:
    n = 32 * n_steps
    values = np.random.default_rng(n_steps).integers(256, size=start + 4096).astype(np.uint8)
    for used in (values[start:], np.full(4096, 255, np.uint8)):
        out = np.full(n + 32, 7, np.uint16)
        assert widened(used, n_steps, out) == used[:n].sum()
        assert out[:n].tolist() == used[:n].tolist()
        assert (out[n:] == 7).all()


@pytest.mark.parametrize("n_steps", [0, 1, 3, 1023, 1024])
def test_halves_of_bytes_are_summed(n_steps: int) -> None:
    values = np.random.default_rng(n_steps).integers(256, size=32 * 1024).astype(np.uint8)
    used = values[: 32 * n_steps]
    assert nibbles_of(values, n_steps) == (used & 15).sum() + (used >> 4).sum()
    assert nibbles_of(np.full(32 * 1024, 255, np.uint8), n_steps) == 30 * 32 * n_steps


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
@pytest.mark.parametrize("n_steps", [0, 1, 2, 5, 4095])
def test_differences_become_ids_and_nothing_else_is_written(n_steps: int, dtype: Any) -> None:
    n = 16 * n_steps
    chance = np.random.default_rng(n_steps)
    expected = np.sort(chance.choice(65_535, n, replace=False))
    differences = np.diff(expected, prepend=-1) - 1
    ids = np.full(n + 16, 7, dtype)
    last = ids_of(differences.astype(np.uint16), n_steps, ids)
    assert ids[:n].tolist() == expected.tolist()
    assert (ids[n:] == 7).all()
    assert last == (expected[-1] if n else 65_535)
