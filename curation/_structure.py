"""Clusters, neighbours and groups of the cells of one dataset."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._alive import awaited
from ._groups import cell_groups
from ._neighbors import nearest
from ._pca import VALUE_STEPS, principal_scores

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from ._neighbors import Neighbors
    from ._rules import StructureOptions

LIBRARIES = ("faiss-cpu", "graspologic-native")
"""Whose versions decide about the result."""
ITERATIONS = 2
"""Of the Leiden algorithm, each on the clusters of the one before."""
NO_CLUSTER = "unknown"
"""Of cells without counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What was found."""

    obs: pd.DataFrame
    """``cluster`` and ``cell_group`` of every cell."""
    obsm: dict[str, npt.NDArray[Any]]
    """``neighbors`` (int32 rows of the curated file, -1 where there is none) and
    ``neighbor_distances`` (float32, infinite where there is none), nearest first."""
    summary: dict[str, Any]
    """For the report."""


def find_structure(path: Path, obs: pd.DataFrame, options: StructureOptions) -> Structure:
    """Find clusters, neighbours and groups.

    Parameters
    ----------
    path
        A curated file that has X.
    obs
        Its cells, with the labels of `cell_groups`.
    options
        How.
    """
    import h5py
    import pandas as pd

    with h5py.File(path, "r") as file:
        group: Any = file["X"]
        full = np.flatnonzero(np.diff(group["indptr"][...]))
        scores, n_genes = principal_scores(group, n_components=options.n_components)
    k = max(options.n_neighbors, options.n_graph_neighbors)
    found = nearest(scores[full], k, seed=options.seed)
    clusters = leiden(found.rows[:, : options.n_graph_neighbors], options)
    n_clusters = int(clusters.max(initial=-1)) + 1
    labels = np.full(len(obs), n_clusters)
    labels[full] = clusters
    names = pd.Index([*(str(number) for number in range(n_clusters)), NO_CLUSTER], dtype=object)
    cluster = pd.Categorical.from_codes(labels.tolist(), names).remove_unused_categories()
    groups = cell_groups(obs.assign(cluster=cluster), min_group=options.min_group)
    return Structure(
        obs=pd.DataFrame({"cluster": cluster, "cell_group": groups}),
        obsm=_stored(found, full, len(obs), options.n_neighbors),
        summary={
            "genes": n_genes,
            "components": scores.shape[1],
            "neighbors": found.method,
            "neighbor_recall": found.recall,
            "clusters": n_clusters,
            "cell_groups": len(groups.categories),
            "cells_without_counts": len(obs) - len(full),
            "libraries": _versions(),
        },
    )


def leiden(neighbors: npt.NDArray[np.int32], options: StructureOptions) -> npt.NDArray[np.int64]:
    """Cluster the graph in which cells are joined to their neighbours, twice if mutual.

    Parameters
    ----------
    neighbors
        Other cells, -1 where there is none. Shape ``(n_cells, k)``.
    options
        Resolution and seed.

    Returns
    -------
    Number of the cluster of each cell: 0 is the largest, of equally large ones that of the first
    cell. Shape ``(n_cells,)``.
    """
    from graspologic_native import leiden_csr
    from scipy import sparse

    n = len(neighbors)
    if not (neighbors >= 0).any():  # one cell, or none
        return np.zeros(n, dtype=np.int64)
    ends = np.cumsum(np.concatenate([[0], (neighbors >= 0).sum(axis=1)]))
    others = neighbors[neighbors >= 0]
    directed = sparse.csr_matrix((np.ones(len(others)), others, ends), (n, n))
    graph = sparse.csr_matrix(directed + directed.T)
    graph.sort_indices()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(
            leiden_csr,
            graph.indptr.astype(np.int64),
            graph.indices.astype(np.int32),
            graph.data,
            n,
            resolution=options.resolution,
            iterations=ITERATIONS,
            seed=options.seed,
        )
        _, found = awaited(work)
    return _by_size(np.fromiter((found[cell] for cell in range(n)), np.int64, n))


def _by_size(clusters: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    _, first, inverse, sizes = np.unique(
        clusters, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse]


def _stored(
    found: Neighbors, full: npt.NDArray[np.int64], n_cells: int, k: int
) -> dict[str, npt.NDArray[Any]]:
    """Give neighbours as rows of the file, and distances of log-normalised counts."""
    rows = np.full((n_cells, k), -1, dtype=np.int32)
    distances = np.full((n_cells, k), np.inf, dtype=np.float32)
    if len(full):
        near = found.rows[:, :k]
        rows[full] = np.where(near < 0, -1, full[near])
        distances[full] = found.distances[:, :k] / np.float32(VALUE_STEPS)
    return {"neighbors": rows, "neighbor_distances": distances}


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in LIBRARIES}
