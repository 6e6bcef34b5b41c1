from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpuscle.errors import NotFoundError
from corpuscle.ontologies import GENE_RELEASES, gene_table, resolve_genes

if TYPE_CHECKING:
    from collections.abc import Callable

TP53 = "ENSG00000141510"


def _one(feature: str, organism: str = "human") -> dict[str, object]:
    row = resolve_genes([feature], organism=organism).iloc[0]
    return {str(name): row[str(name)] for name in ("gene_id", "outcome", "method", "candidates")}


def _resolved(gene_id: str, method: str) -> dict[str, object]:
    return {"gene_id": gene_id, "outcome": "resolved", "method": method, "candidates": ()}


def _unknown(method: str) -> dict[str, object]:
    return {"gene_id": None, "outcome": "unknown", "method": method, "candidates": ()}


def _ambiguous(method: str, *candidates: str) -> dict[str, object]:
    return {"gene_id": None, "outcome": "ambiguous", "method": method, "candidates": candidates}


@pytest.mark.parametrize(
    ("slug", "n_genes", "n_mito"),
    [
        ("homo_sapiens", 78_894, 37),
        ("mus_musculus", 78_317, 37),
        ("rattus_norvegicus", 43_360, 37),
        ("danio_rerio", 32_520, 37),
        ("drosophila_melanogaster", 24_254, 38),
        ("caenorhabditis_elegans", 46_926, 36),
        ("macaca_mulatta", 35_432, 37),
        ("macaca_fascicularis", 38_550, 35),
        ("gorilla_gorilla", 30_084, 37),
        ("pan_troglodytes", 33_729, 37),
        ("microcebus_murinus", 26_798, 37),
        ("oryctolagus_cuniculus", 29_587, 37),
        ("sus_scrofa", 35_682, 37),
        ("ercc", 92, 0),
        ("sars_cov_2", 12, 0),
    ],
)
def test_table_has_its_genes_and_its_mitochondrion(slug: str, n_genes: int, n_mito: int) -> None:
    table = gene_table(slug)
    assert (len(table), int(table["is_mito"].sum())) == (n_genes, n_mito)


def test_mitochondrion_of_marmoset_is_not_known() -> None:
    assert gene_table("marmoset")["is_mito"].isna().all()


def test_nd1_of_macaque_is_mitochondrial() -> None:
    assert resolve_genes(["ND1"], organism="rhesus macaque")["is_mito"].tolist() == [True]


@pytest.mark.parametrize("slug", sorted(GENE_RELEASES))
def test_ids_of_a_table_are_unique_and_sorted(slug: str) -> None:
    index = gene_table(slug).index
    assert index.is_unique
    assert index.is_monotonic_increasing


def test_changing_a_table_does_not_change_the_next() -> None:
    table = gene_table("ercc")
    table.loc["ERCC-00002", "symbol"] = "spoilt"
    assert gene_table("ercc").loc["ERCC-00002", "symbol"] == "ERCC-00002 (spike-in control)"


def test_organism_without_table_is_refused() -> None:
    with pytest.raises(NotFoundError, match="No gene table of cattle"):
        gene_table("Bos taurus")


def test_table_has_a_gene_called_nan() -> None:
    assert _one("nan", "fly")["outcome"] == "resolved"


def test_gene_without_symbol_has_none() -> None:
    assert resolve_genes(["ENSG00000300697"], organism="human")["symbol"].tolist() == [None]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        pytest.param(TP53, _resolved(TP53, "id"), id="id"),
        pytest.param(f"{TP53}.18", _resolved(TP53, "id_version"), id="id with version"),
        pytest.param("TP53", _resolved(TP53, "symbol"), id="symbol"),
        pytest.param("tp53", _resolved(TP53, "symbol_case"), id="symbol in lower case"),
        pytest.param(
            "CSF2RA",
            _resolved("ENSG00000198223", "symbol_par"),
            id="symbol of a gene on X and its copy on Y",
        ),
        pytest.param(
            "csf2ra",
            _resolved("ENSG00000198223", "symbol_case"),
            id="the same in lower case",
        ),
        pytest.param("ERCC-00002", _resolved("ERCC-00002", "id"), id="spike-in"),
        pytest.param("ENSSASG00005000005", _resolved("ENSSASG00005000005", "id"), id="virus"),
        pytest.param("ENSMUSG00000064351", _unknown("other_organism"), id="gene of mouse"),
        pytest.param("ENSBTAG00000000005.3", _unknown("other_organism"), id="gene of cattle"),
        pytest.param("DEPRECATED_ENSG00000141510", _unknown("deprecated"), id="deprecated"),
        pytest.param("ENSG00000000000", _unknown("none"), id="no id there ever was"),
        pytest.param(
            "ENSG00000182378.14_PAR_Y", _resolved("ENSG00000292344", "par_copy"), id="copy on Y"
        ),
        pytest.param("ENSG00000292344", _resolved("ENSG00000292344", "id"), id="its id today"),
        pytest.param("RP11-34P13.8", _resolved("ENSG00000239945", "previous_symbol"), id="clone"),
        pytest.param("C11orf95", _resolved("ENSG00000188070", "previous_symbol"), id="renamed"),
        pytest.param("A2MR", _resolved("ENSG00000123384", "previous_symbol"), id="withdrawn"),
        pytest.param("p53", _resolved(TP53, "alias"), id="alias"),
        pytest.param("c11ORF95", _resolved("ENSG00000188070", "previous_symbol_case"), id="case"),
        pytest.param("EGFP", _unknown("transgene"), id="reporter"),
        pytest.param("tdTomato", _unknown("transgene"), id="another"),
        pytest.param("CD4_TotalSeqB", _unknown("antibody"), id="antibody"),
        pytest.param("ADT-CD3", _unknown("antibody"), id="antibody, otherwise"),
        pytest.param("Hashtag1", _unknown("antibody"), id="hashtag"),
        pytest.param("chr1:1000-2000", _unknown("peak"), id="peak"),
        pytest.param("TP53-1", _unknown("none"), id="suffix without its twin"),
        pytest.param("Best4+Enterocytes", _unknown("none"), id="no gene"),
        pytest.param("", _unknown("none"), id="empty"),
    ],
)
def test_feature_resolves_as_it_should(feature: str, expected: dict[str, object]) -> None:
    assert _one(feature) == expected


def test_a_name_made_unique_is_another_gene_than_its_twin() -> None:
    rows = resolve_genes(["TP53", "TP53-1"], organism="human")
    assert rows["gene_id"].tolist() == [TP53, None]
    assert rows["method"].tolist() == ["symbol", "symbol_made_unique"]


def test_a_name_made_unique_is_not_taken_for_an_alias() -> None:
    rows = resolve_genes(["U6", "U6-1"], organism="human")
    assert rows["method"].tolist()[1] == "symbol_made_unique"


def test_symbol_that_ends_like_a_copy_is_a_symbol() -> None:
    rows = resolve_genes(["NKX2", "NKX2-1"], organism="human")
    assert rows["method"].tolist() == ["none", "symbol"]


def test_dot_in_a_worm_name_is_no_version() -> None:
    rows = resolve_genes(["C08E8.1", "F55C5.17"], organism="worm")
    assert rows["gene_id"].tolist() == ["WBGene00007437", "WBGene00303048"]


def test_worm_id_with_a_suffix_is_not_cut() -> None:
    assert _one("WBGene00007437.1", "worm") == _unknown("none")


def test_spike_in_has_its_own_organism() -> None:
    rows = resolve_genes(["ERCC-00002", "ENSMUSG00000064351"], organism="mouse")
    assert rows["organism_ontology_term_id"].tolist() == ["NCBITaxon:32630", "NCBITaxon:10090"]


def test_symbol_of_the_virus_is_no_symbol_of_the_host() -> None:
    assert _one("ORF10") == _unknown("none")


def test_no_features_give_an_empty_table_with_all_columns() -> None:
    rows = resolve_genes([], organism="human")
    assert (len(rows), rows.columns[0], rows.columns[-1]) == (0, "source_id", "candidates")


@settings(deadline=None)  # the first example loads the table
@given(st.lists(st.sampled_from(["TP53", "tp53", TP53, f"{TP53}.1", "CSF2RA", "x", "ERCC-00002"])))
def test_rows_keep_the_order_of_the_features(features: list[str]) -> None:
    assert resolve_genes(features, organism="human")["source_id"].tolist() == features


@settings(deadline=None)  # the first example loads the table
@given(st.lists(st.text(max_size=12), max_size=20))
def test_only_what_is_resolved_has_a_gene(features: list[str]) -> None:
    rows = resolve_genes(features, organism="human")
    assert rows["gene_id"].notna().tolist() == rows["outcome"].eq("resolved").tolist()


@pytest.mark.parametrize("slug", sorted(set(GENE_RELEASES) - {"ercc", "sars_cov_2"}))
def test_every_id_of_a_table_resolves_to_itself(slug: str) -> None:
    ids = gene_table(slug).index.tolist()
    rows = resolve_genes(ids, organism=slug)
    assert rows["gene_id"].tolist() == ids


def test_sixty_thousand_features_take_under_a_second() -> None:
    table = gene_table("human")
    features = [*table.index[:30_000], *table["symbol"].dropna()[:30_000]]
    resolve_genes([], organism="human")
    start = time.perf_counter()
    resolve_genes(features, organism="human")
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("name", "organism", "expected"),
    [
        (
            "human_pbmc_10k_protein_v3_raw",
            "human",
            {"resolved": 16_494, "unknown": 223, "ambiguous": 10},
        ),
        ("celegans_worm_l2_raw", "worm", {"resolved": 4_962, "unknown": 38}),
        ("human_a549_sciplex_dex_raw", "human", {"resolved": 196, "unknown": 2}),
        ("human_heart_cxg_messy_ontology_ids", "human", {"resolved": 136}),
        ("mouse_mpfc_starmap_raw", "mouse", {"resolved": 157, "ambiguous": 1}),
    ],
)
def test_real_file_resolves(
    real_features: Callable[[str], list[str]], name: str, organism: str, expected: dict[str, int]
) -> None:
    outcomes = resolve_genes(real_features(name), organism=organism)["outcome"]
    assert outcomes.value_counts().to_dict() == expected


def test_is_mito_is_nullable() -> None:
    rows = resolve_genes(["MT-ND1", "TP53", "nonsense"], organism="human")
    assert rows["is_mito"].tolist() == [True, False, pd.NA]
