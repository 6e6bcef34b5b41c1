"""Batches of any collection, read in blocks of neighbours, many batches at once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from ..errors import InputError
from ._arguments import whole
from ._epochs import EpochClock, Turn, block_order
from ._rows import read_together

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["BlockLoader"]


class BlockLoader(IterableDataset[Any]):
    """Every cell of a collection once per epoch, read in blocks and mixed in memory.

    A block is a run of neighbours. Blocks are taken in random order; the cells of `fetch_factor`
    batches are read at once, in ascending order, shuffled among themselves and cut into batches.
    So storage that reads ranges much faster than single cells is read by ranges, and a batch still
    mixes cells of many blocks.

    The batches and their order depend on the number of cells, `seed`, the epoch and the sizes
    given here, and on nothing else: they are the same with any number of DataLoader workers that
    divides `lanes`, as in ``DataLoader(loader, batch_size=None, num_workers=2)``. Every new
    iteration takes the epoch after the one that began last.

    Parameters
    ----------
    collection
        What can be indexed by an ascending array of rows and has a length, such as an
        ``AnnCollection``, a Hugging Face ``Dataset`` or an array; or anything else that the
        callbacks know how to read.
    batch_size
        Cells in a batch.
    block_size
        Cells of a block. 1 for an order that is fully random.
    fetch_factor
        Batches that are read at once.
    lanes
        Fetches that are held at once and whose batches take turns; DataLoader workers share them.
        Memory is for `lanes` times `fetch_factor` batches, of all workers together.
    seed
        Decides the order, with the epoch. Not negative.
    shuffle
        False for the order of the collection.
    drop_last
        Leave out the batch that is not full.
    fetch_callback
        Takes the collection and ascending rows, gives their data. None for ``collection[rows]``.
    fetch_transform
        Changes what was fetched.
    batch_callback
        Takes what was fetched, and which of its cells, in order, make a batch; gives the batch.
        None for ``fetched[cells]``, or that of each value if it is a mapping.
    batch_transform
        Changes a batch.
    n_cells
        Cells of the collection. None for its length.

    Raises
    ------
    InputError
        If an argument is out of its range, or a number of workers does not divide `lanes`.
    """

    def __init__(
        self,
        collection: Any,
        batch_size: int = 256,
        *,
        block_size: int = 64,
        fetch_factor: int = 16,
        lanes: int = 1,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        fetch_callback: Callable[[Any, npt.NDArray[np.int64]], Any] | None = None,
        fetch_transform: Callable[[Any], Any] | None = None,
        batch_callback: Callable[[Any, npt.NDArray[np.int64]], Any] | None = None,
        batch_transform: Callable[[Any], Any] | None = None,
        n_cells: int | None = None,
    ) -> None:
        super().__init__()
        self.collection = collection
        self.batch_size = whole(batch_size, name="batch_size", low=1)
        self.block_size = whole(block_size, name="block_size", low=1)
        self.fetch_factor = whole(fetch_factor, name="fetch_factor", low=1)
        self.lanes = whole(lanes, name="lanes", low=1)
        self.seed = whole(seed, name="seed", low=0)
        self.n_cells = whole(len(collection) if n_cells is None else n_cells, name="n_cells", low=0)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.fetch_callback = fetch_callback or operator.getitem
        self.fetch_transform = fetch_transform
        self.batch_callback = batch_callback or take_cells
        self.batch_transform = batch_transform
        self._clock = EpochClock()
        self._n_rounds = 0

    def __len__(self) -> int:
        """Batches of an epoch."""
        n_full, rest = divmod(self.n_cells, self.batch_size)
        return n_full + (rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Decide the epoch of the next iteration.

        Raises
        ------
        InputError
            If `epoch` is negative or not whole.
        """
        self._clock.choose(whole(epoch, name="epoch", low=0))

    def __iter__(self) -> Iterator[Any]:
        """Begin an epoch."""
        info = get_worker_info()
        if info is None:
            return self._batches(self._clock.begin(), range(self.lanes))
        if self.lanes % info.num_workers:
            msg = (
                f"{info.num_workers} workers cannot share {self.lanes} lanes. Pass lanes="
                f"{info.num_workers}, or a multiple of it: the order of the batches depends on it."
            )
            raise InputError(msg, {"lanes": self.lanes, "workers": info.num_workers})
        self._n_rounds += 1
        turn = self._clock.join(info.id, token=info.seed - info.id, n_rounds=self._n_rounds)
        return self._batches(turn, range(info.id, self.lanes, info.num_workers))

    def _batches(self, turn: Turn, lanes: range) -> Iterator[Any]:
        order = np.arange(self.n_cells)
        if self.shuffle:
            order = block_order(
                self.n_cells,
                seed=self.seed,
                epoch=turn.epoch,
                block_size=self.block_size,
                window=self.batch_size * self.fetch_factor,
            )
        running = [self._lane(order, lane) for lane in lanes]
        while running:  # a lane never has fewer batches than the next, and at most one more
            for lane in tuple(running):
                try:
                    batch = next(lane)
                except StopIteration:
                    running.remove(lane)
                    continue
                yield batch if self.batch_transform is None else self.batch_transform(batch)

    def _lane(self, order: npt.NDArray[np.int64], lane: int) -> Iterator[Any]:
        for fetch in _fetches_of(lane, n=len(self), n_lanes=self.lanes, fetch=self.fetch_factor):
            wanted = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in fetch]
            yield from read_together(wanted, read=self._fetch, take=self.batch_callback)

    def _fetch(self, cells: npt.NDArray[np.int64]) -> Any:
        fetched = self.fetch_callback(self.collection, cells)
        return fetched if self.fetch_transform is None else self.fetch_transform(fetched)


def take_cells(fetched: Any, cells: npt.NDArray[np.int64]) -> Any:
    """Cells of what was fetched; of each value, if it is a mapping."""
    if isinstance(fetched, Mapping):
        return {key: values[cells] for key, values in fetched.items()}
    return fetched[cells]


def _fetches_of(lane: int, *, n: int, n_lanes: int, fetch: int) -> Iterator[range]:
    """Numbers of the batches of each fetch of a lane.

    Each lane takes every `n_lanes`-th fetch. What does not fill a round of fetches is shared so that
    no lane has two batches more than another: then lanes can take turns to the end.
    """
    for start in range(0, n, n_lanes * fetch):
        n_left = min(n - start, n_lanes * fetch)
        sizes = [len(range(one, n_left, n_lanes)) for one in range(n_lanes)]
        begin = start + sum(sizes[:lane])
        if sizes[lane]:
            yield range(begin, begin + sizes[lane])
