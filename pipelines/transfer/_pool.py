"""Several downloads at once, with one progress and one way to stop."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from ._errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
BEAT_S = 0.1
GRACE_S = 1.0
"""Wait for threads that were told to stop."""


def run_all(
    tasks: Sequence[Callable[[], T]], *, jobs: int, stop: threading.Event, beat: Callable[[], None]
) -> list[T]:
    """Run tasks in threads.

    Parameters
    ----------
    stop
        Set at the first failure, and when the caller is interrupted; tasks look at it.
    beat
        Called in the thread of the caller, ten times a second and at the end.

    Returns
    -------
    Results in the order of the tasks.
    """
    results: dict[int, T] = {}
    failures: dict[int, BaseException] = {}
    waiting = deque(enumerate(tasks))
    news = threading.Condition()

    def work() -> None:
        while not stop.is_set():
            try:
                number, task = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = task()
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread of the caller
                if not isinstance(error, Stopped):
                    failures[number] = error
                stop.set()
            with news:
                news.notify()

    # Daemons: a thread that hangs in a read must not keep an interrupted process alive.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(jobs, len(tasks)))]
    try:
        for thread in threads:
            thread.start()
        while len(results) < len(tasks) and not failures and not stop.is_set():
            beat()
            with news:
                news.wait(BEAT_S)
        if not failures:
            beat()
    finally:
        stop.set()
        deadline = time.monotonic() + GRACE_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    if failures:
        raise failures[min(failures)]
    return [results[number] for number in range(len(tasks))]
