from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from corpuscle.errors import InputError, IntegrityError, NotFoundError, SchemaError
from corpuscle.loaders import DatasetRef
from corpuscle.loaders.packed._shard import Shard
from corpuscle.loaders.packed._write import PackOptions, pack_shard

if TYPE_CHECKING:
    from collections.abc import Callable

GENES = [f"ENSG{i:03}" for i in range(300)]


def annotated(n: int = 100, *, order: Any = None, dtype: Any = np.float32) -> Any:
    """Counts that say where they are, with rows that are empty, wide and deep."""
    rng = np.random.default_rng(n)
    counts = rng.poisson(1, (n, len(GENES))) * rng.choice([1, 1, 20, 300], (n, len(GENES)))
    counts[3] = 0
    counts[4, 7] = 70_000
    obs = pd.DataFrame(
        {
            "cell_type_ontology_term_id": pd.Categorical(
                [("CL:1", "CL:2", "unknown", None)[i % 4] for i in range(n)]
            ),
            "donor_id": [f"døn {i // 40}" for i in range(n)],
            "is_primary_data": pd.array([(True, False, None)[i % 3] for i in range(n)], "boolean"),
            "n_counts": counts.sum(axis=1).astype(np.float64),
            "n_genes": (counts > 0).sum(axis=1).astype(np.int32),
            "author_x": pd.array([None if i == 1 else 5 * i for i in range(n)], "Int64"),
        },
        index=[f"c{i}" for i in range(n)],
    )
    data = ad.AnnData(sparse.csr_matrix(counts.astype(dtype)), obs, pd.DataFrame(index=GENES))
    data.obsm["neighbors"] = np.stack(
        [(np.arange(n) + 1) % n, np.full(n, -1), np.full(n, n - 1)], axis=1
    ).astype(np.int32)
    data.obsm["spatial"] = np.arange(2.0 * n).reshape(n, 2)
    return data if order is None else data[:, order].copy()


@pytest.fixture
def curated(tmp_path: Path) -> Callable[..., DatasetRef]:
    def write(data: ad.AnnData, *, n_excluded: int = 0, suffix: str = "h5ad") -> DatasetRef:
        path = tmp_path / f"curated.{suffix}"
        with warnings.catch_warnings():  # zarr and anndata announce plans for formats
            warnings.simplefilter("ignore")
            data.write_h5ad(path) if suffix == "h5ad" else data.write_zarr(path)
        return DatasetRef(
            uid="set1",
            key="a",
            path=str(path),
            n_cells=data.n_obs - n_excluded,
            organism="NCBITaxon:9606",
            n_excluded=n_excluded,
        )

    return write


def decoded(shard: Shard) -> np.ndarray[Any, Any]:
    """All counts of a shard, by the plainest of readers."""
    from corpuscle.loaders.packed._decode import SCRATCH, decode_row
    from corpuscle.loaders.packed._verify import blocks_of

    found = np.zeros((shard.footer.n_cells, len(shard.genes)))
    ids, values = np.empty(len(shard.genes), np.int32), np.empty(len(shard.genes))
    counts, scratch = shard.section("n_values"), np.empty(SCRATCH, np.uint16)
    for start, stored, ends in blocks_of(shard):
        for i in range(len(ends) - 1):
            at, n = int(ends[i]), int(counts[start + i])
            length = int(ends[i + 1]) - at
            failed, _ = decode_row(
                stored.ctypes.data + at, length, n, len(shard.genes), scratch, ids, values
            )
            assert failed == 0
            found[start + i, ids[:n]] = values[:n]
    return found


CODECS = pytest.mark.parametrize(
    "options",
    [PackOptions(), PackOptions(codec="zstd"), PackOptions(codec="zstd", block_rows=7)],
    ids=["plain", "zstd", "zstd7"],
)


@CODECS
@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_a_shard_holds_the_counts_of_its_cells(
    curated: Callable[..., DatasetRef],
    tmp_path: Path,
    options: PackOptions,
    suffix: str,
    dtype: Any,
) -> None:
    order = np.random.default_rng(1).permutation(len(GENES))
    data = annotated(order=order, dtype=dtype)
    entry = pack_shard(curated(data, suffix=suffix), tmp_path / "a.packed", options=options)
    shard = Shard.open(tmp_path / "a.packed", entry)
    assert shard.genes == tuple(GENES)
    x = data[:, GENES].X.toarray()
    assert (decoded(shard) == x).all()
    assert (entry.n_values, entry.max_count) == (int(np.count_nonzero(x)), 70_000)
    assert entry.max_values == np.count_nonzero(x, axis=1).max()


def test_values_that_are_no_counts_are_kept_exactly(
    curated: Callable[..., DatasetRef], tmp_path: Path
) -> None:
    data = annotated()
    data.X = data.X.astype(np.float64)
    data.X.data[::5] = np.pi
    data.X.data[1] = -3
    entry = pack_shard(curated(data), tmp_path / "a.packed")
    assert entry.max_count is None
    assert (decoded(Shard.open(tmp_path / "a.packed", entry)) == data.X.toarray()).all()


def test_a_dense_matrix_is_packed_likewise(
    curated: Callable[..., DatasetRef], tmp_path: Path
) -> None:
    sparse_, dense = annotated(), annotated()
    dense.X = dense.X.toarray()
    pack_shard(curated(sparse_), tmp_path / "sparse.packed")
    pack_shard(curated(dense), tmp_path / "dense.packed")
    assert (tmp_path / "dense.packed").read_bytes() == (tmp_path / "sparse.packed").read_bytes()


def test_columns_keep_values_and_what_is_missing(
    curated: Callable[..., DatasetRef], tmp_path: Path
) -> None:
    data = annotated()
    options = PackOptions(columns=(*data.obs.columns,))
    shard = Shard.open(tmp_path / pack_shard(curated(data), tmp_path / "a", options=options).file)
    assert shard.columns == tuple(sorted(data.obs.columns))
    for name in shard.columns:
        values, categories = shard.column(name)
        if categories is not None:
            assert values.dtype == np.int8
            assert values.min() >= -1
            values = np.array([*categories, None], dtype=object)[values]
        expected = data.obs[name].astype(object).where(data.obs[name].notna(), None).tolist()
        assert values.tolist() == expected
    assert shard.column("is_primary_data")[1] == (False, True)
    assert shard.column("n_counts")[0].dtype == np.float64


def test_by_default_what_training_can_use_is_packed(
    curated: Callable[..., DatasetRef], tmp_path: Path
) -> None:
    shard = Shard.open(tmp_path / pack_shard(curated(annotated()), tmp_path / "a").file)
    assert "author_x" not in shard.columns
    assert set(shard.columns) >= {"cell_type_ontology_term_id", "donor_id", "n_counts"}
    assert shard.obsm == ("neighbors", "spatial")


@CODECS
def test_cells_that_the_corpus_leaves_out_are_not_there(
    curated: Callable[..., DatasetRef], tmp_path: Path, options: PackOptions
) -> None:
    data, excluded = annotated(), np.array([0, 1, 50, 51, 52, 90], dtype=np.uint32)
    kept = np.setdiff1d(np.arange(100), excluded)
    ref = curated(data, n_excluded=len(excluded))
    place = np.full(101, -1)
    place[kept] = np.arange(len(kept))
    for first, n in ((0, 30), (30, 64), (0, 94)):
        entry = pack_shard(
            ref, tmp_path / "a", first=first, n_cells=n, excluded=excluded, options=options
        )
        shard, rows = Shard.open(tmp_path / "a", entry), kept[first : first + n]
        assert (decoded(shard) == data.X.toarray()[rows]).all()
        assert shard.section("rows_of_file").tolist() == rows.tolist()
        assert (shard.section("obsm/neighbors") == place[data.obsm["neighbors"][rows]]).all()
        assert (shard.section("obsm/spatial") == data.obsm["spatial"][rows]).all()
        assert (shard.column("n_counts")[0] == data.obs["n_counts"].to_numpy()[rows]).all()


@CODECS
def test_bytes_do_not_depend_on_how_the_source_is_cut(
    curated: Callable[..., DatasetRef],
    tmp_path: Path,
    options: PackOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ref = curated(annotated())
    pack_shard(ref, tmp_path / "a", options=options)
    monkeypatch.setattr("corpuscle.loaders.packed._source.CHUNK_VALUES", 777)
    pack_shard(ref, tmp_path / "b", options=options)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_source_that_cannot_be_packed_leaves_nothing_behind(
    curated: Callable[..., DatasetRef], tmp_path: Path
) -> None:
    ref = curated(annotated())
    with pytest.raises(NotFoundError, match=r"obs of dataset set1 .* has no 'nonsense'"):
        pack_shard(ref, tmp_path / "out" / "a", options=PackOptions(columns=("nonsense",)))
    with pytest.raises(InputError, match="none of the 100"):
        pack_shard(ref, tmp_path / "out" / "a", first=50, n_cells=51)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "options", [{"codec": "gzip"}, {"shard_cells": 0}, {"codec": "zstd", "block_rows": 70_000}]
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        PackOptions(**options)


def test_a_shard_travels_as_its_path(curated: Callable[..., DatasetRef], tmp_path: Path) -> None:
    entry = pack_shard(curated(annotated()), tmp_path / "a")
    shard = Shard.open(tmp_path / "a", entry)
    shard.section("rows")
    assert len(pickle.dumps(shard)) < 1_000
    for method in ("fork", "spawn"):
        with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
            assert pool.submit(_sum_of, shard).result() == int(shard.section("n_values").sum())


def _sum_of(shard: Shard) -> int:
    return int(shard.section("n_values").sum())


def test_views_outlive_the_shard_and_cannot_be_written_to(
    curated: Callable[..., DatasetRef], tmp_path: Path
) -> None:
    pack_shard(curated(annotated()), tmp_path / "a")
    view = Shard.open(tmp_path / "a").section("n_values")
    assert view.sum() > 0
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    assert "packed" not in _maps() or str(tmp_path / "a") in _maps()
    del view
    assert str(tmp_path / "a") not in _maps()


def _maps() -> str:
    return Path("/proc/self/maps").read_text()


def test_a_thousand_shards_need_no_descriptors(
    curated: Callable[..., DatasetRef], tmp_path: Path
) -> None:
    pack_shard(curated(annotated()), tmp_path / "0")
    for i in range(1, 1_000):
        os.link(tmp_path / "0", tmp_path / str(i))
    code = (
        "import resource, sys, time, os; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "from corpuscle.loaders.packed._shard import Shard\n"
        "Shard.open(f'{sys.argv[1]}/0').genes\n"
        "start = time.process_time()\n"
        "shards = [Shard.open(f'{sys.argv[1]}/{i}') for i in range(1000)]\n"
        "assert sum(len(shard.genes) for shard in shards) == 300_000\n"
        "print(time.process_time() - start)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 1


def test_what_is_no_shard_is_refused(curated: Callable[..., DatasetRef], tmp_path: Path) -> None:
    entry = pack_shard(curated(annotated()), tmp_path / "a")
    with pytest.raises(NotFoundError, match="There is no shard"):
        Shard.open(tmp_path / "b")
    stored = (tmp_path / "a").read_bytes()
    (tmp_path / "b").write_bytes(b"x" * len(stored))
    with pytest.raises(IntegrityError, match="first or last bytes"):
        Shard.open(tmp_path / "b", entry)
    (tmp_path / "b").write_bytes(stored[:50])
    with pytest.raises(IntegrityError, match="has only 50 bytes"):
        Shard.open(tmp_path / "b")
    with pytest.raises(NotFoundError, match="has no section 'obs/nonsense'"):
        Shard.open(tmp_path / "a").column("nonsense")
    newer = pack_with_version_2(stored)
    (tmp_path / "b").write_bytes(newer)
    with pytest.raises(SchemaError, match=r"has version '2' .* reads 1"):
        Shard.open(tmp_path / "b")


def pack_with_version_2(stored: bytes) -> bytes:
    from corpuscle.loaders.packed._xxh64 import xxh64

    n = int.from_bytes(stored[-24:-16], "little")
    footer = stored[-24 - n : -24].replace(b'"version":1', b'"version":2')
    tail = len(footer).to_bytes(8, "little") + xxh64(footer).to_bytes(8, "little") + stored[-8:]
    return stored[: -24 - n] + footer + tail
