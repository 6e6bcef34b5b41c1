from __future__ import annotations

import contextlib
import gzip
import shutil
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from scipy import sparse

from corpuscle.curation import _guards_stores, open_source
from corpuscle.errors import CountsError, InputError, SchemaError

from .strangers import COUNTS, Case, assert_refused, cases, example, hdf5, replace, write

if TYPE_CHECKING:
    from pathlib import Path

HUGE = 10**12


@pytest.fixture(scope="session")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(example(), tmp_path_factory.mktemp("valid") / "valid.h5ad")


def x(form: Any = sparse.csr_matrix, **parts: Any) -> Any:
    """Put another X, then other parts of it."""

    def spoil(file: Any) -> None:
        if form is not sparse.csr_matrix:
            import anndata

            del file["X"]
            anndata.io.write_elem(file, "X", form(COUNTS))
        for part, change in parts.items():
            new = change(file["X"][part][...]) if callable(change) else change
            replace(file["X"], part, new)

    return spoil


def at(index: int, value: Any) -> Any:
    def change(values: Any) -> Any:
        values[index] = value
        return values

    return change


def dense(values: Any) -> Any:
    def spoil(file: Any) -> None:
        del file["X"]
        file["X"] = values
        file["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})

    return spoil


def shape(value: Any) -> Any:
    return lambda file: file["X"].attrs.__setitem__("shape", value)


def no(key: str) -> Any:
    return lambda file: file.__delitem__(key)


def encoding(value: str) -> Any:
    return lambda file: file["X"].attrs.__setitem__("encoding-type", value)


def two_layers(file: Any) -> None:
    for name in ("a", "b"):
        file.copy("X", file.require_group("layers"), name)
    dense(np.log1p(COUNTS))(file)


def raw_out_of_range(file: Any) -> None:
    file.copy("X", file.require_group("raw"), "X")
    file.copy("var", file["raw"], "var")
    replace(file["raw/X"], "indices", at(0, 99)(file["raw/X/indices"][...]))


def link_out(key: str) -> Any:
    def spoil(file: Any) -> None:
        if key in file:
            del file[key]
        file[key] = h5py.ExternalLink("/etc/other.h5", "/X")

    return spoil


def link_to_nothing(file: Any) -> None:
    del file["X"]
    file["X"] = h5py.SoftLink("/nowhere")


def link_to_itself(file: Any) -> None:
    file.require_group("layers")["again"] = file["layers"]


def values_elsewhere(file: Any) -> None:
    del file["obs/n"]
    file.create_dataset("obs/n", (6,), "i8", external=[("/etc/passwd", 0, 48)])


def mapped_from_elsewhere(file: Any) -> None:
    layout = h5py.VirtualLayout((6, 40), "f4")
    layout[...] = h5py.VirtualSource("/etc/other.h5", "X", (6, 40))
    del file["X"]
    file.create_virtual_dataset("X", layout)


def references(file: Any) -> None:
    del file["obs/n"]
    file.create_dataset("obs/n", (6,), h5py.ref_dtype)


def opaque(file: Any) -> None:
    del file["obs/n"]
    file["obs/n"] = np.zeros(6, dtype="V8")


def foreign_filter(file: Any) -> None:
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((6,))
    made.set_filter(31_999, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    del file["obs/n"]
    space = h5py.h5s.create_simple((6,))
    h5py.h5d.create(file["obs"].id, b"n", h5py.h5t.NATIVE_INT64, space, made)


def bomb(key: str, n: int = HUGE) -> Any:
    def spoil(file: Any) -> None:
        kept, dtype = dict(file[key].attrs), file[key].dtype
        del file[key]
        file.create_dataset(key, (n,), dtype, chunks=(1 << 16,), compression="gzip")
        file[key].attrs.update(kept)

    return spoil


def bomb_in_rows(file: Any) -> None:
    del file["X"]
    file.create_dataset("X", (HUGE, 40), "f4", chunks=(1 << 12, 40), compression="gzip")


@cases(
    ("no-x", no("X"), SchemaError, "neither X"),
    ("shape-turned", shape([40, 6]), SchemaError, r"X .* shape \(40, 6\)"),
    ("shape-of-three", shape([6, 40, 1]), SchemaError, "X does not say its shape"),
    ("shape-negative", shape([-6, 40]), SchemaError, r"X .* shape \(-6, 40\)"),
    ("shape-missing", lambda f: f["X"].attrs.__delitem__("shape"), SchemaError, "X does not say"),
    ("one-dimension", dense(np.ones(6)), SchemaError, "X is no matrix"),
    ("three-dimensions", dense(np.ones((6, 40, 2))), SchemaError, "X is no matrix"),
    ("encoding-unknown", encoding("coo_matrix"), SchemaError, "X is no matrix .* coo_matrix"),
    ("no-data", no("X/data"), SchemaError, "X has no array data"),
    ("no-indices", no("X/indices"), SchemaError, "X has no array indices"),
    ("no-indptr", no("X/indptr"), SchemaError, "X has no array indptr"),
    ("data-short", x(data=lambda v: v[:-1]), SchemaError, r"X has \d+ values at \d+ indices"),
    ("indices-short", x(indices=lambda v: v[:-1]), SchemaError, "X has .* values at"),
    ("data-of-two", x(data=np.ones((4, 2))), SchemaError, "X has no array data"),
    ("index-beyond", x(indices=at(3, 40)), SchemaError, "X of .* cannot be read"),
    ("index-negative", x(indices=at(3, -1)), SchemaError, "X of .* cannot be read"),
    ("index-fractional", x(indices=lambda v: v + 0.5), SchemaError, "X/indices is of float64"),
    ("indptr-descends", x(indptr=at(3, 0)), SchemaError, "not ascending"),
    ("indptr-short", x(indptr=lambda v: v[:-1]), SchemaError, "in rows that end at"),
    ("indptr-beyond", x(indptr=at(-1, 9999)), SchemaError, "X of .* cannot be read"),
    ("indptr-from-one", x(indptr=at(0, 1)), SchemaError, "the first row begins at 1"),
    ("csc-index-beyond", x(sparse.csc_matrix, indices=at(0, 6)), SchemaError, "row 6 of a matrix"),
    ("csc-index-negative", x(sparse.csc_matrix, indices=at(0, -1)), SchemaError, "cannot be read"),
    ("csc-indptr", x(sparse.csc_matrix, indptr=lambda v: v[1:]), SchemaError, "do not fit"),
    ("csc-descends", x(sparse.csc_matrix, indptr=at(3, 0)), SchemaError, "cannot be read"),
    ("raw-index-beyond", raw_out_of_range, SchemaError, "raw.X of .* cannot be read"),
    ("nan", x(data=at(5, np.nan)), CountsError, "nan is not finite"),
    ("infinite", x(data=at(5, np.inf)), CountsError, "inf is not finite"),
    ("minus-infinite", x(data=at(5, -np.inf)), CountsError, "-inf is not finite"),
    ("negative", x(data=at(5, -3)), CountsError, "-3 is negative"),
    ("fraction", x(data=at(5, 2.5)), CountsError, "2.5 is not whole"),
    ("too-large", x(data=at(5, 2.0**25)), CountsError, "too large to be exact as float32"),
    ("log", x(data=np.log1p), CountsError, "is not whole"),
    ("scaled", dense(COUNTS - COUNTS.mean(0)), CountsError, "X: "),
    ("presence", dense((COUNTS > 0).astype("f4")), CountsError, "presence, not counts"),
    ("all-zero", dense(np.zeros((6, 40), "f4")), CountsError, "no value is above 1"),
    ("booleans", dense(COUNTS > 0), CountsError, "X: "),
    ("texts", dense(np.full((6, 40), b"1")), CountsError, "are no counts"),
    ("complex", dense(COUNTS.astype("c8")), CountsError, "are no counts"),
    ("counts-twice", two_layers, CountsError, "several layers .* --layer"),
    ("link-for-x", link_out("X"), SchemaError, r"/X is a link to /X of /etc/other\.h5"),
    ("link-for-column", link_out("obs/n"), SchemaError, "/obs/n is a link to"),
    ("link-in-uns", link_out("uns/deep"), SchemaError, "/uns/deep is a link to"),
    ("link-to-nothing", link_to_nothing, SchemaError, "nowhere|X"),
    ("group-in-itself", link_to_itself, SchemaError, "/layers/again holds itself"),
    ("values-elsewhere", values_elsewhere, SchemaError, "values of /obs/n are in /etc/passwd"),
    ("mapped", mapped_from_elsewhere, SchemaError, r"values of /X are in /etc/other\.h5"),
    ("references", references, SchemaError, "/obs/n holds references"),
    ("opaque", opaque, SchemaError, "/obs/n holds opaque bytes"),
    ("foreign-filter", foreign_filter, SchemaError, "/obs/n is packed by filter 31999"),
    ("bomb-column", bomb("obs/n"), SchemaError, "/obs/n declares 8,000,000,000,000 bytes"),
    ("bomb-index", bomb("obs/_index"), SchemaError, "/obs/_index declares"),
    ("bomb-codes", bomb("obs/cell_type/codes"), SchemaError, "codes declares"),
    ("bomb-data", bomb("X/data"), SchemaError, "/X/data declares"),
    ("bomb-indptr", bomb("X/indptr"), SchemaError, "/X/indptr declares"),
    ("bomb-just-small-enough", bomb("obs/n", 10**8), SchemaError, "'n' of obs has 100,000,000"),
    ("bomb-dense", bomb_in_rows, SchemaError, "/X declares"),
)
def test_a_spoiled_matrix_is_refused(valid: Path, tmp_path: Path, case: Case) -> None:
    path = tmp_path / "a.h5ad"
    shutil.copyfile(valid, path)
    with hdf5(path) as file:
        case.spoil(file)
    assert_refused(path, case, tmp_path / "out" / "c.h5ad")


def test_a_file_of_very_many_parts_is_refused(
    valid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_guards_stores, "MAX_OBJECTS", 5)
    case = Case("many", None, SchemaError, "over 5 groups and arrays")  # type: ignore[arg-type]
    assert_refused(valid, case, tmp_path / "out" / "c.h5ad")


def test_a_layer_that_is_not_there_is_refused(valid: Path, tmp_path: Path) -> None:
    case = Case("layer", None, CountsError, "no matrix 'spliced'")  # type: ignore[arg-type]
    assert_refused(valid, case, tmp_path / "out" / "c.h5ad", layer="spliced")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_file_that_is_cut_is_refused(valid: Path, tmp_path: Path, share: float) -> None:
    path, whole = tmp_path / "a.h5ad", valid.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    case = Case("cut", None, SchemaError, "cannot be read as h5ad")  # type: ignore[arg-type]
    assert_refused(path, case, tmp_path / "out" / "c.h5ad")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.h5ad", b"cell,gene\n1,2\n"),
        ("a.h5ad", gzip.compress(b"x" * 9999)),
        ("a.h5ad", b"PK\3\4" + bytes(999)),
        ("a.h5ad", b"\x89HDF\r\n\x1a\n" + bytes(9999)),
        ("a.h5", b"<html>404</html>"),
        ("a.hdf5", bytes(5000)),
    ],
    ids=["text", "gzip", "zip", "only-a-superblock", "page", "zeros"],
)
def test_what_only_has_the_name_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    case = Case("other", None, SchemaError, "cannot be read as")  # type: ignore[arg-type]
    assert_refused(path, case, tmp_path / "out" / "c.h5ad")


def test_flipped_bytes_raise_only_our_errors(valid: Path, tmp_path: Path) -> None:
    rng, whole = np.random.default_rng(7), valid.read_bytes()
    path = tmp_path / "a.h5ad"
    for _ in range(60):
        spoilt = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            spoilt[place] = rng.integers(0, 256)
        path.write_bytes(spoilt)
        with contextlib.suppress(InputError), open_source(path) as source:
            for matrix in source.matrices.values():
                list(matrix.chunks())
