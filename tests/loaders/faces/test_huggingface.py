from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node
from torch.utils.data import DataLoader

from corpuscle.errors import InputError
from corpuscle.loaders.faces import CellDataset, cell_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from corpuscle.loaders import Corpus
    from corpuscle.loaders.packed import PackedCorpus

    Expected = Callable[[Sequence[int], Sequence[str]], npt.NDArray[np.float32]]

CELLS = np.array([9, 2, 14, 3, 0, 11])
small = partial(cell_stream, labels=["cell_type"], shard_size=3)


def dense(examples: Iterable[dict[str, Any]], n_genes: int) -> npt.NDArray[np.float32]:
    rows = [np.zeros(n_genes, dtype=np.float32) for _ in examples]
    for row, example in zip(rows, examples, strict=True):
        row[example["genes"]] = example["counts"]
    return np.array(rows)


def test_a_stream_gives_each_cell_once_with_its_counts_and_label(
    source: Corpus | PackedCorpus,
    expected_x: Expected,
    expected_labels: Callable[[Sequence[int]], list[int]],
) -> None:
    genes = source.loader().genes
    examples = list(small(source).with_format("numpy"))
    cells = [int(example["row"]) for example in examples]
    assert sorted(cells) == list(range(16))
    assert cells != sorted(cells)
    assert (dense(examples, len(genes)) == expected_x(cells, genes)).all()
    assert [int(example["cell_type"]) for example in examples] == expected_labels(cells)


def test_labels_of_a_stream_know_their_terms(source: Corpus | PackedCorpus) -> None:
    features: Any = small(source).features
    kind = features["cell_type"]
    assert kind.names == list(source.classes["cell_type"])


def test_another_epoch_is_another_order_and_none_that_of_the_files(
    source: Corpus | PackedCorpus,
) -> None:
    orders = [[e["row"] for e in small(source, epoch=epoch)] for epoch in (0, 1, 1, None)]
    assert orders[0] != orders[1] == orders[2]
    assert orders[3] == list(range(16))


def test_groups_hold_their_cells_one_after_the_other(
    source: Corpus | PackedCorpus, expected_x: Expected
) -> None:
    genes = source.loader().genes
    groups = list(small(source, group_size=2, cells=CELLS, shard_size=4).with_format("numpy"))
    assert [len(group["row"]) for group in groups] == [2, 2, 2]
    for group in groups:
        parts = [slice(*pair) for pair in pairwise(group["starts"])]
        cells = [{"genes": group["genes"][p], "counts": group["counts"][p]} for p in parts]
        assert (dense(cells, len(genes)) == expected_x(group["row"].tolist(), genes)).all()
    assert sorted(cell for group in groups for cell in group["row"]) == sorted(CELLS)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_processes_share_the_shards(source: Corpus | PackedCorpus, world_size: int) -> None:
    share = partial(split_dataset_by_node, world_size=world_size)
    parts = [[e["row"] for e in share(small(source), rank=rank)] for rank in range(world_size)]
    assert sorted(cell for part in parts for cell in part) == list(range(16))
    assert all(parts)


def test_worker_processes_share_the_shards(source: Corpus | PackedCorpus) -> None:
    stream: Any = small(source).with_format("numpy")
    loader: DataLoader[Any] = DataLoader(stream, batch_size=None, num_workers=2)
    assert sorted(int(example["row"]) for example in loader) == list(range(16))


@pytest.mark.parametrize("stopped_after", [0, 1, 3, 7, 16])
def test_a_stream_goes_on_where_its_state_was_taken(
    source: Corpus | PackedCorpus, stopped_after: int
) -> None:
    def stream() -> Any:
        return small(source).shuffle(seed=3, buffer_size=1)

    whole = [e["row"] for e in stream()]
    stopped, later = stream(), stream()
    iterator = iter(stopped)
    for _ in range(stopped_after):
        next(iterator)
    later.load_state_dict(stopped.state_dict())
    assert [e["row"] for e in later] == whole[stopped_after:]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group_size": 0}, "group_size is 0"),
        ({"shard_size": 0}, "shard_size is 0"),
        ({"cells": np.array([], dtype=int)}, "no cells to stream"),
    ],
)
def test_a_stream_of_nothing_is_refused(
    source: Corpus | PackedCorpus, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        cell_stream(source, **options)


def test_examples_columns_and_slices_agree(
    source: Corpus | PackedCorpus, expected_x: Expected
) -> None:
    data = CellDataset(source, labels=["cell_type"], cells=CELLS)
    columns = data[:]
    examples = [data[i] for i in range(len(data))]
    assert columns["row"].tolist() == [int(e["row"]) for e in examples] == CELLS.tolist()
    assert (dense(examples, len(data.genes)) == expected_x(CELLS.tolist(), data.genes)).all()
    assert [len(g) for g in columns["genes"]] == [len(e["genes"]) for e in examples]
    assert data[-1]["row"] == 11
    assert data[[3, 1]]["row"].tolist() == [3, 2]


def test_a_data_loader_fetches_batches_of_examples(source: Corpus | PackedCorpus) -> None:
    loader = DataLoader(CellDataset(source), batch_size=5, collate_fn=list, shuffle=True)
    batches = list(loader)
    assert [len(batch) for batch in batches] == [5, 5, 5, 1]
    assert sorted(int(e["row"]) for batch in batches for e in batch) == list(range(16))


def test_selected_cells_become_a_dataset_of_arrow(source: Corpus | PackedCorpus) -> None:
    data = CellDataset(source, labels=["cell_type"])
    made = data.select([4, -1, 0]).to_dataset()
    assert isinstance(made, datasets.Dataset)
    assert made["row"][:] == [4, 15, 0]
    assert made.features == data.features
    assert made[0]["genes"] == data[4]["genes"].tolist()
    assert len(data.select([]).to_dataset()) == 0


def test_a_cell_that_is_not_there_is_refused(source: Corpus | PackedCorpus) -> None:
    with pytest.raises(IndexError, match="16 cells; 16"):
        CellDataset(source)[16]
