from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from torch.utils.data import DataLoader

from corpuscle.errors import ConflictError
from corpuscle.loaders import Corpus, ExposureLedger, Recording

if TYPE_CHECKING:
    from corpuscle.loaders import CorpusLoader


def by_workers(loader: CorpusLoader, n_workers: int) -> DataLoader[object]:
    return DataLoader(loader, batch_size=None, num_workers=n_workers)


def test_only_batches_that_are_handed_out_are_counted(corpus: Corpus) -> None:
    ledger = ExposureLedger(corpus)
    batches = iter(corpus.loader(3))
    next(batches)
    with Recording(ledger):
        next(batches)
        assert (ledger.n_batches, ledger.exposures.sum()) == (1, 3)
        next(batches)
    next(batches)
    assert (ledger.n_batches, ledger.exposures.sum()) == (2, 6)


def test_a_loader_of_another_corpus_is_not_counted(corpus: Corpus) -> None:
    other = Corpus.from_manifest(
        corpus.to_manifest() | {"uid": "other"}, {ref.uid: ref.path for ref in corpus.datasets}
    )
    ledger = ExposureLedger(corpus)
    with Recording(ledger):
        list(other.loader(3))
    assert ledger.n_batches == 0


@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_tracked_batches_are_counted_once_whoever_made_them(corpus: Corpus, n_workers: int) -> None:
    ledger = ExposureLedger(corpus)
    with Recording(ledger) as recording:
        served = list(recording.track(by_workers(corpus.loader(3), n_workers)))
        recording.check()
    assert len(served) == ledger.n_batches == 6
    assert ledger.cells.tolist() == ledger.exposures.tolist() == [7, 5, 4]


def test_a_loader_read_beside_a_tracked_one_is_counted_too(corpus: Corpus) -> None:
    ledger = ExposureLedger(corpus)
    loader, other = corpus.loader(3), corpus.loader(4)
    with Recording(ledger) as recording:
        for _ in recording.track(by_workers(loader, 0)):
            list(other)
    assert ledger.exposures.sum() == 16 + 6 * 16


@pytest.mark.parametrize("made", ["before", "inside"])
def test_batches_of_workers_that_nobody_tracked_are_noticed(corpus: Corpus, made: str) -> None:
    ledger = ExposureLedger(corpus)
    before = corpus.loader(3)
    with Recording(ledger) as recording:
        loader = before if made == "before" else corpus.loader(3)
        recording.check()
        list(by_workers(loader, 2))
        with pytest.raises(ConflictError, match=r"6 batches .* run\.track"):
            recording.check()
    assert ledger.n_batches == 0


def test_batches_of_workers_before_the_recording_are_none_of_its_business(corpus: Corpus) -> None:
    loader = corpus.loader(3)
    list(by_workers(loader, 1))
    with Recording(ExposureLedger(corpus)) as recording:
        list(loader)
        recording.check()
