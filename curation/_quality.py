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


N_TOP = 20
"""Genes whose share of a cell's counts tells how even they are."""


def cell_quality(rows: csr_matrix, var: pd.DataFrame, *, top_genes: bool = False) -> pd.DataFrame:
    """Measure cells on their curated counts.

    Parameters
    ----------
    rows
        Counts as float32 or float64, without stored zeros. Shape ``(n, n_genes)``.
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

    from ._kernels import largest_sums, marked_sums

    marks = np.empty((rows.shape[1], len(SHARES)), dtype=np.bool_)
    for place, flag in enumerate(SHARES.values()):
        marks[:, place] = var[flag].fillna(value=False).to_numpy(dtype=np.bool_)
    n_counts, *sums = marked_sums(rows.indptr, rows.indices, rows.data, marks).T
    is_known = [bool(marks[:, place].any()) for place in range(marks.shape[1])]
    shares = {
        name: _share(counts if known else np.full(len(n_counts), np.nan), n_counts)
        for name, counts, known in zip(SHARES, sums, is_known, strict=True)
    }
    if top_genes:
        shares["pct_counts_top20"] = _share(largest_sums(rows.indptr, rows.data, N_TOP), n_counts)
    quality = pd.Categorical(np.where(n_counts == 0, "empty", "ok"), categories=["ok", "empty"])
    return pd.DataFrame(
        {
            "n_genes": np.diff(rows.indptr).astype(np.int32),
            "n_counts": n_counts,
            **shares,
            "quality": quality,
        }
    )


def _share(
    counts: npt.NDArray[np.float64], n_counts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    percent = np.full(len(n_counts), np.nan, dtype=np.float32)
    return np.divide(100 * counts, n_counts, out=percent, where=n_counts > 0, casting="same_kind")
