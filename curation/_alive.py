"""Signs of life of long work that cannot tell how much of it is done."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

T = TypeVar("T")
EVERY_S = 10.0
"""Between signs of life of work that gives none itself."""
_listener: ContextVar[Callable[[], None]] = ContextVar("_listener", default=lambda: None)


def sign_of_life() -> None:
    """Say that a block of a matrix was read or sorted. Nobody need listen."""
    _listener.get()()


@contextlib.contextmanager
def listening(listener: Callable[[], None]) -> Iterator[None]:
    """Call `listener` at every sign of life."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def awaited(work: Future[T]) -> T:
    """Wait for what another thread does, giving signs of life in its place."""
    from concurrent.futures import wait

    while wait([work], timeout=EVERY_S).not_done:
        sign_of_life()
    return work.result()
