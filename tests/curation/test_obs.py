from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.curation._categories import constant, text_categories
from corpuscle.curation._labels import FieldLabels
from corpuscle.curation._obs import curated_obs, storable, with_quality
from corpuscle.ontologies import get_organism

HUMAN = get_organism("human")


def curated(
    obs: dict[str, Any] | pd.DataFrame, labels: list[FieldLabels] | None = None
) -> pd.DataFrame:
    table = pd.DataFrame(obs)
    return curated_obs(table, np.arange(len(table)) * 10, HUMAN, labels or [], "study")[0]


def values(column: Any) -> list[Any]:
    """Values of a column, None where it has none."""
    return [None if pd.isna(value) else value for value in pd.Series(column).astype(object)]


@pytest.mark.parametrize(
    ("given_", "dtype", "expected"),
    [
        (pd.Series([1, 2]), "int64", [1, 2]),
        (pd.Series([1, 2], dtype="int8"), "int8", [1, 2]),
        (pd.Series([0.5, None]), "float64", [0.5, None]),
        (pd.Series([True, False]), "bool", [True, False]),
        (pd.Series([1, None], dtype="Int64"), "Int64", [1, None]),
        (pd.Series([1, 2], dtype="Int8"), "int64", [1, 2]),
        (pd.Series([True, None], dtype="boolean"), "boolean", [True, None]),
        (pd.Series([True, False], dtype="boolean"), "bool", [True, False]),
        (pd.Series([0.5, None], dtype="Float32"), "float64", [0.5, None]),
        (pd.Series(["a", None], dtype="string"), "category", ["a", None]),
        (pd.Series(["a", 1, 2.5, None, b"x"]), "category", ["a", "1", "2.5", None, "b'x'"]),
        (pd.Series([None, None]), "category", [None, None]),
        (
            pd.to_datetime(pd.Series(["2020-01-02", None])),
            "category",
            ["2020-01-02 00:00:00", None],
        ),
        (pd.Series([1 + 2j]), "category", ["(1+2j)"]),
        (pd.Series(pd.Categorical([2, 1, None])), "category", ["2", "1", None]),
        (pd.Series(pd.Categorical([1, "1"])), "category", ["1", "1"]),
        (pd.Series(pd.Categorical(["a\0b", None])), "category", ["a\ufffdb", None]),
        (pd.Series([True, 1, 1.0], dtype=object), "category", ["True", "1", "1.0"]),
        (pd.Series([[1], {"a": 2}]).map(str), "category", ["[1]", "{'a': 2}"]),
    ],
)
def test_columns_of_every_type_become_storable(
    given_: pd.Series[Any], dtype: str, expected: list[Any]
) -> None:
    stored = pd.Series(storable(given_))
    assert (str(stored.dtype), values(stored)) == (dtype, expected)


def test_the_order_of_categories_is_kept() -> None:
    stages = pd.Categorical(["late"], categories=["early", "late"], ordered=True)
    assert storable(pd.Series(stages)).ordered


@given(st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers(0, 2)), max_size=9))
def test_texts_as_categories_say_what_they_said(texts: list[Any]) -> None:
    found = text_categories(pd.Series(texts, dtype=object))
    said = [None if text is None else str(text).replace("\0", "\ufffd") for text in texts]
    assert values(found) == said


def test_a_constant_may_hold_for_nobody() -> None:
    assert (len(constant("a", 0)), constant("a", 2).tolist()) == (0, ["a", "a"])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([True, False], [True, False]),
        (["True", "false "], [True, False]),
        (pd.Categorical(["TRUE", None]), [True, None]),
        ([1, 0], [True, False]),
        ([1.0, np.nan], [True, None]),
        (pd.array([True, pd.NA], dtype="boolean"), [True, None]),
        (["yes", "True"], [None, True]),
    ],
)
def test_primary_data_is_read_and_never_assumed(column: Any, expected: list[bool | None]) -> None:
    assert values(curated({"is_primary_data": column})["is_primary_data"]) == expected


def test_primary_data_that_every_cell_states_is_plain() -> None:
    kinds = [curated({"is_primary_data": c})["is_primary_data"].dtype for c in ([True], [None])]
    assert list(map(str, kinds)) == ["bool", "boolean"]


def test_primary_data_that_is_not_understood_is_kept_in_the_authors_words() -> None:
    obs = curated({"is_primary_data": ["yes", "no"]})
    assert values(obs["author_is_primary_data"]) == ["yes", "no"]


def test_primary_data_that_is_not_stated_is_missing() -> None:
    assert values(curated({"a": [1, 2]})["is_primary_data"]) == [None, None]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["P1", None], ["P1", "unknown"]),
        ([7, 8], ["7", "8"]),
        (pd.Categorical(["P1", " "]), ["P1", "unknown"]),
    ],
)
def test_a_donor_that_is_not_named_is_unknown(column: Any, expected: list[str]) -> None:
    assert values(curated({"donor_id": column})["donor_id"]) == expected


def test_the_columns_of_the_contract_come_first() -> None:
    assert list(curated({"batch": ["a"]})) == [
        "organism_ontology_term_id",
        "organism",
        "donor_id",
        "suspension_type",
        "is_primary_data",
        "dataset_id",
        "source_row",
        "author_batch",
    ]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (["a/b", "a_b"], ["author_a_b", "author_a_b_2"]),
        (["author_x", "x"], ["author_author_x", "author_x"]),
        (["n_genes", "dataset_id"], ["author_n_genes", "author_dataset_id"]),
        ([""], ["author_"]),
    ],
)
def test_no_column_of_the_author_is_lost_to_its_name(
    given_: list[str], expected: list[str]
) -> None:
    obs = curated({name: [i] for i, name in enumerate(given_)})
    authors = obs.filter(like="author_")
    assert (list(authors), authors.iloc[0].tolist()) == (expected, list(range(len(given_))))


def test_a_column_of_a_fields_name_does_not_replace_the_words_of_the_named_one() -> None:
    words = pd.DataFrame({"cell_type": ["T cell"], "author_cell_type": ["final"]})
    result = FieldLabels(name="cell_type", columns=("type2",), decisions=pd.DataFrame(), obs=words)
    obs = curated({"cell_type": ["draft"], "type2": ["final"]}, [result])
    assert (obs["author_cell_type"].tolist(), obs["author_cell_type_2"].tolist()) == (
        ["final"],
        ["draft"],
    )


@pytest.mark.parametrize(
    ("names", "expected", "n_renamed"),
    [
        (["a", "b"], ["a", "b"], 0),
        (["a", "b", "a"], ["a-row0", "b", "a-row20"], 2),
        (["a", "a", "a-row10"], ["a-row0", "a-row10-row10", "a-row10-row20"], 3),
        ([1, "1"], ["1-row0", "1-row10"], 2),
    ],
)
def test_names_that_repeat_get_their_row_until_none_does(
    names: list[Any], expected: list[str], n_renamed: int
) -> None:
    table = pd.DataFrame(index=pd.Index(names, dtype=object))
    obs, n = curated_obs(table, np.arange(len(names)) * 10, HUMAN, [], "study")
    assert (list(obs.index), n) == (expected, n_renamed)


def test_measures_stand_before_the_authors_columns() -> None:
    quality = pd.DataFrame({"n_genes": [3]})
    obs = with_quality(pd.DataFrame({"organism": ["human"], "author_a": [1]}, index=["x"]), quality)
    assert (list(obs), obs.index.tolist()) == (["organism", "n_genes", "author_a"], ["x"])


def test_categories_without_cells_are_dropped() -> None:
    obs = curated({"batch": pd.Categorical(["a"], categories=["a", "b"])})
    assert obs["author_batch"].cat.categories.tolist() == ["a"]
