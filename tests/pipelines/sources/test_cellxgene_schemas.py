"""Files of every version of the schema, opened and curated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

from corpuscle.errors import OrganismError
from corpuscle.pipelines.examples._cells import atlas_cells, example_genes
from corpuscle.pipelines.examples._cellxgene import SPIKES, example_id

from .cellxgene_mirror import decision

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.pipelines.examples._cells import Truth

    from .cellxgene_mirror import Mirror

KINDS, TISSUE = "tissue_type", "tissue_ontology_term_id"


def test_until_schema_4_the_suffix_tells_the_tissue_type(mirror: Mirror) -> None:
    adata, curated = mirror.curate("lung")
    found = adata.obs.groupby([KINDS, TISSUE], observed=True).size()
    assert set(found.index) == {
        ("tissue", "UBERON:0002048"),
        ("organoid", "UBERON:0002048"),
        ("primary cell culture", "CL:0000057"),
    }
    row = decision(curated, "tissue", "CL:0000057 (cell culture)")
    assert (row["object_id"], row["method"]) == ("CL:0000057", "source")
    assert "schema 3.1.0: until schema 4" in row["comment"]
    row = decision(curated, KINDS, "UBERON:0002048 (organoid)")
    assert (row["object_id"], row["method"]) == ("organoid", "source")
    assert set(adata.obs["author_tissue_ontology_term_id"]) == {
        "UBERON:0002048",
        "UBERON:0002048 (organoid)",
        "CL:0000057 (cell culture)",
    }


def test_a_suffix_that_only_the_label_has_counts_too(mirror: Mirror) -> None:
    def strip(adata: Any) -> None:
        ids = adata.obs[TISSUE].astype(str).str.replace(r" \(.*", "", regex=True)
        adata.obs[TISSUE] = pd.Categorical(ids)

    mirror.change_file("lung", strip)
    adata, _ = mirror.curate("lung")
    assert set(zip(adata.obs[KINDS], adata.obs[TISSUE], strict=True)) == {
        ("tissue", "UBERON:0002048"),
        ("organoid", "UBERON:0002048"),
        ("primary cell culture", "CL:0000057"),
    }


def test_until_schema_4_a_column_called_tissue_type_is_the_authors_own(mirror: Mirror) -> None:
    def add(adata: Any) -> None:
        adata.obs[KINDS] = pd.Categorical(["cell line"] * len(adata))

    mirror.change_file("lung", add)
    adata, _ = mirror.curate("lung")
    assert "cell line" not in set(adata.obs[KINDS])
    kept = [c for c in adata.obs if set(adata.obs[c].astype(str)) == {"cell line"}]
    assert kept == ["author_tissue_type_2"]


def test_cell_culture_of_schema_5_is_primary_cell_culture(mirror: Mirror) -> None:
    adata, curated = mirror.curate("mixed")
    cultured = adata.obs[KINDS] == "primary cell culture"
    assert set(adata.obs.loc[cultured, TISSUE]) == {"CL:0000066"}
    row = decision(curated, KINDS, "cell culture")
    assert row["method"] == "schema_migration"
    assert "since schema 7" in row["comment"]


def test_cell_lines_and_cultures_of_schema_7(mirror: Mirror) -> None:
    adata, _ = mirror.curate("brain")
    of_line = adata.obs[adata.obs[KINDS] == "cell line"]
    assert set(of_line[TISSUE]) == {"CVCL_0594"}
    for name in ("cell_type", "development_stage", "sex", "self_reported_ethnicity"):
        assert set(of_line[f"{name}_ontology_term_id"]) == {"na"}
    assert set(of_line["donor_id"]) == {"na"}
    cultured = adata.obs[adata.obs[KINDS] == "primary cell culture"]
    assert set(cultured[TISSUE]) == {"CL:0000057"}


def test_subspecies_in_uns_become_the_species_and_the_reason_says_so(mirror: Mirror) -> None:
    adata, curated = mirror.curate("brain")
    assert set(adata.obs["organism_ontology_term_id"]) == {"NCBITaxon:10090"}
    assert adata.uns["organism_ontology_term_id"] == "NCBITaxon:10090"
    assert curated.report.organism["method"] == "uns"
    assert "stated in uns as NCBITaxon:10092" in curated.report.organism["reason"]


@pytest.mark.parametrize(
    ("name", "method"), [("lung", "obs"), ("spots", "obs"), ("atlas", "uns"), ("blood", "uns")]
)
def test_the_organism_is_in_obs_until_schema_5_and_in_uns_since_6(
    mirror: Mirror, name: str, method: str
) -> None:
    _, curated = mirror.curate(name)
    assert curated.report.organism["method"] == method


def test_cells_of_another_species_are_dropped_by_a_rule(mirror: Mirror) -> None:
    adata, curated = mirror.curate("mixed")
    assert mirror.dataset("mixed").terms["organism"] == ("NCBITaxon:10090", "NCBITaxon:9606")
    assert curated.report.dropped == {"other_organism": 10}
    assert adata.n_obs == 40


def _two_species(adata: Any) -> Any:
    """Put genes of the mouse beside those of human, in X alone."""
    human = adata.raw.to_adata()
    mouse = human[:, :1200].copy()
    mouse.var_names = example_genes("NCBITaxon:10090").index
    mouse.var["feature_name"] = mouse.var_names.astype(object)
    return anndata.concat([human, mouse], axis=1, merge="first", uns_merge="first")


def test_of_two_measured_species_the_curator_chooses(mirror: Mirror) -> None:
    mirror.change_file("mixed", _two_species)
    mirror.change_record("mixed", raw_data_location="X")
    with pytest.raises(OrganismError, match="--organism"):
        mirror.curate("mixed")
    adata, curated = mirror.curate("mixed", organism="mouse")
    assert (adata.n_obs, curated.report.dropped) == (10, {"other_organism": 40})
    assert adata.var_names.str.match("ENSMUSG|ERCC|ENSSASG").all()


def test_genes_of_another_species_are_not_taken_by_their_symbol(mirror: Mirror) -> None:
    def add(adata: Any) -> Any:
        ids, symbols = adata.var_names.to_list(), adata.var["feature_name"].astype(str).to_list()
        ids[:2], symbols[:2] = ["ENSMUSG00000029580", "ENSMUSG00000057666"], ["ACTB", "GAPDH"]
        adata.var_names = ids
        adata.var["feature_name"] = symbols
        return adata

    mirror.change_file("blood", lambda adata: add(adata.raw.to_adata()))
    mirror.change_record("blood", raw_data_location="X")
    adata, curated = mirror.curate("blood")
    assert (curated.report.genes["unknown"], adata.n_vars) == (2, 1198)


def test_spike_ins_and_a_virus_stay_and_say_what_they_are(mirror: Mirror) -> None:
    adata, _ = mirror.curate("mixed")
    assert adata.var.loc[list(SPIKES), "kind"].tolist() == ["spike-in", "spike-in", "virus"]
    assert adata[:, list(SPIKES)].X.sum() > 0


def test_cells_that_are_not_primary_are_kept_and_say_so(
    mirror: Mirror, cellxgene_example: tuple[Path, dict[str, Truth]]
) -> None:
    adata, _ = mirror.curate("mixed")
    copied = adata[~adata.obs["is_primary_data"].astype(bool)]
    assert copied.n_obs == 20
    genes = list(cellxgene_example[1][example_id("blood")].genes)
    blood, _ = mirror.curate("blood")
    assert (copied[:, genes].X != blood[:20, genes].X).nnz == 0
    assert copied[:, list(SPIKES)].X.sum() == 0


def test_the_atlas_holds_the_cells_that_its_authors_publish(mirror: Mirror) -> None:
    adata, _ = mirror.curate("atlas")
    cells = atlas_cells(0)
    chosen = [cells.names.index(name) for name in adata.obs_names]
    assert set(cells.kinds[chosen]) == {"gaba"}
    expected = cells.counts[chosen][:, cells.genes.index.get_indexer(adata.var_names)]
    assert (expected != adata.X).nnz == 0


def test_counts_come_from_raw_where_genes_were_taken_out_of_x(
    mirror: Mirror, cellxgene_example: tuple[Path, dict[str, Truth]]
) -> None:
    adata, curated = mirror.curate("blood")
    truth = cellxgene_example[1][example_id("blood")]
    assert curated.report.counts_from == "raw.X"
    for place in (3, 5):
        expected = truth.counts[:, place].toarray().ravel()
        np.testing.assert_array_equal(adata[:, truth.genes[place]].X.toarray().ravel(), expected)


def test_versions_of_gene_ids_are_cut_with_a_decision(mirror: Mirror) -> None:
    _, curated = mirror.curate("lung")
    cut = curated.decisions[curated.decisions["field"] == "gene"]
    assert (cut["subject_label"] == cut["object_id"] + ".1").sum() == 10


@pytest.mark.parametrize("version", ["5.2.0", "7.1.0"])
def test_several_ethnicities_are_joined_alike(mirror: Mirror, version: str) -> None:
    (dataset,) = mirror.datasets(dataset_version=example_id(f"blood {version}"))
    adata, curated = mirror.curate("blood", dataset)
    joined = "HANCESTRO:0568 || HANCESTRO:0590"
    column = adata.obs["self_reported_ethnicity_ontology_term_id"]
    assert set(column) == {joined, "HANCESTRO:0019", "unknown"}
    label = joined.replace(" || ", ",") if version == "5.2.0" else joined
    comment = decision(curated, "self_reported_ethnicity", label)["comment"]
    assert ("comma" in comment) == (version == "5.2.0")


def test_several_diseases_stay_several(mirror: Mirror) -> None:
    adata, curated = mirror.curate("blood")
    assert "MONDO:0005002 || MONDO:0100096" in set(adata.obs["disease_ontology_term_id"])
    assert curated.terms["disease"] == ["MONDO:0005002", "MONDO:0100096", "PATO:0000461"]


def test_na_unknown_and_what_has_no_term_are_three_things(mirror: Mirror) -> None:
    _, lung = mirror.curate("lung")
    assert decision(lung, "self_reported_ethnicity", "unknown")["object_id"] == "unknown"
    assert decision(lung, "self_reported_ethnicity", "multiethnic")["outcome"] == "unmapped"
    _, brain = mirror.curate("brain")
    assert decision(brain, "cell_type", "na")["object_id"] == "na"


def test_five_ways_to_say_nothing_stay_five(mirror: Mirror) -> None:
    words = ["na", "unknown", "nan", "", None]

    def change(adata: Any) -> None:
        adata.obs["sex_ontology_term_id"] = pd.Categorical([*words, *words[:1] * 85])
        del adata.obs["sex"]

    mirror.change_file("blood", change)
    adata, curated = mirror.curate("blood")
    assert adata.obs["sex_ontology_term_id"].tolist()[:5] == ["na", *["unknown"] * 4]
    kept = adata.obs["author_sex"].tolist()[:5]
    assert (kept[:4], pd.isna(kept[4])) == (words[:4], True)
    methods = [decision(curated, "sex", str(word))["method"] for word in words[:4]]
    assert methods == ["special", "special", "missing", "missing"]


@pytest.mark.parametrize(
    ("retired", "successor"),
    [("ENSG00000112096", "ENSG00000291237"), ("ENSG00000263464", "ENSG00000288867")],
)
def test_retired_genes_become_those_that_the_portal_replaced_them_by(
    mirror: Mirror, retired: str, successor: str
) -> None:
    def change(adata: Any) -> Any:
        older = adata.raw.to_adata()
        older.var_names = [retired, *older.var_names[1:]]
        return older

    mirror.change_file("blood", change)
    mirror.change_record("blood", raw_data_location="X")
    adata, curated = mirror.curate("blood")
    assert successor in adata.var_names
    assert decision(curated, "gene", retired)["object_id"] == successor


def test_a_deprecated_stage_without_replacement_is_decided_by_its_words(mirror: Mirror) -> None:
    adata, curated = mirror.curate("lung")
    row = decision(curated, "development_stage", "HsapDv:0000087")
    assert (row["outcome"], row["method"], row["n_cells"]) == ("unmapped", "obsolete", 0)
    row = decision(curated, "development_stage", "human adult stage")
    assert (row["object_id"], row["method"]) == ("HsapDv:0000258", "known_name")
    assert "HsapDv:0000087" in set(adata.obs["author_development_stage_ontology_term_id"])


def test_a_deprecated_assay_is_followed_with_a_decision(mirror: Mirror) -> None:
    def change(adata: Any) -> None:
        adata.obs["assay_ontology_term_id"] = pd.Categorical(["EFO:0009310"] * len(adata))

    mirror.change_file("blood", change)
    _, curated = mirror.curate("blood")
    row = decision(curated, "assay", "EFO:0009310")
    assert (row["object_id"], row["method"]) == ("EFO:0009899", "id_replaced")


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("blood", ["observation_joinid", "genetic_perturbation_id"]),
        ("blood", ["genetic_perturbation_strategy", "perturbation_types"]),
        ("spots", ["in_tissue", "array_row", "array_col"]),
    ],
)
def test_further_columns_are_kept(mirror: Mirror, name: str, columns: list[str]) -> None:
    adata, _ = mirror.curate(name)
    given = anndata.read_h5ad(mirror.path(name)).obs
    for column in columns:
        assert (
            adata.obs[f"author_{column}"].astype(str).tolist() == given[column].astype(str).tolist()
        )


def test_coordinates_of_spots_are_kept(mirror: Mirror) -> None:
    adata, curated = mirror.curate("spots")
    assert adata.obsm["spatial"].shape == (36, 2)
    assert "uns/spatial" in curated.report.left_out


def test_the_record_travels_with_the_file(mirror: Mirror) -> None:
    adata, curated = mirror.curate("blood")
    record = json.loads(adata.uns["cellxgene_record"])
    assert record["dataset_version_id"] == example_id("blood 7.1.0")
    assert (record["schema_version"], record["schema_version_from"]) == ("7.1.0", "uns")
    assert record["differs"] == []
    assert {"asset/ATAC_FRAGMENT", "asset/ATAC_INDEX"} <= set(curated.report.left_out)


def test_where_the_file_differs_in_what_may_differ_is_recorded(mirror: Mirror) -> None:
    mirror.change_record("blood", title="Blood, renamed", primary_cell_count=12)
    adata, _ = mirror.curate("blood")
    assert json.loads(adata.uns["cellxgene_record"])["differs"] == [
        "title of the file is 'Blood'",
        "90 cells are primary data, and the record says 12",
    ]


@pytest.mark.parametrize(
    ("name", "expected"), [("lung", "3.0"), ("mixed", "5.0"), ("spots", "5.0"), ("brain", "6.0")]
)
def test_a_schema_that_is_not_stated_is_told_by_structure(
    mirror: Mirror, name: str, expected: str
) -> None:
    mirror.change_file(name, lambda adata: adata.uns.pop("schema_version") and None)
    adata, _ = mirror.curate(name)
    record = json.loads(adata.uns["cellxgene_record"])
    assert (record["schema_version"], record["schema_version_from"]) == (expected, "structure")


def test_ethnicity_of_schema_2_is_found(mirror: Mirror) -> None:
    def rename(adata: Any) -> None:
        old = "self_reported_ethnicity"
        columns = {old: "ethnicity", f"{old}_ontology_term_id": "ethnicity_ontology_term_id"}
        adata.obs = adata.obs.rename(columns=columns)
        adata.uns["schema_version"] = "2.0.0"

    mirror.change_file("lung", rename)
    mirror.change_record("lung", schema_version="2.0.0")
    _, curated = mirror.curate("lung")
    assert curated.report.labels["self_reported_ethnicity"]["mapped"] == 1


@pytest.mark.parametrize("taxon", ["NCBITaxon:9593", "NCBITaxon:9595"])
def test_both_gorillas_are_one(mirror: Mirror, taxon: str) -> None:
    def change(adata: Any) -> None:
        adata.var_names = example_genes("NCBITaxon:9595").index
        adata.uns |= {"organism_ontology_term_id": taxon, "organism": "Gorilla gorilla gorilla"}

    mirror.change_file("brain", change)
    mirror.change_record("brain", organism=[{"ontology_term_id": taxon, "label": "gorilla"}])
    adata, _ = mirror.curate("brain")
    assert set(adata.obs["organism_ontology_term_id"]) == {"NCBITaxon:9595"}
