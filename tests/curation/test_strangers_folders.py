from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from scipy import sparse

from corpuscle.errors import CountsError, SchemaError

from .strangers import COUNTS, Case, assert_refused, cases, example, human_ids, replace, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BANNER = "%%MatrixMarket matrix coordinate integer general"


@pytest.fixture(scope="session")
def valid_zarr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(example(), tmp_path_factory.mktemp("valid") / "valid.zarr")


def metadata(key: str, **changes: Any) -> Callable[[Path], None]:
    """Change the metadata of an array, which stand in two places."""

    def spoil(path: Path) -> None:
        own, whole = path / key / "zarr.json", path / "zarr.json"
        every = json.loads(whole.read_text())
        every["consolidated_metadata"]["metadata"][key] |= changes
        whole.write_text(json.dumps(every))
        own.write_text(json.dumps(json.loads(own.read_text()) | changes))

    return spoil


def no_obs(path: Path) -> None:
    shutil.rmtree(path / "obs")
    (path / "zarr.json").unlink()
    shutil.copy(path / "var" / "zarr.json", path)


def lost(key: str) -> Callable[[Path], None]:
    return lambda path: shutil.rmtree(path / key / "c")


def cut(key: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        chunk = path / key / "c" / "0"
        chunk.write_bytes(chunk.read_bytes()[:20])

    return spoil


def link(key: str, target: str) -> Callable[[Path], None]:
    return lambda path: (path / key).symlink_to(target)


def codec(**filter_: Any) -> Callable[[Path], None]:
    """An array of version 2 with a codec; pickle would call whatever the bytes name."""
    return lambda path: with_codec(path, filter_)


def with_codec(path: Path, filter_: dict[str, Any]) -> None:
    for file in path.rglob("zarr.json"):
        file.unlink()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / "X" / ".zarray").write_text(
        json.dumps(
            {
                "zarr_format": 2,
                "shape": [6, 40],
                "chunks": [6, 40],
                "dtype": "<f4",
                "compressor": None,
                "fill_value": 0,
                "order": "C",
                "filters": [filter_],
            }
        )
    )


def spoilt_json(path: Path) -> None:
    (path / "zarr.json").write_text("{")


@cases(
    ("lost-values", lost("X/data"), SchemaError, "1 of 1 pieces of X/data are not there"),
    ("lost-indices", lost("X/indices"), SchemaError, "1 of 1 pieces of X/indices"),
    ("lost-offsets", lost("X/indptr"), SchemaError, "X of .* cannot be read"),
    ("lost-names", lost("var/_index"), SchemaError, "pieces of var/_index"),
    ("cut-values", cut("X/data"), SchemaError, "X of .* cannot be read"),
    ("cut-column", cut("obs/n"), SchemaError, "obs"),
    ("cut-metadata", spoilt_json, SchemaError, "cannot be read as zarr"),
    ("no-obs", no_obs, SchemaError, "cannot be read|no obs"),
    (
        "link-to-file",
        link("X/extra", "/etc/passwd"),
        SchemaError,
        "X/extra is a link to /etc/passwd",
    ),
    ("link-to-folder", link("layers/a", "/etc"), SchemaError, "layers/a is a link to /etc"),
    ("link-in-circles", link("layers/a", ".."), SchemaError, "layers/a is a link to"),
    ("pickle", codec(id="pickle", protocol=5), SchemaError, "pickle"),
    (
        "other-codec",
        codec(id="astype", encode_dtype="<f4", decode_dtype="<f4"),
        SchemaError,
        "X is packed by astype",
    ),
    ("bomb-indices", metadata("X/indices", shape=[10**13]), SchemaError, "X/indices declares"),
    ("bomb-index", metadata("obs/_index", shape=[10**13]), SchemaError, "obs/_index declares"),
    ("bomb-column", metadata("obs/n", shape=[10**13]), SchemaError, "'n' of obs has 10,000"),
    ("bomb-values", metadata("X/data", shape=[10**13]), SchemaError, "X has 10,000,"),
)
def test_a_spoiled_zarr_is_refused(valid_zarr: Path, tmp_path: Path, case: Case) -> None:
    path = tmp_path / "a.zarr"
    shutil.copytree(valid_zarr, path)
    case.spoil(path)
    assert_refused(path, case, tmp_path / "out" / "c.h5ad")


@pytest.fixture
def tenx(tmp_path: Path) -> Path:
    path = tmp_path / "a.h5"
    cells = sparse.csr_matrix(COUNTS.astype(np.int32))
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(cells, name)
        group["shape"] = [40, 6]
        group["barcodes"] = [f"B{i}-1".encode() for i in range(6)]
        for name in ("id", "name"):
            group[f"features/{name}"] = [gene.encode() for gene in human_ids()]
    return path


def dropped(key: str) -> Callable[[Any], None]:
    return lambda file: file.__delitem__(f"matrix/{key}")


def other(key: str, values: Any) -> Callable[[Any], None]:
    return lambda file: replace(file, f"matrix/{key}", values)


@cases(
    *(
        (f"no-{key}", dropped(key), SchemaError, f"no {key} in /matrix")
        for key in ("barcodes", "data", "indices", "indptr", "shape", "features/id")
    ),
    ("no-features", dropped("features"), SchemaError, "no features/id and no features/name"),
    ("no-matrix", lambda f: f.move("matrix", "other"), SchemaError, "neither an AnnData nor a 10x"),
    ("barcodes-short", other("barcodes", [b"a"]), SchemaError, "1 barcodes and 40 features"),
    ("names-short", other("features/name", [b"a"]), SchemaError, "cannot be read as 10x-h5"),
    ("barcodes-numbers", other("barcodes", range(6)), SchemaError, "cannot be read as 10x-h5"),
    ("shape-turned", other("shape", [6, 40]), SchemaError, "6 barcodes and 40 features"),
    ("shape-of-three", other("shape", [40, 6, 1]), SchemaError, "cannot be read as 10x-h5"),
    ("index-beyond", other("indices", np.full(9, 99)), SchemaError, "X of .* cannot be read"),
    ("index-short", other("indptr", [0, 1]), SchemaError, "in rows that end at 1"),
    ("negative", other("data", np.full((COUNTS > 0).sum(), -1)), CountsError, "-1 is negative"),
)
def test_a_spoiled_tenx_file_is_refused(tenx: Path, tmp_path: Path, case: Case) -> None:
    with h5py.File(tenx, "r+") as file:
        case.spoil(file)
    assert_refused(tenx, case, tmp_path / "out" / "c.h5ad")


def mtx_lines() -> list[str]:
    """Genes by cells, as Cell Ranger writes them."""
    cells, genes = np.nonzero(COUNTS)
    return [f"{g + 1} {c + 1} {int(COUNTS[c, g])}" for c, g in zip(cells, genes, strict=True)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path, lines = tmp_path / "sample", mtx_lines()
    path.mkdir()
    put(path, "matrix.mtx", [BANNER, f"40 6 {len(lines)}", *lines])
    put(path, "features.tsv", [f"{gene}\t{gene}\tGene Expression" for gene in human_ids()])
    put(path, "barcodes.tsv", [f"B{i}-1" for i in range(6)])
    return path


def put(path: Path, name: str, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    (path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))


def lines_of(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        lines = gzip.decompress((path / f"{name}.gz").read_bytes()).decode().splitlines()
        put(path, name, change(lines))

    return spoil


def matrix(*new: tuple[int, str]) -> Callable[[Path], None]:
    """Put other lines into the matrix: 0 is the banner, 1 the sizes, 2 the first entry."""

    def change(lines: list[str]) -> list[str]:
        for number, line in new:
            lines[number] = line
        return lines

    return lines_of("matrix.mtx", change)


def gone(name: str) -> Callable[[Path], None]:
    return lambda path: (path / f"{name}.gz").unlink()


def cut_file(name: str, share: float) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        whole = (path / f"{name}.gz").read_bytes()
        (path / f"{name}.gz").write_bytes(whole[: int(share * len(whole))])

    return spoil


def swapped(path: Path) -> None:
    one, two = path / "barcodes.tsv.gz", path / "features.tsv.gz"
    one.rename(path / "x")
    two.rename(one)
    (path / "x").rename(two)


def to_outside(path: Path) -> None:
    (path / "barcodes.tsv.gz").unlink()
    (path / "barcodes.tsv.gz").symlink_to("/etc/passwd")


N = int((COUNTS > 0).sum())


@cases(
    *(
        (f"no-{name}", gone(f"{name}.tsv"), SchemaError, f"has no {name}.tsv.gz nor")
        for name in ("barcodes", "features")
    ),
    ("no-matrix", gone("matrix.mtx"), SchemaError, "nor a folder with matrix.mtx"),
    ("swapped", swapped, SchemaError, "Fetch the three again"),
    ("header-small", matrix((1, f"40 6 {N - 1}")), SchemaError, "more entries than the"),
    ("header-large", matrix((1, f"40 6 {N + 1}")), SchemaError, f"ends after {N} entries"),
    ("header-turned", matrix((1, f"6 40 {N}")), SchemaError, "is of 6 by 40"),
    ("header-huge", matrix((1, "9999999999 6 1")), SchemaError, "claims 1 entries"),
    ("banner-gone", matrix((0, "% no banner")), SchemaError, "no banner"),
    ("symmetric", matrix((0, BANNER.replace("general", "symmetric"))), SchemaError, "symmetric"),
    ("array", matrix((0, BANNER.replace("coordinate", "array"))), SchemaError, "matrix array"),
    ("index-negative", matrix((2, "-1 1 3")), SchemaError, "outside of its 40 rows .* in line 3"),
    ("index-zero", matrix((2, "0 1 3")), SchemaError, "outside of its 40 rows .* in line 3"),
    ("index-beyond", matrix((3, "41 1 3")), SchemaError, "outside of its 40 rows .* in line 4"),
    ("fraction", matrix((2, "1 1 3.5")), SchemaError, "the value '3.5' in line 3"),
    ("word", matrix((2, "1 1 NA")), SchemaError, "the value 'NA' in line 3"),
    ("nul", matrix((2, "1 1 3\0")), SchemaError, "in line 3"),
    ("negative", matrix((2, "1 1 -3")), CountsError, "-3 is negative"),
    (
        "pattern",
        matrix((0, BANNER.replace("integer", "pattern"))),
        SchemaError,
        "not row and column",
    ),
    ("cut-matrix", cut_file("matrix.mtx", 0.5), SchemaError, "middle of its gzip stream"),
    ("cut-features", cut_file("features.tsv", 0.5), SchemaError, "features.tsv.gz ends in the"),
    ("cut-barcodes", cut_file("barcodes.tsv", 0.9), SchemaError, "barcodes.tsv.gz"),
    (
        "no-lines",
        lines_of("barcodes.tsv", lambda _: []),
        SchemaError,
        "barcodes.tsv.gz is no table",
    ),
    ("more-lines", lines_of("barcodes.tsv", lambda v: [*v, "x"]), SchemaError, "barcodes.tsv.gz 7"),
    (
        "ragged",
        lines_of("features.tsv", lambda v: [*v[:-1], "a\tb\tc\td\te"]),
        SchemaError,
        "features",
    ),
    (
        "bomb-tsv",
        lines_of("barcodes.tsv", lambda v: ["x" * 99] * 99_999),
        SchemaError,
        "bytes for 6",
    ),
    (
        "bomb-mtx",
        lines_of("matrix.mtx", lambda v: [*v, " " * 9_999_999]),
        SchemaError,
        "line of over|blank space",
    ),
    ("link-out", to_outside, SchemaError, "barcodes.tsv.gz is a link to /etc/passwd"),
)
def test_a_spoiled_folder_is_refused(folder: Path, tmp_path: Path, case: Case) -> None:
    case.spoil(folder)
    assert_refused(folder, case, tmp_path / "out" / "c.h5ad")
