"""What every engine does."""

from __future__ import annotations

import errno
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CrashError
from .._job import curate_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .._job import Finished, Job, Shared
    from .._outcome import Watch
    from .._worker import Worker
    from ..sources import Source

    Result = tuple[int, Finished | Exception]
    """Place of the job, and what it gave."""

ATTEMPTS = 3
"""Of a dataset whose process is killed: something else may have needed the memory."""
STOPS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors of the machine that no other dataset would be spared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildWatch:
    """What is told while datasets are curated, from any thread."""

    started: Callable[[int, str], None] | None = None
    """Place and title of a dataset."""
    cells: Callable[[int, int, int], None] | None = None
    """Its place, cells done and cells in all."""
    ended: Callable[[int], None] | None = None
    """Its place, when it is curated or refused."""


class Engine(ABC):
    """Curates datasets; whoever asks for the results registers them."""

    @property
    @abstractmethod
    def at_once(self) -> int:
        """Datasets that are curated at once, as far as that is known before."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], shared: Shared, watch: BuildWatch) -> Iterator[list[Result]]:
        """Curate datasets in any order.

        Yields
        ------
        What was finished since the last time: for each job its place and a `Finished`, or the
        error that it ended with. Nothing, if it is only time to tell what is `running`.

        Raises
        ------
        OSError
            If this machine cannot go on, as when the disk is full.
        """

    def running(self) -> list[int]:
        """Places of the jobs at work, as far as that is known here."""
        return []


def attempt(
    job: Job, shared: Shared, *, source: Source, reader: Worker, watch: Watch | None = None
) -> Finished:
    """Curate a dataset in a new folder of the staging folder; nothing is left of what fails."""
    folder = Path(tempfile.mkdtemp(dir=shared.folder))
    try:
        return curate_job(
            job, folder, source=source, reader=reader, memory=shared.memory, watch=watch
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def was_killed(error: Exception) -> bool:
    """Tell whether another attempt may end otherwise."""
    return isinstance(error, CrashError) and error.details.get("code") == -signal.SIGKILL
