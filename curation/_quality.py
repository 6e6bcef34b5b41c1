"""Quality measures of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_matrix


def cell_quality(rows: csr_matrix, var: pd.DataFrame) -> pd.DataFrame:
    """Measure cells on their curated counts.

    Parameters
    ----------
    rows
        Counts without stored zeros. Shape ``(n, n_genes)``.
    var
        Curated genes with the nullable column ``is_mito``.

    Returns
    -------
    One row per cell: ``n_genes`` (int32) with a count, ``n_counts`` (float64) in all,
    ``pct_counts_mito`` (float32): per cent of the counts in mitochondrial genes, NaN where the
    cell is empty or none of the measured genes is known to be mitochondrial, and ``quality``:
    ``ok`` or ``empty``.
    """
    import pandas as pd

    n_counts = rows @ np.ones(rows.shape[1], dtype=np.float64)
    n_genes = np.diff(rows.indptr).astype(np.int32)
    is_mito = var["is_mito"].fillna(value=False).to_numpy(dtype=np.bool_)
    percent = np.full(len(n_counts), np.nan, dtype=np.float32)
    if is_mito.any():
        mito = rows @ is_mito.astype(np.float64)
        np.divide(100 * mito, n_counts, out=percent, where=n_counts > 0, casting="same_kind")
    quality = pd.Categorical(np.where(n_counts == 0, "empty", "ok"), categories=["ok", "empty"])
    return pd.DataFrame(
        {
            "n_genes": n_genes,
            "n_counts": n_counts,
            "pct_counts_mito": percent,
            "quality": quality,
        }
    )
