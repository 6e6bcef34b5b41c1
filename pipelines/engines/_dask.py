"""Workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from ...errors import ConflictError, CorpuscleError, CrashError
from .._memory_limit import memory_bytes
from .._versions import code_version
from .._worker import MEMORY_SHARE, Worker
from ._engine import ATTEMPTS, STOPS, Engine, attempt, was_killed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from .._job import Finished, Job, Shared
    from ._engine import BuildWatch, Result

CONNECT_S = 30
_own = threading.local()
"""The process that reads files for each thread of a Dask worker."""


class DaskCluster(Engine):
    """A Dask cluster that runs already.

    Its workers have this version of the code, and the workspace's storage under the same path. A
    dataset whose worker dies is curated by another.

    Parameters
    ----------
    scheduler
        Address, such as ``tcp://10.0.0.1:8786``.
    """

    def __init__(self, scheduler: str) -> None:
        self.scheduler = scheduler
        self._at_work: list[int] = []

    def cluster(self) -> AbstractContextManager[str]:
        """Give the address of the scheduler as long as it is needed."""
        return contextlib.nullcontext(self.scheduler)

    @property
    def at_once(self) -> int:
        """Threads of the workers that are there."""
        with _connect(self.scheduler) as client:
            return max(sum(int(n) for n in client.nthreads().values()), 1)

    def running(self) -> list[int]:
        """Places of the jobs that workers have."""
        return sorted(self._at_work)

    def run(self, jobs: Sequence[Job], shared: Shared, watch: BuildWatch) -> Iterator[list[Result]]:
        """Curate datasets, see `Engine.run`.

        Raises
        ------
        ConflictError
            If there is no such cluster, or its scheduler ends.
        """
        from distributed import as_completed

        with self.cluster() as address, _connect(address) as client:
            common = client.submit(_itself, shared, key=f"shared-{shared.folder.name}")
            futures = {
                client.submit(
                    curate_here,
                    job,
                    common,
                    key=f"curate-{place}-{shared.folder.name}",
                    retries=ATTEMPTS - 1,
                ): place
                for place, job in enumerate(jobs)
            }
            done: Any = as_completed(list(futures), loop=client.loop, raise_errors=False)  # type: ignore[no-untyped-call]
            for batch in done.batches():
                results: list[Result] = []
                for future in batch:
                    place = futures.pop(future)
                    results.append((place, _result(future, jobs[place])))
                    future.release()
                    if watch.ended is not None:
                        watch.ended(place)
                self._at_work = _at_work(client)
                yield results


def _itself(shared: Shared) -> Shared:
    """Be a task, which is done again when its worker dies, unlike data that was scattered."""
    return shared


def _connect(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        msg = (
            f"No Dask scheduler answers at {address} ({error}). "
            "Start one with `dask scheduler`, and correct --scheduler."
        )
        raise ConflictError(msg, {"scheduler": address}) from error


def _at_work(client: Any) -> list[int]:
    """Read the places of the jobs that workers have from their keys."""
    keys = [key for keys in client.processing().values() for key in keys]
    return [int(key.split("-")[1]) for key in keys if key.startswith("curate-")]


def _result(future: Any, job: Job) -> Finished | Exception:
    """Take what a worker gave, or the error after the last attempt."""
    from distributed.scheduler import KilledWorker

    if future.cancelled():
        msg = (
            "The Dask scheduler is gone. What is registered stays: start the scheduler and its "
            "workers again, and build again."
        )
        raise ConflictError(msg, {"dataset": job.dataset.key})
    error: Exception | None = future.exception()  # waits, if its worker died since it was done
    if error is None:
        found: Finished | Exception = future.result()
        return found
    if isinstance(error, OSError) and error.errno in STOPS:
        raise error
    if isinstance(error, KilledWorker):
        msg = (
            f"The workers that curated {job.dataset.key} died, {ATTEMPTS} of them. Give them more "
            "memory, or leave the dataset out."
        )
        return CrashError(msg, {"dataset": job.dataset.key})
    return error


def curate_here(job: Job, shared: Shared) -> Finished | CorpuscleError:
    """Curate a dataset in a thread of a Dask worker.

    A refusal is a result. Any other error is raised, for Dask to try it elsewhere.
    """
    if code_version() != shared.code_version:
        msg = (
            f"A worker has Corpuscle {code_version()}, and the build {shared.code_version}. "
            "Install the same version on all machines."
        )
        return ConflictError(msg, {"worker": code_version(), "build": shared.code_version})
    # LaminDB's hashes are used here, and nothing else of it: it looks for its settings all the same
    os.environ.setdefault("LAMIN_SETTINGS_DIR", tempfile.gettempdir())
    try:
        return attempt(job, shared, source=job.source.open(), reader=_reader(shared))
    except CorpuscleError as error:
        if was_killed(error):
            raise
        return error


def _reader(shared: Shared) -> Worker:
    """Give this thread's process, with its share of the memory that the worker may have."""
    from distributed import get_worker

    if not hasattr(_own, "reader"):
        worker = get_worker()
        limit = worker.memory_manager.memory_limit or memory_bytes()
        share = int(MEMORY_SHARE * limit / max(worker.state.nthreads, 1))
        _own.reader = Worker(max_bytes=share)
    _own.reader.setup = shared.setup
    reader: Worker = _own.reader
    return reader
