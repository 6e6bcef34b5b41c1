"""Batches on the way to where the model is."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import torch

    from ._batch import Batch

__all__ = ["to_device"]


def to_device(batch: Batch, device: torch.device, *, dense: bool) -> Batch:
    """Copy a batch to a device, without waiting where there are queues for that.

    Parameters
    ----------
    batch
        In main memory; pinned here if `device` copies from pinned memory.
    device
        Where to.
    dense
        Whether to make a sparse X dense there: less is copied.
    """
    moved = {}
    for key, tensor in cast("dict[str, torch.Tensor]", batch).items():
        held = tensor.pin_memory() if device.type == "cuda" else tensor
        there = held.to(device, non_blocking=True)
        moved[key] = there.to_dense() if dense and there.is_sparse_csr else there
    return cast("Batch", moved)
