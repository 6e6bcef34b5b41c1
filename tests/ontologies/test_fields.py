from __future__ import annotations

import pytest

from corpuscle.errors import NotFoundError
from corpuscle.ontologies import FIELDS, current_id, vocabulary


def test_there_are_nine_fields_in_their_order() -> None:
    assert FIELDS == (
        "cell_type",
        "disease",
        "development_stage",
        "tissue",
        "assay",
        "self_reported_ethnicity",
        "sex",
        "tissue_type",
        "organism",
    )


@pytest.mark.parametrize(
    ("field", "organism", "inside", "outside"),
    [
        pytest.param("cell_type", None, "CL:0000000", "CL:0000255", id="banned cell type"),
        pytest.param("cell_type", None, "CL:0000084", "CL:0000044", id="deprecated cell type"),
        pytest.param("cell_type", "fish", "ZFA:0009001", "ZFA:0100000", id="cell type of fish"),
        pytest.param("cell_type", "fly", "FBbt:00005106", "FBbt:00000001", id="cell type of fly"),
        pytest.param("cell_type", "worm", "CL:0000540", "WBbt:0006803", id="cell type of worm"),
        pytest.param("tissue", "mouse", "UBERON:0002107", "UBERON:0001062", id="root of tissues"),
        pytest.param("tissue", "mouse", "UBERON:0002107", "UBERON:0000113", id="stage"),
        pytest.param("tissue", "fish", "UBERON:0002107", "ZFA:0009000", id="cell of fish"),
        pytest.param("disease", None, "MONDO:0100096", "MONDO:0000001", id="disease itself"),
        pytest.param("disease", None, "MONDO:0021178", "PATO:0000460", id="injury"),
        pytest.param("disease", None, "PATO:0000461", "PATO:0000383", id="normal"),
        pytest.param("assay", None, "EFO:0009922", "EFO:0002772", id="assay"),
        pytest.param("sex", None, "PATO:0000383", "PATO:0002122", id="mixed is no sex"),
        pytest.param("sex", "worm", "PATO:0001340", "PATO:0000383", id="no female worm"),
        pytest.param("organism", None, "NCBITaxon:9595", "NCBITaxon:9593", id="gorilla"),
        pytest.param("development_stage", "human", "HsapDv:0000258", "MmusDv:0000019", id="human"),
        pytest.param("development_stage", "mouse", "MmusDv:0000019", "HsapDv:0000258", id="mouse"),
        pytest.param("development_stage", "fish", "ZFS:0000020", "ZFS:0000000", id="fish"),
        pytest.param("development_stage", "worm", "WBls:0000669", "UBERON:0000113", id="worm"),
        pytest.param("development_stage", "pig", "UBERON:0000113", "UBERON:0000071", id="pig"),
        pytest.param("development_stage", None, "UBERON:0000113", "ZFS:0000020", id="anybody"),
        pytest.param("primary_cell_culture_tissue", None, "CL:0000057", "UBERON:0002107", id="cc"),
        pytest.param("cell_line_tissue", None, "CVCL_0023", "CL:0000057", id="cell line"),
        pytest.param(
            "self_reported_ethnicity", "human", "HANCESTRO:0019", "HANCESTRO:0005", id="ethnicity"
        ),
        pytest.param("tissue_type", None, "primary cell culture", "cell culture", id="type"),
    ],
)
def test_field_holds_what_the_schema_allows(
    field: str, organism: str | None, inside: str, outside: str
) -> None:
    known = vocabulary(field, "zebrafish" if organism == "fish" else organism)
    assert (inside in known, outside in known) == (True, False)


@pytest.mark.parametrize(
    ("field", "organism", "n_terms"),
    [
        ("cell_type", "human", 3_322),
        ("disease", "human", 27_457),
        ("development_stage", "human", 237),
        ("development_stage", "mouse", 132),
        ("tissue", "human", 14_911),
        ("assay", "human", 606),
        ("self_reported_ethnicity", "human", 696),
        ("self_reported_ethnicity", "mouse", 0),
        ("sex", "human", 3),
        ("tissue_type", "human", 4),
    ],
)
def test_field_has_its_number_of_terms(field: str, organism: str, n_terms: int) -> None:
    assert len(vocabulary(field, organism).allowed) == n_terms


@pytest.mark.parametrize(
    ("field", "organism", "specials"),
    [
        ("cell_type", "human", {"unknown", "na"}),
        ("disease", "human", set()),
        ("assay", "human", set()),
        ("sex", "human", {"unknown", "na"}),
        ("self_reported_ethnicity", "human", {"unknown", "na"}),
        ("self_reported_ethnicity", "mouse", {"na"}),
        ("tissue", "human", set()),
        ("primary_cell_culture_tissue", "human", {"unknown"}),
    ],
)
def test_field_has_its_specials(field: str, organism: str, specials: set[str]) -> None:
    assert vocabulary(field, organism).specials == specials


@pytest.mark.parametrize("organism", ["human", "zebrafish", "fly", "worm"])
@pytest.mark.parametrize("field", ["cell_type", "development_stage", "sex", "assay", "organism"])
def test_every_allowed_term_is_current(field: str, organism: str) -> None:
    assert all(current_id(i) == i for i in vocabulary(field, organism).allowed)


def test_index_holds_names_and_synonyms_without_case() -> None:
    index = vocabulary("cell_type").index
    assert index["t cell"] == index["t-lymphocyte"] == ("CL:0000084",)


def test_string_of_several_terms_lists_them_all() -> None:
    candidates = vocabulary("disease").index["cad"]
    assert candidates == ("MONDO:0005010", "MONDO:0018922", "MONDO:0100077")


def test_organ_of_the_fish_that_is_one_of_uberon_is_not_ambiguous() -> None:
    known = vocabulary("tissue", "zebrafish")
    assert known.index["liver"] == ("UBERON:0002107",)
    assert "ZFA:0000123" in known


def test_cell_of_the_worm_that_is_not_one_of_cl_stays_ambiguous() -> None:
    assert vocabulary("cell_type", "worm").index["b cell"] == ("CL:0000236", "WBbt:0003825")


def test_vocabulary_is_built_once() -> None:
    assert vocabulary("sex", "mouse") is vocabulary("sex", "Mus musculus")


def test_cell_lines_are_known_by_id_and_name() -> None:
    known = vocabulary("cell_line_tissue")
    assert (known.labels["CVCL_0023"], known.index["a-549"]) == ("A-549", ("CVCL_0023",))


def test_unknown_field_is_refused() -> None:
    with pytest.raises(
        NotFoundError, match=r"There is no field 'celltype'. Fields are: cell_type, "
    ):
        vocabulary("celltype")
