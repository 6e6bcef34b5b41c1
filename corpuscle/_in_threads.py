"""Things made ahead, by threads, in order."""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["in_threads"]

Task = TypeVar("Task")
Made = TypeVar("Made")


def in_threads(
    make: Callable[[Task], Made], tasks: Iterable[Task], *, n_threads: int, waiting: int
) -> Iterator[Made]:
    """Do tasks in threads and give their results in order.

    At most `waiting` tasks, and the one that is asked for, are done or under way. An error is raised in the
    place of the result, and nothing comes after it. Threads end when the iterator is closed or
    dropped, after the task that they are at.

    Parameters
    ----------
    make, tasks
        What is done to each task.
    n_threads, waiting
        At least 1.
    """
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="corpuscle")
    ahead: deque[Future[Made]] = deque()
    try:
        for task in tasks:
            ahead.append(pool.submit(make, task))
            if len(ahead) > waiting:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        if not sys.is_finalizing():
            # never waits: the collector may close this in any thread, also in one of the pool
            pool.shutdown(wait=False, cancel_futures=True)
