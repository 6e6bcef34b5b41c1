"""How far an epoch is, how fast it goes, and who waits for whom."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from .._batch import Batch
    from ..loader import CorpusLoader

__all__ = ["progress"]

logger = logging.getLogger(__name__)


def progress(
    loader: CorpusLoader, *, console: Console | None = None, every_s: float = 30
) -> Iterator[Batch]:
    """Pass the batches of an epoch on, and tell how it goes.

    A bar on a terminal, else a line of the log every `every_s` seconds and one at the end: cells and
    cells a second, and the share of the time in which training waited for batches. Where that is
    not near zero, the loader is what bounds the training.

    Parameters
    ----------
    loader
        Begins an epoch, or goes on from a state that was loaded.
    console
        Where the bar is drawn; standard error by default.
    every_s
        Seconds between lines of the log.

    Examples
    --------
    ``for batch in progress(loader): ...``
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = console or Console(stderr=True)
    began = said = now = time.perf_counter()
    waited, rate = 0.0, ""
    n_cells = n_batches = 0
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    iterator = iter(loader)
    epoch = loader.epoch
    at = loader._clock.now().position
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=len(loader), completed=at, epoch=epoch, rate="")
        while (batch := next(iterator, None)) is not None:
            arrived = time.perf_counter()
            waited += arrived - now
            n_cells += len(batch["row"])
            n_batches += 1
            rate = f"{n_cells / (arrived - began):,.0f} cells/s, waited {waited / (arrived - began):.0%}"
            bar.update(task, advance=1, rate=rate)
            if not console.is_terminal and arrived - said >= every_s:
                said = arrived
                logger.info("epoch=%d batch=%d/%d %s", epoch, at + n_batches, len(loader), rate)
            yield batch
            now = time.perf_counter()
    if n_batches and not console.is_terminal:
        logger.info("epoch=%d done batches=%d cells=%d %s", epoch, n_batches, n_cells, rate)
