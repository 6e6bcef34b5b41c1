"""Files of others as gene tables, and the tables that a process uses."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from corpuscle.errors import GeneMappingError, NotFoundError, SchemaError
from corpuscle.ontologies import (
    GENE_RELEASES,
    gene_table,
    gene_versions,
    infer_organism,
    resolve_genes,
    use_gene_tables,
)
from corpuscle.ontologies.gene_files import read_genes, release_of
from corpuscle.ontologies.gene_form import read_table, write_table
from corpuscle.ontologies.gene_merge import carry_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


COW = "NCBITaxon:9913"
GTF = (
    "#!genome-build ARS-UCD1.3\n"
    '1\tensembl\tgene\t10\t90\t.\t+\t.\tgene_id "ENSBTAG00000000001"; gene_version "3"; '
    'gene_name "RPS3"; gene_source "ensembl"; gene_biotype "protein_coding";\n'
    '1\tensembl\ttranscript\t10\t90\t.\t+\t.\tgene_id "ENSBTAG00000000001"; gene_version "3";\n'
    'MT\tensembl\tgene\t1\t9\t.\t-\t.\tgene_id "ENSBTAG00000000002"; gene_version "1"; '
    'gene_name "ND1"; gene_biotype "protein_coding";\n'
    '2\tensembl\tgene\t1\t9\t.\t-\t.\tgene_id "ENSBTAG00000000003"; gene_biotype "lncRNA";\n'
)
BIOMART = (
    "Gene stable ID\tGene name\tGene type\tChromosome/scaffold name\tGene Synonym\n"
    "ENSBTAG00000000001\tRPS3\tprotein_coding\t1\tS3\n"
    "ENSBTAG00000000001\tRPS3\tprotein_coding\t1\tuS3\n"
    "ENSBTAG00000000002\tND1\tprotein_coding\tMT\t\n"
)
PLAIN = (
    "gene_id,symbol,biotype,aliases,previous_symbols\n"
    "ENSBTAG00000000001,RPS3,protein_coding,S3|uS3,\n"
    "ENSBTAG00000000002,ND1,protein_coding,,MTND1\n"
)


@pytest.fixture(autouse=True)
def _only_shipped() -> Iterator[None]:
    yield
    use_gene_tables({})


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def make(text: str, organism: str = "cow", name: str = "genes.txt") -> pd.DataFrame:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return read_genes(path, organism=organism, release="r1")

    return make


@pytest.fixture
def table(tmp_path: Path, read: Any) -> Path:
    """A gene table of cattle."""
    path = tmp_path / "cow.parquet"
    write_table(path, read(GTF), release="r1")
    return path


def plain(rows: pd.DataFrame, *columns: str) -> list[list[Any]]:
    cells = rows[list(columns)].astype(object).to_numpy().tolist()
    return [[None if value is pd.NA or value != value else value for value in row] for row in cells]


@pytest.mark.parametrize("name", ["a.gtf", "a.gtf.gz", "whatever"])
def test_gtf_is_read_by_its_content(read: Any, name: str) -> None:
    columns = ("gene_id", "symbol", "biotype", "version", "is_mito", "is_ribo", "release")
    assert plain(read(GTF, name=name), *columns) == [
        ["ENSBTAG00000000001", "RPS3", "protein_coding", 3, False, True, "r1"],
        ["ENSBTAG00000000002", "ND1", "protein_coding", 1, True, False, "r1"],
        ["ENSBTAG00000000003", None, "lncRNA", None, False, False, "r1"],
    ]


def test_biomart_has_a_line_per_synonym(read: Any) -> None:
    assert plain(read(BIOMART), "gene_id", "symbol", "aliases", "is_mito") == [
        ["ENSBTAG00000000001", "RPS3", ("S3", "uS3"), False],
        ["ENSBTAG00000000002", "ND1", (), True],
    ]


@pytest.mark.parametrize("separator", [",", "\t"])
def test_plain_table_is_read(read: Any, separator: str) -> None:
    rows = read(PLAIN.replace(",", separator))
    assert plain(rows, "symbol", "aliases", "previous_symbols", "is_mito") == [
        ["RPS3", ("S3", "uS3"), (), False],
        ["ND1", (), ("MTND1",), True],
    ]


def test_versions_are_cut_off_ensembl_ids_alone(read: Any) -> None:
    rows = read("gene_id\nENSBTAG00000000001.7\n")
    assert plain(rows, "gene_id", "version", "symbol", "biotype", "is_mito", "is_ribo") == [
        ["ENSBTAG00000000001", 7, None, None, None, None]
    ]
    rows = read("gene_id\nAT1G01010\nAT1G01020\n", organism="NCBITaxon:3702")
    assert rows["gene_id"].tolist() == ["AT1G01010", "AT1G01020"]


def test_of_plants_ribosomal_genes_are_not_known(read: Any) -> None:
    rows = read(
        "gene_id,symbol,chromosome\nAT1G07320,RPL4,1\nATMG00010,x,Mt\n",
        organism="NCBITaxon:3702",
    )
    assert plain(rows, "is_ribo", "is_hb", "is_mito") == [[None, None, False], [None, None, True]]


def test_a_copy_on_y_of_gencode_knows_its_gene(read: Any) -> None:
    rows = read(
        "gene_id,symbol\nENSG00000182378.15,PLCXD1\nENSG00000182378.15_PAR_Y,PLCXD1\n",
        organism="human",
    )
    assert plain(rows, "gene_id", "par_copy_of") == [
        ["ENSG00000182378", None],
        ["ENSG00000182378_PAR_Y", "ENSG00000182378"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("name,symbol\nx,y\n", "no column of gene ids. It has name, symbol", id="columns"),
        pytest.param("", "no column of gene ids. It has no columns", id="empty"),
        pytest.param("gene_id,symbol\n", "holds no genes", id="no rows"),
        pytest.param(GTF.replace("\tgene\t", "\texon\t"), "holds no genes", id="no gene lines"),
        pytest.param("gene_id\nENSBTAG00000000001\n" * 2, "holds|once", id="header again"),
        pytest.param("gene_id\nENSBTAG00000000001\nENSBTAG00000000001.2\n", "1 ids come more than once", id="twice"),
        pytest.param("gene_id,symbol\n,TP53\n", "1 genes of .* have no id", id="no id"),
        pytest.param("gene_id,symbol\nENSBTAG00000000001\n", "Line 2 of .* has 1 cells", id="ragged"),
        pytest.param(BIOMART + "ENSBTAG00000000001\tX\tprotein_coding\t1\t\n", "two of symbol", id="two symbols"),
    ],
)  # fmt: skip
def test_what_is_no_gene_table_is_refused(read: Any, text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        read(text)


@pytest.mark.parametrize("broken", [b"\x1f\x8b\x08broken", b"gene_id\n\xff\xfe\n"])
def test_what_is_no_text_is_refused(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "a").write_bytes(broken)
    with pytest.raises(SchemaError, match="cannot be read as text"):
        read_genes(tmp_path / "a", organism="cow", release="r1")


@pytest.mark.parametrize("gene", ["ENSG00000141510", "ENSCAFG00000000001", "FBgn0000001"])
def test_ids_of_another_organism_are_refused(read: Any, gene: str) -> None:
    with pytest.raises(GeneMappingError, match=f"50% of the ids .* not of Bos taurus .*{gene}"):
        read(f"gene_id\nENSBTAG00000000001\n{gene}\n")


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("Bos_taurus.ARS-UCD1.3.114.gtf.gz", "ensembl-114"),
        ("Oryza_sativa.IRGSP-1.0.57.chr.gtf", "ensembl-57"),
        ("gencode.vM37.primary_assembly.annotation.gtf.gz", "gencode-M37"),
        ("genes.gtf", None),
        ("mart_export.txt", None),
    ],
)
def test_the_release_is_told_from_the_name_of_the_file(name: str, release: str | None) -> None:
    assert release_of(name) == release


def test_an_added_table_is_known_everywhere(table: Path) -> None:
    use_gene_tables({COW: table})
    assert gene_table("cow").index.tolist() == [f"ENSBTAG0000000000{i}" for i in (1, 2, 3)]
    rows = resolve_genes(["ENSBTAG00000000001.3", "ND1", "ERCC-00002"], organism="cow")
    assert rows["method"].tolist() == ["id_version", "symbol", "id"]
    assert gene_versions()[COW].startswith("r1+")
    found = infer_organism(["ENSBTAG00000000001", "ENSBTAG00000000002"]).organism
    assert found is not None
    assert found.taxon_id == COW


def test_tables_are_used_until_others_are(table: Path) -> None:
    use_gene_tables({COW: table})
    use_gene_tables({})
    assert gene_versions() == dict(sorted(GENE_RELEASES.items()))
    with pytest.raises(NotFoundError, match="add-genes --organism NCBITaxon:9913"):
        gene_table("cow")


def test_an_added_table_stands_before_the_shipped_one(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "human.parquet"
    write_table(path, read("gene_id,symbol\nENSG00000141510,NEW53\n", "human"), release="r2")
    use_gene_tables({"NCBITaxon:9606": path})
    assert len(gene_table("human")) == 1
    assert "homo_sapiens" not in gene_versions()
    row = resolve_genes(["NEW53"], organism="human").iloc[0]
    assert row["gene_id"] == "ENSG00000141510"


def test_other_content_is_another_version(tmp_path: Path, read: Any, table: Path) -> None:
    other = tmp_path / "other.parquet"
    write_table(other, read(GTF.replace("ND1", "MT-ND1")), release="r1")
    versions = []
    for path in (table, other):
        use_gene_tables({COW: path})
        versions.append(gene_versions()[COW])
    assert versions[0] != versions[1]


def test_a_table_that_is_not_there_changes_nothing(table: Path, tmp_path: Path) -> None:
    use_gene_tables({COW: table})
    with pytest.raises(NotFoundError, match="There is no gene table"):
        use_gene_tables({COW: tmp_path / "none.parquet"})
    assert COW in gene_versions()


def test_the_table_before_leaves_its_names_and_its_retired_genes(read: Any, table: Path) -> None:
    new = read(GTF.replace('"ND1"', '"MT-ND1"').replace("ENSBTAG00000000003", "ENSBTAG00000000004"))
    rows, annotations = carry_over(new.assign(release="r2"), read_table(table), "r2")
    assert annotations == ["r1", "r2"]
    assert plain(rows, "gene_id", "symbol", "status", "release", "previous_symbols", "previous_in", "symbol_in") == [
        ["ENSBTAG00000000001", "RPS3", "current", "r2", (), (), 3],
        ["ENSBTAG00000000002", "MT-ND1", "current", "r2", ("ND1",), (1,), 2],
        ["ENSBTAG00000000003", None, "retired", "r1", (), (), 0],
        ["ENSBTAG00000000004", None, "current", "r2", (), (), 0],
    ]  # fmt: skip


def test_the_same_release_again_changes_nothing(tmp_path: Path, read: Any, table: Path) -> None:
    rows, annotations = carry_over(read(GTF), read_table(table), "r1")
    write_table(tmp_path / "again.parquet", rows, release="r1", annotations=annotations)
    assert (tmp_path / "again.parquet").read_bytes() == table.read_bytes()


def test_what_a_plain_file_does_not_tell_is_kept(read: Any, table: Path) -> None:
    new = read("gene_id,symbol\nENSBTAG00000000002,ND1\nENSBTAG00000000003,\n")
    rows, _ = carry_over(new.assign(release="r2"), read_table(table), "r2")
    current = rows[rows["status"] == "current"]
    assert plain(current, "is_mito", "is_ribo", "biotype") == [
        [True, False, None],
        [False, False, None],
    ]
