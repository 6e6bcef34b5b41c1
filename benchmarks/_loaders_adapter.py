"""What the adapters of `benchmarks.loaders` share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._loaders_cells import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COLUMNS = list(LABELS.values())


@dataclass(frozen=True, kw_only=True)
class Loader:
    """How a loader is used and looked into."""

    batches: Callable[[], Iterator[Any]]
    """One epoch, in a new order."""
    size: Callable[[Any], int]
    """Cells of a batch."""
    counts: Callable[[Any], Any]
    """Counts of a batch, one row per cell: sparse CSR or an array; or the genes, counts, mask
    and total counts of tokens."""
    labels: Callable[[Any], dict[str, Any]]
    """Cell types and plates of a batch as codes or names; without what the peer does not give."""
    paths: list[Path]
    """Files that it reads."""
    fetch: int = 1
    """Cells that it reads at once: a rate is of whole fetches."""
    rows: Callable[[Any], Any] | None = None
    """Number of each cell, where a loader says it."""
    bare: Callable[[], Iterator[Any]] | None = None
    """An epoch of what lies below, which gives the cells of each batch only."""


def files_of(folder: Path) -> list[Path]:
    """All files of a converted form."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def codes_of(values: Any) -> Any:
    """Numbers at the end of names; codes stay. Shape ``(n,)``, int64."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    names, places = np.unique(array.astype(str), return_inverse=True)
    return np.array([int(re.findall(r"\d+$", name)[0]) for name in names.tolist()])[places]


def from_torch(x: Any, n_genes: int) -> Any:
    """Scipy's view of a torch CSR tensor."""
    from scipy import sparse

    parts = (x.values().numpy(), x.col_indices().numpy(), x.crow_indices().numpy())
    return sparse.csr_matrix(parts, (x.shape[0], n_genes))


def shuffled(
    cells: Any, batch: int, workers: int, gather: Callable[[list[Any]], Any], **options: Any
) -> Callable[[], Iterator[Any]]:
    """Epochs of torch's own loader, in random order."""
    from torch.utils.data import DataLoader

    more: dict[str, Any] = {"prefetch_factor": 4} if workers else {}
    loader: Any = DataLoader(
        cells,
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        collate_fn=gather,
        **(more | options),
    )
    return lambda: iter(loader)
