from __future__ import annotations

import pytest

from corpuscle.errors import LabelMappingError
from corpuscle.ontologies import NO_TERM, Decision, check_decisions, find_target
from corpuscle.ontologies.decisions import sssom_object, term_of


@pytest.mark.parametrize(
    ("text", "field", "term", "label"),
    [
        ("CL:0000084", "cell_type", "CL:0000084", "T cell"),
        (" cl_0000084 ", "cell_type", "CL:0000084", "T cell"),
        ("T CELL", "cell_type", "CL:0000084", "T cell"),
        ("none", "cell_type", NO_TERM, ""),
        (NO_TERM, "cell_type", NO_TERM, ""),
        ("unknown", "sex", "unknown", "unknown"),
        ("cell line", "tissue_type", "cell line", "cell line"),
        ("lung", "tissue", "UBERON:0002048", "lung"),
        ("T cell", "tissue", "CL:0000084", "T cell"),
        ("CVCL_0023", "tissue", "CVCL_0023", "A-549"),
        ("COVID-19 || MONDO:0005148", "disease", "MONDO:0005148 || MONDO:0100096", "type 2 diabetes mellitus || COVID-19"),
    ],
)  # fmt: skip
def test_what_a_curator_writes_is_understood(text: str, field: str, term: str, label: str) -> None:
    found = find_target(text, field=field)
    assert (found.term_id, found.term_label) == (term, label)


@pytest.mark.parametrize(
    ("text", "field", "organism", "problem", "said"),
    [
        ("EFO:0009310", "assay", None, "deprecated term", "write EFO:0009899"),
        ("HsapDv:0000087", "development_stage", "human", "deprecated term", "HsapDv:0000226"),
        ("CL:0000084", "assay", None, "wrong vocabulary", "no term of assay"),
        ("MmusDv:0000110", "development_stage", "human", "wrong vocabulary", "NCBITaxon:9606"),
        ("CL:0000255", "cell_type", None, "wrong vocabulary", "no term of cell_type"),
        ("CL:9999999", "cell_type", None, "unknown term", "there is no term"),
        ("XX:1", "cell_type", None, "unknown term", "there is no term"),
        ("T-cell", "cell_type", None, "unknown term", "neither id nor name"),
        ("CL:0000084 || CL:0000236", "cell_type", None, "unknown term", "neither id nor name"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_could(
    text: str, field: str, organism: str | None, problem: str, said: str
) -> None:
    with pytest.raises(LabelMappingError) as refused:
        find_target(text, field=field, organism=organism)
    assert (refused.value.details["problem"], said in refused.value.message) == (problem, True)


def test_labels_with_two_meanings_are_a_contradiction_and_repetitions_are_not() -> None:
    texts = ["T cell", "CL:0000084", "neuron"]
    written = [
        Decision(line=i, field="cell_type", label="a", target=text) for i, text in enumerate(texts)
    ]
    elsewhere = Decision(line=9, field="cell_type", label="a", target="neuron", organism="mouse")
    good, problems = check_decisions([*written, elsewhere])
    assert [(d.line, d.organism, t.term_id) for d, t in good] == [
        (0, "", "CL:0000084"),
        (9, "NCBITaxon:10090", "CL:0000540"),
    ]
    assert [(p.kind, p.line) for p in problems] == [("contradiction", 2)]


@pytest.mark.parametrize(
    "term", ["CL:0000084", "CVCL_0023", "cell line", "unknown", "MONDO:1 || MONDO:2", NO_TERM]
)
def test_terms_survive_sssom(term: str) -> None:
    object_id, kind = sssom_object(term)
    row = {"object_id": object_id, "object_type": kind, "object_label": term}
    assert term_of(row) == term
