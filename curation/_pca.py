"""Principal components of a curated file, read in chunks of rows.

All sums are over whole numbers that float64 holds exactly. They are the same in any order, so
the result does not depend on chunks, threads, or the instructions of the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ._alive import sign_of_life
from ._matrix import row_bounds, stored_sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

COUNTS_PER_CELL = 10_000
"""What the counts of a cell are scaled to before the logarithm."""
VALUE_STEPS = 2**10
"""Steps per unit of log-normalised values and of scores."""
LOADING_STEPS = 2**20
"""Steps per unit of loadings, whose squares sum to one."""
N_GENES = 2_000
"""Genes that are looked at: those of the largest variance."""
CHUNK_CELLS = 1_024
"""Cells in memory at a time, with `N_GENES` values of 8 bytes each."""
LEAST_VARIANCE = 1e-6
"""Components with less than this share of the first one's variance are rounding."""
LEAST_SQUARES = 1
"""Likewise those along which the cells differ by less than one step in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Log-normalised values of neighbouring rows, as whole numbers of ``1 / VALUE_STEPS``."""

    start: int
    """First row."""
    filled: npt.NDArray[np.bool_]
    """Cells with counts. Shape ``(n_cells,)``."""
    cell: npt.NDArray[np.int64]
    """Row in the block of each value."""
    column: npt.NDArray[np.int64]
    """Column of each value."""
    value: Floats

    def dense(self, n_columns: int) -> Floats:
        """Spread the values out. Shape ``(n_cells, n_columns)``."""
        result = np.zeros((len(self.filled), n_columns))
        result[self.cell, self.column] = self.value
        return result


def principal_scores(group: Any, *, n_components: int) -> tuple[npt.NDArray[np.float32], int]:
    """Project cells on the principal components of their log-normalised counts.

    The file is read three times: for the variance of the genes, for the covariance of the
    `N_GENES` most variable ones, and for the scores.

    Parameters
    ----------
    group
        CSR counts without stored zeros: the group X of an AnnData file.
    n_components
        How many; fewer if there are not as many.

    Returns
    -------
    Scores as whole numbers of ``1 / VALUE_STEPS``, shape ``(n_cells, n)`` with ``n`` at least 1,
    zero for cells without counts; and the genes looked at.
    """
    n_cells, n_genes = (int(n) for n in group.attrs["shape"])
    sums, squares, n_filled = np.zeros(n_genes), np.zeros(n_genes), 0
    for block in read_blocks(group, np.arange(n_genes)):
        sums += np.bincount(block.column, block.value, n_genes)
        squares += np.bincount(block.column, block.value**2, n_genes)
        n_filled += int(block.filled.sum())
    chosen = most_variable(squares - sums**2 / max(n_filled, 1))
    shape = n_cells, len(chosen)
    return scores_of(partial(read_blocks, group, chosen), shape, n_components), len(chosen)


def most_variable(variance: Floats) -> npt.NDArray[np.int64]:
    """Choose the `N_GENES` genes of the largest variance; give their places in order."""
    return np.sort(np.argsort(-variance, kind="stable")[:N_GENES])


def scores_of(
    blocks: Callable[[], Iterator[Block]], shape: tuple[int, int], n_components: int
) -> npt.NDArray[np.float32]:
    """Project cells on the principal components of what is read, twice, in blocks.

    Returns
    -------
    See `principal_scores`.
    """
    n_cells, n = shape
    sums, products, n_filled = np.zeros(n), np.zeros((n, n)), 0
    for block in blocks():
        values = block.dense(n)
        sums += np.bincount(block.column, block.value, n)
        products += values.T @ values
        n_filled += int(block.filled.sum())
    products -= np.multiply.outer(sums, sums) / max(n_filled, 1)
    loadings = _loadings(products, n_components)
    middle = np.rint(sums @ loadings / max(n_filled, 1))
    scores = np.zeros((n_cells, loadings.shape[1]), dtype=np.float32)
    for block in blocks():
        projected = (block.dense(n) @ loadings - middle)[block.filled]
        scores[block.start + np.flatnonzero(block.filled)] = np.rint(projected / LOADING_STEPS)
    return scores


def read_blocks(group: Any, genes: npt.NDArray[np.int64]) -> Iterator[Block]:
    """Read and normalise all cells; of their values, give those of some genes."""
    shape = (int(group.attrs["shape"][0]), int(group.attrs["shape"][1]))
    column = np.full(shape[1], -1, dtype=np.int64)
    column[genes] = np.arange(len(genes))
    rows = stored_sparse(group, shape)()
    for first, last in row_bounds(rows.indptr):
        for start in range(first, last, CHUNK_CELLS):
            sign_of_life()
            counts = rows.read(start, min(start + CHUNK_CELLS, last))
            n_values = np.diff(counts.indptr)
            cell = np.repeat(np.arange(len(n_values)), n_values)
            total = np.bincount(cell, counts.data, len(n_values))
            to = column[counts.indices]
            inside = to >= 0
            cell, data = cell[inside], counts.data[inside].astype(np.float64)
            scaled = data * (COUNTS_PER_CELL / np.maximum(total, 1))[cell]
            yield Block(
                start=start,
                filled=n_values > 0,
                cell=cell,
                column=to[inside],
                value=np.rint(np.log1p(scaled) * VALUE_STEPS),
            )


def _loadings(covariance: Floats, n_components: int) -> Floats:
    """Find the leading directions, as whole numbers of ``1 / LOADING_STEPS``.

    One thread, and the largest loading of each is positive: nothing is left to chance.
    """
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    n = len(covariance)
    if not n:
        return np.zeros((0, 1))
    with threadpool_limits(limits=1, user_api="blas"):
        first = max(n - n_components, 0)
        variance, vectors = eigh(covariance, subset_by_index=(first, n - 1))
    least = max(variance[-1] * LEAST_VARIANCE, LEAST_SQUARES)
    vectors = vectors[:, variance > least][:, ::-1]
    if not vectors.shape[1]:
        return np.zeros((n, 1))
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    rounded: Floats = np.rint(vectors * np.where(largest < 0, -1, 1) * LOADING_STEPS)
    return rounded
