"""Small single-cell files with real gene ids and real words, as messy as people make them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._cells import example_counts, example_genes

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One file to generate."""

    file: str
    """Name; the ending tells the format."""
    taxon: str
    genes: str
    """How genes are named: ``id``, ``id.version``, ``symbol``, ``column`` (of var)."""
    labels: dict[str, str]
    """The author's word for each cell type, by the name of its program."""
    constants: dict[str, str]
    """Other columns of obs, the same for every cell."""
    column: str = "cell_type"
    """Column of obs with the author's words."""
    counts: str = "X"
    """Where raw counts are: ``X``, ``raw`` or nowhere (``none``)."""
    n_cells: int = 1_200


RECIPES = (
    Recipe(
        file="human_blood.h5ad",
        taxon="NCBITaxon:9606",
        genes="symbol",
        labels={
            "t": "CD4-positive, alpha-beta T cell",
            "b": "B lymphocyte",
            "mono": "classical monocyte",
            "nk": "NKs (CD56dim), cluster 7",
        },
        constants={"tissue": "blood", "sex": "female", "disease": "normal", "assay": "10x 3' v3"},
    ),
    Recipe(
        file="human_lung.h5ad",
        taxon="NCBITaxon:9606",
        genes="id.version",
        labels={"t": "CL:0000084", "mono": "CL:0000576", "epi": "CL:0000066", "endo": "CL:0000115"},
        constants={
            "tissue_ontology_term_id": "UBERON:0002048",
            "sex_ontology_term_id": "PATO:0000384",
            "disease_ontology_term_id": "MONDO:0100096",
            "assay_ontology_term_id": "EFO:0009899",
            "organism_ontology_term_id": "NCBITaxon:9606",
            "development_stage_ontology_term_id": "HsapDv:0000258",
        },
        column="cell_type_ontology_term_id",
        counts="raw",
    ),
    Recipe(
        file="mouse_brain.zarr",
        taxon="NCBITaxon:10090",
        genes="column",
        labels={
            "neuron": "glutamatergic neuron",
            "gaba": "GABAergic neuron",
            "astro": "astrocyte",
            "oligo": "Oligo NN",
        },
        constants={"tissue": "Brain", "sex": "unknown", "organism": "Mus musculus"},
        column="CellType",
    ),
    Recipe(
        file="mouse_kidney",
        taxon="NCBITaxon:10090",
        genes="id",
        labels={"epi": "", "endo": ""},
        constants={},
    ),
    Recipe(
        file="worm_larva.h5ad",
        taxon="NCBITaxon:6239",
        genes="id",
        labels={"neuron": "neuron", "muscle": "muscle cell", "germ": "germ line cell?"},
        constants={"disease": "normal"},
        n_cells=900,
    ),
    Recipe(
        file="human_normalised.h5ad",
        taxon="NCBITaxon:9606",
        genes="symbol",
        labels={"t": "T cell", "b": "B cell"},
        constants={"tissue": "blood"},
        counts="none",
        n_cells=300,
    ),
)
"""Five datasets of three organisms, and one that must be refused."""


def write_examples(folder: Path, *, seed: int = 0) -> list[Path]:
    """Write the files of `RECIPES`, the same bytes of counts for the same seed.

    Returns
    -------
    Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place, recipe in enumerate(RECIPES):
        path = folder / recipe.file
        if not path.exists():
            _write(_dataset(recipe, np.random.default_rng([seed, place])), path)
        paths.append(path)
    return paths


def _dataset(recipe: Recipe, rng: np.random.Generator) -> AnnData:
    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    genes = example_genes(recipe.taxon)
    kinds = rng.choice(list(recipe.labels), size=recipe.n_cells)
    counts = sparse.csr_matrix(example_counts(kinds, len(genes), rng), dtype=np.float32)
    obs = pd.DataFrame(index=[f"cell_{i:05d}" for i in range(recipe.n_cells)])
    if any(recipe.labels.values()):
        obs[recipe.column] = pd.Categorical([recipe.labels[str(kind)] for kind in kinds])
    for column, value in recipe.constants.items():
        obs[column] = pd.Categorical([value] * recipe.n_cells)
    obs["donor_id"] = pd.Categorical(rng.choice(["d1", "d2", "d3"], size=recipe.n_cells))
    adata = AnnData(counts, obs=obs, var=_var(recipe, genes, rng))
    if recipe.counts != "X":
        if recipe.counts == "raw":
            adata.raw = adata.copy()
        totals = np.asarray(counts.sum(axis=1)).ravel()
        normal = sparse.diags_array(1e4 / totals) @ counts
        adata.X = sparse.csr_matrix(normal.log1p(), dtype=np.float32)
    return adata


def _var(recipe: Recipe, genes: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    import pandas as pd

    if recipe.genes == "symbol":
        return pd.DataFrame(index=pd.Index(genes["symbol"].astype(object)))
    if recipe.genes == "column":
        return pd.DataFrame({"ensembl_id": genes.index}, index=[str(i) for i in range(len(genes))])
    ids = genes.index.astype(object)
    if recipe.genes == "id.version":
        ids = ids + "." + pd.Index(rng.integers(1, 20, size=len(ids)).astype(str))
    return pd.DataFrame(index=ids)


def _write(adata: AnnData, path: Path) -> None:
    if path.suffix == ".h5ad":
        adata.write_h5ad(path)
    elif path.suffix == ".zarr":
        import anndata

        with anndata.settings.override(zarr_write_format=3), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the future of zarr: nothing a newcomer must know
            adata.write_zarr(path)
    else:
        _write_mtx(adata, path)


def _write_mtx(adata: AnnData, folder: Path) -> None:
    """Write a folder as 10x does: genes x cells, with tables beside it."""
    import gzip
    import io

    from scipy.io import mmwrite

    folder.mkdir(parents=True)
    matrix = io.BytesIO()
    mmwrite(matrix, adata.X.T.astype(np.int64))
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(matrix.getvalue()))
    features = "".join(f"{gene}\t{gene}\tGene Expression\n" for gene in adata.var_names)
    (folder / "features.tsv.gz").write_bytes(gzip.compress(features.encode()))
    barcodes = "".join(f"{name}\n" for name in adata.obs_names)
    (folder / "barcodes.tsv.gz").write_bytes(gzip.compress(barcodes.encode()))
