"""The clock alone: what the workers of one iteration agree on, whoever comes first."""

from __future__ import annotations

import pytest

from corpuscle.loaders._epochs import EpochClock


@pytest.fixture
def clock() -> EpochClock:
    return EpochClock()


def join(clock: EpochClock, worker_id: int, *, token: int = 7, n_rounds: int = 1) -> int:
    return clock.join(worker_id, token=token, n_rounds=n_rounds).epoch


def test_workers_of_a_set_share_an_epoch(clock: EpochClock) -> None:
    assert [join(clock, w) for w in (2, 0, 1)] == [0, 0, 0]


def test_another_set_takes_the_next(clock: EpochClock) -> None:
    assert [join(clock, 0), join(clock, 0, token=8), join(clock, 1, token=8)] == [0, 1, 1]


def test_a_worker_that_comes_again_takes_the_next(clock: EpochClock) -> None:
    assert [join(clock, w, n_rounds=n) for w, n in ((0, 1), (1, 1), (1, 2), (0, 2))] == [0, 0, 1, 1]


def test_a_set_with_the_same_token_takes_the_next(clock: EpochClock) -> None:
    assert [join(clock, w) for w in (0, 1, 1, 0)] == [0, 0, 1, 1]


def test_a_worker_late_for_an_iteration_that_was_given_up_disturbs_nobody(
    clock: EpochClock,
) -> None:
    assert join(clock, 0, n_rounds=1) == 0
    assert join(clock, 0, n_rounds=2) == 1
    join(clock, 1, n_rounds=1)  # it starts only now
    assert join(clock, 1, n_rounds=2) == 1
    assert join(clock, 0, n_rounds=3) == 2


def test_workers_do_not_join_the_parent(clock: EpochClock) -> None:
    assert [clock.begin().epoch, join(clock, 0, token=0, n_rounds=0)] == [0, 1]


def test_nobody_joins_after_an_epoch_was_set(clock: EpochClock) -> None:
    assert join(clock, 0) == 0
    clock.set(5, 3)
    assert clock.join(1, token=7, n_rounds=1)[1:] == (5, 3)
    assert clock.join(0, token=7, n_rounds=1)[1:] == (5, 3)
    assert clock.begin()[1:] == (6, 0)


def test_an_older_turn_does_not_move_the_newer(clock: EpochClock) -> None:
    old, new = clock.begin(), clock.begin()
    clock.served(old, position=9)
    assert clock.now().position == 0
    clock.served(new, position=2)
    assert clock.now().position == 2
