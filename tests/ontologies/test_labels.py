from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.ontologies import map_labels, vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = tuple[str | None, str, str]

COLUMNS = ["source_label", "term_id", "term_label", "outcome", "predicate", "method"]
COLUMNS += ["confidence", "candidates"]


def _row(label: object, field: str, organism: str | None = None) -> Row:
    (row,) = map_labels([label], field=field, organism=organism).to_dict("records")
    return row["term_id"], row["outcome"], row["method"]


@pytest.mark.parametrize(
    ("label", "field", "expected"),
    [
        ("CL:0000084", "cell_type", ("CL:0000084", "mapped", "id")),
        ("http://purl.obolibrary.org/obo/CL_0000084", "cell_type", ("CL:0000084", "mapped", "id")),
        ("CL:0000044", "cell_type", ("CL:0000051", "mapped", "id_replaced")),
        ("EFO:0009310", "assay", ("EFO:0009899", "mapped", "id_replaced")),
        ("T cell", "cell_type", ("CL:0000084", "mapped", "name")),
        (" t  CELL ", "cell_type", ("CL:0000084", "mapped", "name")),
        ("fibroblast_of_lung", "cell_type", ("CL:0002553", "mapped", "name")),
        ("T-lymphocyte", "cell_type", ("CL:0000084", "mapped", "synonym")),
        ("unknown", "cell_type", ("unknown", "mapped", "special")),
        ("na", "sex", ("na", "mapped", "special")),
        ("cell culture", "tissue_type", ("primary cell culture", "mapped", "schema_migration")),
        ("cell line", "tissue_type", ("cell line", "mapped", "id")),
        ("Mouse", "organism", ("NCBITaxon:10090", "mapped", "synonym")),
        ("NCBITaxon:9593", "organism", ("NCBITaxon:9595", "mapped", "id_replaced")),
        ("normal", "disease", ("PATO:0000461", "mapped", "name")),
        ("CVCL_0023", "cell_line_tissue", ("CVCL_0023", "mapped", "id")),
        ("CAD", "disease", (None, "ambiguous", "synonym")),
        ("RNA-seq", "assay", (None, "ambiguous", "name")),
        ("EFO:0009922 (sci-plex)", "assay", (None, "ambiguous", "embedded_id")),
        ("PATO:0000461", "cell_type", (None, "unmapped", "wrong_vocabulary")),
        ("CVCL_0023", "tissue", (None, "unmapped", "wrong_vocabulary")),
        ("NCBITaxon:4932", "organism", (None, "unmapped", "wrong_vocabulary")),
        ("CL:12312", "cell_type", (None, "unmapped", "unknown_id")),
        ("XYZ:0000001", "cell_type", (None, "unmapped", "unknown_id")),
        ("HsapDv:0000087", "development_stage", (None, "unmapped", "obsolete")),
        ("mixed", "sex", (None, "unmapped", "none")),
        ("healthy", "disease", (None, "unmapped", "none")),
        ("T cells", "cell_type", (None, "unmapped", "none")),
        ("cluster_12", "cell_type", (None, "unmapped", "none")),
        ("obsolete immortal cell line cell", "cell_type", (None, "unmapped", "none")),
    ],
)
def test_label_maps_as_it_should(label: str, field: str, expected: Row) -> None:
    assert _row(label, field) == expected


@pytest.mark.parametrize(
    "label",
    ["", " ", "NA", "N/A", "None", "Unknown", "not_specified", "Not applicable", "unsure", "nan"],
)
def test_missing_is_missing_however_it_is_written(label: str) -> None:
    assert _row(label, "tissue") == (None, "unmapped", "missing")


@pytest.mark.parametrize("null", [None, float("nan"), pd.NA], ids=["None", "nan", "NA"])
def test_null_is_missing(null: object) -> None:
    assert _row(null, "tissue") == (None, "unmapped", "missing")


def test_unknown_is_missing_where_the_schema_does_not_allow_it() -> None:
    assert _row("unknown", "disease") == (None, "unmapped", "missing")


def test_ethnicity_of_a_mouse_can_only_be_na() -> None:
    rows = map_labels(["na", "HANCESTRO:0019"], field="self_reported_ethnicity", organism="mouse")
    assert rows["term_id"].tolist() == ["na", None]


def test_stage_belongs_to_the_organism() -> None:
    mouse = _row("HsapDv:0000258", "development_stage", "mouse")
    human = _row("HsapDv:0000258", "development_stage", "human")
    assert (mouse[2], human[2]) == ("wrong_vocabulary", "id")


def test_ambiguous_label_lists_its_candidates() -> None:
    (candidates,) = map_labels(["CAD"], field="disease")["candidates"]
    assert candidates == ("MONDO:0005010", "MONDO:0018922", "MONDO:0100077")


def test_obsolete_id_lists_what_to_consider() -> None:
    (candidates,) = map_labels(["HsapDv:0000087"], field="development_stage")["candidates"]
    assert candidates == ("HsapDv:0000226", "HsapDv:0000258")


def test_embedded_id_is_listed() -> None:
    (candidates,) = map_labels(["EFO:0009922 (sci-plex)"], field="assay")["candidates"]
    assert candidates == ("EFO:0009922",)


@pytest.mark.parametrize(
    ("label", "field", "expected"),
    [
        pytest.param(
            "MONDO:0100096 || MONDO:0005148",
            "disease",
            ("MONDO:0005148 || MONDO:0100096", "mapped", "id"),
            id="ids",
        ),
        pytest.param(
            "HANCESTRO:0019,HANCESTRO:0019",
            "self_reported_ethnicity",
            ("HANCESTRO:0019", "mapped", "id"),
            id="twice the same",
        ),
        pytest.param(
            "COVID-19 || type 2 diabetes mellitus",
            "disease",
            ("MONDO:0005148 || MONDO:0100096", "mapped", "name"),
            id="names",
        ),
        pytest.param(
            "MONDO:0100096 || PATO:0000461", "disease", (None, "ambiguous", "id"), id="and normal"
        ),
        pytest.param(
            "MONDO:0100096 || CL:0000057",
            "disease",
            (None, "ambiguous", "wrong_vocabulary"),
            id="one does not fit",
        ),
        pytest.param(
            "CL:0000057 || CL:0000084",
            "disease",
            (None, "unmapped", "wrong_vocabulary"),
            id="none fits",
        ),
        pytest.param(
            "CL:0000057 || CL:0000084",
            "cell_type",
            (None, "ambiguous", "embedded_id"),
            id="one term only",
        ),
    ],
)
def test_several_values_map_one_by_one(label: str, field: str, expected: Row) -> None:
    assert _row(label, field) == expected


def test_names_of_several_terms_stand_in_the_order_of_their_ids() -> None:
    rows = map_labels(["MONDO:0100096 || MONDO:0005148"], field="disease")
    assert rows["term_label"].tolist() == ["type 2 diabetes mellitus || COVID-19"]


def test_memory_comes_first() -> None:
    rows = map_labels(["T cell"], field="cell_type", memory={"T cell": "CL:0000625"})
    assert rows[["term_id", "method"]].to_numpy().tolist() == [["CL:0000625", "memory"]]


def test_memory_of_a_deprecated_id_leads_to_its_replacement() -> None:
    rows = map_labels(["my CLP"], field="cell_type", memory={"my CLP": "CL:0000044"})
    assert rows["term_id"].tolist() == ["CL:0000051"]


def test_memory_that_does_not_fit_is_passed_over_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = map_labels(["T cell"], field="cell_type", memory={"T cell": "UBERON:0002107"})
    assert rows["method"].tolist() == ["name"]
    assert "remembered_unfit=1" in caplog.text


def test_memory_of_the_empty_label_is_not_about_nulls() -> None:
    rows = map_labels([None, ""], field="cell_type", memory={"": "CL:0000084"})
    assert rows["term_id"].tolist() == [None, "CL:0000084"]


def test_rows_are_the_distinct_labels_in_order() -> None:
    labels = pd.Series(["b", None, "a", "b", float("nan")], dtype="object")
    assert map_labels(labels, field="sex")["source_label"].tolist() == ["b", None, "a"]


def test_categories_and_numbers_are_labels_too() -> None:
    categories = pd.Series(["male", "female", "male"], dtype="category")
    assert map_labels(categories, field="sex")["term_id"].tolist() == [
        "PATO:0000384",
        "PATO:0000383",
    ]
    assert map_labels([3, 3], field="sex")["source_label"].tolist() == ["3"]


def test_labels_that_differ_after_a_nul_stay_apart() -> None:
    assert map_labels(["", "\0"], field="sex")["source_label"].tolist() == ["", "\0"]


def test_no_labels_give_an_empty_table_with_all_columns() -> None:
    rows = map_labels([], field="sex")
    assert (len(rows), list(rows.columns)) == (0, COLUMNS)


def test_confidence_and_predicate_tell_mapped_from_unmapped() -> None:
    rows = map_labels(["T cell", "T-cell", "nonsense"], field="cell_type")
    assert rows["confidence"].tolist() == [1.0, 0.95, 0.0]
    assert rows["predicate"].tolist() == ["skos:exactMatch", "skos:exactMatch", ""]


@given(st.lists(st.text(max_size=20), max_size=10))
def test_only_what_is_mapped_has_a_term(labels: list[str]) -> None:
    rows = map_labels(labels, field="cell_type")
    assert rows["source_label"].tolist() == list(dict.fromkeys(labels))
    assert rows["term_id"].notna().tolist() == rows["outcome"].eq("mapped").tolist()


@given(st.sampled_from(sorted(vocabulary("cell_type").allowed)))
def test_name_of_a_term_never_leads_to_another(term_id: str) -> None:
    label = vocabulary("cell_type").labels[term_id]
    assert _row(label, "cell_type")[0] in (term_id, None)


def test_hundred_thousand_labels_take_under_ten_seconds() -> None:
    labels = [f"label {number} of many" for number in range(100_000)]
    start = time.perf_counter()
    map_labels(labels, field="cell_type")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (
            "cell_type",
            {
                "CL:0000057": "id",
                "CL:0000115": "id",
                "CL:12312": "unknown_id",
                "PATO:0000461": "wrong_vocabulary",
            },
        ),
        (
            "assay",
            {"EFO:0009899": "id", "EFO:0009922": "id", "EFO:0009922 (sci-plex)": "embedded_id"},
        ),
    ],
)
def test_broken_ids_of_the_heart_file_are_told_apart(
    real_labels: Callable[[str, str], list[str]], field: str, expected: dict[str, str]
) -> None:
    labels = real_labels("human_heart_cxg_messy_ontology_ids", f"{field}_ontology_term_id")
    rows = map_labels(labels, field=field, organism="human")
    assert dict(zip(rows["source_label"], rows["method"], strict=True)) == expected
