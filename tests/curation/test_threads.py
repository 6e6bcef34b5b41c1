from __future__ import annotations

import os
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from corpuscle.curation._threads import MOST_AT_ONCE, ahead, in_order, n_threads

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


@pytest.mark.parametrize("told", ["1", "3", "64"])
def test_results_come_in_the_order_of_the_items_of_which_few_are_at_hand(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    given, most, taken = 0, 0, -1

    def items() -> Iterator[int]:
        nonlocal given
        for i in range(40):
            given += 1
            yield i

    def work(i: int) -> int:
        time.sleep(0.002 * (i % 3))
        return i * i

    for taken, found in enumerate(in_order(work, items())):
        assert found == taken * taken
        most = max(most, given - taken)
    assert (given, taken) == (40, 39)
    assert most <= min(int(told), MOST_AT_ONCE) + 1


def test_an_error_of_the_work_comes_in_its_place() -> None:
    found = in_order(lambda i: 6 // i, [3, 2, 0, 1])
    assert [next(found), next(found)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(found)
