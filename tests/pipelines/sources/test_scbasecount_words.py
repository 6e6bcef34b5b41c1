from __future__ import annotations

import math
from typing import Any

import pytest

from corpuscle.ontologies import map_labels
from corpuscle.pipelines.sources._scbasecount_words import (
    EXPRESSION,
    cell_line,
    is_plant,
    kind_of_missing,
    not_expression,
    sample_terms,
    several_tissues,
)

HUMAN, MAIZE = "NCBITaxon:9606", "NCBITaxon:4577"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (math.nan, "null"),
        ("", "empty"),
        ("  ", "empty"),
        ("nan", "unknown"),
        ("na", "unknown"),
        ("NA", "unknown"),
        ("N/A", "unknown"),
        ("None", "unknown"),
        ("Not specified", "unknown"),
        ("not_specified", "unknown"),
        ("not mentioned", "unknown"),
        ("unsure", "unknown"),
        ("other", "unknown"),
        ("Not applicable", "na"),
        ("not_applicable", "na"),
        ("Not applicable (Plant sample)", ""),
        ("none of the above", ""),
        ("blood", ""),
    ],
)
def test_ways_to_say_nothing_are_kept_apart(value: Any, kind: str) -> None:
    assert kind_of_missing(value) == kind


@pytest.mark.parametrize(("tech", "term"), list(EXPRESSION.items()))
def test_assays_are_those_that_the_words_mean_anyway(tech: str, term: str) -> None:
    assert map_labels([tech], field="assay").term_id.tolist() == [term]
    assert not not_expression(tech)


@pytest.mark.parametrize("tech", ["atac", "vdj", "cellplex", "flex", "spatial", "", None])
def test_libraries_that_are_not_known_to_be_expression_are_not(tech: Any) -> None:
    assert repr(tech) in not_expression(tech)


@pytest.mark.parametrize(
    ("words", "ids", "terms"),
    [
        pytest.param("blood", None, ("UBERON:0000178",), id="word"),
        pytest.param("foot of a goose", "UBERON:0000178", ("UBERON:0000178",), id="id-first"),
        pytest.param("blood", "", ("UBERON:0000178",), id="empty-id"),
        pytest.param("blood", "UBERON:9999999", ("UBERON:0000178",), id="unknown-id"),
        pytest.param("blood", "CL:0000084", ("UBERON:0000178",), id="id-of-another-field"),
        pytest.param(
            "lungs, lymph nodes",
            "UBERON:0000170,UBERON:0000029",
            ("UBERON:0000029", "UBERON:0000170"),
            id="several-ids",
        ),
        pytest.param("liver; blood", None, ("UBERON:0000178", "UBERON:0002107"), id="several"),
        pytest.param("blood; other", None, ("UBERON:0000178",), id="and-other"),
        pytest.param("unsure", None, (), id="unsure"),
        pytest.param(None, None, (), id="null"),
        pytest.param("Oligodendrocyte Progenitor Cells", "", (), id="no-tissue"),
    ],
)
def test_tissues_of_a_sample(words: str | None, ids: str | None, terms: tuple[str, ...]) -> None:
    assert sample_terms("tissue", words, ids, HUMAN) == terms


@pytest.mark.parametrize("words", ["embryo", "root", "whole flowers"])
def test_plants_have_no_anatomy_of_animals(words: str) -> None:
    assert sample_terms("tissue", words, "UBERON:0000914", MAIZE) == ()


@pytest.mark.parametrize("words", ["stage IV", "not mentioned", "cancer risk factors"])
def test_diseases_are_not_guessed_by_likeness(words: str) -> None:
    assert sample_terms("disease", words, None, HUMAN) == ()


@pytest.mark.parametrize(
    ("words", "ids", "several"),
    [
        ("liver;bone marrow", None, True),
        ("blood; other", None, True),
        ("lungs, nodes", "UBERON:0000170,UBERON:0039167", True),
        ("blood", "UBERON:0000178,UBERON:0000178", False),
        ("lung, left lobe", None, False),
        ("blood;", "", False),
        (None, None, False),
    ],
)
def test_several_tissues_are_told_from_one(words: Any, ids: Any, several: bool) -> None:
    assert several_tissues(words, ids) is several


def test_four_organisms_are_plants() -> None:
    taxa = [f"NCBITaxon:{n}" for n in (3702, 4577, 39947, 4081)]
    assert all(map(is_plant, taxa))
    assert not any(map(is_plant, [HUMAN, "NCBITaxon:6183", "NCBITaxon:9595"]))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("THP-1", "CVCL_0006", id="a-line"),
        pytest.param("NCI-H1975", "CVCL_1511", id="a-line-with-digits"),
        pytest.param("interneurons", "unknown", id="cell-type"),
        pytest.param("immune cells + tumor cells", "unknown", id="mixture"),
        pytest.param("C57BL/6", "unknown", id="strain"),
        pytest.param("BL/6", "unknown", id="strain-like-a-line"),
        pytest.param("all", "unknown", id="word-like-the-line-ALL"),
        pytest.param("H9", "unknown", id="several-owners"),
        pytest.param("HT29", "unknown", id="two-lines-but-for-the-hyphen"),
        pytest.param("1013", "unknown", id="a-number"),
        pytest.param("THP-1 cells", "unknown", id="line-in-a-sentence"),
        pytest.param("unsure", "unknown", id="unsure"),
        pytest.param("", "unknown", id="empty"),
        pytest.param("not_applicable", "na", id="not-applicable"),
        pytest.param("Not applicable", "na", id="not-applicable-in-words"),
    ],
)
def test_cell_lines_are_taken_letter_for_letter(text: str, line: str) -> None:
    assert cell_line(text) == line
