from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corpuscle.ontologies import gene_table, infer_organism

if TYPE_CHECKING:
    from collections.abc import Callable


def _ids(slug: str, n: int) -> list[str]:
    return gene_table(slug).index[-n:].tolist()


@pytest.mark.parametrize(
    ("name", "common", "basis"),
    [
        ("human_pbmc_10k_protein_v3_raw", "human", "symbols"),
        ("human_oligodendroglioma_nonint_counts", "human", "symbols"),
        ("human_pbmc68k_reduced_scaled", "human", "symbols"),
        ("mouse_dentategyrus_velocity_raw", "mouse", "symbols"),
        ("mouse_mpfc_starmap_raw", "mouse", "symbols"),
        ("mouse_spatial_squidpy_processed", "mouse", "symbols"),
        ("human_heart_cxg_messy_ontology_ids", "human", "gene ids"),
        ("human_a549_sciplex_dex_raw", "human", "gene ids"),
        ("celegans_worm_l2_raw", "roundworm", "gene ids"),
    ],
)
def test_real_file_tells_its_organism(
    real_features: Callable[[str], list[str]], name: str, common: str, basis: str
) -> None:
    evidence = infer_organism(real_features(name))
    assert evidence.organism is not None
    assert (evidence.organism.common, evidence.basis) == (common, basis)


def test_cell_types_as_features_tell_no_organism(
    real_features: Callable[[str], list[str]],
) -> None:
    assert infer_organism(real_features("pertpy_smillie_celltype_counts")).organism is None


def test_lower_case_symbols_are_noted(real_features: Callable[[str], list[str]]) -> None:
    evidence = infer_organism(real_features("mouse_mpfc_starmap_raw"))
    assert evidence.ignoring_case
    assert evidence.reason == (
        "155 of 158 features (98%) are symbols of Mus musculus if case is ignored; 4 of them are "
        "not known in the nearest other organism, Homo sapiens, which alone knows 0."
    )


def test_share_of_the_pbmc_file_is_as_measured(real_features: Callable[[str], list[str]]) -> None:
    evidence = infer_organism(real_features("human_pbmc_10k_protein_v3_raw"))
    assert round(evidence.feature_share, 2) == 0.99
    assert round(evidence.shares["NCBITaxon:9598"], 2) == 0.75


def test_spike_ins_do_not_count() -> None:
    evidence = infer_organism([*_ids("mus_musculus", 10), *_ids("ercc", 92)])
    assert evidence.organism is not None
    assert (evidence.organism.common, evidence.n_features) == ("mouse", 10)


def test_versions_do_not_matter() -> None:
    evidence = infer_organism([f"{i}.7" for i in _ids("homo_sapiens", 10)])
    assert evidence.feature_share == 1.0


def test_half_of_the_features_as_ids_is_enough() -> None:
    evidence = infer_organism([*_ids("homo_sapiens", 5), *"abcde"])
    assert evidence.organism is not None


def test_ids_of_two_organisms_leave_doubt() -> None:
    evidence = infer_organism([*_ids("homo_sapiens", 90), *_ids("mus_musculus", 10)])
    assert (evidence.organism, evidence.basis) == (None, "gene ids")
    assert evidence.reason == (
        "90 of 100 features (90%) are gene ids of Homo sapiens, but 10% are gene ids of "
        "Mus musculus."
    )


@pytest.mark.parametrize(
    ("features", "common"),
    [
        (["ENSBTAG00000000005"], "cattle"),
        (["AT1G01010", "ATMG00010"], "thale cress"),
        (["Zm00001eb000010"], "maize"),
        (["Os01g0100100"], "Japanese rice"),
        (["Solyc01g005000.2"], "tomato"),
        (["FBgn0000003", "FBti0019583"], "fruit fly"),
    ],
)
def test_ids_of_organisms_are_known_by_their_shape(features: list[str], common: str) -> None:
    organism = infer_organism(features).organism
    assert organism is not None
    assert organism.common == common


def test_symbols_that_human_and_chimpanzee_share_leave_doubt() -> None:
    chimp = set(gene_table("chimpanzee")["symbol"].dropna())
    human = sorted(set(gene_table("human")["symbol"].dropna()) & chimp)[:2_000]
    assert infer_organism(human).organism is None


def test_too_few_symbols_leave_doubt() -> None:
    only_human = sorted(set(gene_table("human")["symbol"].dropna()))[:49]
    assert infer_organism(only_human).organism is None


@pytest.mark.parametrize("features", [[], ["ERCC-00002"]])
def test_nothing_to_compare_tells_nothing(features: list[str]) -> None:
    evidence = infer_organism(features)
    assert (evidence.organism, evidence.basis, evidence.n_features) == (None, "none", 0)
