"""A corpus as Hugging Face's datasets."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...errors import InputError
from .._arguments import whole
from ..loader import CorpusLoader
from ._examples import Examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import datasets
    import numpy.typing as npt
    import pyarrow as pa

    from ..corpus import Corpus
    from ..packed import PackedCorpus

__all__ = ["CellDataset", "cell_stream"]

READ = 256
"""Cells that are read at once."""


def cell_stream(
    corpus: Corpus | PackedCorpus,
    *,
    labels: Sequence[str] = (),
    cells: npt.NDArray[np.int64] | None = None,
    group_size: int | None = None,
    seed: int = 0,
    epoch: int | None = 0,
    shard_size: int = 16_384,
    genes: Sequence[str] | None = None,
) -> datasets.IterableDataset:
    """Make a `datasets.IterableDataset` of a corpus; nothing is copied.

    Its shards are parts of one random order of all cells, so that each is a random sample of the
    corpus, and no buffer is needed to mix them. Distribute them with
    ``datasets.distributed.split_dataset_by_node``, ``.shard()`` or a ``DataLoader`` with workers;
    resume with its ``state_dict``. ``.shuffle`` and ``.set_epoch`` change the order of the shards; another
    `epoch` here changes that of the cells.

    Parameters
    ----------
    corpus
        What to read.
    labels
        Fields to add as class labels; -1 for none.
    cells
        Numbers of the cells, such as those of a split. Shape ``(n,)``. None for all.
    group_size
        Cells of an example. None for one, of ``genes`` and ``counts``, ``row``, ``dataset`` and
        labels. Groups have them one after the other, and ``starts``: cell i has the genes
        ``genes[starts[i]:starts[i + 1]]``. Groups are many times faster than cells.
    seed, epoch
        Decide the order. `epoch` is None for that of the files.
    shard_size
        Cells of a shard: what is left over when shards are given to processes is not more than
        this, and this is what resuming may read in vain. A multiple of `group_size` is best.
    genes
        Vocabulary whose places ``genes`` holds. None for the sorted union of the files' genes.

    Raises
    ------
    InputError
        If a number is out of its range.
    """
    try:
        import datasets
        from datasets.iterable_dataset import ArrowExamplesIterable
    except ModuleNotFoundError as error:
        error.add_note("datasets is not installed: pip install 'corpuscle[huggingface]'.")
        raise
    shard_size = whole(shard_size, name="shard_size", low=1)
    size = READ if group_size is None else whole(group_size, name="group_size", low=1)
    examples = Examples(
        loader=CorpusLoader(corpus, size, labels=labels, genes=genes),
        cells=None if cells is None else np.asarray(cells, dtype=np.int64),
        seed=whole(seed, name="seed", low=0),
        epoch=None if epoch is None else whole(epoch, name="epoch", low=0),
        grouped=group_size is not None,
    )
    n = examples.n_cells
    if not n:
        msg = "There are no cells to stream. Pass those of a split that has some."
        raise InputError(msg)
    shards = [(first, min(first + shard_size, n)) for first in range(0, n, shard_size)]
    # tables rather than `from_generator`, which goes through Python lists: 40 times slower
    source = ArrowExamplesIterable(_tables, {"shards": shards, "examples": examples, "size": size})
    return datasets.IterableDataset(source, info=datasets.DatasetInfo(features=examples.features))


def _tables(
    *, shards: Sequence[tuple[int, int]], examples: Examples, size: int
) -> Iterator[tuple[str, pa.Table]]:
    for first, end in shards:
        for start in range(first, end, size):
            yield f"{start}", examples.table(np.arange(start, min(start + size, end)))


class CellDataset(torch.utils.data.Dataset[dict[str, Any]]):
    """Any cell of a corpus at once, read as a Hugging Face `datasets.Dataset` is; nothing is copied.

    ``data[3]`` is an example, ``data[3:7]`` and ``data[[3, 1]]`` are columns. Use it with
    ``torch.utils.data.DataLoader``, which fetches whole batches by one read, or as
    ``train_dataset`` of ``transformers.Trainer``. A `datasets.Dataset` itself is a table in a file
    of Arrow, five times as large as a packed corpus: `to_dataset` makes one of the cells that you select.

    Parameters
    ----------
    corpus, labels, genes
        See `cell_stream`.
    cells
        Numbers of the cells, in the order wanted. Shape ``(n,)``. None for all.
    """

    def __init__(
        self,
        corpus: Corpus | PackedCorpus,
        *,
        labels: Sequence[str] = (),
        cells: npt.NDArray[np.int64] | None = None,
        genes: Sequence[str] | None = None,
    ) -> None:
        loader = CorpusLoader(corpus, READ, labels=labels, genes=genes)
        self._examples = Examples(loader=loader, cells=cells)

    @property
    def genes(self) -> tuple[str, ...]:
        """Vocabulary whose places the column ``genes`` holds."""
        return self._examples.loader.genes

    @property
    def features(self) -> datasets.Features:
        """Kinds of the columns."""
        return self._examples.features

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return ["genes", "counts", "row", "dataset", *self._examples.loader.labels]

    def __len__(self) -> int:
        return self._examples.n_cells

    def __repr__(self) -> str:
        corpus = self._examples.loader.corpus
        return (
            f"CellDataset of {corpus.name!r}: {len(self):,} cells of {', '.join(self.column_names)}"
        )

    def __getitem__(self, key: int | slice | Sequence[int]) -> dict[str, Any]:
        """One example, or the columns of several: arrays, or a list of them where ragged."""
        if isinstance(key, slice):
            key = range(*key.indices(len(self)))
        if not isinstance(key, (range, list, tuple, np.ndarray)):
            return self.__getitems__([operator.index(key)])[0]  # type: ignore[arg-type]  # int
        table = self._read(key)
        return {
            name: [v.values.to_numpy() for v in table[name]]
            if name in ("genes", "counts")
            else table[name].to_numpy()
            for name in self.column_names
        }

    def __getitems__(self, keys: Sequence[int]) -> list[dict[str, Any]]:
        """Read several examples at once, as `torch.utils.data.DataLoader` asks for them."""
        columns = self[list(keys)]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def select(self, places: Sequence[int] | npt.NDArray[np.int64]) -> CellDataset:
        """Choose examples by their places in this dataset."""
        cells = self._check(places)
        chosen = object.__new__(CellDataset)
        if self._examples.cells is not None:
            cells = self._examples.cells[cells]
        chosen._examples = Examples(loader=self._examples.loader, cells=cells)
        return chosen

    def to_dataset(self) -> datasets.Dataset:
        """Copy all the examples into a `datasets.Dataset` in memory: 8 bytes for each count."""
        import datasets
        import pyarrow as pa

        parts = [
            self._read(range(start, min(start + READ, len(self))))
            for start in range(0, len(self), READ)
        ]
        table = pa.concat_tables(parts) if parts else self.features.arrow_schema.empty_table()
        return datasets.Dataset(table.cast(self.features.arrow_schema))

    def _read(self, places: Sequence[int] | range | npt.NDArray[np.int64]) -> pa.Table:
        return self._examples.table(self._check(places))

    def _check(
        self, places: Sequence[int] | range | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        found = np.asarray(places, dtype=np.int64).reshape(-1)
        n = len(self)
        if len(found) and not -n <= found.min() <= found.max() < n:
            msg = f"There are {n:,} cells; {found.max()} (or {found.min()}) is not one of them."
            raise IndexError(msg)
        return np.where(found < 0, found + n, found)
