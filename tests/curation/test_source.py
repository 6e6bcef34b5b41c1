from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from corpuscle.curation import _matrix, detect_format, open_source
from corpuscle.curation._anndata_store import LegacyStore
from corpuscle.curation._transpose import transpose
from corpuscle.errors import NotFoundError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corpuscle.curation import SourceFile


def opened(path: Path, mode: Literal["r+", "w"] = "r+") -> Any:
    """Open without types: what is inside is known here."""
    return h5py.File(path, mode)


def read(source: SourceFile, name: str = "X") -> list[list[float]]:
    """All rows of a matrix, chunk by chunk."""
    parts = [rows.toarray() for _, rows in source.matrices[name].chunks()]
    result: list[list[float]] = np.concatenate(parts).tolist()
    return result


@pytest.mark.parametrize("chunk", [1, 5, 100])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("name", ["a.h5ad", "a.zarr"])
def test_every_stored_form_reads_the_same(
    write: Callable[..., Path],
    coded: Callable[..., Any],
    human: list[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    form: Callable[[Any], Any],
    chunk: int,
) -> None:
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", chunk)
    values = coded(4, 3) * np.eye(4, 3, dtype=np.float32)
    path = write(form(values), human[:3], name=name)
    with open_source(path) as source:
        assert read(source) == values.tolist()


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix])
def test_stored_zeros_change_nothing_when_rows_are_read_again(
    write: Callable[..., Path], coded: Callable[..., Any], human: list[str], form: Any
) -> None:
    values = form(coded(4, 3))
    values.data[[0, 5]] = 0
    with open_source(write(values, human[:3])) as source:
        first, second = read(source), read(source)
    assert first == second == values.toarray().tolist()


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_of_zarr_are_read(
    tmp_path: Path, coded: Callable[..., Any], human: list[str], version: int
) -> None:
    adata = anndata.AnnData(coded(2, 3), var=pd.DataFrame(index=human[:3]))
    with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=version):
        warnings.simplefilter("ignore")  # anndata would rather not write version 2
        adata.write_zarr(tmp_path / "a.zarr")
    marks = {2: ".zgroup", 3: "zarr.json"}
    with open_source(tmp_path / "a.zarr") as source:
        assert (read(source)[1], (tmp_path / "a.zarr" / marks[version]).exists()) == (
            [101, 102, 103],
            True,
        )


def test_only_raw_is_enough(
    write: Callable[..., Path], coded: Callable[..., Any], human: list[str]
) -> None:
    raw = anndata.AnnData(coded(2, 5), var=pd.DataFrame(index=human[:5]))
    raw.obs_names = ["cell0", "cell1"]
    path = write(coded(2, 3), human[:3], raw=raw)
    with opened(path, "r+") as file:
        del file["X"]
    with open_source(path) as source:
        assert (list(source.matrices), read(source, "raw.X")[0]) == (["raw.X"], [1, 2, 3, 4, 5])


def test_raw_may_have_more_genes_than_x(
    write: Callable[..., Path], coded: Callable[..., Any], human: list[str]
) -> None:
    raw = anndata.AnnData(coded(2, 5), var=pd.DataFrame(index=human[:5]))
    raw.obs_names = ["cell0", "cell1"]
    with open_source(write(coded(2, 3), human[:3], raw=raw)) as source:
        shapes = {name: matrix.shape for name, matrix in source.matrices.items()}
    assert shapes == {"raw.X": (2, 5), "X": (2, 3)}


def test_what_is_no_matrix_among_layers_is_passed_over(
    write: Callable[..., Path], coded: Callable[..., Any], set_text: Any, human: list[str]
) -> None:
    path = write(coded(2, 3), human[:3])
    set_text(path, "layers/vector", np.ones(2))
    with open_source(path) as source:
        assert list(source.matrices) == ["X"]


def test_the_rest_of_the_file_is_named(
    write: Callable[..., Path], coded: Callable[..., Any], human: list[str]
) -> None:
    path = write(
        coded(2, 3),
        human[:3],
        obsm={"X_umap": np.zeros((2, 2)), "spatial": np.asarray([[1.0, 2.0], [3.0, 4.0]])},
        uns={"title": np.asarray(["A study"], dtype=object), "colors": ["red"], "citation": ""},
    )
    with open_source(path) as source:
        found = source.left_out, source.uns, np.asarray(source.spatial).tolist()
    assert found == (("obsm/X_umap", "uns/colors"), {"title": "A study"}, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.asarray(["human"], dtype=object), "human"),
        (np.asarray([" human"], dtype=object), "human"),
        ("human", "human"),
        ({"a": "human"}, "a"),
        (np.asarray(["a", "b"], dtype=object), "a, b"),
        (9606, "9606"),
    ],
    ids=["array", "blank", "text", "group", "two", "number"],
)
def test_what_uns_says_is_one_text(
    write: Callable[..., Path],
    coded: Callable[..., Any],
    set_text: Callable[..., None],
    human: list[str],
    value: object,
    text: str,
) -> None:
    path = write(coded(2, 3), human[:3])
    set_text(path, "uns/organism", value)
    with open_source(path) as source:
        assert source.uns == {"organism": text}


def test_columns_of_the_same_name_are_one(
    write: Callable[..., Path], coded: Callable[..., Any], human: list[str]
) -> None:
    path = write(coded(2, 3), human[:3], {"a": [1, 2]})
    with opened(path, "r+") as file:
        file["obs"].attrs["column-order"] = ["a", "a"]
    with open_source(path) as source:
        assert list(source.obs.columns) == ["a"]


def damage_nothing_there(path: Path) -> None:
    path.unlink()


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def damage_text(path: Path) -> None:
    path.write_text("cell\tgene\n")


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_no_obs(path: Path) -> None:
    with opened(path, "r+") as file:
        del file["obs"]


def damage_no_matrix(path: Path) -> None:
    with opened(path, "r+") as file:
        del file["X"]


def damage_obs_is_no_table(path: Path) -> None:
    with opened(path, "r+") as file:
        file["obs"].attrs.update({"encoding-type": "dict", "encoding-version": "0.1.0"})


def damage_encoding(path: Path) -> None:
    with opened(path, "r+") as file:
        file["obs"].attrs["encoding-type"] = "of the future"


def damage_shape(path: Path) -> None:
    with opened(path, "r+") as file:
        file["X"].attrs["shape"] = [2, 4]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_truncate, "cannot be read as h5ad: OSError"),
        (damage_text, "cannot be read as h5ad: OSError"),
        (damage_empty, "cannot be read as h5ad: OSError"),
        (damage_no_obs, "has no obs: it is not an AnnData file."),
        (damage_no_matrix, "has neither X, raw.X nor layers."),
        (damage_obs_is_no_table, "is a dict, not a table."),
        (damage_encoding, "obs cannot be read: IORegistryError"),
        (damage_shape, "has shape (2, 4), but its obs and var tables have (2, 3) rows."),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    write: Callable[..., Path],
    coded: Callable[..., Any],
    human: list[str],
    damage: Callable[[Path], None],
    message: str,
) -> None:
    path = write(sparse.csr_matrix(coded(2, 3)), human[:3])
    damage(path)
    with pytest.raises(SchemaError) as refused:
        open_source(path)
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("indices", [0, 1, 9, 0, 1, 2], "ValueError"),
        ("indices", [0, 1, -9, 0, 1, 2], "ValueError"),
        ("indptr", [0, 7, 6], "3 row offsets for 2 rows, or not ascending"),
        ("indptr", [0, 6, 3], "6 values in rows that end at 3"),
        ("indptr", [0, 6], "2 row offsets for 2 rows"),
        ("indptr", [1, 3, 6], "the first row begins at 1"),
    ],
)
def test_entries_out_of_place_are_refused_and_not_read(
    write: Callable[..., Path],
    coded: Callable[..., Any],
    human: list[str],
    key: str,
    values: list[int],
    message: str,
) -> None:
    path = write(sparse.csr_matrix(coded(2, 3)), human[:3])
    with opened(path, "r+") as file:
        dtype = file["X"][key].dtype
        del file["X"][key]
        file["X"][key] = np.asarray(values, dtype=dtype)
    with open_source(path) as source, pytest.raises(SchemaError) as refused:
        read(source)
    assert f"X of {path} cannot be read" in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("key", "values"), [("indices", [0, 1, 9, 0, 1, 0]), ("indptr", [0, 2, 4])]
)
def test_csc_out_of_place_is_refused(
    write: Callable[..., Path],
    coded: Callable[..., Any],
    human: list[str],
    key: str,
    values: list[int],
) -> None:
    path = write(sparse.csc_matrix(coded(2, 3)), human[:3])
    with opened(path, "r+") as file:
        del file["X"][key]
        file["X"][key] = np.asarray(values)
    with open_source(path) as source, pytest.raises(SchemaError, match=r"cannot be read"):
        read(source)


def test_a_broken_chunk_of_zarr_is_refused(
    write: Callable[..., Path], coded: Callable[..., Any], human: list[str]
) -> None:
    path = write(coded(2, 3), human[:3], name="a.zarr")
    (chunk,) = [
        p
        for p in (path / "X").rglob("*")
        if p.is_file() and p.suffix != ".json" and not p.name.startswith(".")
    ]
    chunk.write_bytes(b"broken")
    with open_source(path) as source, pytest.raises(SchemaError, match=r"X of .* cannot be read"):
        read(source)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_a_file_without_cells_or_features_is_refused(
    write: Callable[..., Path], human: list[str], shape: tuple[int, int]
) -> None:
    path = write(np.zeros(shape, dtype=np.float32), human[: shape[1]])
    with pytest.raises(SchemaError, match=f"has {shape[0]} cells and {shape[1]} features"):
        open_source(path)


@given(
    entries=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=20),
    block=st.integers(1, 7),
)
def test_transposing_out_of_core_loses_nothing(entries: list[tuple[int, int]], block: int) -> None:
    entries.sort(key=lambda entry: entry[1])
    columns = np.asarray([column for _, column in entries], dtype=np.int64)
    stored = {
        "data": np.arange(len(entries)) + 1,
        "indices": np.asarray([row for row, _ in entries], dtype=np.int32),
        "indptr": np.searchsorted(columns, np.arange(5)),
    }
    found = transpose(stored, (5, 4), block)
    rows = np.repeat(np.arange(5), np.diff(found["indptr"]))
    triples = zip(rows.tolist(), found["indices"].tolist(), found["data"].tolist(), strict=True)
    assert list(triples) == sorted((r, c, i + 1) for i, (r, c) in enumerate(entries))


@pytest.mark.parametrize(
    ("name", "inside"),
    [("a.zarr", ()), ("folder", ()), ("folder", ("other.txt",)), ("a.csv", None)],
    ids=["zarr", "empty", "other", "text"],
)
def test_what_is_no_format_of_ours_is_refused(
    tmp_path: Path, name: str, inside: tuple[str, ...] | None
) -> None:
    path = tmp_path / name
    if inside is None:
        path.write_text("a,b\n")
    else:
        path.mkdir()
        for file in inside:
            (path / file).touch()
    with pytest.raises(SchemaError, match=r"neither \.h5ad, \.zarr, a 10x \.h5 nor"):
        detect_format(path)


def test_an_empty_group_of_zarr_is_refused(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w")
    with pytest.raises(SchemaError, match="has no obs and no var"):
        open_source(tmp_path / "a.zarr")


def test_a_path_to_nothing_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no file or folder"):
        open_source(tmp_path / "a.h5ad")


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5"])
def test_h5_is_what_is_inside(
    write: Callable[..., Path], coded: Callable[..., Any], human: list[str], name: str
) -> None:
    path = write(coded(2, 3), human[:3])
    path = path.rename(path.with_name(name))
    assert detect_format(path) == "h5ad"


def test_an_h5_that_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("text")
    with pytest.raises(SchemaError, match="cannot be read as HDF5"):
        detect_format(tmp_path / "a.h5")


def test_what_only_anndata_can_read_is_read_by_it(coded: Callable[..., Any]) -> None:
    adata = anndata.AnnData(coded(2, 3), layers={"twice": 2 * coded(2, 3)})
    adata.raw = adata
    adata.uns["organism"] = "human"
    adata.obsm["spatial"] = np.zeros((2, 2))
    adata.obsm["X_pca"] = np.zeros((2, 2))
    store = LegacyStore(Path("old.h5ad"), adata)
    assert list(store.matrices()) == ["raw.X", "X", "layers/twice"]
    assert (store.uns(), np.asarray(store.spatial(2)).shape, store.left_out()) == (
        {"organism": "human"},
        (2, 2),
        ("obsm/X_pca",),
    )


def test_zarr_of_before_encodings_is_read(
    tmp_path: Path, coded: Callable[..., Any], human: list[str]
) -> None:
    obs = pd.DataFrame({"depth": [1, 2]}, index=["a", "b"])
    adata = anndata.AnnData(coded(2, 3), obs, pd.DataFrame(index=human[:3]))
    with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=2):
        warnings.simplefilter("ignore")  # anndata would rather not write version 2
        adata.write_zarr(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / ".zmetadata").unlink(missing_ok=True)
    attributes = tmp_path / "a.zarr" / "obs" / ".zattrs"
    kept = json.loads(attributes.read_text())
    attributes.write_text(json.dumps({k: v for k, v in kept.items() if "encoding" not in k}))
    with open_source(tmp_path / "a.zarr") as source:
        assert (read(source)[1], source.spatial) == ([101, 102, 103], None)


def test_gz_suffix_is_not_taken_for_h5ad(tmp_path: Path) -> None:
    (tmp_path / "a.h5ad.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(SchemaError, match="Convert it"):
        detect_format(tmp_path / "a.h5ad.gz")
