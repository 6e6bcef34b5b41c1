from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.curation import CurationOptions
from corpuscle.curation._labels import (
    FieldLabels,
    _combinations,
    curate_labels,
)
from corpuscle.errors import LabelMappingError
from corpuscle.ontologies import FIELDS, get_organism

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = Path("file.h5ad")


def label(
    obs: dict[str, Any],
    name: str,
    *,
    organism: str = "human",
    memory: Mapping[str, Mapping[str, str]] | None = None,
    **options: Any,
) -> FieldLabels:
    """Curate one field."""
    table = pd.DataFrame(obs, index=[f"cell{i}" for i in range(3)])
    settings = CurationOptions(**options)
    results = curate_labels(PATH, table, get_organism(organism), settings, memory or {})
    return next(result for result in results if result.name == name)


def rows(result: FieldLabels) -> list[list[Any]]:
    """Curated columns, row by row; None where something is missing."""
    table = result.obs.astype(object).to_numpy().tolist()
    return [[None if pd.isna(value) else value for value in row] for row in table]


T_CELL, NEURON = ["CL:0000084", "T cell"], ["CL:0000540", "neuron"]
UNKNOWN = ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["T cell", "neuron", "T cell"], [[*T_CELL, "T cell"], [*NEURON, "neuron"], [*T_CELL, "T cell"]]),
        ([" t  cell ", None, "T cell"], [[*T_CELL, " t  cell "], [*UNKNOWN, None], [*T_CELL, "T cell"]]),
        (["CL:0000084", " CL:0000540", "CL_0000084"], [[*T_CELL, "CL:0000084"], [*NEURON, " CL:0000540"], [*T_CELL, "CL_0000084"]]),
        (pd.array(["T cell", pd.NA, "?"], dtype="string"), [[*T_CELL, "T cell"], [*UNKNOWN, None], [*UNKNOWN, "?"]]),
        (pd.Categorical(["T cell", "T cell", None]), [[*T_CELL, "T cell"], [*T_CELL, "T cell"], [*UNKNOWN, None]]),
        ([1, 2.5, 1], [[*UNKNOWN, "1.0"], [*UNKNOWN, "2.5"], [*UNKNOWN, "1.0"]]),
        ([None, None, None], [[*UNKNOWN, None]] * 3),
        ([np.nan, np.nan, np.nan], [[*UNKNOWN, None]] * 3),
    ],
    ids=["words", "blanks", "ids", "string", "category", "numbers", "nothing", "nan"],
)  # fmt: skip
def test_labels_of_any_type_are_mapped_and_kept(values: Any, expected: list[list[Any]]) -> None:
    assert rows(label({"cell_type": values}, "cell_type")) == expected


@pytest.mark.parametrize(
    ("ids", "words", "term", "method", "said"),
    [
        ("CL:0000084", "neuron", "CL:0000084", "id", "CL:0000084"),
        (None, "T cell", "CL:0000084", "name", "T cell"),
        ("CL:9999999", "T cell", "CL:0000084", "name", "T cell"),
        ("CL:9999999", "nonsense", "unknown", "unknown_id", "CL:9999999"),
        (None, "nonsense", "unknown", "none", "nonsense"),
        (None, None, "unknown", "missing", None),
    ],
)
def test_the_id_wins_where_it_is_valid(
    ids: str | None, words: str | None, term: str, method: str, said: str | None
) -> None:
    columns = {"cell_type_ontology_term_id": [ids] * 3, "cell_type": [words] * 3}
    result = label(columns, "cell_type")
    row = result.decisions.iloc[0]
    assert (rows(result)[0][0], row["method"], row["source_label"], len(result.decisions)) == (
        term,
        method,
        said,
        1,
    )


def test_both_of_the_authors_columns_are_kept() -> None:
    columns = {"cell_type": ["T cell"] * 3, "cell_type_ontology_term_id": ["CL:1"] * 3}
    result = label(columns, "cell_type")
    assert (result.columns, rows(result)[0]) == (
        ("cell_type_ontology_term_id", "cell_type"),
        [*T_CELL, "T cell", "CL:1"],
    )


def test_decisions_are_one_per_label_with_its_cells() -> None:
    columns = {"cell_type_ontology_term_id": ["CL:0000084"] * 3, "cell_type": ["a", "b", "a"]}
    decisions = label(columns, "cell_type").decisions
    assert decisions[["source_label", "n_cells"]].to_numpy().tolist() == [["CL:0000084", 3]]


def test_labels_are_counted_by_outcome() -> None:
    result = label({"cell_type": ["T cell", "nonsense", None]}, "cell_type")
    assert result.counts() == {"mapped": 1, "ambiguous": 0, "unmapped": 1, "cells_mapped": 1}


def test_a_column_called_kind_is_no_trap() -> None:
    result = label(
        {"kind": ["lung", "T cell", "lung"], "tissue_type": ["tissue", "cell culture", "tissue"]},
        "tissue",
        columns={"tissue": "kind"},
    )
    assert rows(result) == [
        ["UBERON:0002048", "lung", "lung"],
        [*T_CELL, "T cell"],
        ["UBERON:0002048", "lung", "lung"],
    ]


@pytest.mark.parametrize(
    ("kind", "tissue", "term"),
    [
        ("tissue", "lung", "UBERON:0002048"),
        ("organoid", "lung", "UBERON:0002048"),
        ("primary cell culture", "T cell", "CL:0000084"),
        ("cell culture", "T cell", "CL:0000084"),
        ("cell line", "CVCL_0023", "CVCL_0023"),
        ("cell line", "lung", "unknown"),
        (None, "T cell", "unknown"),
    ],
)
def test_the_tissue_type_decides_what_a_tissue_is(kind: str | None, tissue: str, term: str) -> None:
    result = label({"tissue_type": [kind] * 3, "tissue": [tissue] * 3}, "tissue")
    assert rows(result)[0][0] == term


def test_a_constant_holds_for_every_cell_and_is_not_the_authors() -> None:
    result = label({"tissue": ["brain"] * 3}, "tissue", constants={"tissue": "lung"})
    assert (rows(result), result.columns) == ([["UBERON:0002048", "lung"]] * 3, ())


def test_what_was_confirmed_before_is_used() -> None:
    memory = {"cell_type": {"my T": "CL:0000084"}}
    result = label({"cell_type": ["my T"] * 3}, "cell_type", memory=memory)
    assert (rows(result)[0][0], result.decisions["method"].tolist()) == ("CL:0000084", ["memory"])


@pytest.mark.parametrize(
    ("organism", "obs", "value"),
    [
        ("human", {}, "unknown"),
        ("human", {"self_reported_ethnicity": ["na"] * 3}, "na"),
        ("mouse", {}, "na"),
        ("mouse", {"self_reported_ethnicity": ["unknown"] * 3}, "na"),
        ("mouse", {"ethnicity": ["C57BL/6"] * 3}, "na"),
    ],
)
def test_ethnicity_does_not_apply_to_animals(
    organism: str, obs: dict[str, Any], value: str
) -> None:
    result = label(obs, "self_reported_ethnicity", organism=organism)
    assert rows(result)[0][:2] == [value, value]


def test_a_field_nobody_mentions_is_unknown_and_hints_are_given() -> None:
    result = label({"donorAge": [1, 2, 3]}, "development_stage")
    assert (rows(result), result.suggestions, len(result.decisions)) == (
        [UNKNOWN] * 3,
        ("donorAge",),
        0,
    )


def test_every_field_but_the_organism_is_there() -> None:
    results = curate_labels(
        PATH, pd.DataFrame(index=["a"]), get_organism("human"), CurationOptions(), {}
    )
    assert [result.name for result in results] == [name for name in FIELDS if name != "organism"]


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(LabelMappingError) as refused:
        label({"type": ["a"] * 3, "organ": ["b"] * 3}, "tissue", columns={"tissue": "Organ"})
    assert str(refused.value) == (
        "obs of file.h5ad has no column 'Organ' (--column tissue=Organ). It has type, organ: name one of them."
    )


CODES = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2)), min_size=1, max_size=20)


@given(cells=CODES)
def test_combinations_are_numbered_as_they_appear(cells: list[tuple[int, int]]) -> None:
    numbers, first = _combinations([np.asarray(part) for part in zip(*cells, strict=True)])
    distinct = list(dict.fromkeys(cells))
    assert ([distinct[i] for i in numbers], [cells[i] for i in first]) == (cells, distinct)


def test_a_label_of_which_a_curator_said_that_there_is_no_term_stays_unknown() -> None:
    memory = {"cell_type": {"T cell": "sssom:NoTermFound"}}
    result = label({"cell_type": ["T cell", "neuron", "T cell"]}, "cell_type", memory=memory)
    assert [row[0] for row in rows(result)] == ["unknown", "CL:0000540", "unknown"]
    assert result.decisions.iloc[0][["outcome", "method", "candidates"]].tolist() == [
        "unmapped",
        "memory",
        (),
    ]


def test_that_there_is_no_term_comes_before_doubt_and_after_a_valid_id() -> None:
    memory = {"cell_type": {"gork": "sssom:NoTermFound"}}
    columns = {
        "cell_type_ontology_term_id": ["CL:9999999", "CL:0000084", None],
        "cell_type": ["gork"] * 3,
    }
    decisions = label(columns, "cell_type", memory=memory).decisions
    assert decisions[["source_label", "method"]].to_numpy().tolist() == [
        ["gork", "memory"],
        ["CL:0000084", "id"],
    ]


def test_labels_that_another_column_overruled_are_listed_apart() -> None:
    columns = {"cell_type_ontology_term_id": ["CL:0000084"] * 3, "cell_type": ["a", "b", None]}
    result = label(columns, "cell_type")
    assert result.overruled is not None
    assert result.overruled[["source_label", "n_cells"]].to_numpy().tolist() == [["a", 0], ["b", 0]]
