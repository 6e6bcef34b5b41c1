from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from corpuscle.errors import InputError
from corpuscle.loaders import BlockLoader

if TYPE_CHECKING:
    import numpy.typing as npt

    from corpuscle.loaders import Corpus


class Counted:
    """Rows that note how they were asked for."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        self.asked.append(rows.tolist())
        return rows


def epoch_of(loader: Any) -> list[list[int]]:
    return [batch.tolist() for batch in loader]


@given(
    n=st.integers(0, 200),
    batch_size=st.integers(1, 9),
    block_size=st.integers(1, 9),
    fetch_factor=st.integers(1, 5),
    lanes=st.integers(1, 4),
)
def test_an_epoch_has_each_cell_once_in_batches_of_the_size(
    n: int, batch_size: int, block_size: int, fetch_factor: int, lanes: int
) -> None:
    loader = BlockLoader(
        np.arange(n), batch_size, block_size=block_size, fetch_factor=fetch_factor, lanes=lanes
    )
    batches = epoch_of(loader)
    assert sorted(cell for batch in batches for cell in batch) == list(range(n))
    assert len(batches) == len(loader)
    assert sum(len(batch) != batch_size for batch in batches) <= 1


def test_a_fetch_is_ascending_and_made_of_whole_blocks() -> None:
    cells = Counted(64)
    epoch_of(BlockLoader(cells, 4, block_size=8, fetch_factor=4))
    assert [len(rows) for rows in cells.asked] == [16] * 4
    assert all(rows == sorted(rows) for rows in cells.asked)
    firsts = {row for rows in cells.asked for row in (rows[0], rows[8])}
    assert firsts == set(range(0, 64, 8))


def test_batches_without_shuffling_are_in_the_order_of_the_collection() -> None:
    assert epoch_of(BlockLoader(np.arange(5), 2, shuffle=False)) == [[0, 1], [2, 3], [4]]


def test_a_batch_that_is_not_full_can_be_left_out() -> None:
    loader = BlockLoader(np.arange(5), 2, shuffle=False, drop_last=True)
    assert epoch_of(loader) == [[0, 1], [2, 3]]
    assert len(loader) == 2


def test_order_is_a_function_of_seed_and_epoch() -> None:
    first, again, other = (BlockLoader(np.arange(99), 4, seed=seed) for seed in (1, 1, 2))
    epochs = [epoch_of(first), epoch_of(first)]
    assert epochs[0] != epochs[1]
    assert [epoch_of(again), epoch_of(again)] == epochs
    assert epoch_of(other) not in epochs
    other.set_epoch(0)
    first.set_epoch(1)
    assert epoch_of(first) == epochs[1]


@pytest.mark.parametrize("n", [0, 5, 47, 96, 131])
@pytest.mark.parametrize(("workers", "lanes"), [(1, 3), (2, 2), (2, 4)])
def test_workers_give_the_batches_of_one_process_in_its_order(
    n: int, workers: int, lanes: int
) -> None:
    options = {"block_size": 3, "fetch_factor": 3, "lanes": lanes}
    alone = BlockLoader(np.arange(n), 4, **options)  # type: ignore[arg-type]
    shared = BlockLoader(np.arange(n), 4, **options)  # type: ignore[arg-type]
    loader: Any = DataLoader(
        shared, batch_size=None, num_workers=workers, multiprocessing_context="fork"
    )
    assert [epoch_of(loader) for _ in range(2)] == [epoch_of(alone) for _ in range(2)]


def test_spawned_workers_read_files_in_the_order_of_one_process(corpus: Corpus) -> None:
    def loader() -> BlockLoader:
        cells = corpus.mapped(obs_keys=["cell_type_ontology_term_id", "barcode"])
        options = {"block_size": 2, "fetch_factor": 2, "lanes": 2}
        return BlockLoader(cells, 3, fetch_callback=_read, **options)  # type: ignore[arg-type]

    context = multiprocessing.get_context("spawn")
    workers: Any = DataLoader(
        loader(), batch_size=None, num_workers=2, multiprocessing_context=context
    )
    names = [batch["barcode"].tolist() for batch in workers]
    assert names == [batch["barcode"].tolist() for batch in loader()]


def _read(cells: Any, rows: npt.NDArray[np.int64]) -> Any:
    return cells.read_batch(rows)


def test_workers_that_cannot_share_the_lanes_are_refused() -> None:
    loader: Any = DataLoader(BlockLoader(np.arange(9), 2, lanes=3), batch_size=None, num_workers=2)
    with pytest.raises(InputError, match="lanes=2"):
        list(loader)


def test_the_four_callbacks_are_called_in_turn() -> None:
    said: list[Any] = []

    def fetch(collection: str, rows: npt.NDArray[np.int64]) -> list[str]:
        said.append(("fetch", len(rows)))
        return [collection[row] for row in rows]

    def upper(fetched: list[str]) -> list[str]:
        said.append("transform fetch")
        return [letter.upper() for letter in fetched]

    def pick(fetched: list[str], cells: npt.NDArray[np.int64]) -> str:
        said.append("batch")
        return "".join(fetched[cell] for cell in cells)

    loader = BlockLoader(
        "abcdefg",
        2,
        fetch_factor=2,
        shuffle=False,
        fetch_callback=fetch,
        fetch_transform=upper,
        batch_callback=pick,
        batch_transform=lambda batch: f"<{batch}>",
    )
    assert list(loader) == ["<AB>", "<CD>", "<EF>", "<G>"]
    one = ["transform fetch", "batch", "batch"]
    assert said == [("fetch", 4), *one, ("fetch", 3), *one]


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"block_size": 0}, {"fetch_factor": 1.5}, {"lanes": 0}, {"seed": -1}],
)
def test_sizes_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        BlockLoader(np.arange(3), **wrong)


@pytest.mark.parametrize(("block_size", "least"), [(1, 2.97), (64, 2.85)])
def test_batches_mix_plates_almost_as_chance_does(block_size: int, least: float) -> None:
    plates = np.repeat(np.arange(8), 8_192)  # sorted, as files are; chance gives 2.98 of 3 bits
    loader = BlockLoader(plates, 256, block_size=block_size, fetch_factor=16)
    entropies = []
    for batch in loader:
        share = np.bincount(batch, minlength=8) / len(batch)
        share = share[share > 0]
        entropies.append(-(share * np.log2(share)).sum())
    assert np.mean(entropies) > least
