from __future__ import annotations

import multiprocessing
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import NotFoundError
from corpuscle.loaders._handles import Handles, open_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .conftest import Part


@pytest.fixture
def handles(
    write_parts: Callable[[Sequence[Part]], list[str]], parts: tuple[Part, ...]
) -> Iterator[Handles]:
    """Two HDF5 files and a zarr store, of which two may be open."""
    handles = Handles(write_parts(parts), max_open=2)
    yield handles
    handles.close()


def test_nothing_is_open_before_it_is_used(handles: Handles) -> None:
    assert handles.n_open == 0
    assert handles[0] is handles[0]
    assert handles.n_open == 1


def test_the_file_used_longest_ago_is_closed(handles: Handles) -> None:
    first, second = handles[0], handles[1]
    assert handles[0] is first
    assert "X" in handles[2]
    assert (bool(first), bool(second), handles.n_open) == (True, False, 2)


def test_a_fork_opens_files_of_its_own(handles: Handles) -> None:
    inherited = handles[0]
    context = multiprocessing.get_context("fork")
    answers: Any = context.SimpleQueue()

    def look() -> None:
        own = handles[0]
        answers.put((own is inherited, bool(inherited), "X" in own))

    child = context.Process(target=look)
    child.start()
    child.join()
    assert answers.get() == (False, False, True)
    assert handles[0] is inherited  # and the parent keeps its own
    assert "X" in inherited
    child.close()


def test_pickling_leaves_handles_behind(handles: Handles) -> None:
    assert "X" in handles[0]
    copy = pickle.loads(pickle.dumps(handles))
    assert copy.n_open == 0
    assert "X" in copy[0]
    copy.close()


def test_what_was_released_is_opened_again(handles: Handles) -> None:
    first = handles[0]
    handles.release()
    assert not first
    assert "X" in handles[0]


def test_what_was_closed_stays_closed(handles: Handles) -> None:
    handles.close()
    with pytest.raises(ValueError, match=r"human-a\.h5ad was closed"):
        handles[0]


def test_a_path_without_file_is_named() -> None:
    with pytest.raises(NotFoundError, match="no file /nowhere"):
        open_local("/nowhere")
