from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from corpuscle.curation._groups import FACTORS, cell_groups


def cells(*rows: tuple[str, int]) -> pd.DataFrame:
    """Cells from ``type cluster assay disease sex organism``, each so many times."""
    values = [text.split() for text, n in rows for _ in range(n)]
    return pd.DataFrame(values, columns=list(FACTORS)).astype("category")


def sizes(obs: pd.DataFrame, min_group: int) -> dict[str, int]:
    found: Any = pd.Series(cell_groups(obs, min_group=min_group)).value_counts(sort=False)
    return {str(name): int(n) for name, n in found.items()}


def test_a_group_is_everything_that_is_known() -> None:
    obs = cells(("T 0 v3 ok F human", 2), ("T 0 v3 ok M human", 2), ("unknown 1 v3 ok M human", 2))
    assert sizes(obs, 2) == {
        "T | 0 | v3 | ok | F | human": 2,
        "T | 0 | v3 | ok | M | human": 2,
        "unknown | 1 | v3 | ok | M | human": 2,
    }


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        pytest.param(
            [("T 0 v3 ok F human", 5), ("T 1 v3 ok F human", 2), ("T 2 v3 ok F human", 1)],
            {"T | 0 | v3 | ok | F | human": 5, "T | * | v3 | ok | F | human": 3},
            id="cluster first",
        ),
        pytest.param(
            [("T 0 v3 ok F human", 2), ("T 0 v3 ok M human", 2)],
            {"T | * | v3 | ok | * | human": 4},
            id="then sex",
        ),
        pytest.param(
            [("T 0 v2 ok F human", 2), ("T 0 v3 ok F human", 2)],
            {"T | * | * | ok | * | human": 4},
            id="then assay",
        ),
        pytest.param(
            [("T 0 v3 ok F human", 2), ("T 0 v3 ill F human", 2)],
            {"T | * | * | * | * | human": 4},
            id="then disease",
        ),
        pytest.param(
            [("T 0 v3 ok F human", 2), ("B 0 v3 ok F human", 1), ("T 0 v3 ok F mouse", 2)],
            {
                "B | * | * | * | * | human": 1,
                "T | * | * | * | * | human": 2,
                "T | * | * | * | * | mouse": 2,
            },
            id="cell type and organism never",
        ),
    ],
)
def test_small_groups_join_their_parent(
    rows: list[tuple[str, int]], groups: dict[str, int]
) -> None:
    assert sizes(cells(*rows), 3) == groups


def test_the_order_of_cells_and_of_categories_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {name: rng.choice(list("abc"), 300, p=[0.7, 0.2, 0.1]) for name in FACTORS}
    ).astype("category")
    order = rng.permutation(300)
    turned = obs.iloc[order].apply(lambda column: column.cat.set_categories(list("xcba")))
    wanted, found = (cell_groups(table, min_group=5) for table in (obs, turned))
    assert wanted[order].tolist() == found.tolist()
    assert wanted.categories.tolist() == found.categories.tolist() == sorted(wanted.categories)


def test_no_cells_have_no_groups() -> None:
    assert len(cell_groups(cells(("a b c d e f", 1)).iloc[:0], min_group=3)) == 0


def test_several_terms_of_one_cell_are_one_value() -> None:
    obs = cells(("T 0 v3 ok F human", 1))
    obs["disease_ontology_term_id"] = pd.Categorical(["MONDO:1 || MONDO:2"])
    name = cell_groups(obs, min_group=1)[0]
    assert name.split(" | ")[3] == "MONDO:1 || MONDO:2"
