"""What a loader yields."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Batch", "sparse_tensor", "use_up_torch_notices"]


class Batch(TypedDict):
    """Cells on the way to the model.

    Of the labels only those are there that were asked for.
    """

    X: torch.Tensor
    """Counts. Shape ``(n_cells, n_genes)``, float32, sparse CSR (int32 indices) or dense."""
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
    use_up_torch_notices()
    return torch.sparse_csr_tensor(
        torch.from_numpy(x.indptr.astype(np.int32, copy=False)),
        torch.from_numpy(x.indices.astype(np.int32, copy=False)),
        torch.from_numpy(x.data),
        size=x.shape,
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
