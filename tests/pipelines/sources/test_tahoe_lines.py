"""The 50 cell lines of Tahoe-100M, against the ontologies and the publisher's table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from corpuscle.ontologies import ontology, vocabulary
from corpuscle.pipelines.sources._tahoe_lines import LINES, ORGANS
from corpuscle.pipelines.sources._tahoe_tables import read_lines

if TYPE_CHECKING:
    from pathlib import Path


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def test_there_are_fifty() -> None:
    assert len(LINES) == 50


@pytest.mark.parametrize("accession", LINES)
def test_cellosaurus_calls_a_line_as_the_publisher_does(accession: str) -> None:
    assert _letters(LINES[accession].name) in _letters(ontology("CVCL").label(accession))


def test_accessions_are_terms_of_the_tissue_of_cell_lines() -> None:
    assert set(LINES) <= vocabulary("cell_line_tissue").allowed


def test_diseases_are_current_terms_and_one_line_has_none() -> None:
    assert {line.disease for line in LINES.values()} <= vocabulary("disease").allowed
    normal = [line.name for line in LINES.values() if line.disease == "PATO:0000461"]
    assert normal == ["hTERT-HPNE"]


def test_sex_is_a_term_or_not_known() -> None:
    sexes = vocabulary("sex").allowed
    assert [line.name for line in LINES.values() if line.sex not in sexes] == ["RKO"]


def test_a_disease_is_of_its_organ() -> None:
    """By words: MONDO as it is here does not say where a disease is."""
    words = {
        "lung": "UBERON:0002048",
        "colon": "UBERON:0001155",
        "pancrea": "UBERON:0001264",
        "breast": "UBERON:0000310",
        "melanoma": "UBERON:0002097",
        "hepato": "UBERON:0002107",
        "gastric": "UBERON:0000945",
        "endometri": "UBERON:0001295",
        "cervical": "UBERON:0000002",
        "renal": "UBERON:0002113",
        "bladder": "UBERON:0001255",
        "gli": "UBERON:0000955",
        "astro": "UBERON:0000955",
        "neuroblast": "UBERON:0000010",
    }
    mondo = ontology("MONDO")
    for line in LINES.values():
        if line.disease.startswith("MONDO"):
            label = mondo.label(line.disease)
            assert line.origin in {o for word, o in words.items() if word in label}, line


def test_organs_are_current_terms() -> None:
    known = vocabulary("tissue").allowed
    assert {organ for ids in ORGANS.values() for organ in ids} <= known
    assert {line.origin for line in LINES.values()} <= known


def test_organs_and_names_agree_with_the_publisher(real_data: Path) -> None:
    path = real_data / "real" / "tahoe" / "cell_line_metadata.parquet"
    if not path.exists():
        pytest.skip("the real tables of Tahoe-100M are not beside this checkout")
    table, uberon = read_lines(path), ontology("UBERON")
    for accession, line in LINES.items():
        assert table.loc[accession, "cell_name"] == line.name
        wholes = {line.origin, *uberon.ancestors(line.origin)}
        assert wholes & set(ORGANS[str(table.loc[accession, "Organ"])]), line
