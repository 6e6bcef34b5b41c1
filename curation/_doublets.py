"""How much a cell looks like two cells of its dataset in one droplet.

Scrublet's method (Wolock, Lopez and Klein, 2019): doublets are simulated, and a cell is scored by
how many of its neighbours are simulated. Its components are of normalised counts without
logarithm, so a doublet lies between its two cells, nearer to the one with more counts: it is
simulated by its place, exactly, and no counts are read or added up for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._neighbors import nearest_in_blocks
from ._pca import VALUE_STEPS, most_variable, read_blocks, scores_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from ._pca import Block

N_COMPONENTS = 30
RATIO = 2
"""Simulated doublets for each cell."""
MOST_NEIGHBORS = 50
"""Of each cell, simulated ones not counted; half the root of the number of cells if that is less."""
EXPECTED = 0.05
"""Share of doublets before anything is seen."""
MOST_DEVIATIONS = 10.0
"""Standard deviations at which the expression of a gene is cut off."""
SEED = 0


def doublet_scores(
    path: Path, donors: npt.NDArray[np.int64], n_counts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Score the cells of a file. Nothing depends on the number of threads.

    Parameters
    ----------
    path
        A curated file that has X.
    donors
        Number of each cell's donor: cells of two donors are not put into one doublet.
        Shape ``(n_cells,)``.
    n_counts
        Of each cell. Shape ``(n_cells,)``.

    Returns
    -------
    How likely each cell is a doublet, from 0 to 1; NaN for cells without counts, and for all where
    there are no two cells of a donor. Shape ``(n_cells,)``.
    """
    import h5py

    result = np.full(len(n_counts), np.nan, dtype=np.float32)
    full = np.flatnonzero(n_counts)
    first, second = _pairs(donors[full])
    if not len(first):
        return result
    with h5py.File(path, "r") as file:
        cells = _places(file["X"])[full]
    total = n_counts[full]
    weight = (total[first] / (total[first] + total[second]))[:, None].astype(np.float32)
    doublets = np.rint(cells[first] * weight + cells[second] * (1 - weight))
    n, ratio = len(cells), len(doublets) / len(cells)
    k = round(min(np.ceil(np.sqrt(n) / 2), MOST_NEIGHBORS) * (1 + ratio))
    n_near = _simulated_neighbors(np.concatenate([cells, doublets]), n, k)
    share = (n_near + 1) / (k + 2)
    as_doublet = share * EXPECTED / ratio
    result[full] = as_doublet / (1 - EXPECTED - share * (1 - EXPECTED - EXPECTED / ratio))
    return result


def _pairs(donors: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw `RATIO` partners for every cell that has any, of its donor and not itself."""
    order = np.argsort(donors, kind="stable")
    _, start, group, size = np.unique(
        donors[order], return_index=True, return_inverse=True, return_counts=True
    )
    start, size = start[group], size[group]
    place = np.repeat(np.flatnonzero(size > 1), RATIO)
    step = np.random.default_rng(SEED).integers(1, size[place])
    partner = start[place] + (place - start[place] + step) % size[place]
    return order[place], order[partner]


def _places(group: Any) -> npt.NDArray[np.float32]:
    """Project cells on the components of their scaled, normalised counts."""
    n_cells, n_genes = (int(n) for n in group.attrs["shape"])
    logs, counts = np.zeros((2, n_genes)), np.zeros((2, n_genes))
    n_filled = 0
    for block in read_blocks(group, np.arange(n_genes)):
        for sums, values in ((logs, block.value), (counts, _plain(block))):
            sums += [np.bincount(block.column, values**power, n_genes) for power in (1, 2)]
        n_filled += int(block.filled.sum())
    spread = [squares / n_filled - (sums / n_filled) ** 2 for sums, squares in (logs, counts)]
    genes = most_variable(spread[0])
    deviation = np.sqrt(np.maximum(spread[1][genes], 0))
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)

    def blocks() -> Iterator[Block]:
        for block in read_blocks(group, genes):
            values = np.minimum(_plain(block) * scale[block.column], MOST_DEVIATIONS)
            yield replace(block, value=np.rint(values * VALUE_STEPS))

    return scores_of(blocks, (n_cells, len(genes)), N_COMPONENTS)


def _plain(block: Block) -> npt.NDArray[np.float64]:
    """Undo the logarithm."""
    return np.expm1(block.value / VALUE_STEPS)


def _simulated_neighbors(
    points: npt.NDArray[np.float32], n_cells: int, k: int
) -> npt.NDArray[np.int64]:
    """Count the simulated ones, which come after the cells, among the `k` nearest of each cell."""
    found = np.zeros(n_cells, dtype=np.int64)
    done = 0
    for rows in nearest_in_blocks(points, k, n_queries=n_cells, seed=SEED):
        found[done : done + len(rows)] = (rows >= n_cells).sum(axis=1)
        done += len(rows)
    return found
