from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from corpuscle.errors import ConflictError, InputError
from corpuscle.loaders.faces import PartLoader

if TYPE_CHECKING:
    from corpuscle.loaders import Batch, Corpus
    from corpuscle.loaders.packed import PackedCorpus

CELLS = np.array([1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 15])


def loaders(corpus: Corpus, world_size: int, **options: Any) -> list[PartLoader]:
    return [
        PartLoader(corpus, 2, cells=CELLS, rank=rank, world_size=world_size, **options)
        for rank in range(world_size)
    ]


def rows(batches: list[Batch]) -> list[list[int]]:
    return [batch["row"].tolist() for batch in batches]


def test_every_cell_of_the_part_comes_once(corpus: Corpus) -> None:
    (loader,) = loaders(corpus, 1)
    found = [cell for batch in loader for cell in batch["row"].tolist()]
    assert sorted(found) == CELLS.tolist()
    assert found != CELLS.tolist()


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
def test_processes_take_turns_at_the_batches_of_one_order(corpus: Corpus, world_size: int) -> None:
    (alone,) = loaders(corpus, 1)
    each = [rows(list(loader)) for loader in loaders(corpus, world_size, even=False)]
    turns = [found[i] for i in range(6) for found in each if i < len(found)]
    assert turns == rows(list(alone))


@pytest.mark.parametrize("world_size", [2, 4, 7])
def test_processes_that_train_in_step_get_as_many_batches(corpus: Corpus, world_size: int) -> None:
    lengths = {(len(loader), len(list(loader))) for loader in loaders(corpus, world_size)}
    assert lengths == {(6 // world_size, 6 // world_size)}


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 2), (2, 1), (2, 4), (3, 2)])
def test_a_position_holds_for_every_process_and_any_number_of_them(
    corpus: Corpus, before: int, after: int
) -> None:
    batches = rows(list(loaders(corpus, 1)[0]))
    stopped = loaders(corpus, before, even=False)[0]
    next(iter(stopped))
    later = loaders(corpus, after, even=False)
    for loader in later:
        loader.load_state_dict(stopped.state_dict())
    each = [rows(list(loader)) for loader in later]
    begin = before // after * after
    assert [found[i] for i in range(6) for found in each if i < len(found)] == batches[begin:]


def test_a_position_among_other_cells_is_refused(corpus: Corpus) -> None:
    state = PartLoader(corpus, 2, cells=CELLS[:5]).state_dict()
    with pytest.raises(ConflictError, match="part="):
        PartLoader(corpus, 2, cells=CELLS).load_state_dict(state)


def test_all_cells_come_as_those_of_the_plain_loader(corpus: Corpus) -> None:
    assert rows(list(PartLoader(corpus, 3, seed=5))) == rows(list(corpus.loader(3, seed=5)))


@pytest.mark.parametrize("options", [{}, {"threads": 2}, {"block_size": 2, "fetch": 2}])
def test_a_packed_part_comes_in_the_same_order(
    corpus: Corpus, packed: PackedCorpus, options: dict[str, Any]
) -> None:
    blocks = {key: value for key, value in options.items() if key != "threads"}
    of_files = PartLoader(corpus, 2, cells=CELLS, rank=1, world_size=2, **blocks)
    of_shards = PartLoader(packed, 2, cells=CELLS, rank=1, world_size=2, **options)
    for one, other in zip(of_files, of_shards, strict=True):
        assert one["row"].tolist() == other["row"].tolist()
        assert (one["X"].to_dense() == other["X"].to_dense()).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rank": 2, "world_size": 2}, "rank is 2 of 2"),
        ({"world_size": 0}, "world_size is 0"),
        ({"cells": np.array([3, 16])}, "numbered 0 to 15; 16"),
        ({"cells": np.array([-1])}, "numbered 0 to 15; -1"),
    ],
)
def test_numbers_out_of_range_are_refused(
    corpus: Corpus, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        PartLoader(corpus, **options)
