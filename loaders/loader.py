"""Batches of cells for training."""

from __future__ import annotations

import hashlib
import operator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from ..errors import ConflictError, InputError, SchemaError
from ._batch import Batch, sparse_tensor, use_up_torch_notices
from ._curated import read_layout
from ._epochs import MAX_WORKERS, EpochClock, Turn, epoch_order
from ._handles import Handles
from ._kept import KeptRows
from ._rows import ColumnCache, gather_csr, group_by_file
from .corpus import obs_column
from .recording import handed_out, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from .corpus import Corpus

__all__ = ["Batch", "CorpusLoader"]

FORMAT = 1


class CorpusLoader(IterableDataset[Batch]):
    """Every cell of a corpus once per epoch, in batches, in an order that can be repeated.

    Iterate over it, or over ``DataLoader(loader, batch_size=None, num_workers=k)``: the batches
    and their order are the same for every k and start method. The order depends on the corpus,
    `seed` and the epoch, and on nothing else.

    Every new iteration takes the epoch after the one that began last, whether that was read to
    its end or not, and whoever read it: the counter is in memory that all workers share. So no
    order comes twice unless `set_epoch` or `load_state_dict` asks for it. One case needs
    `set_epoch` before each epoch: a set of workers given up before all of them had started, while
    torch's seed is reset to the same value before each epoch.

    The files are opened by the process that reads them; making a loader leaves none open.

    Parameters
    ----------
    corpus
        What to read.
    batch_size
        Cells in a batch.
    labels
        Fields to add as class integers; each must be in `Corpus.classes`.
    seed
        Decides the order, with the epoch. Not negative.
    shuffle
        False for the order of the files.
    output
        ``"csr"`` for sparse X, ``"dense"`` for dense X: better made dense on the device.
    drop_last
        Leave out a last batch that is not full.
    genes
        Columns of X. Genes that are not listed are left out, listed ones that a file does not
        have are zero. None for the sorted union of the files' genes.

    Raises
    ------
    InputError
        If an argument is out of its range.
    NotFoundError
        If a file is not there.
    SchemaError
        If a file lacks a label's column, or names a gene twice.
    IntegrityError
        If a file has another number of cells, a term that is not among the classes, or the list of
        cells that are left out is not that of this version.
    """

    def __init__(
        self,
        corpus: Corpus,
        batch_size: int = 256,
        *,
        labels: Sequence[str] = (),
        seed: int = 0,
        shuffle: bool = True,
        output: Literal["csr", "dense"] = "csr",
        drop_last: bool = False,
        genes: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if output not in ("csr", "dense"):
            msg = f"output is {output!r}. Choose 'csr' or 'dense'."
            raise InputError(msg)
        self.corpus = corpus
        self.batch_size = _whole(batch_size, name="batch_size", low=1)
        self.seed = _whole(seed, name="seed", low=0)
        self.labels = _known_labels(corpus, labels)
        self.shuffle = shuffle
        self.output = output
        self.drop_last = drop_last
        self._clock = EpochClock()
        self._n_rounds = 0
        self._kept = KeptRows(corpus)
        self._stores = Handles([ref.path for ref in corpus.datasets])
        self._cache = ColumnCache()
        self._layout = read_layout(corpus, self._stores, labels=self.labels, genes=genes)
        self._stores.release()
        use_up_torch_notices()
        watch(self)

    @property
    def genes(self) -> tuple[str, ...]:
        """Gene id of each column of X."""
        return self._layout.genes

    @property
    def epoch(self) -> int:
        """The epoch under way; before the first batch, the one to come."""
        return self._clock.now().epoch

    @property
    def served_by_workers(self) -> int:
        """Batches that DataLoader workers have made, used or not, over all epochs.

        A `Recording` counts none of them by itself: they pass through `Recording.track`.
        """
        return self._clock.n_served_by_workers

    def __len__(self) -> int:
        """Batches of an epoch."""
        n_full, rest = divmod(self.corpus.n_cells, self.batch_size)
        return n_full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        """Begin an epoch, or go on from a state that was loaded."""
        info = get_worker_info()
        if info is None:
            return self._hand_out(self._clock.begin())
        if info.num_workers > MAX_WORKERS:
            msg = f"{info.num_workers:,} workers were asked for. Use at most {MAX_WORKERS:,}."
            raise InputError(msg)
        self._n_rounds += 1
        turn = self._clock.join(info.id, token=info.seed - info.id, n_rounds=self._n_rounds)
        return self._make(turn, first=info.id, step=info.num_workers)

    def locate(
        self, cells: Sequence[int] | npt.NDArray[np.int64] | torch.Tensor
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Find cells in the files.

        Parameters
        ----------
        cells
            Numbers of cells in the corpus, as in ``batch["row"]``. Shape ``(n,)``.

        Returns
        -------
        Place of the dataset in `Corpus.datasets`, and row of its file. Each of shape ``(n,)``.
        """
        return self._kept.locate(np.asarray(cells, dtype=np.int64))

    def set_epoch(self, epoch: int) -> None:
        """Decide the epoch of the next iteration.

        A position that was loaded for this very epoch is kept.

        Raises
        ------
        InputError
            If `epoch` is negative or not whole.
        """
        self._clock.choose(_whole(epoch, name="epoch", low=0))

    def state_dict(self, *, n_served: int | None = None) -> dict[str, Any]:
        """Where the iteration is, JSON-serialisable.

        Parameters
        ----------
        n_served
            Batches taken since this iteration began, the first of which must have come. Needed
            with DataLoader workers, which run ahead: only the consumer knows how many it took.

        Raises
        ------
        InputError
            If `n_served` is needed and missing, or out of range.
        """
        now = self._clock.now()
        epoch, position = now.epoch, now.position
        if n_served is not None:
            position = now.began + _whole(n_served, name="n_served", low=0)
        elif now.by_workers:
            msg = (
                "DataLoader workers serve this epoch and run ahead of what was used. Count the "
                "batches taken from this iteration and pass state_dict(n_served=...)."
            )
            raise InputError(msg)
        if position > len(self):
            msg = (
                f"{position:,} batches were served of an epoch of {len(self):,}. Correct n_served."
            )
            raise InputError(msg, {"n_served": n_served})
        if position == len(self):
            epoch, position = epoch + 1, 0
        return self._identity() | {"epoch": epoch, "position": position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration begin where `state` was taken; call it in the parent.

        Raises
        ------
        SchemaError
            If the state has another format, or lacks a key.
        ConflictError
            If it was taken from a loader whose batches are others.
        """
        if state.get("format") != FORMAT:
            msg = (
                f"The loader's state has format {state.get('format')!r}; this version of corpuscle "
                f"reads format {FORMAT}. Resume with the version that wrote it."
            )
            raise SchemaError(msg, {"format": state.get("format")})
        for key, mine in self._identity().items():
            if key not in state or state[key] != mine:
                msg = (
                    f"The state was taken with {key}={state.get(key)!r}, this loader has {mine!r}, so "
                    "the batches differ. Make the loader as it was, or begin anew."
                )
                raise ConflictError(msg, {"key": key, "state": state.get(key), "loader": mine})
        try:
            epoch, position = state["epoch"], state["position"]
        except KeyError as error:
            msg = f"The loader's state has no {error.args[0]!r}. Take it with `state_dict`."
            raise SchemaError(msg) from error
        self._clock.set(
            _whole(epoch, name="epoch", low=0), _whole(position, name="position", low=0)
        )

    def _identity(self) -> dict[str, Any]:
        cells: list[object] = [(ref.uid, ref.n_cells) for ref in self.corpus.datasets]
        if self.corpus.n_excluded and self.corpus.duplicates is not None:
            cells.append(self.corpus.duplicates.hash)
        return {
            "format": FORMAT,
            "corpus": self.corpus.uid,
            "cells": hashlib.blake2b(repr(cells).encode(), digest_size=8).hexdigest(),
            "seed": self.seed,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
        }

    def _hand_out(self, turn: Turn) -> Iterator[Batch]:
        for position, batch in self._batches(turn, first=0, step=1):
            handed_out(self, batch)
            self._clock.served(turn, position=position + 1)
            yield batch

    def _make(self, turn: Turn, *, first: int, step: int) -> Iterator[Batch]:
        for _, batch in self._batches(turn, first=first, step=step):
            self._clock.served_by_worker()
            yield batch

    def _batches(self, turn: Turn, *, first: int, step: int) -> Iterator[tuple[int, Batch]]:
        n_cells = self.corpus.n_cells
        order = (
            epoch_order(n_cells, seed=self.seed, epoch=turn.epoch)
            if self.shuffle
            else np.arange(n_cells)
        )
        for position in range(turn.position + first, len(self), step):
            start = position * self.batch_size
            yield position, self._read(order[start : start + self.batch_size])

    def _read(self, cells: npt.NDArray[np.int64]) -> Batch:
        datasets, rows = self._kept.locate(cells)
        x = gather_csr(
            self._stores,
            datasets,
            rows,
            columns=self._layout.columns,
            n_columns=len(self._layout.genes),
            dtype=np.float32,
            cache=self._cache,
        )
        batch: dict[str, torch.Tensor] = {
            "X": sparse_tensor(x) if self.output == "csr" else torch.from_numpy(x.toarray()),
            "dataset": torch.from_numpy(datasets),
            "row": torch.from_numpy(cells.copy()),
        }
        for field in self.labels:
            batch[field] = torch.from_numpy(self._read_label(field, datasets, rows))
        return batch  # type: ignore[return-value]  # keys are checked in __init__

    def _read_label(
        self, field: str, datasets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        labels = np.empty(len(rows), dtype=np.int64)
        column = obs_column(field)
        for part in group_by_file(datasets, rows):
            stored = self._stores[part.file]["obs"][column]["codes"]
            codes = self._cache.take((part.file, field), stored, part.rows)
            # a cell without a category has code -1, and the last entry answers for it
            labels[part.places] = self._layout.class_of[part.file][field][codes][part.source]
        return labels


def _known_labels(corpus: Corpus, labels: Sequence[str]) -> tuple[str, ...]:
    for field in labels:
        if field not in corpus.classes:
            known = ", ".join(corpus.classes) or "none"
            msg = f"Corpus {corpus.uid} has no classes for {field!r}. Choose from: {known}."
            raise InputError(msg, {"field": field})
    return tuple(labels)


def _whole(value: object, *, name: str, low: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        number = low - 1
    if not low <= number < 2**63:
        msg = f"{name} is {value!r}. Pass a whole number of at least {low}."
        raise InputError(msg, {name: value})
    return number
