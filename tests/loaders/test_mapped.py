from __future__ import annotations

import multiprocessing
import os
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch.utils.data import DataLoader

from corpuscle.curation import CurationOptions, QualityRules, curate
from corpuscle.errors import InputError, IntegrityError
from corpuscle.loaders import Corpus, MappedCorpus
from corpuscle.ontologies import gene_table

from .mapped_base import assert_same, base_of, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .conftest import Part

    Write = Callable[[Sequence[Part]], list[str]]

OBS = [
    "cell_type_ontology_term_id",
    "barcode",
    "n_counts",
    "is_primary_data",
    "n_maybe",
    "not_there",
]
LAYERS = ["X", "dense", "int", "raw.X", "not_there"]
SCRAMBLED = [15, 0, 7, 7, 3, 11, -1, 4, 0, 12, 6, 5]


@pytest.mark.parametrize("join", [None, "outer", "inner"])
@pytest.mark.parametrize("dtype", [None, "float64", "int16"])
@pytest.mark.parametrize("encode_labels", [True, False, ["cell_type_ontology_term_id"]])
def test_a_batch_equals_the_base_class_sample_by_sample(
    write_parts: Write,
    parts: tuple[Part, ...],
    join: str | None,
    dtype: str | None,
    encode_labels: bool | list[str],
) -> None:
    chosen = (*parts[:2], replace(parts[0], format="zarr2"))  # inner needs shared genes
    compare(
        write_parts(chosen),
        SCRAMBLED,
        layers_keys=LAYERS,
        obsm_keys=["X_pca", "sparse", "not_there"],
        obs_keys=OBS,
        join=join,
        dtype=dtype,
        encode_labels=encode_labels,
        unknown_label="unknown",
    )


@pytest.mark.parametrize("dense", [False, True], ids=["csr", "dense"])
@pytest.mark.parametrize("form", ["h5ad", "gzip", "zarr2", "zarr3"])
@pytest.mark.parametrize("parallel", [False, True], ids=["one", "parallel"])
def test_every_format_equals_the_base_class(
    write_parts: Write, parts: tuple[Part, ...], form: Any, dense: bool, parallel: bool
) -> None:
    chosen = [replace(part, format=form, dense=dense) for part in parts]
    options: dict[str, Any] = {"obs_keys": OBS, "join": "outer", "parallel": parallel}
    compare(write_parts(chosen), SCRAMBLED, layers_keys=LAYERS, **options)


def test_files_of_equal_genes_need_no_join(write_parts: Write, parts: tuple[Part, ...]) -> None:
    compare(write_parts([parts[0], replace(parts[0], format="gzip")]), [13, 0, 7, 6], join="outer")


def test_uncached_categories_equal_the_base_class(
    write_parts: Write, parts: tuple[Part, ...]
) -> None:
    options: dict[str, Any] = {"obs_keys": OBS, "join": "outer", "cache_categories": False}
    compare(write_parts(parts[:2]), [11, 0, 7, 4, 3], **options)


@pytest.mark.parametrize("wanted", ["CL:0000236", ["CL:0000084", "CL:0000540"]])
def test_filtered_cells_equal_the_base_class(
    write_parts: Write, parts: tuple[Part, ...], wanted: str | list[str]
) -> None:
    compare(
        write_parts(parts),
        [2, 0, 1, 1, -1],
        join="outer",
        obs_keys=OBS,
        obs_filter={"cell_type_ontology_term_id": wanted},
    )


@pytest.fixture(scope="module")
def pair(write_parts: Write, parts: tuple[Part, ...]) -> tuple[Any, MappedCorpus]:
    options: dict[str, Any] = {"layers_keys": LAYERS, "obs_keys": OBS, "join": "outer"}
    paths = write_parts(parts)
    return base_of(paths, **options), MappedCorpus(paths, **options)


@settings(deadline=None, max_examples=50)
@given(indices=st.lists(st.integers(-16, 15), max_size=40))
def test_any_list_of_indices_equals_the_base_class(
    pair: tuple[Any, MappedCorpus], indices: list[int]
) -> None:
    base, mapped = pair
    assert_same(mapped.__getitems__(indices), [base[i] for i in indices])


@settings(deadline=None, max_examples=50)
@given(indices=st.lists(st.integers(-16, 15), max_size=40))
def test_sparse_rows_equal_the_dense_ones(
    pair: tuple[Any, MappedCorpus], indices: list[int]
) -> None:
    _, mapped = pair
    x = mapped.read_csr(indices)
    dense = [sample["X"] for sample in mapped.__getitems__(indices)]
    assert x.shape == (len(indices), mapped.n_vars)
    assert x.has_sorted_indices
    np.testing.assert_array_equal(x.toarray(), np.reshape(dense, x.shape))


@pytest.mark.parametrize("dense", [False, True], ids=["csr", "dense"])
@pytest.mark.parametrize("join", ["outer", "inner"])
def test_sparse_rows_follow_the_join_and_the_dtype(
    write_parts: Write, parts: tuple[Part, ...], join: Any, dense: bool
) -> None:
    paths = write_parts([replace(part, dense=dense) for part in parts[:2]])
    with MappedCorpus(paths, join=join, dtype="int32") as mapped:
        x = mapped.read_csr([11, 0, 5])
        assert x.dtype == np.int32
        np.testing.assert_array_equal(x.toarray(), [mapped[i]["X"] for i in (11, 0, 5)])


def test_what_the_base_class_tells_stays_the_same(
    write_parts: Write, parts: tuple[Part, ...]
) -> None:
    column = "cell_type_ontology_term_id"
    paths = write_parts(parts)
    options: dict[str, Any] = {"obs_keys": [column], "join": "outer", "unknown_label": "unknown"}
    with base_of(paths, **options) as base, MappedCorpus(paths, **options) as mapped:
        for tell in (
            lambda m: (len(m), m.shape, m.original_shapes, m.closed),
            lambda m: (m.check_vars_sorted(), m.check_vars_non_aligned(m.var_joint)),
            lambda m: (m.encoders, list(m.var_joint)),
            lambda m: m.get_merged_categories(column),
            lambda m: m.get_merged_labels(column).astype(str).tolist(),
            lambda m: m.get_label_weights(column).tolist(),
        ):
            assert tell(mapped) == tell(base)


def test_a_matrix_stored_by_columns_is_refused_as_by_the_base_class(tmp_path: Path) -> None:
    data = ad.AnnData(sparse.csc_matrix(np.eye(3, dtype=np.float32)))
    data.write_h5ad(tmp_path / "csc.h5ad")
    with pytest.raises(ValueError, match="csc matrix"):
        MappedCorpus([str(tmp_path / "csc.h5ad")])


def test_different_genes_without_join_make_no_matrix(corpus: Corpus) -> None:
    with corpus.mapped(join=None) as mapped, pytest.raises(InputError, match="join='outer'"):
        mapped.read_csr([0])


def test_samples_of_one_cell_do_not_share_memory(corpus: Corpus) -> None:
    with corpus.mapped() as mapped:
        first, second = mapped.__getitems__([2, 2])
        first["X"][:] = -1
        assert second["X"].min() >= 0


def test_an_index_out_of_range_is_refused(corpus: Corpus) -> None:
    with corpus.mapped() as mapped, pytest.raises(IndexError):
        mapped.__getitems__([0, 16])


def test_a_run_of_neighbours_is_read_once(corpus: Corpus) -> None:
    reads = []

    class Spy:
        def __init__(self, array: Any) -> None:
            self.array = array
            self.shape, self.dtype = array.shape, array.dtype

        def __getitem__(self, key: Any) -> Any:
            reads.append(key)
            return self.array[key]

    from corpuscle.loaders._rows import read_block

    got = read_block(Spy(np.arange(100)), np.array([3, 4, 5, 9, 20, 21]))
    assert got.tolist() == [3, 4, 5, 9, 20, 21]
    assert reads == [slice(3, 6), slice(9, 10), slice(20, 22)]


def test_encoded_labels_are_the_classes_of_the_corpus(
    corpus: Corpus, expected_labels: Callable[[Sequence[int]], list[int]]
) -> None:
    column = "cell_type_ontology_term_id"
    with corpus.mapped(obs_keys=[column]) as mapped:
        labels = [sample[column] for sample in mapped.__getitems__(list(range(16)))]
    expected = expected_labels(range(16))
    assert [-1 if label is np.nan else label for label in labels] == expected


def test_an_encoded_label_outside_the_classes_is_refused(corpus: Corpus) -> None:
    smaller = replace(corpus, classes={"cell_type": ("CL:0000084",)})
    with pytest.raises(IntegrityError, match=r"2 terms of 'cell_type' in dataset human-a.*236"):
        smaller.mapped(obs_keys=["cell_type_ontology_term_id"])


def _first(batch: list[dict[str, Any]]) -> list[list[float]]:
    return [sample["X"].tolist() for sample in batch]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("parallel", [False, True])
def test_workers_read_what_the_parent_reads(corpus: Corpus, method: str, parallel: bool) -> None:
    with corpus.mapped(parallel=parallel) as mapped:
        expected = _first(mapped.__getitems__(list(range(16))))  # handles are open now
        loader = DataLoader(
            mapped,
            batch_size=5,
            num_workers=2 if method == "fork" else 1,
            collate_fn=_first,
            multiprocessing_context=multiprocessing.get_context(method),
        )
        assert [row for batch in loader for row in batch] == expected


def test_a_copy_opens_its_own_files(corpus: Corpus) -> None:
    with corpus.mapped() as mapped:
        expected = mapped.__getitems__([4, 12])
        copy = pickle.loads(pickle.dumps(mapped))
        assert copy.storages.n_open == 0
        assert_same(copy.__getitems__([4, 12]), expected)
        copy.close()


def test_closing_leaves_no_descriptor(corpus: Corpus) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - the listing itself opens one
    mapped = corpus.mapped()
    mapped.__getitems__([0, 15])
    mapped.close()
    assert mapped.closed
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208
    with pytest.raises(ValueError, match="was closed"):
        mapped[0]


def test_importing_needs_no_instance_and_no_heavy_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, corpuscle.loaders\n"
        "heavy = {'torch', 'lamindb', 'anndata', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "corpuscle.loaders.MappedCorpus\n"
        "corpuscle.loaders.CorpusLoader\n"
    )
    home = {"HOME": str(tmp_path), "LAMIN_SETTINGS_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **home})


@pytest.mark.parametrize("budget", [0, 64])
def test_a_small_cache_changes_nothing(corpus: Corpus, budget: int) -> None:
    from corpuscle.loaders._rows import ColumnCache

    with corpus.mapped(obs_keys=["sex_ontology_term_id"]) as mapped:
        expected = mapped.__getitems__(SCRAMBLED)
        mapped._columns = ColumnCache(max_bytes=budget)
        assert_same(mapped.__getitems__(SCRAMBLED), expected)


def test_flags_of_quality_are_read_as_texts_and_as_codes(tmp_path: Path) -> None:
    genes = list(gene_table("human").index[:3])
    cells = ad.AnnData(np.asarray([[3, 2, 1], [0, 0, 0], [9, 1, 0]], dtype=np.float32))
    cells.var_names = genes
    cells.write_h5ad(tmp_path / "source.h5ad")
    options = CurationOptions(quality=QualityRules(min_genes_per_cell=3))
    out = tmp_path / "curated.h5ad"
    curate(tmp_path / "source.h5ad", out, dataset="d", source_hash="", options=options)
    compare([str(out)], [2, 0, 1], obs_keys=["quality"])
    with MappedCorpus([str(out)], obs_keys=["quality"], encode_labels=False) as mapped:
        assert [mapped[i]["quality"] for i in range(3)] == ["ok", "empty;few_genes", "few_genes"]
