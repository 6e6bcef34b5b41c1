"""Keep a ledger of every batch that this process hands out."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Self

from ..errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._batch import Batch
    from .ledger import ExposureLedger
    from .loader import CorpusLoader

__all__ = ["Recording"]

_under_way: list[Recording] = []
_loaders: weakref.WeakSet[CorpusLoader] = weakref.WeakSet()


class Recording:
    """While it is entered, count what loaders of the ledger's corpus hand out.

    A loader that is iterated over directly is counted by itself. Batches of a ``DataLoader`` with
    worker processes are made elsewhere, some of them in vain: pass the ``DataLoader`` through
    `track`, which counts what really arrives.

    Parameters
    ----------
    ledger
        Where to count.
    """

    def __init__(self, ledger: ExposureLedger) -> None:
        self.ledger = ledger
        self._tracking = False
        self._n_tracked = 0
        self._before: dict[CorpusLoader, int] = {}

    def __enter__(self) -> Self:
        for loader in list(_loaders):
            self._watch(loader)
        _under_way.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _under_way.remove(self)

    def track(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Pass batches on, and count each as it arrives, whoever made it."""
        iterator = iter(batches)
        while True:
            self._tracking = True
            try:
                batch = next(iterator)
            except StopIteration:
                return
            finally:
                self._tracking = False
            self.ledger.add(batch)
            self._n_tracked += 1
            yield batch

    def check(self) -> None:
        """See that no batch went by uncounted.

        Raises
        ------
        ConflictError
            If worker processes made batches and none was tracked.
        """
        made = sum(loader.served_by_workers - n for loader, n in self._before.items())
        if made and not self._n_tracked:
            msg = (
                f"DataLoader workers made {made:,} batches of {self.ledger.corpus.name} and none was "
                "counted, so what was served is not known. Iterate over run.track(DataLoader(...))."
            )
            raise ConflictError(msg, {"batches": made})

    def _watch(self, loader: CorpusLoader) -> None:
        if loader.corpus.uid == self.ledger.corpus.uid:
            self._before[loader] = loader.served_by_workers


def watch(loader: CorpusLoader) -> None:
    """Make a new loader known to the recordings, those under way and those to come."""
    _loaders.add(loader)
    for recording in _under_way:
        recording._watch(loader)


def handed_out(loader: CorpusLoader, batch: Batch) -> None:
    """Count a batch that a loader hands out in this process."""
    for recording in _under_way:
        if loader.corpus.uid == recording.ledger.corpus.uid and not recording._tracking:
            recording.ledger.add(batch)
