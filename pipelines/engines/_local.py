"""Processes of this machine."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from ...curation._threads import n_threads
from .._memory_limit import memory_bytes
from .._outcome import Watch
from .._worker import MEMORY_SHARE, Worker
from ._engine import ATTEMPTS, STOPS, Engine, attempt, was_killed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._job import Finished, Job, Shared
    from ..sources import Source
    from ._engine import BuildWatch, Result


TELL_S = 5.0
"""Longest time without telling what is at work."""


class LocalProcesses(Engine):
    """So many processes, each with its share of the memory and of the cores.

    Parameters
    ----------
    processes
        How many datasets are curated at once.
    """

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        self._at_work: set[int] = set()
        self._lock = threading.Lock()
        self._sources: dict[str, Source] = {}
        self._is_over = False

    @property
    def at_once(self) -> int:
        """Processes."""
        return self.processes

    def running(self) -> list[int]:
        """Places of the jobs at work."""
        return sorted(self._at_work)

    def run(self, jobs: Sequence[Job], shared: Shared, watch: BuildWatch) -> Iterator[list[Result]]:
        """Curate datasets, see `Engine.run`."""
        self._is_over = False
        n = min(self.processes, len(jobs))
        share = int(MEMORY_SHARE * memory_bytes() / max(n, 1))
        threads = max(n_threads() // max(n, 1), 1)
        readers = [Worker(max_bytes=share, setup=shared.setup, threads=threads) for _ in range(n)]
        idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for reader in readers:
            idle.put(reader)
        pool = ThreadPoolExecutor(max(n, 1), thread_name_prefix="curate")
        try:
            pending = {
                pool.submit(self._one, place, job, shared, idle, watch): place
                for place, job in enumerate(jobs)
            }
            while pending:
                done, _ = wait(pending, timeout=TELL_S, return_when=FIRST_COMPLETED)
                yield [(pending.pop(future), future.result()) for future in done]
        finally:
            self._is_over = True
            pool.shutdown(wait=False, cancel_futures=True)
            for reader in readers:
                reader.kill()
            pool.shutdown(wait=True)
            for reader in readers:
                reader.close()

    def _one(
        self,
        place: int,
        job: Job,
        shared: Shared,
        idle: queue.SimpleQueue[Worker],
        watch: BuildWatch,
    ) -> Finished | Exception:
        reader = idle.get()
        self._at_work.add(place)
        if watch.started is not None:
            watch.started(place, job.dataset.title)

        def cells(done: int, n: int) -> None:
            self._go_on()
            if watch.cells is not None:
                watch.cells(place, done, n)

        told = Watch(cells=cells, bytes=lambda *_: self._go_on())
        try:
            return self._attempts(job, shared, reader, told)
        finally:
            self._at_work.discard(place)
            idle.put(reader)
            if watch.ended is not None:
                watch.ended(place)

    def _go_on(self) -> None:
        """Stop what nobody waits for any more."""
        if self._is_over:
            msg = "The build is over."
            raise InterruptedError(msg)

    def _attempts(
        self, job: Job, shared: Shared, reader: Worker, watch: Watch
    ) -> Finished | Exception:
        for number in range(1, ATTEMPTS + 1):
            try:
                return attempt(job, shared, source=self._source(job), reader=reader, watch=watch)
            except Exception as error:
                if isinstance(error, OSError) and error.errno in STOPS:
                    raise
                if number == ATTEMPTS or self._is_over or not was_killed(error):
                    return error
        raise AssertionError

    def _source(self, job: Job) -> Source:
        """Open each source once: its connections are shared."""
        with self._lock:
            key = repr(job.source)
            if key not in self._sources:
                self._sources[key] = job.source.open()
            return self._sources[key]
