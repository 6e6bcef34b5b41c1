"""A few cell types, and logits about them."""

from __future__ import annotations

from typing import Any

import torch

from corpuscle.loaders import HierarchicalLoss
from corpuscle.ontologies import Hierarchy, vocabulary

CELLS = {
    "T cell": "CL:0000084",
    "CD4": "CL:0000624",
    "CD8": "CL:0000625",
    "B cell": "CL:0000236",
    "neuron": "CL:0000540",
    "astrocyte": "CL:0000127",
    "hepatocyte": "CL:0000182",
    "leukocyte": "CL:0000738",
}
PLACE = {name: i for i, name in enumerate(CELLS)}
N = len(CELLS)
ALL_CELLS = sorted(vocabulary("cell_type").labels)


def labels(*names: str) -> torch.Tensor:
    return torch.tensor([PLACE.get(name, -1) for name in names])


def confident(*names: str, by: float = 20.0) -> torch.Tensor:
    """Logits of a model that is sure of these classes, one per sample."""
    return torch.nn.functional.one_hot(labels(*names), N).float() * by


def random_logits(*shape: int, seed: int = 0, spread: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(*shape, generator=generator, dtype=torch.float64)


def loss_of(hierarchy: Hierarchy, **options: Any) -> HierarchicalLoss:
    return HierarchicalLoss(hierarchy, reduction="none", **options)
