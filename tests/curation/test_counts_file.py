from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from corpuscle.curation import _counts_file, _matrix, content_hash
from corpuscle.curation._counts_file import keep_rows, new_counts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_counts_file, "STORED_CHUNK", 16)
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", 50)


ROWS = sparse.csr_matrix(np.random.default_rng(1).poisson(0.5, size=(60, 12)).astype(np.float32))


def write(path: Path, rows: sparse.csr_matrix, step: int) -> str:
    with new_counts(path, rows.shape, np.dtype(np.float32)) as counts:
        for start in range(0, rows.shape[0], step):
            counts.append(rows[start : start + step])
    return content_hash(path)


@pytest.mark.parametrize("step", [1, 7, 59])
def test_how_rows_are_cut_does_not_change_a_byte(tmp_path: Path, step: int) -> None:
    assert write(tmp_path / "a", ROWS, step) == write(tmp_path / "b", ROWS, 60)


@pytest.mark.parametrize(
    "stays",
    [np.arange(60) % 3 == 0, np.arange(60) == 59, np.arange(60) > 40],
    ids=["every third", "the last", "the end"],
)
def test_rows_taken_out_leave_the_file_that_never_had_them(
    tmp_path: Path, stays: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> None:
    write(tmp_path / "a", ROWS, 7)
    keep_rows(tmp_path / "a", stays)
    assert content_hash(tmp_path / "a") == write(tmp_path / "b", ROWS[stays], 60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
