from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from corpuscle.errors import (
    GeneMappingError,
    LabelMappingError,
    OrganismError,
    SchemaError,
)
from corpuscle.ontologies import gene_table

from .strangers import Case, assert_refused, cases, example, hdf5, human_ids, replace, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(example(), tmp_path_factory.mktemp("valid") / "valid.h5ad")


def attribute(key: str, name: str, value: Any) -> Any:
    return lambda file: file[key].attrs.__setitem__(name, value)


def without(*keys: str) -> Any:
    return lambda file: [file.__delitem__(key) for key in keys]


def values(key: str, new: Any) -> Any:
    return lambda file: replace(file, key, new)


def as_array(file: Any) -> None:
    del file["obs"]
    file["obs"] = np.arange(6)
    file["obs"].attrs["encoding-type"] = "array"


def column_of_group(file: Any) -> None:
    del file["obs/n"]
    file.create_group("obs/n")


def bare_categories(file: Any) -> None:
    del file["obs/cell_type"]
    group = file.create_group("obs/cell_type")
    group.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0"})
    group["codes"] = np.zeros(6, dtype=np.int8)


def nullable(mask: int) -> Any:
    def spoil(file: Any) -> None:
        del file["obs/n"]
        group = file.create_group("obs/n")
        group.attrs.update({"encoding-type": "nullable-integer", "encoding-version": "0.1.0"})
        group["values"], group["mask"] = np.arange(6), np.zeros(mask, dtype=bool)

    return spoil


def raw(n_var: int | None) -> Any:
    def spoil(file: Any) -> None:
        file.copy("X", file.require_group("raw"), "X")
        if n_var is not None:
            file.copy("var", file["raw"], "var")
            for key in ("_index", "note/codes"):
                replace(file, f"raw/var/{key}", file[f"var/{key}"][...][:n_var])

    return spoil


def genes(names: Any) -> Any:
    return values("var/_index", names)


def stated(text: str) -> Any:
    def spoil(file: Any) -> None:
        file["uns"].create_dataset("organism", data=text)
        file["uns/organism"].attrs.update({"encoding-type": "string", "encoding-version": "0.2.0"})

    return spoil


def title_of_many(file: Any) -> None:
    file["uns/title"] = np.zeros(1 << 20, dtype="S1")


def two_organisms(file: Any) -> None:
    genes([*human_ids(20), *gene_table("mouse").index[:20]])(file)


def two_id_columns(file: Any) -> None:
    ids = human_ids(80)
    for name, half in (("a", ids[:40]), ("b", ids[40:])):
        file[f"var/{name}"] = half
        file[f"var/{name}"].attrs.update(
            {"encoding-type": "string-array", "encoding-version": "0.2.0"}
        )
    file["var"].attrs["column-order"] = ["note", "a", "b"]
    genes([f"g{i}" for i in range(40)])(file)


@cases(
    ("no-obs", without("obs"), SchemaError, "no obs"),
    ("no-var", without("var"), SchemaError, "no var"),
    ("no-tables", without("obs", "var"), SchemaError, "no obs and no var"),
    ("obs-is-array", as_array, SchemaError, "obs is an array, not a table"),
    ("obs-is-dict", attribute("obs", "encoding-type", "dict"), SchemaError, "IORegistryError"),
    ("obs-of-the-future", attribute("obs", "encoding-type", "t"), SchemaError, "IORegistryError"),
    (
        "obs-version-of-the-future",
        attribute("obs", "encoding-version", "9.0.0"),
        SchemaError,
        "IORegistryError",
    ),
    (
        "no-index-named",
        lambda f: f["obs"].attrs.__delitem__("_index"),
        SchemaError,
        "obs names its index None",
    ),
    (
        "no-columns-named",
        lambda f: f["var"].attrs.__delitem__("column-order"),
        SchemaError,
        "columns None",
    ),
    (
        "index-of-another-name",
        attribute("obs", "_index", "x"),
        SchemaError,
        "obs has no column 'x'",
    ),
    ("no-index", without("obs/_index"), SchemaError, "obs has no column '_index'"),
    ("no-column", without("obs/n"), SchemaError, "obs has no column 'n'"),
    (
        "column-order-is-number",
        attribute("obs", "column-order", 3),
        SchemaError,
        "columns np.int64.3|columns 3",
    ),
    ("index-short", values("obs/_index", ["a", "b"]), SchemaError, "'cell_type' of obs has 6 rows"),
    ("column-long", values("obs/n", np.arange(7)), SchemaError, "'n' of obs has 7 rows"),
    ("column-short", values("obs/n", np.arange(5)), SchemaError, "'n' of obs has 5 rows"),
    ("column-empty", values("obs/n", np.arange(0)), SchemaError, "'n' of obs has 0 rows"),
    ("column-of-two", values("obs/n", np.zeros((6, 2))), SchemaError, r"obs/n .* shape \(6, 2\)"),
    ("column-is-number", values("obs/n", 3), SchemaError, "obs/n is no column"),
    ("column-is-group", column_of_group, SchemaError, "obs/n is no column"),
    ("codes-short", values("obs/cell_type/codes", [0, 1]), SchemaError, "cell_type"),
    ("codes-beyond", values("obs/cell_type/codes", [0, 1, 2, 9, 0, 1]), SchemaError, "codes"),
    ("codes-below", values("obs/cell_type/codes", [0, 1, -2, 0, 0, 1]), SchemaError, "codes"),
    ("codes-fractional", values("obs/cell_type/codes", np.full(6, 0.5)), SchemaError, "codes"),
    ("categories-missing", bare_categories, SchemaError, "categories"),
    ("categories-twice", values("obs/cell_type/categories", ["a", "a"]), SchemaError, "unique"),
    ("mask-short", nullable(5), SchemaError, "obs/n .* 2 different lengths"),
    ("var-short", values("var/_index", ["a"]), SchemaError, "'note' of var has 40 rows"),
    ("var-column-long", values("var/note", ["a"] * 41), SchemaError, "'note' of var has 41 rows"),
    ("raw-without-var", raw(None), SchemaError, "no table raw/var"),
    ("raw-var-short", raw(39), SchemaError, r"raw.X .* shape \(6, 40\)"),
    ("title-without-end", title_of_many, SchemaError, "uns/title is too long"),
    ("organism-unknown", stated("Martian"), OrganismError, "Martian"),
    ("organism-of-others", stated("mouse"), OrganismError, "stated to be Mus musculus"),
    ("organisms-mixed", two_organisms, OrganismError, "organism"),
    ("genes-unknown", genes([f"gene{i}" for i in range(40)]), GeneMappingError, "are not genes"),
    ("genes-are-numbers", genes(np.arange(40)), SchemaError, "var cannot be read: TypeError"),
    ("genes-empty", genes([""] * 40), GeneMappingError, "are not genes"),
    (
        "genes-mostly-dead",
        genes([*human_ids(4), *[f"x{i}" for i in range(36)]]),
        GeneMappingError,
        "",
    ),
    ("ids-contradict", two_id_columns, GeneMappingError, "--gene-column"),
)
def test_a_spoiled_table_is_refused(valid: Path, tmp_path: Path, case: Case) -> None:
    path = tmp_path / "a.h5ad"
    shutil.copyfile(valid, path)
    with hdf5(path) as file:
        case.spoil(file)
    assert_refused(path, case, tmp_path / "out" / "c.h5ad")


@cases(
    ("gene-column", {"gene_column": "none"}, GeneMappingError, "'none'"),
    ("column", {"columns": {"sex": "none"}}, LabelMappingError, "'none'"),
    ("organism", {"organism": "mouse"}, OrganismError, "stated to be Mus musculus"),
)
def test_an_option_that_contradicts_the_file_is_refused(
    valid: Path, tmp_path: Path, case: Case
) -> None:
    options: Any = case.spoil
    assert_refused(valid, case, tmp_path / "out" / "c.h5ad", **options)
