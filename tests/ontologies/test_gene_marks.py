"""Flags of genes, species by species."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from corpuscle.ontologies import gene_table
from corpuscle.ontologies.gene_marks import (
    mark_haemoglobin,
    mark_mitochondrial,
    mark_par_copies,
    mark_ribosomal,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def genes(*rows: tuple[str, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["gene_id", "symbol", "biotype"])


def mito(*rows: tuple[str, str | None, str]) -> list[object]:
    return list(mark_mitochondrial(genes(*rows), None))


@pytest.mark.parametrize(
    "symbol",
    ["ND1", "MT-ND4L", "mt-Co1", "Mt-cyb", "COX2", "ATP8", "mt:CoIII", "mt:ATPase6", "mt:Cyt-b"],
)
def test_mitochondrial_protein_is_known_by_name(symbol: str) -> None:
    assert mito(("a", symbol, "protein_coding")) == [True]


@pytest.mark.parametrize("symbol", ["ND7", "COX4", "COX11", "CYTB5", "ATP60", "NDC1", "MTND1"])
def test_similar_name_is_not_mitochondrial(symbol: str) -> None:
    assert mito(("a", symbol, "protein_coding"), ("b", "ND1", "protein_coding")) == [False, True]


def test_pseudogene_of_a_mitochondrial_name_is_not_mitochondrial() -> None:
    assert mito(("a", "ND1", "pseudogene"), ("b", None, "Mt_tRNA")) == [False, True]


def test_table_without_mitochondrion_says_not_known() -> None:
    assert mito(("a", "TP53", "protein_coding")) == [pd.NA]


@pytest.mark.parametrize(
    "symbol",
    [
        "RPS3", "RPL13A", "RPLP0", "RPSA", "RPS4Y1", "RPS27A", "UBA52", "FAU", "RPL36AL", "RPL3L",
        "Rpl41", "Rps27rt", "Rps3a1", "Rplp1rt", "rps27.1", "rplp2l", "rpl5b", "faub", "RpL10Ab",
        "RpS15Aa", "RpLP1", "RpL37-1", "rpl-7A", "rpl-36.A", "rps-0", "rpl-11.1", "Rps15al2",
    ],
)  # fmt: skip
def test_protein_of_the_ribosome_is_ribosomal(symbol: str) -> None:
    assert list(mark_ribosomal(genes(("x", symbol, "protein_coding")))) == [True]


@pytest.mark.parametrize(
    "symbol",
    [
        "RPS6KA1", "RPS6KB2", "RPS6KC1", "RPS6KL1", "rps6kal", "RPS19BP1", "RPS10-NUDT3",
        "RPL17-C18orf32", "MRPL1", "MRPS12", "mRpL10", "mrpl-1", "Rpl9-ps6", "RpL7-like",
        "RpL24-like", "rpl-24.2", "Rps23rg1", "RPP30", "RPA1", "RPN1", "RPL", "rpa-1", "sta", "TP53",
    ],
)  # fmt: skip
def test_a_similar_name_is_not_ribosomal(symbol: str) -> None:
    assert list(mark_ribosomal(genes(("x", symbol, "protein_coding")))) == [False]


@pytest.mark.parametrize(
    ("gene", "symbol"),
    [("FBgn1", "sta"), ("FBgn1", "RpL22-like"), ("WBGene1", "rla-0"), ("WBGene1", "ubl-1")],
)
def test_what_only_fly_or_worm_call_so_is_ribosomal_there(gene: str, symbol: str) -> None:
    assert list(mark_ribosomal(genes((gene, symbol, "protein_coding")))) == [True]


@pytest.mark.parametrize(
    "symbol",
    [
        "HBA1", "HBA2", "HBB", "HBD", "HBE1", "HBG2", "HBM", "HBQ1", "HBZ", "HBA", "Hba-a1", "Hba-x",
        "Hbb-bs", "Hbb-bh1", "Hbb-y", "Hbq1a", "hbaa1", "hbae1.1", "hbae3", "hbba2", "hbbe1.3",
    ],
)  # fmt: skip
def test_haemoglobin_is_known_by_name(symbol: str) -> None:
    assert list(mark_haemoglobin(genes(("x", symbol, "protein_coding")))) == [True]


@pytest.mark.parametrize(
    "symbol", ["HBEGF", "hbegfa", "HBS1L", "HBP1", "hbl1", "HBII-52", "hb", "HBB-DT", "Hbb-ps1"]
)
def test_a_similar_name_is_no_haemoglobin(symbol: str) -> None:
    assert list(mark_haemoglobin(genes(("x", symbol, "protein_coding")))) == [False]


@pytest.mark.parametrize("mark", [mark_ribosomal, mark_haemoglobin])
def test_of_a_protein_without_symbol_nothing_is_known(
    mark: Callable[[pd.DataFrame], pd.Series[bool]],
) -> None:
    table = genes(
        ("a", None, "protein_coding"), ("b", None, "lncRNA"), ("c", "RPS3P1", "pseudogene")
    )
    assert list(mark(table)) == [pd.NA, False, False]


@pytest.mark.parametrize("gene", ["FBgn1", "WBGene1"])
def test_flies_and_worms_have_no_haemoglobin(gene: str) -> None:
    table = genes((gene, "hbb", "protein_coding"), (gene, None, "protein_coding"))
    assert list(mark_haemoglobin(table)) == [False, False]


def test_copies_of_both_pseudoautosomal_regions_are_found() -> None:
    places = pd.DataFrame(
        [
            ("chrX", 100, 200, "+"),
            ("chrY", 100, 200, "+"),
            ("chrX", 98_813_580, 98_813_680, "-"),
            ("chrY", 100, 200, "-"),
            ("chrY", 100, 201, "+"),
        ],
        columns=["chrom", "start", "end", "strand"],
        index=["x1", "y1", "x2", "y2", "alone"],
    )
    found = mark_par_copies(pd.DataFrame({"gene_id": places.index}), places)
    assert found.fillna("").tolist() == ["", "x1", "", "x2", ""]


@pytest.mark.parametrize(
    ("organism", "n_ribo", "n_hb"),
    [
        ("human", 90, 10),
        ("mouse", 92, 10),
        ("rat", 162, 7),
        ("zebrafish", 86, 16),
        ("fly", 90, 0),
        ("worm", 82, 0),
        ("rhesus macaque", 84, 5),
        ("cynomolgus macaque", 52, 1),
        ("marmoset", 84, 4),
        ("chimpanzee", 97, 10),
        ("gorilla", 60, 7),
        ("mouse lemur", 79, 3),
        ("rabbit", 111, 1),
        ("pig", 59, 5),
        ("ercc", 0, 0),
        ("sars_cov_2", 0, 0),
    ],
)
def test_every_species_has_its_ribosome_and_its_blood(
    organism: str, n_ribo: int, n_hb: int
) -> None:
    table = gene_table(organism)
    assert (int(table["is_ribo"].sum()), int(table["is_hb"].sum())) == (n_ribo, n_hb)


def test_spike_in_and_virus_are_of_their_own_kind() -> None:
    kinds = {name: set(gene_table(name)["kind"]) for name in ("ercc", "sars_cov_2", "mouse")}
    assert kinds == {"ercc": {"spike-in"}, "sars_cov_2": {"virus"}, "mouse": {"endogenous"}}
