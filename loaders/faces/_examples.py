"""Cells as Arrow tables, which is what Hugging Face's datasets are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .._epochs import epoch_order

if TYPE_CHECKING:
    import datasets
    import numpy.typing as npt
    import pyarrow as pa

    from ..loader import CorpusLoader

__all__ = ["Examples"]

_order = lru_cache(maxsize=1)(epoch_order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Reads cells, by their place in an order, as a table."""

    loader: CorpusLoader
    """Reads the cells and their labels."""
    cells: npt.NDArray[np.int64] | None = None
    """Numbers of the cells to choose from. None for all of the corpus."""
    seed: int = 0
    """Decides the order, with the epoch."""
    epoch: int | None = None
    """None for the order of `cells`."""
    grouped: bool = False
    """Whether all the cells read at once are one example."""

    @property
    def n_cells(self) -> int:
        """Cells to choose from."""
        return self.loader.corpus.n_cells if self.cells is None else len(self.cells)

    @property
    def features(self) -> datasets.Features:
        """Columns of the table."""
        from datasets import ClassLabel, Features, List, Value

        each: dict[str, Any] = {"row": Value("int64"), "dataset": Value("int64")}
        for field in self.loader.labels:
            each[field] = ClassLabel(names=list(self.loader.corpus.classes[field]))
        ragged = {"genes": List(Value("int32")), "counts": List(Value("float32"))}
        if not self.grouped:
            return Features(ragged | each)
        starts = {"starts": List(Value("int64"))}
        return Features(ragged | starts | {name: List(kind) for name, kind in each.items()})

    def table(self, places: npt.NDArray[np.int64]) -> pa.Table:
        """Read the cells at these places of the order. One row each, or one in all if grouped."""
        import pyarrow as pa

        if self.epoch is not None:
            places = _order(self.n_cells, seed=self.seed, epoch=self.epoch)[places]
        cells = places if self.cells is None else self.cells[places]
        batch: Any = self.loader._reader.read(cells, seed=self.seed, epoch=self.epoch or 0)
        x = batch["X"]
        starts = x.crow_indices().numpy()
        columns = {
            "genes": pa.array(x.col_indices().numpy()),
            "counts": pa.array(x.values().numpy()),
        }
        each = {
            name: pa.array(batch[name].numpy()) for name in ("row", "dataset", *self.loader.labels)
        }
        if self.grouped:
            columns |= {"starts": pa.array(starts.astype(np.int64)), **each}
            lists = {name: _lists([0, len(value)], value) for name, value in columns.items()}
            return pa.table(lists)
        return pa.table({name: _lists(starts, value) for name, value in columns.items()} | each)


def _lists(starts: Any, values: pa.Array) -> pa.Array:
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(starts, type=pa.int32()), values)
