"""Files of samples: what is read, and what is said of the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from corpuscle.errors import CountsError, GeneMappingError
from corpuscle.ontologies import NO_TERM, use_gene_tables
from corpuscle.ontologies.gene_form import finish_table, write_table
from corpuscle.pipelines.examples._scbasecount import N_CELLS, write_scbasecount

from .scbasecount_mirror import VELOCYTO, Mirror, changed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpuscle.curation import Curated


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    folder = tmp_path_factory.mktemp("scbasecount")
    write_scbasecount(folder)
    return Mirror(folder)


def only(column: pd.Series[Any]) -> str:
    """The one value of a column."""
    (value,) = column.unique()
    return str(value)


def decided(curated: Curated, field: str) -> pd.DataFrame:
    rows = curated.decisions
    return rows[rows["field"] == field].set_index("subject_label")


# --- what is read


def test_layers_of_shared_reads_are_never_taken(mirror: Mirror, tmp_path: Path) -> None:
    _, curated = mirror.curate("SRX99000201", tmp_path, feature="GeneFull")
    assert curated.report.counts_from == "X"
    assert "layers/UniqueAndMult-EM" in curated.report.left_out
    assert list(curated.report.counts_tried) == ["X"]


def test_x_that_is_not_whole_is_refused_though_a_layer_is_whole(
    mirror: Mirror, tmp_path: Path
) -> None:
    def swap(adata: Any) -> None:
        adata.layers["UniqueAndMult-EM"] = adata.X.copy()
        adata.X = adata.X * np.float32(0.3)

    path = changed(mirror, tmp_path, swap)
    with pytest.raises(CountsError, match="no raw counts"):
        mirror.curate("SRX99000101", tmp_path, path)


def test_velocyto_counts_are_the_spliced_ones_and_the_report_says_so(
    mirror: Mirror, tmp_path: Path
) -> None:
    adata, curated = mirror.curate("SRX99000101", tmp_path, **VELOCYTO)
    given: Any = anndata.read_h5ad(mirror.find("SRX99000101", **VELOCYTO).files[0].url)
    assert curated.report.counts_from == "layers/spliced"
    assert {"X", "layers/unspliced", "layers/ambiguous"} <= set(curated.report.left_out)
    assert adata.X.sum() == given.X.sum() == given.layers["spliced"].sum()


def test_velocyto_genes_are_read_from_the_ids_not_from_symbols_made_unique(
    mirror: Mirror, tmp_path: Path
) -> None:
    adata, curated = mirror.curate("SRX99000101", tmp_path, **VELOCYTO)
    given = mirror.open("SRX99000101", **VELOCYTO)
    with given:
        var = given.matrices["X"].var
    assert var.index[1] == f"{var.index[0]}-1"
    assert curated.report.genes["column"] == "gene_ids"
    assert set(var["gene_ids"][:2]) <= set(adata.var_names)


def test_columns_and_rows_of_x_give_the_same_counts(mirror: Mirror, tmp_path: Path) -> None:
    by_column, _ = mirror.curate("SRX99000201", tmp_path)
    with h5py.File(mirror.find("SRX99000201").files[0].url) as file:
        assert file["X"].attrs["encoding-type"] == "csc_matrix"

    def by_rows(adata: Any) -> None:
        adata.X = sparse.csr_matrix(adata.X)

    path = changed(mirror, tmp_path, by_rows, accession="SRX99000201")
    by_row, _ = mirror.curate("SRX99000201", tmp_path, path)
    assert (by_column.X != by_row.X).nnz == 0


def test_barcodes_repeat_between_samples_and_the_dataset_tells_them_apart(
    mirror: Mirror, tmp_path: Path
) -> None:
    found = [mirror.curate(name, tmp_path)[0] for name in ("SRX99000101", "SRX99000102")]
    assert found[0].obs_names.tolist() == found[1].obs_names.tolist()
    assert [only(a.obs["dataset_id"]) for a in found] == [
        "scbasecount/SRX99000101",
        "scbasecount/SRX99000102",
    ]
    assert set(found[0].obs_names.str.len()) == {16}


def test_a_sample_without_a_number_in_sra_repeats_cells_of_another(
    mirror: Mirror, tmp_path: Path
) -> None:
    first, second = (mirror.curate(name, tmp_path)[0] for name in ("SRX99000102", "NRX0000104"))
    assert (first.X != second.X).nnz == 0


# --- what is said of the cells


def test_the_row_of_the_sample_stands_beside_its_cells_in_its_own_words(
    mirror: Mirror, tmp_path: Path
) -> None:
    adata, _ = mirror.curate("SRX99000201", tmp_path)
    said = {name: only(adata.obs[f"author_{name}"]) for name in ("cell_line", "perturbation")}
    assert said == {
        "cell_line": "interneurons",
        "perturbation": "unsorted (derived from human embryonic stem cell line)",
    }
    assert only(adata.obs["author_srx_accession"]) == "SRX99000201"
    assert only(adata.obs["author_file_path"]).startswith("gs://")
    assert "author_czi_collection_id" not in adata.obs


def test_spellings_of_missing_are_kept_and_mean_nothing(mirror: Mirror, tmp_path: Path) -> None:
    adata, _ = mirror.curate("SRX99000201", tmp_path, **VELOCYTO)
    assert only(adata.obs["author_study_disease"]) == "not_specified"
    assert only(adata.obs["author_perturbation"]) == "unsure"
    assert only(adata.obs["cell_line_ontology_term_id"]) == "na"


def test_assay_is_a_fact_with_its_evidence(mirror: Mirror, tmp_path: Path) -> None:
    adata, curated = mirror.curate("ERX99000202", tmp_path)
    row: Any = decided(curated, "assay").loc["multiome"]
    assert (row["object_id"], row["method"]) == ("EFO:0030059", "source")
    assert row["comment"].startswith("scBaseCount 2026-01-12: tech_10x")
    assert only(adata.obs["author_assay"]) == "multiome"


def test_tissue_words_go_through_curation_with_a_comment(mirror: Mirror, tmp_path: Path) -> None:
    adata, curated = mirror.curate("ERX99000202", tmp_path)
    row: Any = decided(curated, "tissue").loc["cerebral cortex"]
    assert row["method"] == "name"
    assert "description" in row["comment"]
    assert only(adata.obs["tissue_ontology_term_id"]) == "UBERON:0000956"


def test_a_valid_tissue_id_comes_before_the_words(mirror: Mirror, tmp_path: Path) -> None:
    adata, _ = mirror.curate("SRX99000101", tmp_path)
    assert only(adata.obs["tissue_ontology_term_id"]) == "UBERON:0000178"
    assert only(adata.obs["author_tissue"]) == "peripheral blood"


@pytest.mark.parametrize(
    ("accession", "options", "words"),
    [
        pytest.param("ERX99000105", VELOCYTO, "liver;bone marrow", id="2025-semicolon"),
        pytest.param("NRX0000104", {}, "lungs, lung-associated lymph nodes", id="2026-comma"),
    ],
)
def test_several_tissues_are_no_tissue_of_a_cell(
    mirror: Mirror, tmp_path: Path, accession: str, options: dict[str, Any], words: str
) -> None:
    adata, curated = mirror.curate(accession, tmp_path, **options)
    assert only(adata.obs["tissue_ontology_term_id"]) == "unknown"
    assert only(adata.obs["author_tissue"]) == words
    assert set(decided(curated, "tissue")["method"]) == {"source"}
    assert "several tissues" in only(decided(curated, "tissue")["comment"])


def test_disease_of_the_study_is_no_disease_of_a_cell(mirror: Mirror, tmp_path: Path) -> None:
    adata, curated = mirror.curate("SRX99000101", tmp_path)
    assert only(adata.obs["disease_ontology_term_id"]) == "unknown"
    assert only(adata.obs["author_study_disease"]) == "COVID-19"
    assert only(adata.obs["author_study_disease_ontology_term_id"]) == "MONDO:0100096"
    assert "study_disease" in curated.report.labels["disease"]["suggested_columns"]


def test_disease_of_the_study_is_taken_if_asked_for_with_a_comment(
    mirror: Mirror, tmp_path: Path
) -> None:
    adata, curated = mirror.curate("SRX99000101", tmp_path, disease="study")
    assert only(adata.obs["disease_ontology_term_id"]) == "MONDO:0100096"
    assert "controls bear it too" in only(decided(curated, "disease")["comment"])


def test_cell_types_that_are_empty_are_unknown(mirror: Mirror, tmp_path: Path) -> None:
    adata, _ = mirror.curate("SRX99000101", tmp_path)
    empty = adata.obs["author_cell_type"] == ""
    assert 0 < empty.sum() < N_CELLS
    assert set(adata.obs.loc[empty, "cell_type_ontology_term_id"]) == {"unknown"}
    assert "CL:0000084" in set(adata.obs["cell_type_ontology_term_id"])


@pytest.mark.parametrize("name", ["cell_ontology_term_id", "cell_type_ontology_term_id"])
def test_both_names_of_the_column_of_cell_type_ids_are_read(
    mirror: Mirror, tmp_path: Path, name: str
) -> None:
    def rename(adata: Any) -> None:
        adata.obs = adata.obs.rename(columns={"cell_ontology_term_id": name})
        adata.obs["cell_type"] = "words that nobody knows"

    path = changed(mirror, tmp_path, rename)
    adata, _ = mirror.curate("SRX99000101", tmp_path, path)
    assert "CL:0000084" in set(adata.obs["cell_type_ontology_term_id"])


@pytest.mark.parametrize(
    ("accession", "options", "suspension"),
    [
        ("SRX99000101", {}, "cell"),
        ("SRX99000102", {}, "unknown"),
        ("SRX99000201", {}, "nucleus"),
    ],
)
def test_suspension_is_told_by_the_preparation(
    mirror: Mirror, tmp_path: Path, accession: str, options: dict[str, Any], suspension: str
) -> None:
    adata, _ = mirror.curate(accession, tmp_path, **options)
    assert only(adata.obs["suspension_type"]) == suspension
    assert "author_cell_prep" in adata.obs


def test_a_filled_cell_line_makes_no_cell_culture(mirror: Mirror, tmp_path: Path) -> None:
    adata, _ = mirror.curate("ERX99000105", tmp_path, **VELOCYTO)
    assert only(adata.obs["cell_line_ontology_term_id"]) == "CVCL_0006"
    assert only(adata.obs["tissue_type"]) == "unknown"
    pbmc, _ = mirror.curate("SRX99000101", tmp_path)
    assert only(pbmc.obs["author_cell_line"]) == "PBMC"
    assert only(pbmc.obs["cell_line_ontology_term_id"]) == "unknown"


def test_retired_genes_of_the_reference_are_no_hindrance(mirror: Mirror, tmp_path: Path) -> None:
    _, curated = mirror.curate("SRX99000101", tmp_path)
    assert "retired" in " ".join(curated.report.genes["methods"])


# --- plants


@pytest.fixture
def cress_genes(mirror: Mirror, tmp_path: Path) -> Iterator[None]:
    """A workspace to which somebody added the genes of thale cress."""
    ids = anndata.read_h5ad(mirror.find("SRX99000301").files[0].url).var_names
    rows = finish_table(pd.DataFrame({"gene_id": ids, "kind": "endogenous"}).astype(object))
    path = tmp_path / "cress.parquet"
    write_table(path, rows.assign(release="r1", status="current"), release="r1")
    use_gene_tables({"NCBITaxon:3702": path})
    yield
    use_gene_tables({})


def test_a_plant_without_genes_is_listed_with_what_to_do(mirror: Mirror) -> None:
    dataset = mirror.find("SRX99000301")
    assert "add-genes --organism NCBITaxon:3702" in dataset.skip
    assert dataset.files


def test_a_plant_without_genes_that_is_opened_nevertheless_is_refused(
    mirror: Mirror, tmp_path: Path
) -> None:
    with pytest.raises(GeneMappingError, match="add-genes --organism NCBITaxon:3702"):
        mirror.curate("SRX99000301", tmp_path)


@pytest.mark.usefixtures("cress_genes")
def test_a_plant_gets_no_anatomy_of_animals_and_the_refusal_is_recorded(
    mirror: Mirror, tmp_path: Path
) -> None:
    assert not mirror.find("SRX99000301").skip
    adata, curated = mirror.curate("SRX99000301", tmp_path)
    assert only(adata.obs["tissue_ontology_term_id"]) == "unknown"
    assert only(adata.obs["author_tissue_ontology_term_id"]) == "UBERON:0000914"
    rows = decided(curated, "tissue")
    assert set(rows.index) <= {"whole flowers", "UBERON:0000914"}
    assert set(rows["method"]) == {"source"}
    assert "animals" in only(rows["comment"])


@pytest.mark.usefixtures("cress_genes")
def test_cell_types_of_animals_are_refused_for_a_plant(mirror: Mirror, tmp_path: Path) -> None:
    def annotate(adata: Any) -> None:
        adata.obs["cell_type"], adata.obs["cell_ontology_term_id"] = "T cell", "CL:0000084"

    path = changed(mirror, tmp_path, annotate, accession="SRX99000301")
    with mirror.open("SRX99000301", path) as opened:
        assert opened.facts is not None
        assert opened.facts.terms["cell_type"] == {"CL:0000084": NO_TERM, "T cell": NO_TERM}
    adata, _ = mirror.curate("SRX99000301", tmp_path, path)
    assert only(adata.obs["cell_type_ontology_term_id"]) == "unknown"
