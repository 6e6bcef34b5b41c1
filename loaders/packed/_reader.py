"""Batches of cells out of packed shards."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from ..corpus import obs_column
from . import _batches, _row
from ._blocks import BlockRows, damaged
from ._columns import read_classes, read_column, read_obsm
from ._genes import name_genes
from ._output import Failure, RowWriter

if TYPE_CHECKING:
    import numpy.typing as npt

    from .._batch import Batch
    from .._form import Form
    from ._corpus import PackedCorpus
    from ._shard import Shard
    from ._storage import OpenShard

__all__ = ["PackedReader"]

_ALWAYS = ("offsets", "n_values", "checks")
_CHECKS = ("never", "first read", "always")


class _Column(Protocol):
    def read(
        self, shards: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What one process has open."""

    pid: int
    shards: list[OpenShard]
    firsts: npt.NDArray[np.int64]
    """Number of the first cell of each shard."""
    datasets: npt.NDArray[np.int64]
    """Place of each shard's dataset."""
    table: npt.NDArray[np.int64]
    """See `find_rows`."""
    seen: npt.NDArray[np.uint8]
    """A bit for each cell whose row was checked."""
    blocks: BlockRows | None
    """None if all rows lie in memory as they are."""
    writer: RowWriter
    columns: dict[str, _Column]
    """What else is read, by its key in the batch."""
    measured: torch.Tensor | None
    kept: list[Any] = field(default_factory=list)
    """What addresses in `table` point to."""


class PackedReader:
    """Reads a packed corpus in one form. Many threads may read at once.

    Shards are opened by the process that reads, when it first does.

    Parameters
    ----------
    packed, form
        What to read, and how to give it.
    cache_bytes
        Memory for blocks that are not single rows in memory.
    """

    n_threads = 64
    """Threads that may read at once."""

    def __init__(self, packed: PackedCorpus, form: Form, *, cache_bytes: int) -> None:
        self._packed = packed
        self._form = form
        self._cache_bytes = cache_bytes
        genes = packed.genes
        if form.renamed is not None:
            genes = tuple(sorted({form.renamed[gene] for gene in genes if gene in form.renamed}))
        self.genes = genes if form.genes is None else tuple(form.genes)
        # says what is wrong with the genes before anything is read
        self._renaming = name_genes([packed.genes], self.genes, renamed=form.renamed)
        self._opened: _Opened | None = None
        self._lock = threading.Lock()

    def read(self, cells: npt.NDArray[np.int64], *, seed: int, epoch: int) -> Batch:
        """Read cells, in the order given; chance depends on `seed`, `epoch` and the cell."""
        own = self._open()
        shards, places = np.empty((2, len(cells)), np.int64)
        rows = np.empty((len(cells), _row.N_FACTS), np.int64)
        check = _CHECKS.index(self._form.check)
        kept = None
        if own.blocks is None:
            n = _batches.find_rows(
                cells, own.firsts, own.table, check, own.seen, shards, places, rows
            )
            if n < 0:
                at = -1 - n
                raise damaged(own.shards[shards[at]], int(places[at]), what="lies out of the rows")
        else:
            _batches.find_cells(cells, own.firsts, shards, places)
            kept = own.blocks.find(shards, places, own.table, rows)
            n = int(rows[:, _row.N_VALUES].sum())
        try:
            batch = own.writer.write(rows, n, cells, seed=seed, epoch=epoch)
        except Failure as failure:
            shard = own.shards[shards[failure.at]]
            what = "differs from its hash" if failure.differs else "cannot be decoded"
            raise damaged(
                shard, int(places[failure.at] // shard.footer.block_rows), what=what
            ) from None
        del kept
        if check == 1 and own.blocks is None:
            _batches.mark_seen(cells, own.seen)
        batch["dataset"] = torch.from_numpy(own.datasets.take(shards))
        batch["row"] = torch.from_numpy(cells.copy())
        for key, column in own.columns.items():
            batch[key] = torch.from_numpy(column.read(shards, places))
        if own.measured is not None:
            lists = torch.from_numpy(rows[:, 3].copy())
            batch["measured"] = own.measured.index_select(0, lists)
        return batch  # type: ignore[return-value]  # keys are those of the form

    def locate(
        self, cells: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the place of the dataset, and the row of its file."""
        own = self._open()
        at = np.searchsorted(own.firsts, cells, side="right") - 1
        rows = cells - own.firsts[at]
        for i in np.unique(at).tolist():
            rows[at == i] = _rows_of_file(own.shards[i], rows[at == i])
        return own.datasets[at], rows

    def release(self) -> None:
        """Close the shards."""
        self._opened = None

    def _open(self) -> _Opened:
        opened = self._opened
        if opened is None or opened.pid != os.getpid():
            with self._lock:
                opened = self._opened
                if opened is None or opened.pid != os.getpid():
                    opened = self._opened = self._make()
        return opened

    def _make(self) -> _Opened:
        form, packed = self._form, self._packed
        shards = packed.open_shards(
            [
                "genes",
                *_ALWAYS,
                *(f"obs/{obs_column(name)}" for name in form.labels),
                *(f"obs/{name}" for name in form.obs),
                *(f"obsm/{name}" for name in form.obsm),
            ]
        )
        sizes = np.array([shard.footer.n_cells for shard in shards], dtype=np.int64)
        place = {ref.uid: i for i, ref in enumerate(packed.corpus.datasets)}
        near = all(shard.footer.codec == "plain" and shard.address for shard in shards)
        lists: dict[tuple[str, ...], int] = {}
        table = np.zeros((len(shards), _batches.N_SHARD_FACTS), dtype=np.int64)
        firsts = np.cumsum(sizes) - sizes
        kept = []
        for shard, facts, first in zip(shards, table, firsts.tolist(), strict=True):
            arrays = [shard.section(name) for name in _ALWAYS]
            offsets, n_values, checks = arrays
            kept.append(arrays)
            facts[:] = (
                first,
                shard.address + shard.footer.sections["rows"].offset,
                shard.footer.sections["rows"].length,
                offsets.ctypes.data,
                n_values.ctypes.data,
                n_values.dtype.itemsize,
                checks.ctypes.data,
                lists.setdefault(shard.genes, len(lists)),
            )
        renaming = name_genes(list(lists), self.genes, renamed=form.renamed)
        columns: dict[str, _Column] = {}
        for name in form.labels:
            columns[name] = read_classes(shards, name, packed.classes[name])
        columns |= {f"obs_{name}": read_column(shards, name) for name in form.obs}
        columns |= {f"obsm_{name}": read_obsm(shards, name) for name in form.obsm}
        longest = max(map(len, lists), default=0)
        most = packed.max_count
        return _Opened(
            pid=os.getpid(),
            shards=shards,
            firsts=firsts,
            datasets=np.array([place[shard.footer.dataset] for shard in shards], dtype=np.int64),
            table=table,
            seen=np.zeros(-(-packed.n_cells // 8), np.uint8),
            blocks=None if near else BlockRows(shards, form.check, cache_bytes=self._cache_bytes),
            writer=RowWriter(
                form,
                renaming,
                small=most is not None and most < 2**16 and max(longest, len(self.genes)) < 2**16,
                whole=most is not None and most < 2**31,
            ),
            columns=columns,
            measured=torch.from_numpy(renaming.measured()) if form.measured else None,
            kept=kept,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())


def _rows_of_file(shard: Shard, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if "rows_of_file" in shard.footer.sections:
        return shard.section("rows_of_file")[places].astype(np.int64)
    return places + shard.footer.first
