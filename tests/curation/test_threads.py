from __future__ import annotations

import os
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from corpuscle.curation._threads import ahead, n_threads

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(("told", "n"), [("3", 3), ("", None), ("0", None), ("many", None)])
def test_threads_are_as_many_as_openmp_is_told_else_the_cores(
    monkeypatch: pytest.MonkeyPatch, told: str, n: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert n_threads() == (n or len(os.sched_getaffinity(0)))


def test_items_made_ahead_come_in_their_order() -> None:
    assert list(ahead(range(100))) == list(range(100))


def test_an_item_is_made_while_the_one_before_is_used() -> None:
    second = threading.Event()

    def make() -> Iterator[int]:
        yield 1
        second.set()
        yield 2

    assert second.wait(timeout=10) if next(ahead(make())) == 1 else False


def test_an_error_comes_after_the_items_before_it() -> None:
    def make() -> Iterator[int]:
        yield 1
        msg = "damaged"
        raise ValueError(msg)

    made = ahead(make())
    assert next(made) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(made)


def test_what_is_known_in_the_context_is_known_while_items_are_made() -> None:
    known: ContextVar[int] = ContextVar("known", default=0)
    known.set(7)
    assert list(ahead(known.get() for _ in range(2))) == [7, 7]
