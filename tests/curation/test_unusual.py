from __future__ import annotations

import gzip
import warnings
from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from corpuscle.curation import CurationOptions, curate

from .strangers import COUNTS, N_CELLS, example, hdf5, human_ids, write
from .test_strangers_folders import BANNER, mtx_lines, put
from .test_strangers_matrices import dense, x

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def curated(path: Path, tmp_path: Path, **options: Any) -> tuple[Any, pd.DataFrame]:
    """Counts of every gene that was measured, and obs."""
    out = tmp_path / "out" / "c.h5ad"
    curate(path, out, dataset="d", source_hash="h", options=CurationOptions(**options))
    adata: Any = anndata.read_h5ad(out)
    genes = [gene for gene in human_ids() if gene in adata.var_names]
    assert np.asarray(adata.X.sum()) == adata[:, genes].X.sum()
    return adata[:, genes].X.toarray(), adata.obs


def unsorted(matrix: Any) -> Any:
    """Turn the entries of every row around."""
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        for part in (matrix.data, matrix.indices):
            part[start:stop] = part[start:stop][::-1].copy()
    matrix.has_sorted_indices = False
    return matrix


def with_zeros(matrix: Any) -> Any:
    """Store zeros of whole columns too."""
    full = type(matrix)(np.ones_like(COUNTS))
    full.data[:] = COUNTS.T.ravel() if isinstance(matrix, sparse.csc_matrix) else COUNTS.ravel()
    return full


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda: COUNTS, id="dense"),
        pytest.param(lambda: np.asfortranarray(COUNTS), id="fortran"),
        pytest.param(lambda: sparse.csc_matrix(COUNTS), id="csc"),
        pytest.param(lambda: unsorted(sparse.csr_matrix(COUNTS)), id="unsorted"),
        pytest.param(lambda: with_zeros(sparse.csr_matrix(COUNTS)), id="explicit-zeros"),
        pytest.param(lambda: with_zeros(sparse.csc_matrix(COUNTS)), id="explicit-zeros-csc"),
        pytest.param(lambda: sparse.csr_matrix(COUNTS.astype("i8")), id="int64"),
        pytest.param(lambda: sparse.csr_matrix(COUNTS.astype("u2")), id="uint16"),
        pytest.param(lambda: sparse.csr_matrix(COUNTS.astype("f8")), id="float64"),
        pytest.param(lambda: COUNTS.astype("f2"), id="float16"),
        pytest.param(lambda: COUNTS.astype("u8"), id="uint64"),
    ],
)
@pytest.mark.parametrize("name", ["a.h5ad", "a.zarr"])
def test_any_form_of_counts_gives_the_same(
    tmp_path: Path, form: Callable[[], Any], name: str
) -> None:
    counts, _ = curated(write(example(form()), tmp_path / name), tmp_path)
    assert counts.tolist() == COUNTS.tolist()


def repeated(file: Any) -> None:
    """Split every count above 1 into two entries of the same place."""
    cells, genes = np.nonzero(COUNTS)
    parts = [[1, COUNTS[c, g] - 1] for c, g in zip(cells, genes, strict=True)]
    split = {
        "data": np.ravel(parts).astype("f4"),
        "indices": np.repeat(genes, 2),
        "indptr": 2 * np.concatenate([[0], np.cumsum((COUNTS > 0).sum(1))]),
    }
    x(**split)(file)


def linked(file: Any) -> None:
    file.move("X", "kept")
    file["X"] = h5py.SoftLink("/kept")


def shared(file: Any) -> None:
    file["again"] = file["X"]


def mapped_within(file: Any) -> None:
    file.create_dataset("half", data=COUNTS)
    layout = h5py.VirtualLayout(COUNTS.shape, "f4")
    layout[...] = h5py.VirtualSource(file["half"])
    del file["X"]
    file.create_virtual_dataset("X", layout)
    file["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def integer_index(file: Any) -> None:
    del file["obs/_index"]
    file["obs/_index"] = np.arange(N_CELLS)
    file["obs/_index"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def packed(**how: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        attributes = dict(file["X"].attrs) if "X" in file else {}
        del file["X"]
        file.create_dataset("X", data=COUNTS, **how)
        file["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        assert attributes

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(repeated, id="repeated-entries"),
        pytest.param(dense(COUNTS.astype(">i4")), id="big-endian"),
        pytest.param(dense(COUNTS.astype(">f8")), id="big-endian-float"),
        pytest.param(
            x(
                data=lambda v: v.astype(">f4"),
                indices=lambda v: v.astype(">i4"),
                indptr=lambda v: v.astype(">u8"),
            ),
            id="big-endian-csr",
        ),
        pytest.param(linked, id="soft-link"),
        pytest.param(shared, id="hard-link"),
        pytest.param(mapped_within, id="virtual-within"),
        pytest.param(integer_index, id="integer-index"),
        pytest.param(packed(compression="lzf", chunks=(2, 7)), id="lzf"),
        pytest.param(packed(compression="gzip", shuffle=True, fletcher32=True), id="checksums"),
        pytest.param(packed(scaleoffset=0, dtype="i4"), id="scale-offset"),
        pytest.param(packed(maxshape=(None, None)), id="growing"),
    ],
)
def test_any_way_to_store_gives_the_same(tmp_path: Path, change: Callable[[Any], None]) -> None:
    path = write(example(), tmp_path / "a.h5ad")
    with hdf5(path) as file:
        change(file)
    assert curated(path, tmp_path)[0].tolist() == COUNTS.tolist()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_any_version_of_zarr_gives_the_same(tmp_path: Path, zarr_format: int) -> None:
    path = write(example(), tmp_path / "a.zarr", zarr_format=zarr_format)
    assert curated(path, tmp_path)[0].tolist() == COUNTS.tolist()


def test_zarr_in_shards_gives_the_same(tmp_path: Path) -> None:
    import zarr

    path = write(example(), tmp_path / "a.zarr")
    group: Any = zarr.open_group(path, mode="r+", use_consolidated=False)
    kept = {key: np.asarray(group["X"][key][...]) for key in ("data", "indices")}
    for key, values in kept.items():
        del group["X"][key]
        group["X"].create_array(key, data=values, chunks=(8,), shards=(32,))
        group["X"][key].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on consolidated metadata: not a part of the format yet
        zarr.consolidate_metadata(path)
    assert curated(path, tmp_path)[0].tolist() == COUNTS.tolist()


def test_counts_may_be_in_raw_of_more_genes_or_in_a_layer(tmp_path: Path) -> None:
    adata = example(np.log1p(COUNTS[:, :30]))
    adata.raw = example()
    whole = curated(write(adata, tmp_path / "a.h5ad"), tmp_path)[0]
    layered = example(None, layers={"counts": sparse.csc_matrix(COUNTS)})
    del layered.X
    layer = curated(write(layered, tmp_path / "b.h5ad"), tmp_path)[0]
    assert whole.tolist() == layer.tolist() == COUNTS.tolist()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("integers", pd.array([1, None, 3, 4, 5, 6], dtype="Int64")),
        ("truth", pd.array([True, None, False, True, True, False], dtype="boolean")),
        ("texts", pd.array(["ä", "", "β", "細胞", "a/b", "-"], dtype=object)),
        ("ordered", pd.Categorical(list("abcabc"), ordered=True)),
        ("missing", pd.Categorical(["a", None, "b", None, "a", "a"])),
        ("a/b", np.arange(6.0)),
    ],
)
def test_any_column_is_kept(tmp_path: Path, name: str, values: Any) -> None:
    adata = example()
    adata.obs[name] = values
    counts, obs = curated(write(adata, tmp_path / "a.h5ad"), tmp_path)
    assert counts.tolist() == COUNTS.tolist()
    assert f"author_{name.replace('/', '_')}" in obs


@pytest.mark.parametrize(
    "names",
    [[""] * 6, ["same"] * 6, ["ä", "β", "細胞", "a b", "x/y", "#"]],
    ids=["none", "repeated", "of-the-world"],
)
def test_cells_may_be_called_anything(tmp_path: Path, names: list[str]) -> None:
    adata = example()
    adata.obs_names = names
    counts, obs = curated(write(adata, tmp_path / "a.h5ad"), tmp_path)
    assert (counts.tolist(), obs.index.is_unique) == (COUNTS.tolist(), True)


def test_cells_may_be_empty_and_one_cell_is_enough(tmp_path: Path) -> None:
    values = COUNTS.copy()
    values[[1, 5]] = 0
    some = curated(write(example(values), tmp_path / "a.h5ad"), tmp_path)[0]
    one = curated(write(example(COUNTS[:1]), tmp_path / "b.h5ad"), tmp_path)[0]
    assert (some.tolist(), one.tolist()) == (values.tolist(), COUNTS[:1].tolist())


def test_one_gene_is_enough(tmp_path: Path) -> None:
    path = write(example(sparse.csr_matrix(COUNTS[:, :1])), tmp_path / "a.zarr")
    counts, _ = curated(path, tmp_path, organism="human")
    assert counts.tolist() == COUNTS[:, :1].tolist()


SIZES = f"40 6 {int((COUNTS > 0).sum())}"


def as_scipy_writes(path: Path) -> None:
    mmwrite(path / "matrix.mtx", sparse.coo_matrix(COUNTS.T.astype("u4")), comment="counts")


def text_of(*head: str, lines: list[str], end: str = "\n") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        (path / "matrix.mtx").write_bytes("".join(line + end for line in [*head, *lines]).encode())

    return make


def in_members(path: Path) -> None:
    parts = [f"{BANNER}\n{SIZES}\n", *(f"{line}\n" for line in mtx_lines())]
    (path / "matrix.mtx.gz").write_bytes(b"".join(gzip.compress(p.encode()) for p in parts))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(as_scipy_writes, id="scipy"),
        pytest.param(text_of(BANNER, SIZES, lines=mtx_lines()[::-1]), id="backwards"),
        pytest.param(text_of(BANNER, SIZES, lines=sorted(mtx_lines())), id="by-text"),
        pytest.param(text_of(BANNER, SIZES, lines=mtx_lines(), end="\r\n"), id="windows"),
        pytest.param(text_of(BANNER, "%", "% x", SIZES, lines=mtx_lines()), id="comments"),
        pytest.param(text_of(BANNER, SIZES, lines=[*mtx_lines(), ""]), id="empty-line"),
        pytest.param(
            text_of(BANNER, SIZES, lines=[f" {v.replace(' ', chr(9))} " for v in mtx_lines()]),
            id="tabs",
        ),
        pytest.param(
            text_of(
                BANNER.replace("integer", "real"), SIZES, lines=[f"{v}e0" for v in mtx_lines()]
            ),
            id="real",
        ),
        pytest.param(in_members, id="many-gzip-members"),
    ],
)
def test_any_text_of_a_matrix_gives_the_same(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "sample"
    path.mkdir()
    put(path, "features.tsv", [f"{gene}\t{gene}" for gene in human_ids()])
    put(path, "barcodes.tsv", [f"B{i}" for i in range(N_CELLS)])
    make(path)
    assert curated(path, tmp_path)[0].tolist() == COUNTS.tolist()
