"""A hierarchy as tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import torch

if TYPE_CHECKING:
    from ..ontologies import Hierarchy

__all__ = ["HierarchyTensors", "hierarchy_tensors"]


class HierarchyTensors(TypedDict):
    """The arrays of a hierarchy, dense."""

    ancestors: torch.Tensor
    """Whether the term is the class or above it. Shape ``(n_classes, n_terms)``, bool."""
    parents_x_leaves: torch.Tensor
    """Whether the leaf is below the parent. Shape ``(n_parents, n_leaves)``, bool."""
    parents: torch.Tensor
    """Place of each parent among the terms. Shape ``(n_parents,)``, int64."""
    leaves: torch.Tensor
    """Class integer of each leaf. Shape ``(n_leaves,)``, int64."""
    depth: torch.Tensor
    """See `Hierarchy.depth`. Shape ``(n_terms,)``, uint8."""
    information: torch.Tensor
    """See `Hierarchy.information`. Shape ``(n_terms,)``, float32."""
    distance: torch.Tensor
    """See `Hierarchy.distance`. Shape ``(n_classes, n_classes)``, uint8."""
    lin: torch.Tensor
    """See `Hierarchy.lin`. Shape ``(n_classes, n_classes)``, float16."""


def hierarchy_tensors(
    hierarchy: Hierarchy, *, device: torch.device | str | None = None
) -> HierarchyTensors:
    """Copy a hierarchy into tensors, for a loss or a metric of your own.

    Parameters
    ----------
    hierarchy
        Made by `label_hierarchy` or read by `Hierarchy.load`.
    device
        Where to put them; the CPU by default.
    """
    return {
        "ancestors": torch.tensor(
            hierarchy.ancestors[: hierarchy.n_classes].toarray(), device=device
        ),
        "parents_x_leaves": torch.tensor(hierarchy.parents_x_leaves.toarray(), device=device),
        "parents": torch.tensor(hierarchy.parents, device=device),
        "leaves": torch.tensor(hierarchy.leaves, device=device),
        "depth": torch.tensor(hierarchy.depth, device=device),
        "information": torch.tensor(hierarchy.information, device=device),
        "distance": torch.tensor(hierarchy.distance, device=device),
        "lin": torch.tensor(hierarchy.lin, device=device),
    }
