from __future__ import annotations

import atexit
import os
import random
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from corpuscle.loaders import Corpus, DatasetRef, obs_column
from corpuscle.ontologies import Hierarchy, label_hierarchy

from .cell_types import ALL_CELLS, CELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

# lamindb reads these when it is first used: a training container has no instance, nor has this.
if "LAMIN_SETTINGS_DIR" not in os.environ:
    home = tempfile.mkdtemp(prefix="lamin-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {"LAMIN_SETTINGS_DIR": home, "LAMIN_CACHE_DIR": home, "LAMIN_TESTING": "true"}

Format = Literal["h5ad", "gzip", "zarr2", "zarr3"]

CELL_TYPES = ("CL:0000084", "CL:0000236", "CL:0000540")
SEXES = ("PATO:0000383", "PATO:0000384")


@dataclass(frozen=True)
class Part:
    """One file to write: value of (row, gene) is 1 + 1000 * row + number of the gene."""

    uid: str
    organism: str
    genes: tuple[str, ...]
    n_cells: int
    format: Format = "h5ad"
    dense: bool = False


HUMAN_A = Part("human-a", "NCBITaxon:9606", tuple(f"ENSG{i}" for i in (3, 1, 2, 5)), 7)
HUMAN_B = Part("human-b", "NCBITaxon:9606", tuple(f"ENSG{i}" for i in (2, 3, 4, 5, 6)), 5, "gzip")
MOUSE = Part("mouse", "NCBITaxon:10090", tuple(f"ENSMUSG{i}" for i in (9, 7, 8)), 4, "zarr3")
PARTS = (HUMAN_A, HUMAN_B, MOUSE)


def gene_number(gene: str) -> int:
    return int(gene.lstrip("ENSMUG"))


def is_stored(row: int, gene: str) -> bool:
    """Two in three entries are not zero; row 3 of each file is empty."""
    return row != 3 and (row + gene_number(gene)) % 3 != 0


def value(row: int, gene: str) -> float:
    return float(1 + 1000 * row + gene_number(gene)) if is_stored(row, gene) else 0.0


def counts(part: Part) -> npt.NDArray[np.float32]:
    rows = [[value(row, gene) for gene in part.genes] for row in range(part.n_cells)]
    return np.array(rows, dtype=np.float32).reshape(part.n_cells, len(part.genes))


def cell_type(row: int) -> str | None:
    return (*CELL_TYPES, "unknown", None)[row % 5]


def annotated(part: Part) -> ad.AnnData:
    n = part.n_cells
    x = counts(part)
    obs = pd.DataFrame(
        {
            obs_column("cell_type"): pd.Categorical([cell_type(row) for row in range(n)]),
            obs_column("sex"): pd.Categorical([(*SEXES, "na")[row % 3] for row in range(n)]),
            obs_column("organism"): pd.Categorical([part.organism] * n),
            "tissue_type": pd.Categorical(["tissue"] * n),
            "barcode": [f"{part.uid}:{row}" for row in range(n)],
            "n_counts": x.sum(axis=1).astype(np.float64),
            "is_primary_data": [row % 2 == 0 for row in range(n)],
            "n_maybe": pd.array([None if row == 1 else row for row in range(n)], dtype="Int64"),
        },
        index=[f"{part.uid}:{row}" for row in range(n)],
    )
    data = ad.AnnData(
        X=x if part.dense else sparse.csr_matrix(x),
        obs=obs,
        var=pd.DataFrame(index=list(part.genes)),
        layers={"dense": x.astype(np.float64) * 2, "int": sparse.csr_matrix(x).astype(np.int32)},
    )
    data.obsm["X_pca"] = np.arange(2.0 * n).reshape(n, 2)
    data.obsm["sparse"] = sparse.csr_matrix(x[:, :2])
    data.raw = data
    return data


def write(part: Part, folder: Path, name: str | None = None) -> Path:
    data = annotated(part)
    suffix = "zarr" if part.format.startswith("zarr") else "h5ad"
    path = folder / f"{name or part.uid}.{suffix}"
    with warnings.catch_warnings():  # zarr and anndata announce plans for formats
        warnings.simplefilter("ignore")
        if suffix == "h5ad":
            data.write_h5ad(path, compression="gzip" if part.format == "gzip" else None)
        else:
            with ad.settings.override(zarr_write_format=int(part.format[-1])):
                data.write_zarr(path)
    return path


@pytest.fixture(scope="session")
def write_parts(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Sequence[Part]], list[str]]:
    """Write files once per session and list their paths."""
    folder = tmp_path_factory.mktemp("curated")
    written: dict[Part, Path] = {}

    def paths_of(parts: Sequence[Part]) -> list[str]:
        for part in parts:
            if part not in written:
                written[part] = write(part, folder, f"{len(written)}-{part.uid}")
        return [str(written[part]) for part in parts]

    return paths_of


def corpus_of(parts: Sequence[Part], paths: Sequence[str]) -> Corpus:
    return Corpus(
        name="test",
        version="1",
        uid="corpus0001",
        datasets=tuple(
            DatasetRef(
                uid=part.uid,
                key=f"{part.uid}.h5ad",
                path=path,
                n_cells=part.n_cells,
                organism=part.organism,
            )
            for part, path in zip(parts, paths, strict=True)
        ),
        classes={
            "cell_type": CELL_TYPES,
            "sex": SEXES[::-1],
            "organism": ("NCBITaxon:9606", "NCBITaxon:10090"),
            "tissue_type": ("tissue", "cell culture"),
        },
    )


@pytest.fixture(scope="session")
def corpus(write_parts: Callable[[Sequence[Part]], list[str]]) -> Corpus:
    """16 cells: 7 and 5 human ones of overlapping genes, 4 of mouse."""
    return corpus_of(PARTS, write_parts(PARTS))


@pytest.fixture(scope="session")
def parts() -> tuple[Part, ...]:
    return PARTS


@pytest.fixture(scope="session")
def expected_x() -> Callable[[Sequence[int], Sequence[str]], npt.NDArray[np.float32]]:
    """What X of these cells and genes must be."""

    def x_of(cells: Sequence[int], genes: Sequence[str]) -> npt.NDArray[np.float32]:
        located = [(part, row) for part in PARTS for row in range(part.n_cells)]
        rows = [
            [value(row, gene) if gene in part.genes else 0.0 for gene in genes]
            for part, row in (located[cell] for cell in cells)
        ]
        return np.array(rows, dtype=np.float32).reshape(len(cells), len(genes))

    return x_of


@pytest.fixture(scope="session")
def expected_labels() -> Callable[[Sequence[int]], list[int]]:
    """Class integers of the cell types of these cells."""
    codes = [
        CELL_TYPES.index(label) if (label := cell_type(row)) in CELL_TYPES else -1
        for part in PARTS
        for row in range(part.n_cells)
    ]
    return lambda cells: [codes[cell] for cell in cells]


@pytest.fixture(scope="session")
def cells() -> Hierarchy:
    return label_hierarchy("cell_type", list(CELLS.values()))


@pytest.fixture(scope="session")
def many() -> Hierarchy:
    """300 cell types: a graph in which most terms have several parents."""
    return label_hierarchy("cell_type", random.Random(0).sample(ALL_CELLS, 300))
