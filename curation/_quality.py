"""Quality measures of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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


def cell_quality(rows: csr_matrix, var: pd.DataFrame) -> pd.DataFrame:
    """Measure cells on their curated counts.

    Parameters
    ----------
    rows
        Counts without stored zeros. Shape ``(n, n_genes)``.
    var
        Curated genes with the nullable columns ``is_mito``, ``is_ribo`` and ``is_hb``.

    Returns
    -------
    One row per cell: ``n_genes`` (int32) with a count, ``n_counts`` (float64) in all,
    ``pct_counts_mito``, ``pct_counts_ribo``, ``pct_counts_hb`` (float32): per cent of the counts
    in mitochondrial, ribosomal and haemoglobin genes, NaN where the cell is empty or none of the
    measured genes is known to be one, and ``quality``: ``ok`` or ``empty``.
    """
    import pandas as pd

    n_counts = rows @ np.ones(rows.shape[1], dtype=np.float64)
    shares = {name: _percent(rows, var[flag], n_counts) for name, flag in SHARES.items()}
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
    percent = np.full(len(n_counts), np.nan, dtype=np.float32)
    marked = flags.fillna(value=False).to_numpy(dtype=np.bool_)
    if marked.any():
        counts = rows @ marked.astype(np.float64)
        np.divide(100 * counts, n_counts, out=percent, where=n_counts > 0, casting="same_kind")
    return percent
