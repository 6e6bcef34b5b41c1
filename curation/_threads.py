"""Threads of one curation. No result depends on how many there are."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from .._in_threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
Made = TypeVar("Made")
THREADS_VARIABLE = "OMP_NUM_THREADS"
"""Environment variable with the number of threads, which faiss and BLAS obey as well."""
MOST_AT_ONCE = 4
"""Items that `in_order` works at."""


def n_threads() -> int:
    """Threads that this process may keep busy: what OpenMP is told, else the cores there are."""
    told = os.environ.get(THREADS_VARIABLE, "")
    return int(told) if told.isdecimal() and int(told) else len(os.sched_getaffinity(0))


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Make each item in another thread while the one before is used."""
    made, context = iter(items), copy_context()

    def take() -> list[T]:
        return context.run(lambda: list(islice(made, 1)))

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(take)
        while item := coming.result():
            coming = pool.submit(take)
            yield item[0]


def in_order(work: Callable[[T], Made], items: Iterable[T]) -> Iterator[Made]:
    """Do something with each item in threads, and give the results in order.

    One item more than there are threads is in memory, and threads are few on any machine.
    """
    n = min(n_threads(), MOST_AT_ONCE)
    return in_threads(work, items, n_threads=n, waiting=n)
