"""`MappedCorpus` against the base class, call by call, over forms of files and arguments."""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from torch.utils.data import DataLoader

from corpuscle.loaders import MappedCorpus

from .mapped_base import assert_same, base_of, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .conftest import Part

    Write = Callable[[Sequence[Part]], list[str]]

CELL_TYPE = "cell_type_ontology_term_id"
EVERYTHING: dict[str, Any] = {
    "obs_keys": [CELL_TYPE, "barcode", "n_counts", "is_primary_data", "n_maybe"],
    "layers_keys": ["X", "dense", "int", "raw.X"],
    "obsm_keys": ["X_pca", "sparse"],
    "join": "outer",
}
TELLS: dict[str, Callable[[Any], Any]] = {
    "sizes": lambda m: (len(m), m.shape, m.original_shapes, m.closed),
    "sorted": lambda m: (m.check_vars_sorted(), m.check_vars_sorted(ascending=False)),
    "aligned": lambda m: [m.check_vars_non_aligned(v) for v in (["ENSG1"], m.var_list[0])],
    "encoders": lambda m: m.encoders,
    "categories": lambda m: [m.get_merged_categories(key) for key in (CELL_TYPE, "barcode")],
    "labels": lambda m: [m.get_merged_labels(k).astype(str).tolist() for k in m.obs_keys],
    "weights": lambda m: m.get_label_weights(CELL_TYPE).tolist(),
    "scaled": lambda m: m.get_label_weights([CELL_TYPE, "is_primary_data"], scaler=3).tolist(),
    "by class": lambda m: m.get_label_weights([CELL_TYPE, "barcode"], return_categories=True),
}


@pytest.fixture(scope="module", params=[None, {"tissue_type": "tissue", CELL_TYPE: "CL:0000236"}])
def told(request: Any, write_parts: Write, parts: tuple[Part, ...]) -> tuple[Any, MappedCorpus]:
    options = {**EVERYTHING, "obs_filter": request.param, "unknown_label": {CELL_TYPE: "unknown"}}
    paths = write_parts(parts)
    return base_of(paths, **options), MappedCorpus(paths, **options)


@pytest.mark.parametrize("tell", TELLS.values(), ids=TELLS)
def test_what_is_told_is_what_the_base_class_tells(
    told: tuple[Any, MappedCorpus], tell: Callable[[Any], Any]
) -> None:
    base, mapped = told
    assert tell(mapped) == tell(base)


@pytest.mark.parametrize(
    "wanted",
    [
        {CELL_TYPE: ["CL:0000236", np.nan]},
        {CELL_TYPE: ("CL:0000236", "unknown"), "is_primary_data": True},
        {"barcode": ["human-a:2", "mouse:1"]},
        {"n_counts": 0.0},
    ],
    ids=["missing", "two", "text", "number"],
)
def test_any_filter_gives_the_cells_of_the_base_class(
    write_parts: Write, parts: tuple[Part, ...], wanted: dict[str, Any]
) -> None:
    compare(write_parts(parts), [0, -1], **EVERYTHING, obs_filter=wanted)


@pytest.mark.parametrize(
    "options",
    [
        {"join": "inner"},
        {"join": "auto"},
        {"obs_keys": ["barcode"], "encode_labels": [CELL_TYPE]},
        {"obs_keys": ["barcode"], "unknown_label": {CELL_TYPE: "unknown"}},
    ],
    ids=["no gene shared", "no such join", "labels not read", "unknown not read"],
)
def test_what_the_base_class_refuses_is_refused_in_its_words(
    write_parts: Write, parts: tuple[Part, ...], options: dict[str, Any]
) -> None:
    paths = write_parts(parts)
    with pytest.raises(ValueError, match=r".") as theirs:
        base_of(paths, **options)
    with pytest.raises(ValueError, match=r".") as ours:
        MappedCorpus(paths, **options)
    assert str(ours.value) == str(theirs.value)


@pytest.fixture(scope="module")
def forms(
    tmp_path_factory: pytest.TempPathFactory, write_parts: Write, parts: tuple[Part, ...]
) -> dict[str, list[str]]:
    """Pairs of files by the way in which the second is stored."""
    folder = tmp_path_factory.mktemp("forms")
    first = write_parts(parts)[0]
    found: dict[str, list[str]] = {}

    def copy(name: str, **options: Any) -> Path:
        data = ad.read_h5ad(first)
        data.write_h5ad(folder / f"{name}.h5ad", **options)
        found[name] = [first, str(folder / f"{name}.h5ad")]
        return folder / f"{name}.h5ad"

    copy("lzf", compression="lzf")
    copy("gzip 9", compression="gzip", compression_opts=9)
    with h5py.File(copy("contiguous"), "r+") as file:
        for name in ("data", "indices", "indptr"):
            _store(file["X"], name, chunks=None)
    with h5py.File(copy("small chunks"), "r+") as file:
        for name in ("data", "indices"):
            _store(file["X"], name, chunks=(2,), compression="gzip")
    with h5py.File(copy("shuffled bytes"), "r+") as file:
        for name in ("data", "indices"):
            _store(file["X"], name, chunks=(3,), compression="gzip", shuffle=True, fletcher32=True)
    with h5py.File(copy("wide integers, big-endian"), "r+") as file:
        _store(file["X"], "indices", dtype=">i8")
        _store(file["X"], "indptr", dtype="<u8")
        _store(file["X"], "data", dtype=">f8")
    with h5py.File(copy("categories of anndata 0.7"), "r+") as file:
        _older_categories(file["obs"])
    with h5py.File(copy("chunks never written"), "r+") as file:
        layers: Any = file["layers"]
        del layers["dense"]
        dense = layers.create_dataset("dense", shape=(7, 4), chunks=(2, 4), dtype="f8")
        dense.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        dense[5, 1] = 3
    with (
        warnings.catch_warnings(),
        ad.settings.override(zarr_write_format=3, auto_shard_zarr_v3=True),
    ):
        warnings.simplefilter("ignore")  # plans for formats
        ad.read_h5ad(first).write_zarr(folder / "shards.zarr")
    found["zarr in shards"] = [first, str(folder / "shards.zarr")]
    strings = ad.read_h5ad(first)
    strings.obs["barcode"] = (
        strings.obs["barcode"].astype("string").mask(strings.obs["n_counts"] == 0)
    )
    strings.obs["is_primary_data"] = strings.obs["is_primary_data"].astype("boolean")
    strings.obs[CELL_TYPE] = pd.Categorical([3, 1, 3, 1, 2, 2, 3])
    with ad.settings.override(allow_write_nullable_strings=True):
        strings.write_h5ad(folder / "strings.h5ad")
    found["nullable texts and numbers as categories"] = [str(folder / "strings.h5ad")]
    return found


def _store(group: Any, name: str, *, dtype: Any = None, **options: Any) -> None:
    values = group[name][...]
    del group[name]
    made = group.create_dataset(name, data=values.astype(dtype or values.dtype), **options)
    made.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def _older_categories(obs: Any) -> None:
    store = obs.create_group("__categories")
    for name in [key for key in obs if isinstance(obs[key], h5py.Group) and "codes" in obs[key]]:
        codes, categories = obs[name]["codes"][...], obs[name]["categories"][...]
        store.create_dataset(name, data=categories)
        del obs[name]
        obs.create_dataset(name, data=codes).attrs["categories"] = store[name].ref


@pytest.mark.parametrize("encode_labels", [True, False])
@pytest.mark.parametrize(
    "form",
    [
        "lzf",
        "gzip 9",
        "contiguous",
        "small chunks",
        "shuffled bytes",
        "wide integers, big-endian",
        "chunks never written",
        "zarr in shards",
        "nullable texts and numbers as categories",
    ],
)
def test_any_way_to_store_gives_what_the_base_class_gives(
    forms: dict[str, list[str]], form: str, encode_labels: bool
) -> None:
    indices = [6, 0, 3, 1, 1, -1, -7]
    options = {**EVERYTHING, "encode_labels": encode_labels}
    if form.startswith("nullable") and encode_labels:  # the base class cannot sort nan with texts
        options["obs_keys"] = [CELL_TYPE, "is_primary_data"]
    compare(forms[form], indices, **options)


@pytest.mark.parametrize("cached", [True, False])
def test_categories_of_older_files_are_those_of_the_base_class(
    forms: dict[str, list[str]], cached: bool
) -> None:
    paths = forms["categories of anndata 0.7"][1:]
    options = {**EVERYTHING, "obs_keys": ["sex_ontology_term_id"], "cache_categories": cached}
    compare(paths, [6, 0, 3, 1], **options)


def test_obs_of_before_anndata_0_7_is_that_of_the_base_class(tmp_path: Path) -> None:
    obs = np.array([(b"a", 1, 2.5), (b"b", 0, 1.0), (b"c", 1, 0.5)], "S1,i1,f8")
    obs.dtype.names = ("index", "kind", "depth")
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        file["X"] = np.arange(6, dtype=np.float32).reshape(3, 2)
        file["obs"] = obs
        file["var"] = np.array([(b"ENSG1",), (b"ENSG2",)], dtype=[("index", "S5")])
        file["uns/kind_categories"] = np.array([b"B cell", b"T cell"])
    options = {"obs_keys": ["kind", "depth"], "encode_labels": ["kind"], "join": None}
    compare([str(tmp_path / "old.h5ad")], [2, 0, 0, 1], **options)


def _worker_rows(batch: list[dict[str, Any]]) -> list[Any]:
    return [(s["X"].tolist(), s["barcode"], s["_store_idx"]) for s in batch]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("parallel", [True, False])
def test_workers_with_the_base_class_initialiser_read_what_the_base_class_reads(
    write_parts: Write, parts: tuple[Part, ...], method: str, parallel: bool
) -> None:
    options = {"obs_keys": "barcode", "encode_labels": False, "join": "outer"}
    paths = write_parts(parts)
    with base_of(paths, **options) as base, MappedCorpus(paths, parallel=parallel, **options) as m:
        expected = _worker_rows([base[i] for i in range(16)])
        loader = DataLoader(
            m,
            batch_size=3,
            num_workers=1 if method == "spawn" else 2,
            collate_fn=_worker_rows,
            worker_init_fn=m.torch_worker_init_fn,
            multiprocessing_context=multiprocessing.get_context(method),
        )
        assert [row for batch in loader for row in batch] == expected


def test_more_files_than_a_process_may_open(
    tmp_path: Path, write_parts: Write, parts: tuple[Part, ...]
) -> None:
    first = write_parts([replace(parts[0], format="gzip")])[0]
    paths = [shutil.copy(first, tmp_path / f"{i}.h5ad") for i in range(60)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with base_of([first], obs_keys=CELL_TYPE) as base:
        expected = base[4]
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, limits[1]))
    try:
        with MappedCorpus(paths, obs_keys=CELL_TYPE) as mapped:
            samples = mapped.__getitems__(list(range(4, len(mapped), 7)))
            n_open = mapped.storages.n_open
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert n_open <= 12
    assert [sample.pop("_store_idx") for sample in samples] == list(range(60))
    del expected["_store_idx"]
    assert_same(samples, [expected] * 60)
