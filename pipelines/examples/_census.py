"""A small CELLxGENE Census: its documents, its SOMA store and its source files."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ontologies import get_organism, ontology
from ._cells import N_GENES, Truth, example_counts, example_genes
from ._census_recipes import (
    BUILD,
    CELL_TYPES,
    COLLECTION,
    GONE,
    LATEST,
    ORGANISMS,
    RECIPES,
    RETRACTED,
    Recipe,
)
from ._census_store import CensusOrganism, write_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix


def write_census(folder: Path, *, seed: int = 0) -> dict[str, Truth]:
    """Write a mirror of the Census: ``release.json``, ``mirrors.json``, the store and the files.

    The store leaves out cells of culture, and knows genes that no dataset has a count of.

    Parameters
    ----------
    folder
        Where to write.
    seed
        Decides the counts.

    Returns
    -------
    What each source file holds, by dataset id.
    """
    root = folder / "cell-census" / BUILD
    (root / "h5ads").mkdir(parents=True)
    _write_documents(folder)
    rng = np.random.default_rng(seed)
    genes = {name: example_genes(get_organism(name).taxon_id) for name in ORGANISMS}
    made: list[_Made] = []
    for recipe in RECIPES:
        made.append(_make(recipe, genes[recipe.organism], rng, made[:1]))
    for dataset in made:
        _write_h5ad(root / "h5ads" / f"{dataset.recipe.dataset_id}.h5ad", dataset)
    paths = sorted({dataset.path for dataset in made})
    organisms = {path: _organism(path, made) for path in paths}
    write_store(root / "soma", _info(made, organisms), organisms)
    return {
        dataset.recipe.dataset_id: Truth(
            counts=dataset.measured,
            cells=tuple(dataset.obs.index),
            genes=tuple(dataset.genes.index),
        )
        for dataset in made
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """One source dataset, made."""

    recipe: Recipe
    every_gene: pd.DataFrame
    """Those of the example."""
    obs: pd.DataFrame
    kinds: npt.NDArray[Any]
    counts: npt.NDArray[np.int64]
    """Of every gene."""

    @property
    def path(self) -> str:
        """Of the experiment that has its cells."""
        parent = "census_spatial_sequencing" if self.recipe.spatial else "census_data"
        return f"{parent}/{self.recipe.organism}"

    @property
    def genes(self) -> pd.DataFrame:
        """The genes it measured."""
        return self.every_gene.iloc[self.recipe.genes]

    @property
    def measured(self) -> csr_matrix:
        from scipy import sparse

        return sparse.csr_matrix(self.counts[:, self.recipe.genes], dtype=np.float32)

    @property
    def included(self) -> npt.NDArray[np.bool_]:
        """Cells that the Census has."""
        return np.isin(self.obs["tissue_type"], ["tissue", "organoid"])


def _make(
    recipe: Recipe, genes: pd.DataFrame, rng: np.random.Generator, first: Sequence[_Made]
) -> _Made:
    kinds = np.asarray(recipe.kinds, dtype=object)[np.arange(recipe.n_cells) % len(recipe.kinds)]
    counts = example_counts(kinds, N_GENES, rng)
    for repeated in first:
        kinds[: recipe.n_repeated] = repeated.kinds[: recipe.n_repeated]
        counts[: recipe.n_repeated] = repeated.counts[: recipe.n_repeated]
    return _Made(
        recipe=recipe, every_gene=genes, obs=_obs(recipe, kinds), kinds=kinds, counts=counts
    )


def _obs(recipe: Recipe, kinds: npt.NDArray[Any]) -> pd.DataFrame:
    """Describe the cells as schema 7 does."""
    import pandas as pd

    rows, n_tissue = np.arange(recipe.n_cells), recipe.n_cells - recipe.n_cultured
    terms = {**recipe.terms, "cell_type": tuple(CELL_TYPES[kind] for kind in kinds)}
    columns: dict[str, Any] = {}
    for name, values in sorted(terms.items()):
        ids = np.asarray(values, dtype=object)[rows % len(values)]
        columns[f"{name}_ontology_term_id"] = pd.Categorical(ids)
        labels = {text: _label(text) for text in set(ids)}
        columns[name] = pd.Categorical([labels[text] for text in ids])
    columns["donor_id"] = pd.Categorical([f"D{row % 3 + 1}" for row in rows])
    columns["suspension_type"] = pd.Categorical([recipe.suspension_type] * recipe.n_cells)
    columns["tissue_type"] = pd.Categorical(
        ["tissue" if row < n_tissue else "primary cell culture" for row in rows]
    )
    columns["is_primary_data"] = rows >= recipe.n_repeated
    names = [f"{recipe.dataset_id[:8]}-{row:04d}" for row in rows]
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    columns["observation_joinid"] = [base64.b85encode(digest).decode() for digest in digests]
    return pd.DataFrame(columns, index=pd.Index(names, dtype=object))


def _label(ids: str) -> str:
    """Give the label of an id, or of several that are joined."""
    if ids in {"unknown", "na"}:
        return ids
    parts = ids.split(" || ")
    return " || ".join(ontology(part.partition(":")[0]).label(part) for part in parts)


def _write_h5ad(path: Path, dataset: _Made) -> None:
    import anndata

    recipe, organism = dataset.recipe, get_organism(dataset.recipe.organism)
    var = dataset.genes[["symbol"]].rename(columns={"symbol": "feature_name"}).astype(object)
    var = var.assign(feature_reference=organism.taxon_id, feature_biotype="gene")
    obs = dataset.obs.drop(columns=["tissue_general", "tissue_general_ontology_term_id"])
    adata = anndata.AnnData(X=dataset.measured, obs=obs, var=var.rename_axis(None))
    adata.uns = {
        "title": recipe.title,
        "citation": _citation(recipe),
        "schema_version": "7.0.0",
        "organism": organism.name,
        "organism_ontology_term_id": organism.taxon_id,
    }
    adata.write_h5ad(path)


def _citation(recipe: Recipe) -> str:
    return (
        f"Publication: https://doi.org/10.0000/example Dataset Version: "
        f"https://datasets.cellxgene.cziscience.com/{recipe.version_id}.h5ad curated and "
        f"distributed by CZ CELLxGENE Discover in Collection: "
        f"https://cellxgene.cziscience.com/collections/{COLLECTION}"
    )


def _organism(path: str, made: Sequence[_Made]) -> CensusOrganism:
    """Put the datasets of an experiment below each other."""
    import pandas as pd
    from scipy import sparse

    inside = [dataset for dataset in made if dataset.path == path]
    counts = np.zeros((0, N_GENES), dtype=np.int64)
    presence = np.zeros((len(made), N_GENES), dtype=np.bool_)
    for number, dataset in enumerate(made):
        if dataset.path == path:
            seen = np.zeros_like(dataset.counts)
            seen[:, dataset.recipe.genes] = dataset.counts[:, dataset.recipe.genes]
            presence[number] = seen.any(axis=0)
            counts = np.concatenate([counts, seen[dataset.included]])
    values = sparse.csr_matrix(counts, dtype=np.float32)
    obs = pd.concat(
        [d.obs[d.included].assign(dataset_id=d.recipe.dataset_id) for d in inside],
        ignore_index=True,
    )
    for name in obs.columns:
        if obs[name].dtype == object and name != "observation_joinid":
            obs[name] = obs[name].astype("category")
    n_values = np.diff(values.indptr).astype(np.int64)
    obs["raw_sum"] = counts.sum(axis=1).astype(np.float64)
    obs["nnz"] = n_values
    obs["raw_mean_nnz"] = obs["raw_sum"] / np.maximum(n_values, 1)
    squares = (counts**2).sum(axis=1) / np.maximum(n_values, 1)
    obs["raw_variance_nnz"] = squares - obs["raw_mean_nnz"] ** 2
    obs["n_measured_vars"] = np.concatenate(
        [np.full(d.included.sum(), presence[made.index(d)].sum()) for d in inside]
    ).astype(np.int64)
    genes = inside[0].every_gene
    var = pd.DataFrame(
        {
            "feature_id": genes.index.to_numpy(dtype=object),
            "feature_name": genes["symbol"].to_numpy(dtype=object),
            "feature_type": pd.Categorical(genes["biotype"]),
            "feature_length": np.full(N_GENES, 1_000, dtype=np.int64),
            "nnz": (counts > 0).sum(axis=0).astype(np.int64),
            "n_measured_obs": presence.sum(axis=0).astype(np.int64),
        }
    )
    return CensusOrganism(obs=obs, var=var, counts=values, presence=sparse.csr_matrix(presence))


def _info(
    made: Sequence[_Made], organisms: Mapping[str, CensusOrganism]
) -> dict[str, pd.DataFrame]:
    """Make the tables of ``census_info``."""
    import pandas as pd

    names = sorted({path.partition("/")[2] for path in organisms})
    every = [get_organism(name) for name in names]
    cells = {path: organism.obs for path, organism in organisms.items()}
    return {
        "summary": pd.DataFrame(
            {
                "label": ["census_schema_version", "census_build_date", "dataset_schema_version"],
                "value": ["2.4.0", BUILD, "7.0.0"],
            }
        ),
        "organisms": pd.DataFrame(
            {
                "organism_ontology_term_id": [organism.taxon_id for organism in every],
                "organism_label": [organism.name for organism in every],
                "organism": names,
            }
        ),
        "summary_cell_counts": pd.DataFrame(
            {
                "organism": [get_organism(path.partition("/")[2]).name for path in cells],
                "category": "all",
                "label": "na",
                "ontology_term_id": "na",
                "total_cell_count": [len(obs) for obs in cells.values()],
                "unique_cell_count": [int(o["is_primary_data"].sum()) for o in cells.values()],
            }
        ),
        "datasets": pd.DataFrame(
            {
                "citation": [_citation(dataset.recipe) for dataset in made],
                "collection_id": COLLECTION,
                "collection_name": "Generated tissues",
                "collection_doi": "10.0000/example",
                "collection_doi_label": "Nobody et al. (2025) Nowhere",
                "dataset_id": [dataset.recipe.dataset_id for dataset in made],
                "dataset_version_id": [dataset.recipe.version_id for dataset in made],
                "dataset_title": [dataset.recipe.title for dataset in made],
                "dataset_h5ad_path": [f"{dataset.recipe.dataset_id}.h5ad" for dataset in made],
                "dataset_total_cell_count": [int(dataset.included.sum()) for dataset in made],
            }
        ),
    }


def _write_documents(folder: Path) -> None:
    def release(build: str, **more: Any) -> dict[str, Any]:
        places = {
            kind: {
                "uri": f"s3://cellxgene-data-public/cell-census/{build}/{kind}/",
                "relative_uri": f"cell-census/{build}/{kind}/",
                "s3_region": "us-west-2",
            }
            for kind in ("soma", "h5ads")
        }
        return {"release_date": None, "release_build": build, **places, **more}

    retraction = {
        "date": "2023-07-01",
        "reason": "Cells are marked primary twice.",
        "info_url": "https://example.org/errata",
        "replaced_by": GONE,
    }
    releases = {
        "stable": BUILD,
        "latest": LATEST,
        "V1": RETRACTED,
        BUILD: release(BUILD, flags={"lts": True}),
        LATEST: release(LATEST),
        GONE: release(GONE, flags={"lts": True}),
        RETRACTED: release(
            RETRACTED, flags={"lts": True, "retracted": True}, retraction=retraction
        ),
    }
    here = {"provider": "file", "base_uri": f"{folder.resolve().as_uri()}/", "region": None}
    for name, document in (
        ("release", releases),
        ("mirrors", {"default": "here", "here": here}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
