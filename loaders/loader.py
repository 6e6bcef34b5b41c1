"""Batches of cells for training."""

from __future__ import annotations

import functools
import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from .._in_threads import in_threads
from ..errors import ConflictError, InputError, SchemaError
from ._arguments import whole
from ._batch import Batch, use_up_torch_notices
from ._device import to_device
from ._epochs import MAX_WORKERS, EpochClock, Turn, block_order, epoch_order
from ._files_reader import FilesReader
from ._form import Form, Scaling, Tokens
from .corpus import Corpus
from .recording import handed_out, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from ._files_reader import Reader
    from ._form import Check, Output
    from .packed import PackedCorpus

__all__ = ["Batch", "CorpusLoader"]

FORMAT = 1
_TASK_CELLS = 256
_TASK_BYTES = 32 * 2**20
"""Of the batches that a thread makes at a time: larger ones fall out of the caches, smaller ones are
handed over too often."""


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
        What to read: files as they are, or packed.
    batch_size
        Cells in a batch.
    labels
        Fields to add as class integers; each must be in `Corpus.classes`.
    seed
        Decides the order, with the epoch. Not negative.
    shuffle
        False for the order of the files.
    output
        ``"csr"`` for sparse X, ``"dense"`` for dense X: better made dense on the device. Packed
        corpora also give ``"ragged"`` and ``"tokens"``, see `Batch`.
    drop_last
        Leave out a last batch that is not full.
    genes
        Columns of X. Genes that are not listed are left out, listed ones that a file does not
        have are zero. None for the sorted union of the files' genes.
    threads
        How many threads make batches ahead in this process; 0 for none. The batches are the same.
        In a DataLoader worker each has as many.
    device
        Where batches are copied to, through pinned memory and without waiting. Not for DataLoader
        workers.
    block_size
        Shuffle blocks of so many neighbours rather than cells, for storage that reads large pieces
        much faster than small ones. 1 for cells, and an order that is fully random.
    fetch
        With blocks: how many batches' worth of cells are shuffled among themselves. Files as they
        are are read by so many batches at once, which are all in memory then.
    tokens, scaling, renamed, obs, obsm, measured, check
        Of packed corpora only: see `Tokens`, `Scaling`, `PackedCorpus.projected` and
        `PackedCorpus.read`.

    Raises
    ------
    InputError
        If an argument is out of its range, or needs a packed corpus.
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
        corpus: Corpus | PackedCorpus,
        batch_size: int = 256,
        *,
        labels: Sequence[str] = (),
        seed: int = 0,
        shuffle: bool = True,
        output: Output = "csr",
        drop_last: bool = False,
        genes: Sequence[str] | None = None,
        threads: int = 0,
        device: torch.device | str | None = None,
        block_size: int = 1,
        fetch: int = 64,
        tokens: Tokens | None = None,
        scaling: Scaling | None = None,
        renamed: Mapping[str, str] | None = None,
        obs: Sequence[str] = (),
        obsm: Sequence[str] = (),
        measured: bool = False,
        check: Check = "first read",
    ) -> None:
        super().__init__()
        packed = None if isinstance(corpus, Corpus) else corpus
        self.corpus = corpus if isinstance(corpus, Corpus) else corpus.corpus
        self.batch_size = whole(batch_size, name="batch_size", low=1)
        self.seed = whole(seed, name="seed", low=0)
        self.labels = known_labels(self.corpus, labels)
        self.shuffle = shuffle
        self.output = output
        self.drop_last = drop_last
        self.threads = whole(threads, name="threads", low=0)
        self.block_size = whole(block_size, name="block_size", low=1)
        self.fetch = whole(fetch, name="fetch", low=1)
        self.device = None if device is None else torch.device(device)
        away = self.device is not None and self.device.type != "cpu"
        self._dense_there = away and output == "dense"
        form = Form(
            output="csr" if self._dense_there else output,
            labels=self.labels,
            genes=genes,
            renamed=renamed,
            tokens=tokens or Tokens(),
            scaling=scaling or Scaling(),
            obs=obs,
            obsm=obsm,
            measured=measured,
            check=check,
        )
        self._clock = EpochClock()
        self._n_rounds = 0
        self._reader: Reader = (
            FilesReader(self.corpus, form) if packed is None else packed.reader(form)
        )
        use_up_torch_notices()
        watch(self)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__} of {self.corpus.name!r} version {self.corpus.version!r}: {len(self):,} "
            f"batches of {self.batch_size:,} of {self.corpus.n_cells:,} cells x {len(self.genes):,} genes "
            f"({self.output}); labels: {', '.join(self.labels) or 'none'}"
        )

    @property
    def genes(self) -> tuple[str, ...]:
        """Gene id of each column of X."""
        return self._reader.genes

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
        if self.device is not None:
            msg = (
                f"DataLoader workers cannot copy to {self.device}. Leave `device` out, and use `threads` "
                "instead of workers or copy batches where they arrive."
            )
            raise InputError(msg)
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
        return self._reader.locate(np.asarray(cells, dtype=np.int64))

    def set_epoch(self, epoch: int) -> None:
        """Decide the epoch of the next iteration.

        A position that was loaded for this very epoch is kept.

        Raises
        ------
        InputError
            If `epoch` is negative or not whole.
        """
        self._clock.choose(whole(epoch, name="epoch", low=0))

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
            position = now.began + whole(n_served, name="n_served", low=0)
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
        self._clock.set(whole(epoch, name="epoch", low=0), whole(position, name="position", low=0))

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
        } | ({"block_size": self.block_size, "fetch": self.fetch} if self.block_size > 1 else {})

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
        order = self._order(turn.epoch)
        positions = range(turn.position + first, len(self), step)
        if self.block_size > 1 and isinstance(self._reader, FilesReader):
            yield from self._read_windows(self._reader, order, positions)
            return
        read = functools.partial(self._read, order, turn.epoch)
        if not self.threads:
            yield from ((position, read(position)) for position in positions)
            return
        n = self._batches_of_task()
        tasks = (positions[start : start + n] for start in range(0, len(positions), n))
        n_threads = min(self.threads, self._reader.n_threads)
        for made in in_threads(
            lambda task: [(position, read(position)) for position in task],
            tasks,
            n_threads=n_threads,
            waiting=n_threads,
        ):
            yield from made

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        n_cells = self.corpus.n_cells
        if not self.shuffle:
            return np.arange(n_cells)
        if self.block_size == 1:
            return epoch_order(n_cells, seed=self.seed, epoch=epoch)
        return block_order(
            n_cells,
            seed=self.seed,
            epoch=epoch,
            block_size=self.block_size,
            window=self.fetch * self.batch_size,
        )

    def _batches_of_task(self) -> int:
        by_cells = -(-_TASK_CELLS // self.batch_size)
        if self.output != "dense":
            return by_cells
        return max(1, min(by_cells, _TASK_BYTES // (4 * len(self.genes) * self.batch_size or 1)))

    def _read(self, order: npt.NDArray[np.int64], epoch: int, position: int) -> Batch:
        cells = self._cells_of(order, position)
        return self._at_device(self._reader.read(cells, seed=self.seed, epoch=epoch))

    def _read_windows(
        self, reader: FilesReader, order: npt.NDArray[np.int64], positions: range
    ) -> Iterator[tuple[int, Batch]]:
        """Read the batches of a window at once: each block of a file is read once."""
        for _, group in itertools.groupby(positions, lambda position: position // self.fetch):
            window = list(group)
            batches = reader.read_each([self._cells_of(order, position) for position in window])
            yield from zip(window, map(self._at_device, batches), strict=True)

    def _cells_of(self, order: npt.NDArray[np.int64], position: int) -> npt.NDArray[np.int64]:
        start = position * self.batch_size
        return order[start : start + self.batch_size]

    def _at_device(self, batch: Batch) -> Batch:
        if self.device is None:
            return batch
        return to_device(batch, self.device, dense=self._dense_there)


def known_labels(corpus: Corpus, labels: Sequence[str]) -> tuple[str, ...]:
    for field in labels:
        if field not in corpus.classes:
            known = ", ".join(corpus.classes) or "none"
            msg = f"Corpus {corpus.uid} has no classes for {field!r}. Choose from: {known}."
            raise InputError(msg, {"field": field})
    return tuple(labels)
