from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from corpuscle.curation import _kept
from corpuscle.curation._kept import Kept


def rows(largest: float = 3, n_columns: int = 9, dtype: str = "f4") -> sparse.csr_matrix:
    values = np.asarray([1, 2, largest], dtype=dtype)
    return sparse.csr_matrix((values, [0, n_columns - 1, 1], [0, 2, 2, 3]), (3, n_columns))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u2", "i8"])
def test_rows_are_given_back_once_as_they_were(dtype: str) -> None:
    kept, given = Kept(), rows(dtype=dtype)
    kept.keep(5, given, 3)
    found = kept.take(5)
    assert found is not None
    for name in ("data", "indices", "indptr"):
        before, after = getattr(given, name), getattr(found, name)
        assert before.dtype == after.dtype
        assert before.tolist() == after.tolist()
    assert found.shape == given.shape
    assert kept.take(5) is None


@pytest.mark.parametrize(
    ("largest", "n_columns", "is_kept"),
    [(65_535, 65_536, True), (65_536, 9, False), (3, 65_537, False)],
)
def test_what_does_not_fit_into_16_bits_is_not_kept(
    largest: float, n_columns: int, *, is_kept: bool
) -> None:
    kept = Kept()
    kept.keep(0, rows(largest, n_columns), largest)
    assert (kept.take(0) is not None) == is_kept


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kept, "MOST_BYTES", 70)
    kept = Kept()
    for start in range(3):
        kept.keep(start, rows(), 3)
    assert [kept.take(start) is not None for start in range(3)] == [True, True, False]
