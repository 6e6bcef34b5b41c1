from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.curation import QualityRules
from corpuscle.curation._flags import dropped_cells, find_flags
from corpuscle.curation._rules import FLAGS
from corpuscle.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

CELLS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.integers(0, 9_000),
        st.one_of(st.just(math.nan), st.floats(0, 100, width=32)),
        st.floats(0, 100, width=32),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=40,
)
RULES = st.builds(
    QualityRules,
    min_genes_per_cell=st.integers(0, 20),
    min_counts_per_cell=st.integers(0, 500),
    n_mads=st.sampled_from([0.5, 1, 3, 5]),
    n_mads_mito=st.sampled_from([0.5, 1, 3]),
    max_pct_mito=st.sampled_from([5, 8, 100]),
    drop=st.lists(st.sampled_from(FLAGS), unique=True).map(tuple),
)


def cells(n: int, **columns: npt.ArrayLike) -> pd.DataFrame:
    """Cells that nothing is wrong with, but for the columns that are given."""
    own = {
        "n_genes": np.full(n, 100, dtype=np.int32),
        "n_counts": np.full(n, 1000.0),
        "pct_counts_top20": np.full(n, 30, dtype=np.float32),
        "pct_counts_mito": np.full(n, 2, dtype=np.float32),
        "fingerprint": np.arange(1, n + 1, dtype=np.uint64),
    }
    return pd.DataFrame({**own, **{name: np.asarray(v) for name, v in columns.items()}})


def table(values: list[tuple[Any, ...]]) -> pd.DataFrame:
    genes, counts, mito, top, prints = (np.asarray(part) for part in zip(*values, strict=True))
    n_genes = np.where(counts == 0, 0, genes).astype(np.int32)
    return cells(
        len(genes),
        n_genes=n_genes,
        n_counts=counts.astype(np.float64),
        pct_counts_mito=np.where(counts == 0, np.nan, mito).astype(np.float32),
        pct_counts_top20=np.where(counts == 0, np.nan, top).astype(np.float32),
        fingerprint=prints.astype(np.uint64),
    )


def held(measures: pd.DataFrame, flag: str, **rules: Any) -> list[int]:
    """Rows of the cells that a flag holds for."""
    return np.flatnonzero(find_flags(measures, QualityRules(**rules)).flags[flag]).tolist()


def median(values: list[float]) -> float:
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def by_hand(measures: pd.DataFrame, rules: QualityRules) -> list[list[str]]:
    """Flags of each cell, cell by cell and without numpy, from the definitions."""
    rows = measures.to_dict("records")

    def is_typical(row: dict[Any, Any]) -> bool:
        few = row["n_genes"] < rules.min_genes_per_cell
        return not (row["n_counts"] == 0 or few or row["n_counts"] < rules.min_counts_per_cell)

    def ends(name: str, n_mads: float, *, logs: bool) -> tuple[float, float]:
        values = [float(row[name]) for row in rows if is_typical(row)]
        values = [math.log1p(v) if logs else v for v in values if not math.isnan(v)]
        if not values:
            return -math.inf, math.inf
        middle = median(values)
        mad = median([abs(v - middle) for v in values])
        if mad == 0:
            return -math.inf, math.inf
        return middle - n_mads * mad, middle + n_mads * mad

    outliers = {
        "outlier_counts": ("n_counts", True),
        "outlier_genes": ("n_genes", True),
        "outlier_top20": ("pct_counts_top20", False),
    }
    bounds = {f: ends(name, rules.n_mads, logs=logs) for f, (name, logs) in outliers.items()}
    high_mito = min(ends("pct_counts_mito", rules.n_mads_mito, logs=False)[1], rules.max_pct_mito)
    result = []
    for place, row in enumerate(rows):
        flags = ["empty"] if row["n_counts"] == 0 else []
        flags += ["few_genes"] if row["n_genes"] < rules.min_genes_per_cell else []
        flags += ["few_counts"] if row["n_counts"] < rules.min_counts_per_cell else []
        for flag, (name, logs) in outliers.items():
            low, high = bounds[flag]
            value = math.log1p(row[name]) if logs else float(row[name])
            tie = logs and (math.isclose(value, low) or math.isclose(value, high))
            flags += [flag] if (value < low or value > high) and not tie else []
        flags += ["high_mito"] if row["pct_counts_mito"] > high_mito else []
        earlier = [other["fingerprint"] for other in rows[:place]]
        seen = row["fingerprint"] != 0 and row["fingerprint"] in earlier
        flags += ["duplicate"] if seen else []
        result.append(flags)
    return result


@given(values=CELLS, rules=RULES)
def test_flags_are_those_of_the_definitions(
    values: list[tuple[Any, ...]], rules: QualityRules
) -> None:
    measures = table(values)
    column = find_flags(measures, rules).column()
    assert list(column) == [";".join(flags) or "ok" for flags in by_hand(measures, rules)]


@given(values=CELLS, rules=RULES)
def test_each_cell_is_dropped_by_the_first_of_its_flags_that_drops(
    values: list[tuple[Any, ...]], rules: QualityRules
) -> None:
    measures = table(values)
    dropped = dropped_cells(find_flags(measures, rules), rules.drop)
    found = [[rule for rule, mask in dropped.items() if mask[i]] for i in range(len(measures))]
    expected = [
        [f"quality:{flag}" for flag in flags if flag in rules.drop][:1]
        for flags in by_hand(measures, rules)
    ]
    assert found == expected


def test_a_cell_without_counts_is_empty() -> None:
    assert held(cells(3, n_counts=[5, 0, 7]), "empty") == [1]


def test_a_cell_with_fewer_genes_or_counts_than_asked_has_few() -> None:
    measures = cells(3, n_genes=[9, 10, 11], n_counts=[21, 20, 19])
    assert held(measures, "few_genes", min_genes_per_cell=10) == [0]
    assert held(measures, "few_counts", min_counts_per_cell=20) == [2]


@pytest.mark.parametrize(
    ("flag", "column"), [("outlier_counts", "n_counts"), ("outlier_genes", "n_genes")]
)
def test_outliers_lie_beyond_the_median_deviations_of_logarithms(flag: str, column: str) -> None:
    # log1p: 0 1 2 3 4 5 6 times log(2); the median is 3, the MAD 2, the bounds at 1.5 MAD 0 and 6
    values = [2**k - 1 for k in range(1, 8)]
    measures = cells(7, **{column: values})
    assert held(measures, flag, n_mads=1.5) == []
    assert held(measures, flag, n_mads=1.4) == [0, 6]


def test_the_share_of_the_top_20_genes_is_an_outlier_on_both_sides() -> None:
    measures = cells(5, pct_counts_top20=[1, 29, 30, 31, 90])
    assert held(measures, "outlier_top20") == [0, 4]


def test_mitochondrial_shares_are_too_high_by_the_dataset_or_the_limit() -> None:
    shares = [0.0, 1, 2, 3, 4, 5.1, 8.1]  # median 3, MAD 2
    assert held(cells(7, pct_counts_mito=shares), "high_mito", n_mads_mito=1) == [5, 6]
    assert held(cells(7, pct_counts_mito=shares), "high_mito", n_mads_mito=10) == [6]


def test_a_mitochondrial_share_that_nobody_knows_is_not_high() -> None:
    assert held(cells(3, pct_counts_mito=[math.nan] * 3), "high_mito", max_pct_mito=0) == []


def test_cells_that_hardly_differ_have_no_outliers() -> None:
    """More than half of the nuclei have no mitochondrial counts: their MAD is 0."""
    measures = cells(5, pct_counts_mito=[0, 0, 0, 0.1, 9], n_counts=[7, 7, 7, 8, 9])
    assert (held(measures, "high_mito"), held(measures, "outlier_counts")) == ([4], [])


def test_medians_are_not_of_empty_droplets() -> None:
    """Of a file with all barcodes nearly all cells are next to nothing."""
    counts = [*[0] * 50, *[3] * 50, 800, 900, 1000, 1100, 1200, 90_000]
    flagged = find_flags(cells(106, n_counts=counts), QualityRules(min_counts_per_cell=100))
    low, high = flagged.bounds["outlier_counts"]
    assert 100 < low < 800 < 1200 < high < 90_000


def test_the_first_of_equal_cells_is_no_duplicate_and_shallow_cells_never_are() -> None:
    assert held(cells(6, fingerprint=[7, 0, 7, 0, 8, 7]), "duplicate") == [2, 5]


def test_flags_do_not_depend_on_what_is_dropped() -> None:
    measures = cells(4, n_counts=[0, 1, 5, 5], fingerprint=[1, 1, 2, 2])
    kept, dropped = (
        find_flags(measures, QualityRules(min_counts_per_cell=2, drop=drop)).column()
        for drop in ((), FLAGS)
    )
    assert (
        list(kept)
        == list(dropped)
        == ["empty;few_counts", "few_counts;duplicate", "ok", "duplicate"]
    )


def test_the_summary_counts_flags_and_gives_bounds_in_the_units_of_obs() -> None:
    measures = cells(7, n_counts=[2**k - 1 for k in range(1, 8)])
    rules = QualityRules(n_mads=1.4, drop=("duplicate", "empty"))
    summary = find_flags(measures, rules).summary(rules)
    assert summary["rules"] == {"n_mads": 1.4, "drop": ["empty", "duplicate"]}
    assert {flag: n for flag, n in summary["flags"].items() if n} == {"outlier_counts": 2}
    assert summary["bounds"] == {
        "outlier_counts": [pytest.approx(2**1.2 - 1), pytest.approx(2**6.8 - 1)],
        "outlier_genes": [None, None],
        "outlier_top20": [None, None],
        "high_mito": [None, 8],
    }


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"drop": ("twins", "empty")}, "drop names 'twins'. Flags are empty, few_genes, "),
        ({"n_mads": -1}, "n_mads is -1, and not a finite number from 0 on. Correct the rule."),
        ({"max_pct_mito": math.nan}, "max_pct_mito is nan, and not"),
        ({"n_mads_mito": math.inf}, "n_mads_mito is inf, and not"),
        ({"max_dropped_share": 5}, "max_dropped_share is 5, and not a finite number from 0 to 1."),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        QualityRules(**rules).check()
    assert message in str(refused.value)
