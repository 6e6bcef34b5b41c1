from __future__ import annotations

import copy
import itertools
import json
import multiprocessing
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch.utils.data import DataLoader

from corpuscle.errors import (
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    SchemaError,
)
from corpuscle.loaders import Batch, Corpus, CorpusLoader, DatasetRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

# three workers on two cores are meant
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

ORDER = [  # seed 0, epochs 0 and 1
    [7, 0, 6, 8, 14, 1, 12, 13, 3, 10, 5, 9, 15, 2, 4, 11],
    [9, 8, 1, 10, 7, 4, 14, 15, 2, 0, 12, 13, 11, 5, 3, 6],
]


def rows_of(batches: Iterable[Batch]) -> list[list[int]]:
    return [batch["row"].tolist() for batch in batches]


def cut(order: Sequence[int], size: int) -> list[list[int]]:
    return [list(order[i : i + size]) for i in range(0, len(order), size)]


def by_workers(loader: CorpusLoader, n_workers: int, **options: Any) -> DataLoader[Batch]:
    if n_workers:
        options.setdefault("multiprocessing_context", multiprocessing.get_context("fork"))
    return DataLoader(loader, batch_size=None, num_workers=n_workers, **options)


def same(a: Batch, b: Batch) -> bool:
    return list(a) == list(b) and all(
        torch.equal(x.to_dense(), y.to_dense())
        for x, y in zip(
            cast("Iterable[torch.Tensor]", a.values()),
            cast("Iterable[torch.Tensor]", b.values()),
            strict=True,
        )
    )


def test_the_order_of_seed_0_is_this(corpus: Corpus) -> None:
    loader = corpus.loader(6)
    assert rows_of(loader) == cut(ORDER[0], 6)
    assert rows_of(loader) == cut(ORDER[1], 6)


@pytest.mark.parametrize("output", ["csr", "dense"])
def test_batches_hold_the_cells_they_name(
    corpus: Corpus,
    expected_x: Callable[..., Any],
    expected_labels: Callable[..., list[int]],
    output: Any,
) -> None:
    loader = corpus.loader(5, labels=["cell_type", "organism"], output=output)
    for batch in loader:
        cells = batch["row"].tolist()
        np.testing.assert_array_equal(batch["X"].to_dense(), expected_x(cells, loader.genes))
        assert batch["dataset"].tolist() == [int(c >= 7) + int(c >= 12) for c in cells]
        assert batch["cell_type"].tolist() == expected_labels(cells)
        assert batch["organism"].tolist() == [int(c >= 12) for c in cells]


def test_batches_have_these_types(corpus: Corpus) -> None:
    batch = next(iter(corpus.loader(5, labels=["sex"])))
    assert list(batch) == ["X", "dataset", "row", "sex"]
    assert batch["X"].layout == torch.sparse_csr
    assert batch["X"].dtype == torch.float32
    assert batch["X"].shape == (5, 9)
    assert {batch[key].dtype for key in ("dataset", "row", "sex")} == {torch.int64}
    torch.sparse_csr_tensor(
        batch["X"].crow_indices(),
        batch["X"].col_indices(),
        batch["X"].values(),
        size=batch["X"].shape,
        check_invariants=True,
    )


def test_genes_are_the_sorted_union(corpus: Corpus) -> None:
    expected = "ENSG1 ENSG2 ENSG3 ENSG4 ENSG5 ENSG6 ENSMUSG7 ENSMUSG8 ENSMUSG9"
    assert " ".join(corpus.loader().genes) == expected


@pytest.mark.parametrize("output", ["csr", "dense"])
def test_columns_follow_the_genes_that_are_given(
    corpus: Corpus, expected_x: Callable[..., Any], output: Any
) -> None:
    genes = ["ENSMUSG8", "ENSG3", "ENSG99", "ENSG1"]  # ENSG99 is in no file
    loader = corpus.loader(16, genes=genes, output=output, shuffle=False)
    (batch,) = loader
    assert loader.genes == tuple(genes)
    np.testing.assert_array_equal(batch["X"].to_dense(), expected_x(range(16), genes))


@settings(deadline=None, max_examples=30)
@given(
    batch_size=st.integers(1, 20),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 2**40),
    drop_last=st.booleans(),
)
def test_each_cell_comes_once_per_epoch(
    corpus: Corpus, batch_size: int, seed: int, epoch: int, drop_last: bool
) -> None:
    loader = corpus.loader(batch_size, seed=seed, drop_last=drop_last, genes=[])
    loader.set_epoch(epoch)
    batches = rows_of(loader)
    cells = [cell for batch in batches for cell in batch]
    n_expected = 16 // batch_size * batch_size if drop_last else 16
    assert len(cells) == len(set(cells)) == n_expected
    assert set(cells) <= set(range(16))
    assert len(loader) == len(batches)
    assert all(len(batch) == batch_size for batch in batches[: 16 // batch_size])


@pytest.mark.parametrize("n_workers", [0, 1, 2, 3, 7])
def test_workers_change_nothing(corpus: Corpus, n_workers: int) -> None:
    alone = list(corpus.loader(3, labels=["cell_type"]))
    served = list(by_workers(corpus.loader(3, labels=["cell_type"]), n_workers))
    assert len(served) == len(alone) == 6
    assert all(same(a, b) for a, b in zip(alone, served, strict=True))


def test_spawned_workers_change_nothing(corpus: Corpus) -> None:
    loader = corpus.loader(3)
    next(iter(loader))  # handles are open
    loader.set_epoch(0)
    context = multiprocessing.get_context("spawn")
    assert rows_of(by_workers(loader, 2, multiprocessing_context=context)) == cut(ORDER[0], 3)
    assert loader.served_by_workers == 6


def test_workers_forked_from_open_files_read_right(
    corpus: Corpus, expected_x: Callable[..., Any]
) -> None:
    loader = corpus.loader(2)
    parent = iter(loader)
    next(parent)
    for batch in by_workers(loader, 2):
        expected = expected_x(batch["row"].tolist(), loader.genes)
        np.testing.assert_array_equal(batch["X"].to_dense(), expected)
        next(parent, None)  # both read at once


@pytest.mark.parametrize("n_workers", [0, 1, 2, 3])
@pytest.mark.parametrize("persistent", [False, True])
def test_epochs_go_on_by_themselves(corpus: Corpus, n_workers: int, persistent: bool) -> None:
    expected = _epochs(corpus, 4)
    served = by_workers(
        corpus.loader(3), n_workers, persistent_workers=persistent and n_workers > 0
    )
    assert [rows_of(served) for _ in range(4)] == expected
    assert len({json.dumps(epoch) for epoch in expected}) == 4


def _epochs(corpus: Corpus, n: int) -> list[list[list[int]]]:
    loader = corpus.loader(3)
    return [rows_of(loader) for _ in range(n)]


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("output", ["csr", "dense"])
def test_windows_of_blocks_hold_what_cell_by_cell_reading_gives(
    corpus: Corpus, n_workers: int, output: str
) -> None:
    loader = corpus.loader(3, labels=["cell_type"], output=output, block_size=2, fetch=2, seed=1)
    batches = list(by_workers(loader, n_workers) if n_workers else loader)
    assert sorted(itertools.chain(*rows_of(batches))) == list(range(corpus.n_cells))
    reader = corpus.loader(1, labels=["cell_type"], output=output, shuffle=False)._reader
    for batch in batches:
        assert same(batch, reader.read(batch["row"].numpy(), seed=0, epoch=0))


def test_epochs_go_on_when_the_number_of_workers_changes(corpus: Corpus) -> None:
    loader = corpus.loader(3)
    served = [rows_of(by_workers(loader, n)) for n in (2, 0, 3, 1)]
    assert served == _epochs(corpus, 4)


def test_epochs_go_on_when_torch_is_seeded_each_time(corpus: Corpus) -> None:
    loader = corpus.loader(3)
    served = []
    for _ in range(3):
        torch.manual_seed(0)
        served.append(rows_of(by_workers(loader, 2)))
    assert served == _epochs(corpus, 3)


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_an_epoch_given_up_does_not_come_again(
    corpus: Corpus, n_workers: int, persistent: bool
) -> None:
    served = by_workers(
        corpus.loader(3), n_workers, persistent_workers=persistent and n_workers > 0
    )
    next(iter(served))
    assert rows_of(served) == _epochs(corpus, 2)[1]


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_set_epoch_decides(corpus: Corpus, n_workers: int, persistent: bool) -> None:
    loader = corpus.loader(3)
    served = by_workers(loader, n_workers, persistent_workers=persistent and n_workers > 0)
    found = []
    for epoch in (1, 1, 0):
        loader.set_epoch(epoch)
        assert loader.epoch == epoch
        found.append(rows_of(served))
    first, second = _epochs(corpus, 2)
    assert found == [second, second, first]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("position", range(7))
def test_a_resumed_run_gets_exactly_the_rest(corpus: Corpus, position: int, seed: int) -> None:
    whole = corpus.loader(3, seed=seed)
    expected = [rows_of(whole) for _ in range(3)]
    stopped = corpus.loader(3, seed=seed)
    list(stopped)
    batches = iter(stopped)
    for _ in range(position):
        next(batches)
    state = json.loads(json.dumps(stopped.state_dict()))
    resumed = corpus.loader(3, seed=seed)
    resumed.load_state_dict(state)
    rest = expected[1][position:] if position < 6 else []
    if rest:
        assert rows_of(resumed) == rest
    assert rows_of(resumed) == expected[2]


@pytest.mark.parametrize("n_workers", [0, 1, 2, 3])
def test_a_run_with_workers_resumes_exactly(corpus: Corpus, n_workers: int) -> None:
    loader = corpus.loader(3)
    expected = _epochs(corpus, 2)
    batches = iter(by_workers(loader, n_workers))
    assert [next(batches)["row"].tolist() for _ in range(2)] == expected[0][:2]
    state = loader.state_dict(n_served=2)
    for step in (2, 4):  # twice: the second state counts from the first
        resumed = corpus.loader(3)
        resumed.load_state_dict(state)
        batches = iter(by_workers(resumed, n_workers))
        taken = [next(batches)["row"].tolist() for _ in range(2)]
        assert taken == expected[0][step : step + 2]
        state = resumed.state_dict(n_served=2)
    assert (state["epoch"], state["position"]) == (1, 0)


def test_set_epoch_keeps_a_position_that_was_loaded(corpus: Corpus) -> None:
    state = corpus.loader(3).state_dict() | {"epoch": 1, "position": 4}
    loader = corpus.loader(3)
    loader.load_state_dict(state)
    loader.set_epoch(1)
    assert rows_of(loader) == _epochs(corpus, 2)[1][4:]
    loader.load_state_dict(state)
    loader.set_epoch(0)
    assert rows_of(loader) == _epochs(corpus, 1)[0]


def test_workers_run_ahead_so_the_state_needs_a_count(corpus: Corpus) -> None:
    loader = corpus.loader(3)
    batches = iter(by_workers(loader, 2))
    next(batches)
    with pytest.raises(InputError, match=r"state_dict\(n_served=\.\.\.\)"):
        loader.state_dict()
    with pytest.raises(InputError, match="7 batches were served of an epoch of 6"):
        loader.state_dict(n_served=7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 4}, "batch_size=3, this loader has 4"),
        ({"seed": 1}, "seed=0, this loader has 1"),
        ({"shuffle": False}, "shuffle=True, this loader has False"),
        ({"drop_last": True}, "drop_last=False, this loader has True"),
    ],
)
def test_a_state_of_another_loader_is_refused(
    corpus: Corpus, change: dict[str, Any], message: str
) -> None:
    state = corpus.loader(3).state_dict()
    with pytest.raises(ConflictError, match=message):
        corpus.loader(**{"batch_size": 3, **change}).load_state_dict(state)


def test_a_state_of_another_corpus_is_refused(corpus: Corpus) -> None:
    state = corpus.loader(3).state_dict()
    for other in (
        replace(corpus, uid="corpus0002"),
        replace(corpus, datasets=corpus.datasets[::-1]),
    ):
        with pytest.raises(ConflictError, match="so the batches differ"):
            other.loader(3).load_state_dict(state)


def test_a_state_of_another_format_is_refused(corpus: Corpus) -> None:
    loader = corpus.loader(3)
    with pytest.raises(SchemaError, match="format 2"):
        loader.load_state_dict(loader.state_dict() | {"format": 2})
    state = loader.state_dict()
    del state["position"]
    with pytest.raises(SchemaError, match="no 'position'"):
        loader.load_state_dict(state)


def test_a_loader_keeps_no_file_open(corpus: Corpus) -> None:
    loader = corpus.loader(3)
    assert cast("Any", loader._reader)._stores.n_open == 0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_its_own_way(corpus: Corpus, duplicate: Callable[[Any], Any]) -> None:
    loader = corpus.loader(3)
    list(loader)
    twin = duplicate(loader)
    assert rows_of(twin) == rows_of(loader) == _epochs(corpus, 2)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"output": "coo"}, "Choose 'csr', 'dense', 'ragged', 'tokens'"),
        ({"output": "ragged"}, "'ragged' cannot be had from the files .* Pack it"),
        ({"obs": ["sex"], "measured": True}, "obs, measured cannot be had"),
        ({"threads": -1}, "threads is -1"),
        ({"block_size": 0}, "block_size is 0"),
        ({"labels": ["disease"]}, "no classes for 'disease'. Choose from: cell_type, sex"),
        ({"genes": ["a", "b", "a"]}, "'a' is twice"),
    ],
)
def test_arguments_out_of_range_are_refused(
    corpus: Corpus, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        corpus.loader(**arguments)


def test_a_file_that_is_not_there_is_named(corpus: Corpus) -> None:
    ref = replace(corpus.datasets[0], path="/nowhere/human-a.h5ad")
    with pytest.raises(NotFoundError, match=r"no file /nowhere/human-a\.h5ad"):
        replace(corpus, datasets=(ref,)).loader()


def test_a_file_with_another_number_of_cells_is_named(corpus: Corpus) -> None:
    ref = replace(corpus.datasets[0], n_cells=8)
    with pytest.raises(IntegrityError, match=r"human-a .* has 7 cells, but the corpus says 8"):
        replace(corpus, datasets=(ref,)).loader()


def test_a_term_outside_the_classes_is_named(corpus: Corpus) -> None:
    smaller = replace(corpus, classes={"cell_type": ("CL:0000084", "CL:0000540")})
    with pytest.raises(IntegrityError, match=r"1 terms of 'cell_type' in dataset human-a .*236"):
        smaller.loader(labels=["cell_type"])
    assert len(list(smaller.loader())) == 1  # a label that was not asked for


@pytest.fixture
def odd_file(tmp_path: Path) -> Callable[..., Corpus]:
    """A corpus of one file of three cells, made as the caller likes."""

    def write(
        *, sex: Sequence[str] | pd.Categorical, genes: Sequence[str] = ("a", "b"), csc: bool = False
    ) -> Corpus:
        x = sparse.csr_matrix(np.eye(3, 2, dtype=np.float32))
        data = ad.AnnData(X=x.tocsc() if csc else x, obs=pd.DataFrame(index=list("123")))
        data.obs["sex_ontology_term_id"] = sex
        path = tmp_path / "odd.h5ad"
        with ad.settings.override(remove_unused_categories=False):
            data.write_h5ad(path, convert_strings_to_categoricals=False)
        import h5py

        with h5py.File(path, "r+") as file:
            file["var/_index"][...] = list(genes)  # pyright: ignore[reportIndexIssue] - an array
        ref = DatasetRef(uid="odd", key="odd", path=str(path), n_cells=3, organism="NCBITaxon:1")
        classes = {"sex": ("f",), "tissue": ("t",)}
        return Corpus(name="odd", version="1", uid="u", datasets=(ref,), classes=classes)

    return write


def test_a_category_without_cells_does_no_harm(odd_file: Callable[..., Corpus]) -> None:
    sex = pd.Categorical(["f", "unknown", "f"], categories=["m", "f", "unknown"])
    (batch,) = odd_file(sex=sex).loader(labels=["sex"], shuffle=False)
    assert batch["sex"].tolist() == [0, -1, 0]


def test_a_missing_column_is_named(odd_file: Callable[..., Corpus]) -> None:
    corpus = odd_file(sex=pd.Categorical(["f"] * 3))
    with pytest.raises(SchemaError, match=r"odd .* has no column 'tissue_ontology_term_id'"):
        corpus.loader(labels=["tissue"])


def test_a_column_without_categories_is_named(odd_file: Callable[..., Corpus]) -> None:
    with pytest.raises(SchemaError, match="no categories in column 'sex_ontology_term_id'"):
        odd_file(sex=["f"] * 3).loader(labels=["sex"])


def test_a_gene_that_is_twice_is_named(odd_file: Callable[..., Corpus]) -> None:
    with pytest.raises(SchemaError, match="Gene 'a' is twice in var of dataset odd"):
        odd_file(sex=pd.Categorical(["f"] * 3), genes=("a", "a")).loader()


def test_a_matrix_stored_by_columns_is_refused(odd_file: Callable[..., Corpus]) -> None:
    with pytest.raises(SchemaError, match="stored as csc_matrix"):
        odd_file(sex=pd.Categorical(["f"] * 3), csc=True).loader()
