from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from rich.console import Console

from corpuscle.loaders import ExposureLedger, Recording
from corpuscle.loaders.faces import PartLoader, progress

if TYPE_CHECKING:
    import pytest

    from corpuscle.loaders import Corpus


def test_the_log_tells_how_an_epoch_goes(corpus: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    loader = corpus.loader(4)
    next(iter(loader))
    loader.load_state_dict(loader.state_dict())
    caplog.set_level(logging.INFO, "corpuscle.loaders.faces")
    batches = list(progress(loader, console=Console(file=io.StringIO()), every_s=0))
    assert len(batches) == 3
    lines = [record.message.split(" cells/s")[0].rsplit(" ", 1)[0] for record in caplog.records]
    assert lines == [
        "epoch=0 batch=2/4",
        "epoch=0 batch=3/4",
        "epoch=0 batch=4/4",
        "epoch=0 done batches=3 cells=12",
    ]


def test_a_terminal_shows_a_bar(corpus: Corpus) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=100)
    assert len(list(progress(corpus.loader(4), console=console))) == 4
    assert "4/4" in drawn.getvalue()
    assert "cells/s, waited" in drawn.getvalue()


def test_what_passes_is_recorded_once(corpus: Corpus) -> None:
    ledger = ExposureLedger(corpus)
    loader = PartLoader(corpus, 2, cells=corpus.offsets[:2] + 1)
    with Recording(ledger):
        list(progress(loader))
    assert ledger.exposures.tolist() == [1, 1, 0]
