from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
import pytest
from scipy import sparse
from scipy.io import mmwrite

from corpuscle.curation import open_source
from corpuscle.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.curation import SourceFile

COUNTS = [[1, 0, 3, 0], [0, 102, 0, 104]]
"""Two cells and four features."""


def opened(path: Path, mode: Literal["r+", "w"] = "r+") -> Any:
    """Open without types: what is inside is known here."""
    return h5py.File(path, mode)


def fill(group: Any, features: dict[str, list[str]]) -> None:
    """Write what both versions share."""
    cells = sparse.csr_matrix(np.asarray(COUNTS, dtype=np.int32))
    group["barcodes"] = np.asarray([b"AAAC-1", b"AAAG-1"])
    for name in ("data", "indices", "indptr"):
        group[name] = getattr(cells, name)
    group["shape"] = np.asarray([4, 2])
    for name, texts in features.items():
        group[name] = np.asarray([text.encode() for text in texts])


@pytest.fixture
def version_3(tmp_path: Path) -> Path:
    path = tmp_path / "v3.h5"
    with opened(path, "w") as file:
        fill(
            file.create_group("matrix"),
            {
                "features/id": ["ENSG1", "ENSG2", "ENSMUSG3", "CD3"],
                "features/name": ["A", "B", "c", "CD3"],
                "features/feature_type": ["Gene Expression"] * 3 + ["Antibody Capture"],
                "features/genome": ["GRCh38", "GRCh38", "mm10", ""],
            },
        )
    return path


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    path = tmp_path / "v2.h5"
    with opened(path, "w") as file:
        for genome in ("hg19", "mm10"):
            names = [f"{genome}_{i}" for i in range(4)]
            fill(file.create_group(genome), {"genes": names, "gene_names": names})
    return path


def read(source: SourceFile) -> list[list[int]]:
    ((_, rows),) = source.matrices["X"].chunks()
    values: list[list[int]] = rows.toarray().tolist()
    return values


def test_version_3_is_read(version_3: Path) -> None:
    with open_source(version_3) as source:
        var = source.matrices["X"].var
        assert read(source) == COUNTS
    assert (var.index.tolist(), var["gene_ids"].tolist(), source.obs.index.tolist()) == (
        ["A", "B", "c", "CD3"],
        ["ENSG1", "ENSG2", "ENSMUSG3", "CD3"],
        ["AAAC-1", "AAAG-1"],
    )


def test_one_genome_of_version_3_is_chosen(version_3: Path) -> None:
    with open_source(version_3, genome="mm10") as source:
        found = read(source), source.matrices["X"].var["gene_ids"].tolist()
    assert found == ([[3], [0]], ["ENSMUSG3"])


def test_one_genome_of_version_2_is_chosen(legacy: Path) -> None:
    with open_source(legacy, genome="hg19") as source:
        found = read(source), source.matrices["X"].var["gene_ids"].tolist()
    assert found == (COUNTS, ["hg19_0", "hg19_1", "hg19_2", "hg19_3"])


def test_the_only_genome_need_not_be_chosen(legacy: Path) -> None:
    with opened(legacy, "r+") as file:
        del file["mm10"]
    with open_source(legacy) as source:
        assert read(source) == COUNTS


@pytest.mark.parametrize("genome", [None, "hg38"])
def test_several_genomes_are_listed(legacy: Path, genome: str | None) -> None:
    with pytest.raises(
        SchemaError, match=r"several genomes: hg19, mm10\. Choose one with --genome"
    ):
        open_source(legacy, genome=genome)


def test_an_unknown_genome_of_version_3_is_refused(version_3: Path) -> None:
    with pytest.raises(SchemaError, match="several genomes: GRCh38, mm10"):
        open_source(version_3, genome="hg19")


def test_an_unknown_genome_of_a_file_of_one_is_refused(legacy: Path) -> None:
    with opened(legacy, "r+") as file:
        del file["mm10"]
    with pytest.raises(SchemaError, match=r"holds the genome hg19 only\. Leave --genome out"):
        open_source(legacy, genome="mm10")


def test_another_hdf5_file_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "molecule_info.h5", "w") as file:
        file["barcode_idx"] = [1, 2]
        file.create_group("metrics")
    with pytest.raises(
        SchemaError, match="neither an AnnData nor a 10x matrix: it has barcode_idx"
    ):
        open_source(tmp_path / "molecule_info.h5")


def test_barcodes_must_be_as_many_as_cells(version_3: Path) -> None:
    with opened(version_3, "r+") as file:
        file["matrix/shape"][...] = [4, 3]
    with pytest.raises(
        SchemaError, match="has 2 barcodes and 4 features for a matrix of 3 cells by 4"
    ):
        open_source(version_3)


def test_probes_are_read_by_their_gene(version_3: Path) -> None:
    with opened(version_3, "r+") as file:
        file["matrix/features/gene_id"] = np.asarray([b"G1", b"G1", b"G2", b"G3"])
    with open_source(version_3) as source:
        var = source.matrices["X"].var
    assert (var["gene_ids"].tolist(), var["probe_ids"].tolist()[0]) == (
        ["G1", "G1", "G2", "G3"],
        "ENSG1",
    )


def put(path: Path, text: str, *, compress: bool) -> None:
    if compress:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder as 10x does; `features` is the name of that file."""

    def make(*, features: str = "features.tsv", compress: bool = True, columns: int = 3) -> Path:
        mmwrite(tmp_path / "text.mtx", sparse.coo_matrix(np.asarray(COUNTS).T), field="integer")
        text = (tmp_path / "text.mtx").read_text()
        (tmp_path / "text.mtx").unlink()
        lines = ["\t".join([f"ENSG{i}", f'"NA"{i}', "Gene Expression"][:columns]) for i in range(4)]
        path = tmp_path / "sample"
        path.mkdir()
        put(path / "matrix.mtx", text, compress=compress)
        put(path / features, "\n".join(lines) + "\n", compress=compress)
        put(path / "barcodes.tsv", "AAAC-1\nNA\n", compress=compress)
        return path

    return make


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize(("features", "columns"), [("features.tsv", 3), ("genes.tsv", 2)])
def test_folders_of_every_version_are_read(
    folder: Callable[..., Path], features: str, columns: int, compress: bool
) -> None:
    with open_source(folder(features=features, columns=columns, compress=compress)) as source:
        var = source.matrices["X"].var
        assert read(source) == COUNTS
    assert (source.obs.index.tolist(), var["gene_ids"].tolist()[:1], var.index[1]) == (
        ["AAAC-1", "NA"],
        ["ENSG0"],
        '"NA"1',
    )


def test_a_folder_may_have_ids_only(folder: Callable[..., Path]) -> None:
    with open_source(folder(columns=1)) as source:
        assert source.matrices["X"].var.index.tolist() == ["ENSG0", "ENSG1", "ENSG2", "ENSG3"]


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("barcodes.tsv.gz", r"has no barcodes.tsv.gz nor barcodes.tsv\. Put it beside the others."),
        ("features.tsv.gz", "has no features.tsv.gz nor features.tsv"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused(
    folder: Callable[..., Path], missing: str, message: str
) -> None:
    path = folder()
    (path / missing).unlink()
    with pytest.raises(SchemaError, match=message):
        open_source(path)


def test_files_of_different_samples_are_refused(folder: Callable[..., Path]) -> None:
    path = folder(compress=False)
    (path / "barcodes.tsv").write_text("AAAC-1\n")
    with pytest.raises(SchemaError, match=r"of 4 by 2, but features.tsv has 4 lines and .* 1"):
        open_source(path)


def test_a_truncated_matrix_is_refused(folder: Callable[..., Path]) -> None:
    path = folder(compress=False)
    (path / "matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n4 2 4\n1 1")
    with open_source(path) as source, pytest.raises(SchemaError, match="has '1 1' in line 3"):
        read(source)
