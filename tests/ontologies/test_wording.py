from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.ontologies import vocabulary
from corpuscle.ontologies import wording as module
from corpuscle.ontologies.wording import VIEWS, name_forms, tokens, word_key, wording

DATA = Path(module.__file__).parent / "data"


@pytest.mark.parametrize(
    ("label", "core"),
    [
        ("T cells", "t cell"),
        ("Plasma_cells", "plasma cell"),
        ("CD8-positive T cell", "cd8+ t cell"),
        ("CD16neg NK", "cd16- cd56 bright natural killer cell human"),
        ("\u03b3\u03b4T", "gamma delta t cell"),
        ("AM\u03c6-1", "alveolar macrophage"),
        ("LymphaticEndothelium", "endothelial cell of lymphatic vessel"),
        ("Pericyte 2", "pericyte"),
        ("Stroma 2a", "stromal cell"),
        ("type 2 pneumocytes", "type ii pneumocyte"),
        ("T cell_Ccl5 high(Small-Intestine)", "t cell"),
        ("Fibroblast (low quality)", "fibroblast"),
        ("NKs", "natural killer cell"),
        ("hcDC2", "cd1c+ myeloid dendritic cell"),
        ("Th17", "t helper 17 cell"),
        ("IN", "gabaergic interneuron"),
    ],
)
def test_core_of_a_cell_type(label: str, core: str) -> None:
    assert wording(label, field="cell_type").core == core


def test_word_that_is_an_abbreviation_only_in_capitals_stays_a_word() -> None:
    assert wording("cell in transition", field="cell_type").plain == "cell in transition"
    assert "interneuron" not in wording("cell in transition", field="cell_type").full


def test_states_are_left_out_of_the_soft_form_only() -> None:
    words = wording("Proliferating macrophage", field="cell_type")
    assert (words.core, words.soft) == ("cycling macrophage", "macrophage")


def test_parts_are_told_apart() -> None:
    words = wording("Immune Cells - Macrophages", field="cell_type")
    assert (words.head, words.tail, words.n_parts) == ("leukocyte", "macrophage", 2)


def test_place_in_parentheses_is_context() -> None:
    words = wording("Stromal cell(Bladder)", field="cell_type")
    assert (words.full, words.context) == ("stromal cell", ("bladder",))


def test_marker_keeps_its_sign_and_a_hyphen_is_none() -> None:
    assert tokens("CD4+ CD8- pro-B") == ("cd4+", "cd8-", "pro", "b")


def test_forms_of_a_name_turn_it_around() -> None:
    assert "lung fibroblast" in name_forms("fibroblast of lung")
    assert "effector t cell" in name_forms("effector T cell, human")
    assert "memory t cell" in name_forms("memory alpha-beta T cell")
    assert "t cell" not in name_forms("alpha-beta T cell")


def test_key_does_not_depend_on_order_and_small_words() -> None:
    assert word_key("endothelial cell of vein") == word_key("vein endothelial cell")


@given(st.text(max_size=40))
def test_any_text_has_a_wording(text: str) -> None:
    words = wording(text, field="cell_type")
    for view in VIEWS:
        assert getattr(words, view) == " ".join(getattr(words, view).split())


def test_abbreviations_are_sorted_and_each_stands_once() -> None:
    with (DATA / "abbreviations.tsv").open(encoding="utf-8", newline="") as file:
        rows = [(row["field"], row["text"]) for row in csv.DictReader(file, delimiter="\t")]
    assert len(rows) == len(set(rows))


def test_no_abbreviation_decides_between_terms_that_share_it() -> None:
    with (DATA / "abbreviations.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    shared = [
        (row["field"], row["text"])
        for row in rows
        if len(vocabulary(row["field"], "human").index.get(row["text"].casefold(), ())) > 1
    ]
    assert not shared


def test_known_names_lead_to_terms_in_use() -> None:
    with (DATA / "known_names.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wrong = [
        (row["text"], term)
        for row in rows
        for term in row["term_ids"].split("|")
        if not any(term in vocabulary(row["field"], o) for o in ("human", "mouse"))
    ]
    assert not wrong
