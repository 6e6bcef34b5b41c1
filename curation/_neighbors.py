"""Nearest neighbours of cells: exact for small datasets, approximate and measured for large."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ._alive import awaited, sign_of_life

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Points = npt.NDArray[np.float32]

EXACT_CELLS = 50_000
"""Up to as many, every cell is compared with every other."""
BLOCK = 1_024
"""Cells that are searched for together."""
SPARE = 8
"""More candidates than neighbours, as the index compares in float32."""
SAMPLE = 1_000
"""Cells whose exact neighbours are found to measure the recall."""
RECALL = 0.97
"""Least share of the exact neighbours that the index must find, on the sample."""
POINTS_PER_LIST = 64
"""Cells per list that its centre is learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """Neighbours of every point, nearest first; of equally near ones the first row."""

    rows: npt.NDArray[np.int32]
    """Shape ``(n, k)``; -1 where there are not as many."""
    distances: npt.NDArray[np.float32]
    """Euclidean. Shape ``(n, k)``; infinite where there is none."""
    recall: float
    """Share of the exact neighbours that were found in a sample; 1 if the search was exact."""
    method: str
    """``exact``, or which index with which settings."""


def nearest(points: Points, k: int, *, seed: int) -> Neighbors:
    """Find the `k` nearest other points of each.

    Parameters
    ----------
    points
        Whole numbers below ``2**24``, so that distances are exact. Shape ``(n, d)``.
    k
        How many.
    seed
        Of the approximate index.

    Notes
    -----
    The index runs in as many threads as OpenMP is told to use, each on blocks of its own:
    faiss does not promise that a block which threads share gives the same in any number of them.
    """
    with _threads() as pool:
        index, recall, method = _index(pool, points, k, seed)
        rows, distances = _search(pool, index, points, np.arange(len(points)), k)
    return Neighbors(rows=rows, distances=distances, recall=recall, method=method)


def nearest_in_blocks(
    points: Points, k: int, *, n_queries: int, seed: int
) -> Iterator[npt.NDArray[np.int32]]:
    """Find the same for the first points only, and give their rows block by block.

    Parameters
    ----------
    points, k, seed
        See `nearest`.
    n_queries
        How many points are asked for.
    """
    with _threads() as pool:
        index, _, _ = _index(pool, points, k, seed)
        queries = np.arange(n_queries)
        parts = [queries[first : first + BLOCK] for first in range(0, n_queries, BLOCK)]
        for rows, _ in pool.map(partial(_block, index, points, k), parts):
            sign_of_life()
            yield rows


def _threads() -> ThreadPoolExecutor:
    import faiss

    return ThreadPoolExecutor(faiss.omp_get_max_threads(), initializer=_alone)


def _alone() -> None:
    """Let the index use no threads but this one."""
    import faiss

    faiss.omp_set_num_threads(1)


def _index(pool: ThreadPoolExecutor, points: Points, k: int, seed: int) -> tuple[Any, float, str]:
    """Give an index with its recall and its name."""
    import faiss

    if len(points) <= EXACT_CELLS:
        exact = faiss.IndexFlatL2(points.shape[1])
        exact.add(points)
        return exact, 1, "exact"
    index = awaited(pool.submit(_inverted_lists, points, seed))
    recall = _raise_recall(pool, index, points, k, seed)
    return index, recall, f"IVF, {index.nprobe} of {index.nlist} lists"


def _inverted_lists(points: Points, seed: int) -> Any:
    import faiss

    n_lists = int(2 * np.sqrt(len(points)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(points.shape[1]), points.shape[1], n_lists)
    index.cp.seed, index.cp.max_points_per_centroid = seed, POINTS_PER_LIST
    index.train(points)
    index.add(points)
    index.nprobe = 8
    return index


def _raise_recall(pool: ThreadPoolExecutor, index: Any, points: Points, k: int, seed: int) -> float:
    """Look into more lists until enough of the exact neighbours of a sample are found."""
    import faiss

    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(len(points), min(SAMPLE, len(points)), replace=False))
    exact = faiss.IndexFlatL2(points.shape[1])
    exact.add(points)
    wanted = _search(pool, exact, points, sample, k)[1]
    while True:
        found = _search(pool, index, points, sample, k)[1]
        recall = float((found <= wanted[:, -1:]).mean())
        if recall >= RECALL or index.nprobe >= index.nlist:
            return recall
        index.nprobe = min(2 * index.nprobe, index.nlist)


def _search(
    pool: ThreadPoolExecutor, index: Any, points: Points, queries: npt.NDArray[np.int64], k: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    rows = np.full((len(queries), k), -1, dtype=np.int32)
    distances = np.full((len(queries), k), np.inf, dtype=np.float32)
    parts = [queries[first : first + BLOCK] for first in range(0, len(queries), BLOCK)]
    done = 0
    for part, found in zip(parts, pool.map(partial(_block, index, points, k), parts), strict=True):
        sign_of_life()
        rows[done : done + len(part)], distances[done : done + len(part)] = found
        done += len(part)
    return rows, distances


def _block(
    index: Any, points: Points, k: int, queries: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Search for some points; order the candidates by their exact distance, then by row."""
    candidates = np.sort(index.search(points[queries], k + 1 + SPARE)[1], axis=1)
    apart = points[candidates].astype(np.float64) - points[queries, None].astype(np.float64)
    squares = np.square(apart).sum(axis=2)
    squares[(candidates < 0) | (candidates == queries[:, None])] = np.inf
    order = np.argsort(squares, axis=1, kind="stable")[:, :k]
    squares = np.take_along_axis(squares, order, axis=1)
    rows = np.where(np.isinf(squares), -1, np.take_along_axis(candidates, order, axis=1))
    return rows.astype(np.int32), np.sqrt(squares).astype(np.float32)
