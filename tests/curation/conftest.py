"""Small files whose values say where they are."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from corpuscle.curation import Curated, CurationOptions, curate
from corpuscle.ontologies import gene_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def human() -> list[str]:
    """60 ids of human genes whose symbol no other gene bears, ascending."""
    genes = gene_table("human")
    symbols = genes["symbol"].dropna()
    return list(symbols[~symbols.str.casefold().duplicated(keep=False)].index[:60])


@pytest.fixture(scope="session")
def mouse() -> list[str]:
    """60 ids of mouse genes, ascending."""
    return list(gene_table("mouse").index[:60])


@pytest.fixture
def coded() -> Callable[[int, int], np.ndarray[Any, np.dtype[np.float32]]]:
    """Make a matrix whose entry in row i, column j is ``100 * i + j + 1``."""

    def make(n_cells: int, n_genes: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.add.outer(100 * np.arange(n_cells), np.arange(n_genes) + 1).astype(np.float32)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write an AnnData file; the index of var is `genes`."""

    def make(
        x: Any,
        genes: list[str],
        obs: dict[str, Any] | pd.DataFrame | None = None,
        var: dict[str, Any] | None = None,
        name: str = "source.h5ad",
        **parts: Any,
    ) -> Path:
        n_cells = x.shape[0]
        if not isinstance(obs, pd.DataFrame):
            obs = pd.DataFrame(obs or {}, index=[f"cell{i}" for i in range(n_cells)])
        raw = parts.pop("raw", None)
        path = tmp_path / name
        with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=3):
            warnings.simplefilter("ignore")  # names that repeat, and what will be a default once
            adata = anndata.AnnData(
                X=x,
                obs=obs,
                var=pd.DataFrame(var or {}, index=pd.Index(genes, dtype=object)),
                **parts,
            )
            if raw is not None:
                adata.raw = raw
            if path.suffix == ".zarr":
                adata.write_zarr(path)
            else:
                adata.write_h5ad(path)
        return path

    return make


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[Curated, Any]]:
    """Curate a file; options are those of `CurationOptions`."""

    def make(path: Path, **options: Any) -> tuple[Curated, Any]:
        out = tmp_path / "out" / "curated.h5ad"
        memory = options.pop("memory", None)
        curated = curate(
            path,
            out,
            dataset="study/one",
            source_hash="abc",
            options=CurationOptions(**options),
            memory=memory,
        )
        return curated, anndata.read_h5ad(out)

    return make


@pytest.fixture
def set_text(tmp_path: Path) -> Callable[[Path, str, Any], None]:
    """Replace one element of an h5ad file."""

    def make(path: Path, key: str, value: Any) -> None:
        with h5py.File(path, "r+") as file:
            if key in file:
                del file[key]
            anndata.io.write_elem(file, key, value)

    return make
