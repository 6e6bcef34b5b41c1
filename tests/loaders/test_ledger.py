from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from corpuscle.errors import ConflictError, InputError, IntegrityError, SchemaError
from corpuscle.loaders import Batch, Corpus, ExposureLedger, Recording

if TYPE_CHECKING:
    from collections.abc import Sequence


def batch_of(rows: Sequence[int], **labels: Sequence[int]) -> Batch:
    """Write a batch by hand; the corpus has cells 0-6, 7-11, 12-15."""
    datasets = [int(row >= 7) + int(row >= 12) for row in rows]
    tensors = {"dataset": datasets, "row": rows, **labels}
    batch = {key: torch.tensor(values, dtype=torch.int64) for key, values in tensors.items()}
    return cast("Batch", {"X": torch.zeros(len(rows), 9), **batch})


@pytest.fixture
def ledger(corpus: Corpus) -> ExposureLedger:
    """Three batches, with repeats within and between them."""
    ledger = ExposureLedger(corpus)
    ledger.add(batch_of([0, 6, 7, 0, 15], cell_type=[0, 2, -1, 0, 0], sex=[1, 1, 1, 1, -1]))
    ledger.add(batch_of([0, 8, 15, 15], cell_type=[0, -1, 0, 0]))
    ledger.add(batch_of([11]))
    return ledger


def test_cells_and_exposures_of_written_batches(ledger: ExposureLedger) -> None:
    assert ledger.exposures.tolist() == [4, 3, 3]
    assert ledger.cells.tolist() == [2, 3, 1]
    assert ledger.n_batches == 3
    assert ledger.class_exposures == {
        "cell_type": {"unknown": 2, "CL:0000084": 6, "CL:0000540": 1},
        "sex": {"unknown": 1, "PATO:0000383": 4},
    }


def test_the_table_has_a_line_per_dataset(ledger: ExposureLedger) -> None:
    table = ledger.table()
    assert list(table.columns) == ["uid", "key", "n_cells", "cells", "exposures"]
    assert table.to_numpy().tolist() == [
        ["human-a", "human-a.h5ad", 7, 2, 4],
        ["human-b", "human-b.h5ad", 5, 3, 3],
        ["mouse", "mouse.h5ad", 4, 1, 3],
    ]


def test_a_dict_makes_the_same_ledger_again(ledger: ExposureLedger, corpus: Corpus) -> None:
    state = json.loads(json.dumps(ledger.to_dict()))
    again = ExposureLedger.from_dict(state, corpus)
    assert again.to_dict() == ledger.to_dict()
    again.add(batch_of([0, 1]))
    assert again.cells.tolist() == [3, 3, 1]  # cell 0 was known


def test_a_loader_serves_each_cell_once(corpus: Corpus) -> None:
    ledger = ExposureLedger(corpus)
    loader = corpus.loader(3, labels=["organism"])
    with Recording(ledger):
        list(loader)
    assert ledger.cells.tolist() == ledger.exposures.tolist() == [7, 5, 4]
    with Recording(ledger):
        list(loader)
    assert ledger.cells.tolist() == [7, 5, 4]
    assert ledger.exposures.tolist() == [14, 10, 8]
    assert ledger.class_exposures == {"organism": {"NCBITaxon:9606": 24, "NCBITaxon:10090": 8}}


ROWS = st.lists(st.lists(st.integers(0, 15), max_size=12), max_size=5)


@settings(deadline=None, max_examples=100)
@given(first=ROWS, second=ROWS)
def test_merged_ledgers_equal_one_that_saw_everything(
    corpus: Corpus, first: list[list[int]], second: list[list[int]]
) -> None:
    whole, a, b = (ExposureLedger(corpus) for _ in range(3))
    for ledger, batches in ((a, first), (b, second)):
        for rows in batches:
            batch = batch_of(rows, sex=[row % 3 - 1 for row in rows])
            ledger.add(batch)
            whole.add(batch)
    merged = ExposureLedger.from_dict(a.to_dict(), corpus)
    merged.merge(b)
    assert merged.to_dict() == whole.to_dict()
    seen = [row for rows in first + second for row in rows]
    assert merged.cells.sum() == len(set(seen))
    assert merged.exposures.sum() == len(seen)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (8, 8, 8), (3, 17, 64), (0, 9, 0), (9, 0, 15)])
def test_cells_are_counted_where_bytes_are_shared(corpus: Corpus, sizes: tuple[int, ...]) -> None:
    refs = [replace(r, n_cells=n) for r, n in zip(corpus.datasets, sizes, strict=True)]
    sized = replace(corpus, datasets=tuple(refs))
    for dataset, size in enumerate(sizes):
        ledger = ExposureLedger(sized)
        rows = torch.arange(size) + int(sized.offsets[dataset])
        codes = torch.full((size,), dataset)
        ledger.add(cast("Batch", {"X": torch.zeros(0), "dataset": codes, "row": rows}))
        assert ledger.cells.tolist() == [size * (d == dataset) for d in range(3)]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (batch_of([3, 16]), r"1 of 2 entries of 'row' .*first: 16"),
        (batch_of([3, -1]), r"'row' .*first: -1"),
        (batch_of([3], sex=[2]), r"'sex' .*first: 2, allowed: -1 to 1"),
        (batch_of([3], disease=[0]), r"'disease' .*first: 0"),
        (batch_of([3]) | {"dataset": torch.tensor([1])}, "not those of its rows"),
    ],
)
def test_a_batch_of_another_corpus_is_refused_and_not_counted(
    corpus: Corpus, batch: Any, message: str
) -> None:
    ledger = ExposureLedger(corpus)
    with pytest.raises(InputError, match=message):
        ledger.add(batch)
    assert ledger.to_dict() == ExposureLedger(corpus).to_dict()


def test_ledgers_of_other_corpora_do_not_merge(ledger: ExposureLedger, corpus: Corpus) -> None:
    other = replace(corpus, datasets=corpus.datasets[:2])
    with pytest.raises(ConflictError, match="one ledger per corpus version"):
        ledger.merge(ExposureLedger(other))
    with pytest.raises(ConflictError, match="its datasets differ"):
        ExposureLedger.from_dict(ledger.to_dict(), other)


def test_a_summary_is_not_enough_to_go_on(ledger: ExposureLedger, corpus: Corpus) -> None:
    with pytest.raises(SchemaError, match="no record of cells"):
        ExposureLedger.from_dict(ledger.summary(), corpus)


def test_a_damaged_record_is_refused(ledger: ExposureLedger, corpus: Corpus) -> None:
    state = ledger.to_dict()
    other = ExposureLedger(corpus).to_dict()["seen"]
    for seen, message in (
        ("?", "cannot be unpacked"),
        (state["seen"][:-8], "cannot be unpacked"),
        (other, "contradicts itself"),
    ):
        with pytest.raises(IntegrityError, match=message):
            ExposureLedger.from_dict(state | {"seen": seen}, corpus)


def test_counts_do_not_leak(ledger: ExposureLedger) -> None:
    ledger.exposures[:] = np.int64(0)
    assert ledger.exposures.tolist() == [4, 3, 3]
