"""Quality measures of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._counts import EXACT_FLOAT32

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix


SHARES = {
    "pct_counts_mito": "is_mito",
    "pct_counts_ribo": "is_ribo",
    "pct_counts_hb": "is_hb",
}
"""Measure of a cell, and the genes whose share of its counts it is."""


N_TOP = 20
"""Genes whose share of a cell's counts tells how even they are."""
BLOCK_VALUES = 1_000_000
"""Entries that are compared at a time."""


def cell_quality(rows: csr_matrix, var: pd.DataFrame, *, top_genes: bool = False) -> pd.DataFrame:
    """Measure cells on their curated counts.

    Parameters
    ----------
    rows
        Counts without stored zeros. Shape ``(n, n_genes)``.
    var
        Curated genes with the nullable columns ``is_mito``, ``is_ribo`` and ``is_hb``.
    top_genes
        Whether the share of the 20 most expressed genes is measured, which takes longest.

    Returns
    -------
    One row per cell: ``n_genes`` (int32) with a count, ``n_counts`` (float64) in all,
    ``pct_counts_mito``, ``pct_counts_ribo``, ``pct_counts_hb`` (float32): per cent of the counts
    in mitochondrial, ribosomal and haemoglobin genes, NaN where the cell is empty or none of the
    measured genes is known to be one, with `top_genes` ``pct_counts_top20`` (float32): per cent
    in the cell's own 20 most expressed genes, NaN where it is empty, and ``quality``: ``ok`` or
    ``empty``.
    """
    import pandas as pd

    n_counts = rows @ np.ones(rows.shape[1], dtype=np.float64)
    shares = {name: _percent(rows, var[flag], n_counts) for name, flag in SHARES.items()}
    if top_genes:
        shares["pct_counts_top20"] = _share(_top_counts(rows), n_counts)
    quality = pd.Categorical(np.where(n_counts == 0, "empty", "ok"), categories=["ok", "empty"])
    return pd.DataFrame(
        {
            "n_genes": np.diff(rows.indptr).astype(np.int32),
            "n_counts": n_counts,
            **shares,
            "quality": quality,
        }
    )


def _percent(
    rows: csr_matrix, flags: pd.Series[bool], n_counts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    marked = flags.fillna(value=False).to_numpy(dtype=np.bool_)
    counts = rows @ marked.astype(np.float64) if marked.any() else np.full(len(n_counts), np.nan)
    return _share(counts, n_counts)


def _share(
    counts: npt.NDArray[np.float64], n_counts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    percent = np.full(len(n_counts), np.nan, dtype=np.float32)
    return np.divide(100 * counts, n_counts, out=percent, where=n_counts > 0, casting="same_kind")


def _top_counts(rows: csr_matrix) -> npt.NDArray[np.float64]:
    """Sum the largest counts of each row.

    Rows of similar length are put side by side, padded with zeros, so that one partition finds
    the largest of all.
    """
    data = rows.data
    if data.max(initial=0) < EXACT_FLOAT32:
        data = data.astype(np.float32)  # half the memory to move
    lengths = np.diff(rows.indptr)
    order = np.argsort(lengths, kind="stable")
    sums = np.zeros(len(lengths))
    start = int(np.searchsorted(lengths[order], 0, side="right"))  # empty rows have no largest
    while start < len(order):
        padded = lengths[order[start:]] * np.arange(1, len(order) - start + 1)
        fit = max(int(np.searchsorted(padded, BLOCK_VALUES, side="right")), 1)
        block = order[start : start + fit]
        columns = np.arange(max(int(lengths[block[-1]]), N_TOP))
        places = np.minimum(rows.indptr[block, None] + columns, len(data) - 1)
        values = np.where(columns < lengths[block, None], data[places], 0)
        values.partition(len(columns) - N_TOP, axis=1)
        sums[block] = values[:, -N_TOP:].sum(axis=1, dtype=np.float64)
        start += fit
    return sums
