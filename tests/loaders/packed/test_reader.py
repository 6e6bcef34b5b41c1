from __future__ import annotations

import copy
import itertools
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch.utils.data import DataLoader

from corpuscle.curation import project_genes
from corpuscle.errors import InputError, NotFoundError
from corpuscle.loaders import (
    Batch,
    Corpus,
    CorpusLoader,
    DatasetRef,
    PackedCorpus,
    Scaling,
    Tokens,
    pack_corpus,
)
from corpuscle.ontologies import gene_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

MOUSE = "NCBITaxon:10090"
CELLS = np.random.default_rng(0).permutation(180)


def bits(tensor: torch.Tensor) -> list[Any]:
    if not tensor.is_sparse_csr:
        return [str(tensor.dtype), tuple(tensor.shape), tensor.numpy().tobytes()]
    parts = tensor.crow_indices(), tensor.col_indices(), tensor.values()
    return [tuple(tensor.shape), *(bits(part) for part in parts)]


def contents(batches: Iterable[Batch], *, without: str = "") -> list[dict[str, list[Any]]]:
    return [
        {
            key: bits(tensor)
            for key, tensor in cast("dict[str, Any]", batch).items()
            if key != without
        }
        for batch in batches
    ]


def dense(batch: Batch) -> npt.NDArray[np.float32]:
    x = batch["X"]
    return (x.to_dense() if x.is_sparse_csr else x).numpy()


@pytest.mark.parametrize("output", ["csr", "dense"])
@pytest.mark.parametrize("genes", [None, ["ENSMUSG00000000003", "ENSG00000000160", "no such gene"]])
def test_batches_equal_those_of_the_files_bit_for_bit(
    mixed: Corpus, packed: PackedCorpus, output: Any, genes: Any
) -> None:
    options: dict[str, Any] = {"labels": ["cell_type", "organism"], "seed": 3, "genes": genes}
    ours = packed.loader(16, output=output, **options)
    theirs = mixed.loader(16, output=output, **options)
    assert ours.genes == theirs.genes
    assert contents(ours, without="depth") == contents(theirs)
    assert contents(ours, without="depth") == contents(theirs)  # the next epoch


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("output", ["csr", "tokens"])
def test_threads_change_nothing(packed: PackedCorpus, threads: int, output: Any) -> None:
    options: dict[str, Any] = {"output": output, "tokens": Tokens(length=20, choose="random")}
    expected = contents(packed.loader(7, **options))
    assert contents(packed.loader(7, threads=threads, **options)) == expected


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_change_nothing(packed: PackedCorpus, context: str) -> None:
    options: dict[str, Any] = {
        "output": "tokens",
        "tokens": Tokens(length=20, choose="random+unexpressed"),
        "labels": ["cell_type"],
    }
    expected = contents(packed.loader(16, **options))
    loader = DataLoader(
        packed.loader(16, threads=1, **options),
        batch_size=None,
        num_workers=2,
        multiprocessing_context=context,
    )
    assert contents(loader) == expected


def test_a_loader_resumes_in_the_middle_of_an_epoch(packed: PackedCorpus) -> None:
    loader = packed.loader(16, threads=2)
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    state = loader.state_dict()
    expected = contents(batches)
    again = packed.loader(16)
    again.load_state_dict(state)
    assert contents(again) == expected


def test_readers_and_corpora_can_be_pickled(packed: PackedCorpus) -> None:
    expected = contents([packed.read(CELLS)])
    assert contents([pickle.loads(pickle.dumps(packed)).read(CELLS)]) == expected
    loader = packed.loader(180, shuffle=False)
    before = contents(loader)
    assert contents(copy.deepcopy(loader)) == before


def test_a_batch_is_never_written_over(packed: PackedCorpus) -> None:
    for output in ("csr", "ragged", "dense", "tokens"):
        batches = list(packed.loader(16, output=cast("Any", output), threads=2))
        assert contents(batches) == contents(packed.loader(16, output=cast("Any", output)))


def test_outputs_hold_the_same_counts(packed: PackedCorpus, counts: pd.DataFrame) -> None:
    expected = counts.to_numpy()[CELLS]
    assert (dense(packed.read(CELLS)) == expected).all()
    assert (dense(packed.read(CELLS, output="dense")) == expected).all()
    ragged = packed.read(CELLS, output="ragged")
    found = np.zeros_like(expected)
    rows = np.repeat(np.arange(180), np.diff(ragged["indptr"].numpy()))
    found[rows, ragged["ids"].numpy()] = ragged["counts"].numpy()
    assert (found == expected).all()
    assert (ragged["ids"].dtype, ragged["counts"].dtype) == (torch.uint16, torch.uint16)


def test_depth_counts_genes_that_were_not_asked_for(
    packed: PackedCorpus, counts: pd.DataFrame
) -> None:
    batch = packed.read(CELLS, genes=packed.genes[:9])
    assert batch["depth"].tolist() == counts.to_numpy().sum(axis=1)[CELLS].tolist()


@pytest.mark.parametrize("order", [1, -1], ids=["rising", "falling"])
def test_any_list_of_genes_can_be_asked_for(
    packed: PackedCorpus, counts: pd.DataFrame, order: int
) -> None:
    genes = [*packed.genes[10:500:3]][::order]
    batch = packed.read(CELLS, genes=genes)
    assert (dense(batch) == counts[genes].to_numpy()[CELLS]).all()
    indptr, ids = batch["X"].crow_indices(), batch["X"].col_indices()
    assert all((ids[a:b].diff() > 0).all() for a, b in itertools.pairwise(indptr))


def test_vocabularies_of_an_organism_and_of_all_datasets(packed: PackedCorpus) -> None:
    assert len(packed.genes_of("NCBITaxon:9606")) == 400
    assert len(packed.shared_genes("NCBITaxon:9606")) == 150
    assert packed.shared_genes() == ()
    with pytest.raises(
        NotFoundError, match=r"no cells of 'NCBITaxon:7227'. It has: NCBITaxon:10090"
    ):
        packed.genes_of("NCBITaxon:7227")


def test_genes_that_get_one_name_are_summed(packed: PackedCorpus, counts: pd.DataFrame) -> None:
    names = {gene: f"X{i % 40:02d}" for i, gene in enumerate(packed.genes) if i % 5}
    batch = packed.read(CELLS, renamed=names)
    expected = counts[list(names)].T.groupby(lambda gene: names[gene]).sum().T.to_numpy()[CELLS]
    assert (dense(batch) == expected).all()
    assert packed.loader(renamed=names).genes == tuple(sorted(set(names.values())))


def test_orthologs_give_mouse_cells_the_genes_of_human(packed: PackedCorpus) -> None:
    names = packed.projected("NCBITaxon:9606", "sum")
    assert {names[gene] for gene in packed.genes_of("NCBITaxon:9606")} == set(
        packed.genes_of("NCBITaxon:9606")
    )


@pytest.mark.parametrize("how", ["one2one", "sum", "best"])
def test_cells_are_projected_on_the_way_as_project_genes_does(tmp_path: Path, how: Any) -> None:
    genes, chance = gene_table("mouse").index[::25], np.random.default_rng(0)
    x: Any = sparse.random(20, len(genes), 0.2, "csr", np.float32, chance)
    x.data[:] = chance.geometric(0.4, x.nnz)
    n = len(genes)
    var = pd.DataFrame(
        {
            "symbol": genes,
            "biotype": pd.Categorical(["protein_coding"] * n),
            "organism_ontology_term_id": pd.Categorical([MOUSE] * n),
            "source_id": genes,
            "resolution": pd.Categorical(["id"] * n),
        },
        index=genes.rename("gene_id"),
    )
    data = ad.AnnData(x, pd.DataFrame(index=[str(i) for i in range(20)]), var)
    data.write_h5ad(tmp_path / "mouse.h5ad")
    ref = DatasetRef(
        uid="mouse", key="mouse", path=str(tmp_path / "mouse.h5ad"), n_cells=20, organism=MOUSE
    )
    corpus = Corpus(name="mouse", version="1", uid="mouse001", datasets=(ref,), classes={})
    packed = PackedCorpus.open(pack_corpus(corpus, tmp_path / "packed"))
    names = packed.projected("NCBITaxon:9606", how)
    found, report = project_genes(data, how=how)
    expected: Any = found.to_df()
    assert report.counts_moved > 0
    assert (expected.sum() > 0).any()
    batch = packed.read(range(20), renamed=names)
    columns = list(packed.loader(renamed=names).genes)
    assert (dense(batch) == expected.reindex(columns=columns, fill_value=0)).all(axis=None)
    assert batch["X"].values().sum().item() == report.counts_moved


def test_top_tokens_are_the_highest_counts(packed: PackedCorpus, counts: pd.DataFrame) -> None:
    batch = packed.read(CELLS, output="tokens", tokens=Tokens(length=30))
    for i, row in enumerate(counts.to_numpy()[CELLS]):
        best = np.lexsort((np.arange(len(row)), -row))[:30]
        expected = sorted(gene for gene in best.tolist() if row[gene])
        n = len(expected)
        assert batch["ids"][i].tolist() == expected + [0] * (30 - n)
        assert batch["counts"][i].tolist() == row[expected].tolist() + [0] * (30 - n)
        assert batch["mask"][i].tolist() == [True] * n + [False] * (30 - n)


def test_random_tokens_are_expressed_and_come_equally_often(
    packed: PackedCorpus, counts: pd.DataFrame
) -> None:
    n_expressed = (counts.to_numpy() > 0).sum(axis=1)
    cell, n = int(n_expressed.argmax()), int(n_expressed.max())
    reader, seen = (
        packed.loader(output="tokens", tokens=Tokens(length=n // 2, choose="random"), seed=5),
        np.zeros(len(packed.genes)),
    )
    row = counts.loc[cell].to_numpy()
    for epoch in range(400):
        batch = reader._reader.read(np.array([cell]), seed=5, epoch=epoch)
        ids = batch["ids"][0].numpy()
        assert len(set(ids)) == n // 2
        assert (batch["counts"][0].numpy() == row[ids]).all()
        seen[ids] += 1
    assert (seen[row == 0] == 0).all()
    # 400 draws of one half: mean 200, standard deviation 10
    assert abs(seen[row > 0].mean() - 400 * (n // 2) / n) < 1e-6
    assert seen[row > 0].min() > 145
    assert seen[row > 0].max() < 255


@pytest.mark.parametrize("length", [30, 250, 400])
def test_unexpressed_tokens_were_measured_and_are_zero(
    packed: PackedCorpus, counts: pd.DataFrame, length: int
) -> None:
    tokens = Tokens(length=length, choose="random+unexpressed", n_unexpressed=10)
    batch = packed.read(CELLS, output="tokens", tokens=tokens, measured=True)
    for i, row in enumerate(counts.to_numpy()[CELLS]):
        measured = batch["measured"][i].numpy()
        ids = batch["ids"][i][batch["mask"][i]].numpy()
        values = batch["counts"][i][batch["mask"][i]].numpy()
        assert len(set(ids.tolist())) == len(ids) == min(length, measured.sum())
        assert (values == row[ids]).all()
        assert measured[ids].all()
        assert (values > 0).sum() == min(length - 10, (row > 0).sum())


def test_listed_tokens_say_what_was_measured(packed: PackedCorpus, counts: pd.DataFrame) -> None:
    genes = [packed.genes[i] for i in (600, 3, 310)]
    batch = packed.read(CELLS, output="tokens", tokens=Tokens(choose=genes), measured=True)
    places = [600, 3, 310]
    assert (batch["ids"].numpy() == places).all()
    assert (batch["counts"].numpy() == counts[genes].to_numpy()[CELLS]).all()
    assert (batch["mask"] == batch["measured"][:, places]).all()
    with pytest.raises(InputError, match="'nothing'"):
        packed.read(CELLS, output="tokens", tokens=Tokens(choose=["nothing"]))


def test_chance_depends_on_seed_epoch_and_cell_only(packed: PackedCorpus) -> None:
    options: dict[str, Any] = {"output": "tokens", "tokens": Tokens(length=20, choose="random")}
    whole = packed.read(CELLS, **options)["ids"]
    parts = [packed.read(CELLS[i : i + 7], **options)["ids"] for i in range(0, 180, 7)]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(packed.read(CELLS, epoch=1, **options)["ids"], whole)
    assert not torch.equal(packed.read(CELLS, seed=1, **options)["ids"], whole)


@pytest.mark.parametrize("output", ["csr", "dense"])
def test_counts_are_scaled_to_a_total_and_logged(
    packed: PackedCorpus, counts: pd.DataFrame, output: Any
) -> None:
    batch = packed.read(
        CELLS, output=output, scaling=Scaling(total=1e4, log1p=True), genes=packed.genes[5:600]
    )
    rows = counts.to_numpy()[CELLS].astype(np.float64)
    total = rows.sum(axis=1, keepdims=True)
    expected = np.log1p(rows * (1e4 / np.where(total, total, 1)))[:, 5:600]
    np.testing.assert_allclose(dense(batch), expected, rtol=1e-6)
    scaled = packed.read(CELLS, output="ragged", scaling=Scaling(total=100))
    np.testing.assert_allclose(scaled["counts"].sum(), 100 * (total > 0).sum(), rtol=1e-5)


@pytest.mark.parametrize("n_bins", [2, 3, 51])
def test_bins_are_quantiles_of_the_cell(
    packed: PackedCorpus, counts: pd.DataFrame, n_bins: int
) -> None:
    found = dense(packed.read(CELLS, scaling=Scaling(log1p=True, n_bins=n_bins)))
    for got, row in zip(found, np.log1p(counts.to_numpy(np.float32)[CELLS]), strict=True):
        if row.any():
            values = row[row > 0].astype(np.float64)
            edges = np.quantile(values, np.linspace(0, 1, n_bins - 1))
            expected = np.digitize(values, edges)
            # an edge between values may fall on either side of a value that equals it
            assert (np.abs(got[row > 0] - expected) <= 1).all()
            assert (got[row > 0] == expected).mean() > 0.98
            assert (got[row == 0] == 0).all()


def test_columns_and_arrays_come_with_the_batch(mixed: Corpus, packed: PackedCorpus) -> None:
    import anndata as ad

    batch = cast(
        "dict[str, torch.Tensor]",
        packed.read(CELLS, obs=["n_counts", "cell_type_ontology_term_id"], obsm=["spatial"]),
    )
    files: list[Any] = [ad.read_h5ad(ref.path) for ref in mixed.datasets]
    spatial = np.concatenate([file.obsm["spatial"] for file in files])[CELLS]
    assert (batch["obsm_spatial"].numpy() == spatial).all()
    totals = np.concatenate([file.obs["n_counts"] for file in files])[CELLS]
    assert (batch["obs_n_counts"].numpy() == totals).all()
    named = [*packed.categories("cell_type_ontology_term_id"), None]
    terms = [
        term for file in files for term in file.obs["cell_type_ontology_term_id"].astype(object)
    ]
    expected = [terms[cell] if isinstance(terms[cell], str) else None for cell in CELLS]
    assert [named[code] for code in batch["obs_cell_type_ontology_term_id"]] == expected
    with pytest.raises(NotFoundError, match="'colour'"):
        packed.read(CELLS, obs=["colour"])


def test_truth_values_that_one_dataset_misses_are_categories_of_all(
    mixed: Corpus, tmp_path: Path
) -> None:
    refs, truth = [], np.arange(60) % 3 == 0
    for ref in mixed.datasets:
        data = ad.read_h5ad(ref.path)
        missing = pd.array(
            [None if i == 5 else bool(t) for i, t in enumerate(truth)], dtype="boolean"
        )
        if ref.uid != "m":
            data.obs["is_primary_data"] = truth if ref.uid == "a" else missing
        data.write_h5ad(tmp_path / f"{ref.uid}.h5ad")
        refs.append(replace(ref, path=str(tmp_path / f"{ref.uid}.h5ad")))
    pack_corpus(replace(mixed, datasets=tuple(refs)), tmp_path / "packed")
    packed = PackedCorpus.open(tmp_path / "packed")
    expected = [*truth, *truth, *[-1] * 60]
    expected[65] = -1
    found = cast("dict[str, Any]", packed.read(np.arange(180), obs=["is_primary_data"]))
    assert found["obs_is_primary_data"].tolist() == expected
    assert packed.categories("is_primary_data") == ("False", "True")
    seen = packed.to_anndata([0, 1, 65, 120]).obs["is_primary_data"]
    assert seen.tolist()[:2] == ["True", "False"]
    assert seen.isna().tolist() == [False, False, True, True]


def test_some_cells_as_anndata(packed: PackedCorpus, counts: pd.DataFrame) -> None:
    found: Any = packed.to_anndata(CELLS)
    assert (found.X.toarray() == counts.to_numpy()[CELLS]).all()
    assert found.obs["n_counts"].tolist() == counts.sum(axis=1).to_numpy()[CELLS].tolist()
    assert found.obs["dataset"].tolist() == [("a", "b", "m")[cell // 60] for cell in CELLS]
    assert found.obsm["spatial"].shape == (180, 2)


def test_cells_are_found_in_the_files(mixed: Corpus, packed: PackedCorpus) -> None:
    ours, theirs = packed.loader().locate(CELLS), mixed.loader().locate(CELLS)
    assert [a.tolist() for a in ours] == [a.tolist() for a in theirs]


def test_what_cannot_be_is_said(packed: PackedCorpus) -> None:
    with pytest.raises(InputError, match="no cell 180: the corpus has 180"):
        packed.read([3, 180])
    with pytest.raises(InputError, match="float64"):
        packed.read(np.array([0.5]))
    with pytest.raises(InputError, match="no classes for 'sex'"):
        packed.read([0], labels=["sex"])
    with pytest.raises(InputError, match="'a' is twice"):
        packed.loader(genes=["a", "b", "a"])
    with pytest.raises(NotFoundError, match="None of the 1 genes"):
        packed.loader(genes=["TP53"])
    with pytest.raises(InputError, match="'first read', 'always', 'never'"):
        packed.loader(check=cast("Any", "sometimes"))


def test_no_cells_make_an_empty_batch(packed: PackedCorpus) -> None:
    assert packed.read([])["X"].shape == (0, 700)
    assert packed.read([], output="tokens")["ids"].shape == (0, 2048)


def test_a_packed_corpus_says_what_it_is(packed: PackedCorpus) -> None:
    assert "180 cells x 700 genes in 9 shards" in repr(packed)


@pytest.mark.parametrize("fetch", [1, 2, 64])
def test_blocks_of_neighbours_give_every_cell_once(packed: PackedCorpus, fetch: int) -> None:
    loader = packed.loader(16, block_size=8, fetch=fetch)
    first = torch.cat([batch["row"] for batch in loader])
    assert sorted(first.tolist()) == list(range(180))
    assert not torch.equal(first, torch.cat([batch["row"] for batch in loader]))
    if fetch == 1:
        assert all(
            len({row // 8 for row in part.tolist()}) <= 3
            for part in (first[i : i + 16] for i in range(0, 180, 16))
        )


def test_a_batch_for_a_device_is_the_same(packed: PackedCorpus) -> None:
    for output in ("csr", "dense", "tokens"):
        here = packed.loader(16, output=cast("Any", output), device="cpu", threads=1)
        assert contents(here) == contents(packed.loader(16, output=cast("Any", output)))


def test_sparse_batches_can_be_made_dense_on_the_device(packed: PackedCorpus) -> None:
    from corpuscle.loaders._device import to_device

    moved = to_device(packed.read(CELLS), torch.device("cpu"), dense=True)
    assert contents([moved]) == contents([packed.read(CELLS, output="dense")])


def test_workers_do_not_copy_to_devices(packed: PackedCorpus) -> None:
    loader = CorpusLoader(packed, 16, device="cpu")
    with pytest.raises(InputError, match="DataLoader workers cannot copy to cpu"):
        next(iter(DataLoader(loader, batch_size=None, num_workers=1)))
