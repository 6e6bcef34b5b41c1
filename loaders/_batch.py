"""What a loader yields."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy import sparse

__all__ = ["Batch", "csr_tensor", "sparse_tensor", "use_up_torch_notices"]


class Batch(TypedDict):
    """Cells on the way to the model.

    Of the labels only those are there that were asked for; ``X`` or ``ids`` and ``counts``, as the
    output says. Columns of obs that were asked for are under ``obs_NAME`` (categories as places in
    `PackedCorpus.categories`, -1 for none), arrays of obsm under ``obsm_NAME``.
    """

    X: torch.Tensor
    """Counts. Shape ``(n_cells, n_genes)``, float32, sparse CSR (int32 indices) or dense."""
    ids: torch.Tensor
    """Genes, by their place in the vocabulary. ``ragged``: of all cells, one after the other, uint16 if
    all of the corpus fit, else int32. ``tokens``: shape ``(n_cells, length)``, int32, 0 if padded."""
    counts: torch.Tensor
    """Their counts; float32 for ``tokens``, and where they are scaled or no whole numbers."""
    indptr: torch.Tensor
    """``ragged``: where each cell begins in `ids`, and the last ends. Shape ``(n_cells + 1,)``, int32."""
    mask: torch.Tensor
    """``tokens``: False for padding, and for listed genes that were not measured. Bool."""
    measured: torch.Tensor
    """Genes that were measured in each cell, if asked for. Shape ``(n_cells, n_genes)``, bool."""
    depth: torch.Tensor
    """Sum of all counts of each cell; packed corpora only. Shape ``(n_cells,)``, float64."""
    dataset: torch.Tensor
    """Place of each cell's dataset in `Corpus.datasets`. Shape ``(n_cells,)``, int64."""
    row: torch.Tensor
    """Number of each cell in the corpus. Shape ``(n_cells,)``, int64."""
    cell_type: torch.Tensor
    """Class integer of each cell's term, as all that follow; -1 for none. Shape ``(n_cells,)``, int64."""
    disease: torch.Tensor
    development_stage: torch.Tensor
    tissue: torch.Tensor
    assay: torch.Tensor
    self_reported_ethnicity: torch.Tensor
    sex: torch.Tensor
    organism: torch.Tensor
    tissue_type: torch.Tensor


def sparse_tensor(x: sparse.csr_matrix) -> torch.Tensor:
    """Make a sparse CSR tensor with int32 indices; the values are shared with `x`."""
    indptr = x.indptr.astype(np.int32, copy=False)
    return csr_tensor(indptr, x.indices.astype(np.int32, copy=False), x.data, x.shape[1])


def csr_tensor(
    indptr: npt.NDArray[np.int32],
    indices: npt.NDArray[np.int32],
    values: npt.NDArray[Any],
    n_columns: int,
) -> torch.Tensor:
    """Make a sparse CSR tensor of arrays that it shares."""
    use_up_torch_notices()
    return torch.sparse_csr_tensor(
        torch.from_numpy(indptr),
        torch.from_numpy(indices),
        torch.from_numpy(values),
        size=(len(indptr) - 1, n_columns),
        check_invariants=False,
    )


@functools.cache
def use_up_torch_notices() -> None:
    """Make a first CSR tensor: torch remarks once per process that they are new and unchecked.

    Left alone, the remarks turn up wherever a first batch arrives, and stop a program that runs
    with warnings as errors.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse (CSR tensor|invariant checks)")
        torch.sparse_csr_tensor([0, 0], [], [], size=(1, 1))
