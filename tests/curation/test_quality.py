from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from corpuscle.curation._quality import cell_quality

FLAGS = ("is_mito", "is_ribo", "is_hb")


def var(*flags: bool | None) -> pd.DataFrame:
    return pd.DataFrame({name: pd.array(flags, dtype="boolean") for name in FLAGS})


ROWS = sparse.csr_matrix(np.asarray([[1.0, 0, 3], [0, 0, 0], [0, 2, 0]]))


def test_counts_and_genes_of_cells_are_measured() -> None:
    quality = cell_quality(ROWS, var(True, False, None))
    assert quality[["n_genes", "n_counts", "quality"]].to_numpy().tolist() == [
        [2, 4, "ok"],
        [0, 0, "empty"],
        [1, 2, "ok"],
    ]


@pytest.mark.parametrize("measure", ["pct_counts_mito", "pct_counts_ribo", "pct_counts_hb"])
@pytest.mark.parametrize(
    ("flags", "percent"),
    [
        ((True, False, None), [25, None, 0]),
        ((True, True, True), [100, None, 100]),
        ((False, False, False), [None, None, None]),
        ((None, None, None), [None, None, None]),
    ],
)
def test_a_share_is_missing_where_nobody_can_know(
    measure: str, flags: tuple[bool | None, ...], percent: list[float | None]
) -> None:
    found = cell_quality(ROWS, var(*flags))[measure]
    assert [None if pd.isna(value) else value for value in found] == percent


def test_each_share_is_of_its_own_genes() -> None:
    table = pd.DataFrame(
        {
            "is_mito": pd.array([True, False, False], dtype="boolean"),
            "is_ribo": pd.array([False, None, True], dtype="boolean"),
            "is_hb": pd.array([False, False, False], dtype="boolean"),
        }
    )
    found = cell_quality(ROWS, table).iloc[0]
    assert (found["pct_counts_mito"], found["pct_counts_ribo"]) == (25, 75)
    assert pd.isna(found["pct_counts_hb"])


def test_sums_beyond_float32_are_exact() -> None:
    rows = sparse.csr_matrix(np.asarray([[2**24 - 1, 2]], dtype=np.float32))
    assert cell_quality(rows, var(False, False))["n_counts"].tolist() == [2**24 + 1]


def test_the_types_are_those_of_the_contract() -> None:
    dtypes = cell_quality(ROWS, var(True, False, None)).dtypes.astype(str)
    assert dtypes.tolist() == ["int32", "float64", *["float32"] * 3, "category"]


@given(
    lengths=st.lists(st.integers(0, 45), min_size=1, max_size=30),
    largest=st.sampled_from([3, 2**24 - 1, 2**40]),
    seed=st.integers(0, 99),
)
@settings(deadline=None)  # the first is compiled
def test_the_share_of_the_top_20_genes_is_that_of_sorted_counts(
    lengths: list[int], largest: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = np.zeros((len(lengths), 45))
    for row, n in zip(x, lengths, strict=True):
        row[rng.choice(45, size=n, replace=False)] = rng.integers(1, largest, size=n)
    found = cell_quality(sparse.csr_matrix(x), var(*[None] * 45), top_genes=True)
    with np.errstate(invalid="ignore"):
        expected = 100 * np.sort(x, axis=1)[:, -20:].sum(axis=1) / x.sum(axis=1)
    assert found["pct_counts_top20"].dtype == np.float32
    assert found["pct_counts_top20"].tolist() == pytest.approx(expected, rel=1e-6, nan_ok=True)
