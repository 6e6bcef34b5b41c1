from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.errors import LabelMappingError
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
        ("healthy", "disease", ("PATO:0000461", "mapped", "known_name")),
        ("T cells", "cell_type", ("CL:0000084", "mapped", "wording")),
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
    first, second, third = rows["confidence"]
    assert (first, third) == (1.0, 0.0)
    assert 0.75 <= second < 1.0
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


@pytest.mark.parametrize(
    ("label", "field", "expected"),
    [
        ("3_prime_gex", "assay", "EFO:0030003"),
        ("5_prime_gex", "assay", "EFO:0030004"),
        ("multiome", "assay", "EFO:0030059"),
        ("indrops", "assay", "EFO:0008780"),
        ("Parse", "assay", "EFO:0022603"),
        ("Scale Bio", "assay", "EFO:0022490"),
        ("BD_Rhapsody", "assay", "EFO:0700003"),
        ("10x_3'_v3", "assay", "EFO:0009922"),
        ("10x 3\u2032 v3.1", "assay", "EFO:0022980"),
        ("SmartSeq2", "assay", "EFO:0008931"),
        ("M", "sex", "PATO:0000384"),
        ("Healthy donor", "disease", "PATO:0000461"),
        ("non-diseased control", "disease", "PATO:0000461"),
        ("A549", "cell_line_tissue", "CVCL_0023"),
        ("skin", "tissue", "UBERON:0002097"),
        ("Adult", "development_stage", "HsapDv:0000258"),
    ],
)
def test_what_no_ontology_calls_so_has_a_name_of_its_own(
    label: str, field: str, expected: str
) -> None:
    assert _row(label, field, "human")[:2] == (expected, "mapped")


@pytest.mark.parametrize(
    ("label", "field"),
    [
        ("10x v3", "assay"),  # 3' or 5'
        ("3'", "assay"),
        ("10X", "assay"),
        ("10x 3' v9", "assay"),
        ("not normal", "disease"),
        ("control disease", "disease"),
        ("bladder", "tissue"),  # of urine or of gall
        ("blood/liver", "tissue"),
        ("mixed", "sex"),
        ("57", "development_stage"),
        ("10 weeks", "development_stage"),  # before birth or after
    ],
)
def test_what_may_mean_several_things_is_not_mapped(label: str, field: str) -> None:
    assert _row(label, field, "human")[1] != "mapped"


def test_digits_of_an_assay_are_never_taken_for_another() -> None:
    rows = map_labels([f"10x 3' v{n}" for n in (1, 2, 3, 4)], field="assay")
    assert rows["term_id"].tolist() == ["EFO:0009901", "EFO:0009899", "EFO:0009922", "EFO:0022604"]


def test_decision_for_this_organism_is_stronger_than_one_for_any() -> None:
    memory = pd.DataFrame(
        {
            "source_label": ["x", "x", "x"],
            "term_id": ["CL:0000084", "CL:0000236", "CL:0000057"],
            "organism": ["", "NCBITaxon:9606", "NCBITaxon:10090"],
        }
    )
    rows = map_labels(["x"], field="cell_type", organism="human", memory=memory)
    assert rows[["term_id", "method"]].to_numpy().tolist() == [["CL:0000236", "memory"]]


def test_decision_that_there_is_no_term_is_kept() -> None:
    rows = map_labels(["T cell"], field="cell_type", memory={"T cell": "sssom:NoTermFound"})
    assert rows[["term_id", "outcome", "method"]].to_numpy().tolist() == [
        [None, "unmapped", "memory"]
    ]


def test_mappings_of_other_datasets_are_evidence_and_no_decision() -> None:
    confirmed = pd.DataFrame(
        {"source_label": ["Zyx"] * 5, "term_id": ["CL:0000057"] * 5, "scope": ["elsewhere"] * 5}
    )
    before = map_labels(["Zyx 2"], field="cell_type").iloc[0]
    after = map_labels(["Zyx 2"], field="cell_type", memory=confirmed).iloc[0]
    assert "CL:0000057" not in before["candidates"]
    assert after["candidates"][0] == "CL:0000057"
    assert after["method"] != "memory"


def test_name_is_mapped_as_written_whatever_other_datasets_say() -> None:
    confirmed = pd.DataFrame(
        {"source_label": ["T cell"], "term_id": ["CL:0000057"], "scope": ["elsewhere"]}
    )
    rows = map_labels(["T cell"], field="cell_type", memory=confirmed)
    assert rows["term_id"].tolist() == ["CL:0000084"]


def test_contradicting_decisions_are_refused() -> None:
    memory = pd.DataFrame({"source_label": ["x", "x"], "term_id": ["CL:0000084", "CL:0000236"]})
    with pytest.raises(LabelMappingError, match="decided twice, as CL:0000084 and as CL:0000236"):
        map_labels(["x"], field="cell_type", memory=memory)


def test_memory_without_terms_is_refused() -> None:
    with pytest.raises(LabelMappingError, match="has no column term_id"):
        map_labels(["x"], field="cell_type", memory=pd.DataFrame({"source_label": ["x"]}))


def test_tissue_tells_cell_types_apart_that_share_a_name() -> None:
    def best(tissue: str) -> str:
        rows = map_labels(["stellate cells"], field="cell_type", organism="human", tissue=tissue)
        candidates = rows["candidates"].iloc[0]
        return next(
            vocabulary("cell_type").labels[c]
            for c in candidates
            if "neuron" not in vocabulary("cell_type").labels[c]
        )

    assert (best("liver"), best("pancreas")) == (
        "hepatic stellate cell",
        "pancreatic stellate cell",
    )


def test_label_that_says_more_than_its_term_is_mapped_broadly() -> None:
    rows = map_labels(["mild COVID-19"], field="disease")
    assert rows[["term_id", "predicate"]].to_numpy().tolist() == [
        ["MONDO:0100096", "skos:broadMatch"]
    ]


@pytest.mark.parametrize("field", ["cell_type", "tissue", "disease", "assay"])
def test_no_text_that_several_terms_share_is_resolved(field: str) -> None:
    shared = [text for text, ids in vocabulary(field).index.items() if len(ids) > 1]
    rows = map_labels(shared, field=field)
    known = rows["method"] == "known_name"  # decided by hand, among them
    assert set(rows.loc[~known, "outcome"]) <= {"ambiguous"}
    assert known.sum() <= 2


def test_every_candidate_is_in_use_and_of_the_field() -> None:
    labels = ["CD4 T", "B mem", "endothelium of vein", "Radial glia_3", "???", "obsolete cell"]
    rows = map_labels(labels, field="cell_type", organism="mouse")
    allowed = vocabulary("cell_type", "mouse").allowed
    assert {c for candidates in rows["candidates"] for c in candidates} <= allowed


def test_answer_does_not_depend_on_the_labels_beside_it() -> None:
    labels = ["CD8+ TEM", "Fibro 2", "Mono/Mac", "NK_CD56bright"]
    together = map_labels(labels, field="cell_type", organism="human")
    alone = pd.concat(
        [map_labels([label], field="cell_type", organism="human") for label in labels],
        ignore_index=True,
    )
    pd.testing.assert_frame_equal(together, alone)


def test_older_snapshot_gives_its_own_terms() -> None:
    old, new = (
        map_labels(["10x 3' v3.1"], field="assay", schema=schema)["term_id"].iloc[0]
        for schema in ("7.0.0", "7.1.0")
    )
    assert (old, new) == (
        vocabulary("assay", schema="7.0.0").index.get("10x 3' v3.1", (None,))[0],
        "EFO:0022980",
    )
