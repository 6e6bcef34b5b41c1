"""A small CELLxGENE: files of schemas 3.1 to 7.1, and the documents of the API about them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from ._cells import Truth, atlas_cells, example_counts, example_genes
from ._cellxgene_recipes import ATLAS_COLLECTION, HUMAN, LUNG_3, MOUSE, RECIPES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

    from ._cellxgene_recipes import Recipe

SPIKES = ("ERCC-00002", "ERCC-00003", "ENSSASG00005000004")
"""Features of no organism that a file may have: two spike-ins, a gene of a virus."""
N_COPIED, N_GRAFTED = 20, 10
"""Cells of the mixed dataset that repeat those of another, and cells of the mouse."""
FILTERED = (3, 5)
"""Genes that were taken out of X, not out of raw.X."""


def write_cellxgene(folder: Path, *, seed: int = 0) -> dict[str, Truth]:
    """Write the mirror: documents of the API, and the files in ``files``.

    Returns
    -------
    What each dataset holds, by id.
    """
    (folder / "files").mkdir(parents=True, exist_ok=True)
    truths: dict[str, Truth] = {}
    records: dict[str, list[dict[str, Any]]] = {}
    drawn: dict[str, csr_matrix] = {}
    for recipe in RECIPES:
        truth, kinds = _cells(recipe, seed, drawn)
        drawn[recipe.name] = truth.counts
        dataset, version = example_id(recipe.name), example_id(f"{recipe.name} {recipe.schema}")
        path = folder / "files" / f"{version}.h5ad"
        obs = _obs(recipe, truth, kinds)
        _write(path, recipe, truth, obs, version)
        truths[dataset] = truth
        record = _record(recipe, obs, dataset, version, path.stat().st_size)
        records.setdefault(dataset, []).insert(0, record)  # the newest first
    _write_documents(folder, records)
    return truths


def example_id(name: str) -> str:
    """Give the id of what has this name: a dataset, a collection, or ``NAME SCHEMA``, a version."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"corpuscle example {name}"))


def _collection_id(recipe: Recipe) -> str:
    return ATLAS_COLLECTION if recipe.collection == "atlas" else example_id("people")


def _cells(
    recipe: Recipe, seed: int, drawn: dict[str, csr_matrix]
) -> tuple[Truth, npt.NDArray[Any]]:
    """Draw the cells of a dataset: versions of one have the same."""
    from scipy import sparse

    if recipe.collection == "atlas":
        atlas = atlas_cells(seed)
        chosen = np.flatnonzero(np.isin(atlas.kinds, list(recipe.kinds)))
        names = tuple(atlas.names[place] for place in chosen)
        genes = tuple(atlas.genes.index)
        return Truth(counts=atlas.counts[chosen], cells=names, genes=genes), atlas.kinds[chosen]
    rng = np.random.default_rng([seed, *recipe.name.encode()])
    ids = example_genes(recipe.organism[0] if recipe.organism == HUMAN else MOUSE[0]).index
    kinds = rng.choice(sorted(recipe.kinds), size=recipe.n_cells)
    counts = sparse.csr_matrix(example_counts(kinds, len(ids), rng))
    if recipe.name == "mixed":
        order = rng.permutation(len(ids))
        own = counts[N_COPIED:]
        spikes = sparse.csr_matrix(rng.poisson(2.0, size=(own.shape[0], len(SPIKES))))
        copied = sparse.csr_matrix(np.zeros((N_COPIED, len(SPIKES)), dtype=np.int64))
        counts = sparse.vstack([drawn["blood"][:N_COPIED], own], format="csr")[:, order]
        counts = sparse.hstack([counts, sparse.vstack([copied, spikes])], format="csr")
        ids = ids[order].append(type(ids)(SPIKES))
    names = tuple(f"{recipe.name}_{place:04d}" for place in range(recipe.n_cells))
    return Truth(counts=counts, cells=names, genes=tuple(ids)), kinds


def _obs(recipe: Recipe, truth: Truth, kinds: npt.NDArray[Any]) -> pd.DataFrame:
    """Describe the cells as the schema of the file asks for."""
    import pandas as pd

    major, n = int(recipe.schema[0]), len(kinds)
    obs = pd.DataFrame(index=pd.Index(truth.cells, dtype=object))
    of_kind = {kind: recipe.common | labels for kind, labels in recipe.kinds.items()}
    for name in next(iter(of_kind.values())):
        pairs = [of_kind[str(kind)][name] for kind in kinds]
        obs[f"{name}_ontology_term_id"] = pd.Categorical([term for term, _ in pairs])
        obs[name] = pd.Categorical([label for _, label in pairs])
    is_mouse = np.arange(n) >= n - N_GRAFTED if recipe.name == "mixed" else np.zeros(n, dtype=bool)
    if major < 6:
        pairs = [MOUSE if grafted else recipe.organism for grafted in is_mouse]
        obs["organism_ontology_term_id"] = pd.Categorical([term for term, _ in pairs])
        obs["organism"] = pd.Categorical([label for _, label in pairs])
    if major >= 5:
        types = [recipe.tissue_types.get(str(kind), "tissue") for kind in kinds]
        obs["tissue_type"] = pd.Categorical(types)
        obs["observation_joinid"] = [f"{recipe.name[:2]}{place:08d}" for place in range(n)]
    is_line = np.isin(kinds, [k for k, t in recipe.tissue_types.items() if t == "cell line"])
    obs["donor_id"] = pd.Categorical(np.where(is_line, "na", "donor_1"))
    obs["suspension_type"] = pd.Categorical(["na" if recipe.name == "spots" else "cell"] * n)
    obs["is_primary_data"] = np.arange(n) >= (N_COPIED if recipe.name == "mixed" else 0)
    for column in sorted({column for columns in recipe.extra.values() for column in columns}):
        values = [recipe.extra.get(str(kind), {}).get(column, "na") for kind in kinds]
        obs[column] = pd.Categorical(values)
    if recipe.name == "spots":
        obs["in_tissue"], obs["array_row"], obs["array_col"] = (
            1,
            np.arange(n) // 6,
            np.arange(n) % 6,
        )
    return obs


def _write(path: Path, recipe: Recipe, truth: Truth, obs: pd.DataFrame, version: str) -> None:
    from anndata import AnnData
    from scipy import sparse

    counts = truth.counts.astype(np.float32)
    var = _var(recipe, truth)
    adata = AnnData(counts, obs=obs, var=var, uns=_uns(recipe, version))
    if recipe.raw:
        adata.raw = AnnData(counts, obs=obs, var=var)
        totals = np.asarray(counts.sum(axis=1)).ravel()
        normal = sparse.diags_array(1e4 / totals) @ counts
        kept = np.ones(counts.shape[1], dtype=np.float32)
        kept[list(FILTERED)] = 0
        adata.X = sparse.csr_matrix(normal.log1p() @ sparse.diags_array(kept), dtype=np.float32)
    filtered = np.isin(np.arange(len(var)), FILTERED) & recipe.raw
    adata.var["feature_is_filtered"] = filtered
    if recipe.name == "spots":
        adata.obsm["spatial"] = obs[["array_col", "array_row"]].to_numpy(dtype=np.float64)
        adata.uns["spatial"] = {"is_single": True}
    adata.write_h5ad(path)


def _var(recipe: Recipe, truth: Truth) -> pd.DataFrame:
    import pandas as pd

    ids = pd.Series(truth.genes, dtype=object)
    known = example_genes(HUMAN[0] if recipe.organism == HUMAN else MOUSE[0])["symbol"]
    taxon = HUMAN[0] if recipe.organism == HUMAN else MOUSE[0]
    guests = {"ERCC": "NCBITaxon:32630", "ENSS": "NCBITaxon:2697049"}
    names = [str(known.get(gene, gene)) for gene in ids]
    columns = {
        "feature_name": pd.Categorical(names),
        "feature_reference": pd.Categorical([guests.get(gene[:4], taxon) for gene in ids]),
        "feature_biotype": pd.Categorical(
            ["spike-in" if gene.startswith("ERCC") else "gene" for gene in ids]
        ),
    }
    if recipe is LUNG_3:  # an author forgot to strip some versions
        ids[:10] += ".1"
    return pd.DataFrame(columns, index=pd.Index(ids, dtype=object))


def _uns(recipe: Recipe, version: str) -> dict[str, Any]:
    uns = {"title": recipe.title, "schema_version": recipe.schema}
    uns["citation"] = _citation(recipe, version)
    if int(recipe.schema[0]) >= 6:
        uns["organism_ontology_term_id"], uns["organism"] = recipe.organism
    return uns


def _citation(recipe: Recipe, version: str) -> str:
    return (
        f"Dataset Version: https://datasets.cellxgene.cziscience.com/{version}.h5ad curated and "
        "distributed by CZ CELLxGENE Discover in Collection: "
        f"https://cellxgene.cziscience.com/collections/{_collection_id(recipe)}"
    )


def _record(
    recipe: Recipe, obs: pd.DataFrame, dataset: str, version: str, size: int
) -> dict[str, Any]:
    """Describe a version of a dataset as the API does."""
    record: dict[str, Any] = {
        "dataset_id": dataset,
        "dataset_version_id": version,
        "collection_id": _collection_id(recipe),
        "collection_version_id": example_id(f"collection of {version}"),
        "collection_name": recipe.collection,
        "collection_doi": None,
        "title": recipe.title,
        "citation": _citation(recipe, version),
        "schema_version": recipe.schema,
        "cell_count": len(obs),
        "primary_cell_count": int(obs["is_primary_data"].sum()),
        "published_at": f"202{recipe.schema[0]}-03-01T10:00:00+00:00",
        "revised_at": None,
        "processing_status": "SUCCESS",
        "tombstone": False,
        "visibility": "PUBLIC",
        "x_approximate_distribution": None,
        "is_primary_data": sorted({bool(value) for value in obs["is_primary_data"]}),
        "raw_data_location": "raw.X" if recipe.raw else "X",
        "assets": [
            *(
                {"filetype": kind, "filesize": 1, "url": f"files/{version}.x"}
                for kind in recipe.others
            ),
            {"filetype": "H5AD", "filesize": size, "url": f"files/{version}.h5ad"},
        ],
    }
    if "organism" not in obs:
        obs = obs.assign(organism_ontology_term_id=recipe.organism[0], organism=recipe.organism[1])
    for name in (*recipe.common, "cell_type", "organism"):
        columns = [f"{name}_ontology_term_id", name]
        columns += ["tissue_type"] if name == "tissue" and "tissue_type" in obs else []
        named = obs[columns].astype(object).drop_duplicates().sort_values(columns)
        named = named.set_axis(["ontology_term_id", "label", "tissue_type"][: len(columns)], axis=1)
        record[name] = named.to_dict("records")
    return record


def _skipped(base: dict[str, Any]) -> list[dict[str, Any]]:
    """Records of datasets that are not to be had, each for another reason."""
    changes: dict[str, dict[str, Any]] = {
        "withdrawn": {"tombstone": True},
        "failed": {"processing_status": "FAILURE"},
        "without h5ad": {"assets": [{"filetype": "RDS", "filesize": 1, "url": "files/x.rds"}]},
        "of the future": {"schema_version": "8.0.0"},
    }
    return [
        {
            **base,
            **change,
            "dataset_id": example_id(name),
            "dataset_version_id": example_id(f"{name} 1"),
        }
        for name, change in changes.items()
    ]


def _write_documents(folder: Path, records: dict[str, list[dict[str, Any]]]) -> None:
    newest = [versions[0] for versions in records.values()]
    newest += _skipped(newest[0])
    documents: dict[str, Any] = {"datasets": newest}
    for dataset, versions in records.items():
        documents[f"datasets/{dataset}/versions"] = versions
        documents |= {f"dataset_versions/{r['dataset_version_id']}": r for r in versions}
    for id_ in {record["collection_id"]: None for record in newest}:
        inside = [record for record in newest if record["collection_id"] == id_]
        stated = ("collection_version_id", "published_at", "revised_at", "visibility")
        collection = {name: inside[0][name] for name in stated}
        collection |= {"collection_id": id_, "name": inside[0]["collection_name"], "doi": None}
        own = [{k: v for k, v in record.items() if "collection" not in k} for record in inside]
        documents[f"collections/{id_}"] = collection | {"datasets": own}
    for endpoint, document in documents.items():
        path = folder / f"{endpoint}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
