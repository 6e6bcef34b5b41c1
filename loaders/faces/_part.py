"""The loader over some cells of a corpus, and over one process's share of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from .._arguments import whole
from ..loader import CorpusLoader

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from ..corpus import Corpus
    from ..packed import PackedCorpus

__all__ = ["PartLoader"]


class PartLoader(CorpusLoader):
    """Some cells of a corpus, in batches of which each of several processes takes its turn.

    The order is that of the corpus, less the other cells. With `world_size` processes the one of
    `rank` gets each `world_size`-th batch, beginning with batch `rank`.

    Parameters
    ----------
    corpus, batch_size
        See `CorpusLoader`.
    cells
        Numbers of the cells, each once; without `shuffle`, in the order wanted. Shape ``(n,)``. None
        for all.
    rank, world_size
        Of this process, and how many there are.
    even
        Leave out the last batches of the epoch, fewer than `world_size`, if not every process
        gets one: training in step needs as many batches in each.
    **options
        As of `CorpusLoader`.

    Raises
    ------
    InputError
        If a number is out of its range, or a cell is not of the corpus.
    """

    def __init__(
        self,
        corpus: Corpus | PackedCorpus,
        batch_size: int = 256,
        *,
        cells: npt.NDArray[np.int64] | None = None,
        rank: int = 0,
        world_size: int = 1,
        even: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(corpus, batch_size, **options)
        self.world_size = whole(world_size, name="world_size", low=1)
        self.rank = whole(rank, name="rank", low=0)
        self.even = even
        if self.rank >= self.world_size:
            msg = f"rank is {rank} of {world_size} processes. Count them from 0."
            raise InputError(msg, {"rank": rank, "world_size": world_size})
        self._cells = None if cells is None else np.asarray(cells, dtype=np.int64)
        if (
            cells is not None
            and len(cells)
            and not 0 <= np.min(cells) <= np.max(cells) < self.corpus.n_cells
        ):
            msg = f"Cells are numbered 0 to {self.corpus.n_cells - 1:,}; {np.max(cells):,} is asked for."
            raise InputError(msg, {"largest": int(np.max(cells)), "smallest": int(np.min(cells))})

    @property
    def n_cells(self) -> int:
        """Cells of an epoch, those of all processes."""
        return self.corpus.n_cells if self._cells is None else len(self._cells)

    @property
    def n_batches(self) -> int:
        """Batches of an epoch, those of all processes."""
        n_full, rest = divmod(self.n_cells, self.batch_size)
        return n_full + (rest > 0 and not self.drop_last)

    def __len__(self) -> int:
        """Batches of an epoch for this process."""
        n, more = divmod(self.n_batches, self.world_size)
        return n + (self.rank < more and not self.even)

    def state_dict(self, *, n_served: int | None = None) -> dict[str, Any]:
        """Where the iteration is: the same in every process, and for any number of them."""
        state = super().state_dict(n_served=n_served)
        return state | {"position": state["position"] * self.world_size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration begin where `state` was taken; call it in the parent.

        With another number of processes, up to ``world_size - 1`` batches may come again.
        """
        position = state.get("position")
        if isinstance(position, int):
            state = {**state, "position": position // self.world_size}
        super().load_state_dict(state)

    def _identity(self) -> dict[str, Any]:
        mine = super()._identity()
        if self._cells is not None:
            mine["part"] = hashlib.blake2b(self._cells.tobytes(), digest_size=8).hexdigest()
        return mine

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        order = self._order_of_all(epoch)
        n_full = len(order) // self.batch_size
        full, rest = np.split(order, [n_full * self.batch_size])
        own = full.reshape(n_full, self.batch_size)[self.rank :: self.world_size].ravel()
        return np.append(own, rest) if n_full % self.world_size == self.rank else own

    def _order_of_all(self, epoch: int) -> npt.NDArray[np.int64]:
        if self._cells is None:
            return super()._order(epoch)
        if not self.shuffle:
            return self._cells
        order = super()._order(epoch)
        wanted = np.zeros(len(order), dtype=bool)
        wanted[self._cells] = True
        return order[wanted[order]]
