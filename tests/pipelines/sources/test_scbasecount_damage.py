"""Files of samples: what may be wrong with them, or is only unusual."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from corpuscle.errors import InputError, OrganismError, SchemaError
from corpuscle.pipelines.examples._scbasecount import N_CELLS, write_scbasecount
from corpuscle.pipelines.sources import get_source

from .scbasecount_mirror import VELOCYTO, Mirror, changed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    folder = tmp_path_factory.mktemp("scbasecount")
    write_scbasecount(folder)
    return Mirror(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda a: a[:-3].copy(), "has 45 cells, .* obs_count 48", id="cells-missing"),
        pytest.param(
            lambda a: setattr(a, "obs", a.obs.assign(SRX_accession="SRX5")),
            "SRX_accession in obs .* 'SRX5'",
            id="of-another-sample",
        ),
        pytest.param(
            lambda a: setattr(a, "obs", a.obs.assign(SRX_accession=[None, *["SRX99000101"] * 47])),
            "SRX_accession in obs",
            id="cells-of-no-sample",
        ),
        pytest.param(lambda a: delattr(a, "X"), "has no X", id="no-x"),
    ],
)
def test_a_file_that_contradicts_the_table_is_refused(
    mirror: Mirror, tmp_path: Path, change: Any, message: str
) -> None:
    path = changed(mirror, tmp_path, change)
    with pytest.raises(SchemaError, match=message) as caught:
        mirror.open("SRX99000101", path)
    assert caught.value.details["dataset"] == "SRX99000101"
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda a: a.layers.pop("spliced"), "no layers/spliced", id="layer"),
        pytest.param(lambda a: a.layers.clear(), "spliced, layers/unspliced", id="layers"),
        pytest.param(lambda a: a.var.pop("gene_ids"), "no column gene_ids", id="ids"),
    ],
)
def test_a_velocyto_file_that_is_none_is_refused(
    mirror: Mirror, tmp_path: Path, change: Any, message: str
) -> None:
    def apply(adata: Any) -> None:
        change(adata)

    path = changed(mirror, tmp_path, apply, **VELOCYTO)
    with pytest.raises(SchemaError, match=message):
        mirror.open("SRX99000101", path, **VELOCYTO)


def test_a_gene_file_in_place_of_velocyto_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    path = tmp_path / "SRX99000101.h5ad"
    shutil.copy(mirror.find("SRX99000101").files[0].url, path)
    with pytest.raises(SchemaError, match="choose another feature"):
        mirror.open("SRX99000101", path, **VELOCYTO)


def test_genes_of_another_organism_than_the_folder_are_refused(
    mirror: Mirror, tmp_path: Path
) -> None:
    def rename(adata: Any) -> None:
        adata.var_names = [name.replace("ENSG", "ENSMUSG") for name in adata.var_names]

    path = changed(mirror, tmp_path, rename)
    with pytest.raises(OrganismError, match=r"\(source\)"):
        mirror.curate("SRX99000101", tmp_path, path)


def damaged(edit: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            edit(file)

    return apply


def set_value(name: str, value: float) -> Callable[[Path], None]:
    def edit(file: h5py.File) -> None:
        values: Any = file[name]
        values[0] = value

    return damaged(edit)


def no_var(file: h5py.File) -> None:
    del file["var"]


def larger(file: h5py.File) -> None:
    file["X"].attrs["shape"] = (10**9, 10**6)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(set_value("X/data", -1), id="negative"),
        pytest.param(set_value("X/data", np.nan), id="nan"),
        pytest.param(set_value("X/data", np.inf), id="infinite"),
        pytest.param(set_value("X/indices", 10**6), id="index-out-of-range"),
        pytest.param(set_value("X/indptr", 7), id="offsets"),
        pytest.param(damaged(larger), id="a-shape-that-lies"),
        pytest.param(damaged(no_var), id="no-var"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"<html>" * 99), id="a-page"),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), id="cut"
        ),
    ],
)
@pytest.mark.parametrize("accession", ["SRX99000101", "SRX99000201"], ids=["csr", "csc"])
def test_a_damaged_file_is_refused_by_name(
    mirror: Mirror, tmp_path: Path, damage: Callable[[Path], None], accession: str
) -> None:
    path = tmp_path / f"{accession}.h5ad"
    shutil.copy(mirror.find(accession).files[0].url, path)
    damage(path)
    with pytest.raises(InputError, match=path.name):
        mirror.curate(accession, tmp_path, path)


def test_a_refused_file_is_closed(mirror: Mirror, tmp_path: Path) -> None:
    dataset = mirror.find("SRX99000101")
    path = tmp_path / "SRX99000101.h5ad"
    shutil.copy(dataset.files[0].url, path)
    with pytest.raises(SchemaError, match="obs_count 7"):
        get_source("scbasecount").open(dataclasses.replace(dataset, n_cells=7), [path])
    with h5py.File(path, "r+"):  # HDF5 would refuse while it is open to read
        pass


# --- unusual and valid


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda a: setattr(a, "X", a.X.toarray()), id="dense"),
        pytest.param(
            lambda a: a.X.data.__setitem__(slice(a.X.indptr[1]), [1] + [0] * (a.X.indptr[1] - 1)),
            id="a-cell-of-one-read",
        ),
        pytest.param(lambda a: setattr(a, "X", a.X.astype(np.int32)), id="whole-numbers"),
        pytest.param(lambda a: a.layers.clear(), id="no-layers"),
        pytest.param(lambda a: a.obs.pop("SRX_accession"), id="no-accession-in-obs"),
        pytest.param(lambda a: a.var.pop("gene_symbols"), id="no-symbols"),
        pytest.param(lambda a: a.obs.insert(0, "tissue", "bone"), id="tissue-in-obs"),
    ],
)
def test_unusual_files_are_read(mirror: Mirror, tmp_path: Path, change: Any) -> None:
    def apply(adata: Any) -> None:
        change(adata)

    path = changed(mirror, tmp_path, apply)
    adata, _ = mirror.curate("SRX99000101", tmp_path, path)
    assert adata.n_obs == N_CELLS
