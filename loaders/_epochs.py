"""Which epoch it is, in the same way for one process and for many workers."""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.context import get_spawning_popen
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["MAX_WORKERS", "EpochClock", "Progress", "Turn", "block_order", "epoch_order"]

MAX_WORKERS = 1024
"""DataLoader workers of one set."""

_NEXT_EPOCH, _NEXT_POSITION, _EPOCH, _BEGAN, _POSITION, _TURN = range(6)
_OWNER, _TOKEN, _ROUND, _SERVED, _JOINED = range(6, 11)
_NOBODY, _PARENT, _WORKERS = range(3)


def epoch_order(n_cells: int, *, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order of all cells in one epoch: a function of nothing but the arguments.

    Returns
    -------
    Each of ``0 .. n_cells - 1`` once, 8 bytes each. Shape ``(n_cells,)``.

    Examples
    --------
    >>> sorted(epoch_order(5, seed=0, epoch=0).tolist())
    [0, 1, 2, 3, 4]
    """
    key = np.array([seed, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(n_cells)


def block_order(
    n_cells: int, *, seed: int, epoch: int, block_size: int, window: int
) -> npt.NDArray[np.int64]:
    """The order of all cells where neighbours stay near each other, for storage that is slow.

    Blocks of neighbours are shuffled, then the cells within each window of the result.

    Parameters
    ----------
    n_cells, seed, epoch
        See `epoch_order`.
    block_size
        Cells of a block.
    window
        Cells that are shuffled among themselves: more of them mix more blocks.

    Returns
    -------
    Each of ``0 .. n_cells - 1`` once. Shape ``(n_cells,)``.
    """
    key = np.array([seed, epoch], dtype=np.uint64)
    chance = np.random.Generator(np.random.Philox(key=key))
    first = chance.permutation(-(-n_cells // block_size)) * block_size
    order = (first[:, None] + np.arange(block_size)).reshape(-1)
    order = order[order < n_cells]
    for start in range(0, n_cells, window):
        chance.shuffle(order[start : start + window])
    return order


class Turn(NamedTuple):
    """One iteration over the corpus."""

    number: int
    """Counts the turns of a clock."""
    epoch: int
    """Decides the order."""
    position: int
    """Batches of the epoch to leave out, as they were served before."""


class Progress(NamedTuple):
    """How far the turn under way is, or where the next will begin."""

    epoch: int
    """Decides the order."""
    began: int
    """Position at which the turn began."""
    position: int
    """Batches of the epoch that were handed out; stays at `began` if workers serve."""
    by_workers: bool
    """Whether DataLoader workers serve the turn."""


class EpochClock:
    """Gives each iteration its epoch, from memory that DataLoader workers share.

    The workers of one iteration must agree on an epoch, and torch tells the parent nothing when an
    iteration starts. So the first worker that comes opens a turn and the others join it. They know
    each other by the token, which torch draws for each set of workers, and by how often the set has
    iterated. A worker that has joined the turn already belongs to a set with an equal token (torch
    was seeded again) and opens the next.
    """

    def __init__(self) -> None:
        # A lock of the spawn context serves under every start method, one of fork does not.
        self._memory = get_context("spawn").Array("q", _JOINED + MAX_WORKERS)

    def begin(self) -> Turn:
        """Open a turn of the process that iterates by itself."""
        with self._memory.get_lock():
            return self._open(_PARENT, token=0, n_rounds=0)

    def join(self, worker_id: int, *, token: int, n_rounds: int) -> Turn:
        """Open or join a turn of DataLoader workers.

        Parameters
        ----------
        worker_id
            Number of the worker in its set, below `MAX_WORKERS`.
        token
            The same for all workers of a set.
        n_rounds
            Iterations that this worker has begun.
        """
        memory: Any = self._memory.get_obj()
        with self._memory.get_lock():
            same_set = memory[_OWNER] == _WORKERS and memory[_TOKEN] == token
            late = same_set and n_rounds < memory[_ROUND]  # an iteration that was given up
            joined = memory[_JOINED + worker_id] == memory[_TURN]
            if late or (same_set and n_rounds == memory[_ROUND] and not joined):
                turn = Turn(memory[_TURN], memory[_EPOCH], memory[_BEGAN])
            else:
                turn = self._open(_WORKERS, token=token, n_rounds=n_rounds)
            if not late:
                memory[_JOINED + worker_id] = turn.number
            return turn

    def served(self, turn: Turn, *, position: int) -> None:
        """Note in the parent that the batches before `position` were handed out."""
        memory: Any = self._memory.get_obj()
        with self._memory.get_lock():
            if memory[_TURN] == turn.number and memory[_OWNER] == _PARENT:
                memory[_POSITION] = position

    def served_by_worker(self) -> None:
        """Count a batch that a worker has made."""
        with self._memory.get_lock():
            memory: Any = self._memory.get_obj()
            memory[_SERVED] += 1

    @property
    def n_served_by_workers(self) -> int:
        """Batches that workers have made."""
        return int(self._memory.get_obj()[_SERVED])

    def set(self, epoch: int, position: int = 0) -> None:
        """Decide the next turn. Nobody joins the current one any more."""
        memory: Any = self._memory.get_obj()
        with self._memory.get_lock():
            memory[_NEXT_EPOCH], memory[_NEXT_POSITION] = epoch, position
            memory[_OWNER] = _NOBODY

    def choose(self, epoch: int) -> None:
        """Decide the next turn's epoch; a position that was set for that epoch stays."""
        memory: Any = self._memory.get_obj()
        with self._memory.get_lock():
            if memory[_OWNER] != _NOBODY or memory[_NEXT_EPOCH] != epoch:
                self.set(epoch)

    def now(self) -> Progress:
        """Where the turn under way is; the next turn's beginning if there is none."""
        memory: Any = self._memory.get_obj()
        with self._memory.get_lock():
            if memory[_OWNER] == _NOBODY:
                begin = memory[_NEXT_POSITION]
                return Progress(memory[_NEXT_EPOCH], begin, begin, by_workers=False)
            by_workers = memory[_OWNER] == _WORKERS
            return Progress(memory[_EPOCH], memory[_BEGAN], memory[_POSITION], by_workers)

    def _open(self, owner: int, *, token: int, n_rounds: int) -> Turn:
        memory: Any = self._memory.get_obj()
        memory[_TURN] += 1
        memory[_EPOCH], memory[_BEGAN] = memory[_NEXT_EPOCH], memory[_NEXT_POSITION]
        memory[_POSITION] = memory[_BEGAN]
        memory[_NEXT_EPOCH], memory[_NEXT_POSITION] = memory[_EPOCH] + 1, 0
        memory[_OWNER], memory[_TOKEN], memory[_ROUND] = owner, token, n_rounds
        return Turn(memory[_TURN], memory[_EPOCH], memory[_BEGAN])

    def __getstate__(self) -> dict[str, Any]:
        if get_spawning_popen() is not None:
            return self.__dict__.copy()  # on the way to a worker: shared
        return {"_values": list(self._memory.get_obj())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_memory" in state:
            self.__dict__.update(state)
        else:
            self.__init__()  # type: ignore[misc]  # a copy has a clock of its own
            self._memory.get_obj()[:] = state["_values"]
