from __future__ import annotations

import pandas as pd
import pytest

from corpuscle.curation import MEMORY_COLUMNS, answers, memory_of_dataset, same_answers

HUMAN, MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"


def memory(*rows: tuple[str, str, str, str]) -> dict[str, pd.DataFrame]:
    """Make decisions about cell types of label, term, organism, dataset."""
    table = pd.DataFrame(rows, columns=["source_label", "term_id", "organism", "dataset"])
    scope = table["dataset"].map(lambda name: "dataset" if name else "global")
    return {"cell_type": table.assign(scope=scope).reindex(columns=list(MEMORY_COLUMNS))}


RULES = memory(
    ("x", "CL:1", "", ""),
    ("x", "CL:2", HUMAN, ""),
    ("x", "CL:3", "", "a"),
    ("x", "CL:4", HUMAN, "a"),
    ("y", "CL:5", MOUSE, ""),
    ("z", "CL:6", "", "b"),
)


@pytest.mark.parametrize(
    ("dataset", "organism", "expected"),
    [
        ("a", HUMAN, {"x": "CL:4"}),
        ("a", MOUSE, {"x": "CL:3", "y": "CL:5"}),
        ("b", HUMAN, {"x": "CL:2", "z": "CL:6"}),
        ("c", MOUSE, {"x": "CL:1", "y": "CL:5"}),
    ],
)
def test_the_narrower_decision_holds(dataset: str, organism: str, expected: dict[str, str]) -> None:
    found = memory_of_dataset(RULES, dataset=dataset, organism=organism)
    own = found["cell_type"].query("scope == 'global'")
    assert dict(zip(own["source_label"], own["term_id"], strict=True)) == expected


def test_decisions_for_other_datasets_are_evidence() -> None:
    found = memory_of_dataset(RULES, dataset="c", organism=HUMAN)["cell_type"]
    evidence = found[found["scope"] == "dataset"]
    assert evidence[["source_label", "dataset"]].to_numpy().tolist() == [
        ["x", "a"],
        ["x", "a"],
        ["z", "b"],
    ]


def test_only_what_was_asked_is_answered() -> None:
    asked = {"cell_type": ["x", "w"], "tissue": ["x"]}
    found = answers(RULES, asked, dataset="c", organism=HUMAN)
    assert [(a["field"], a["label"], a["term_id"]) for a in found] == [("cell_type", "x", "CL:2")]


def test_answers_are_the_same_if_the_terms_are() -> None:
    one = [{"field": "f", "label": "x", "term_id": "CL:1", "version": "1"}]
    assert same_answers(one, [{**one[0], "version": "7"}])
    assert not same_answers(one, [{**one[0], "term_id": "CL:2"}])
    assert not same_answers(one, [])


def test_no_memory_answers_nothing() -> None:
    assert answers({}, {"cell_type": ["x"]}, dataset="a", organism=HUMAN) == []
