from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from corpuscle.errors import CorpuscleError, InputError, NotFoundError, SchemaError
from corpuscle.pipelines.examples._census import write_census
from corpuscle.pipelines.examples._census_recipes import BUILD, RECIPES
from corpuscle.pipelines.examples._census_store import _arrow
from corpuscle.pipelines.sources import Wanted

from .census import source, store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

tiledbsoma = pytest.importorskip("tiledbsoma")
HUMAN = "census_data/homo_sapiens"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("census")
    write_census(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    copy = tmp_path / "mirror"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("*.h5ad"))
    text = (copy / "mirrors.json").read_text()
    (copy / "mirrors.json").write_text(text.replace(whole.as_uri(), copy.as_uri()))
    return copy


def change_table(
    folder: Path, path: str, spoil: Callable[[pd.DataFrame], pd.DataFrame | None]
) -> None:
    """Write a table of the store anew; without anything, take it away."""
    uri = str(store(folder) / path)
    with tiledbsoma.DataFrame.open(uri) as stored:
        rows = stored.read().concat().to_pandas().drop(columns="soma_joinid")
    for column in rows.select_dtypes("category"):
        rows[column] = rows[column].astype(object)
    changed = spoil(rows)
    if changed is None:
        where, _, name = uri.rpartition("/")
        with tiledbsoma.open(where, mode="d") as parent:
            del parent[name]
        return
    table = _arrow(changed)
    shutil.rmtree(uri)
    tiledbsoma.DataFrame.create(
        uri, schema=table.schema, index_column_names=["soma_joinid"], domain=[(0, len(table) - 1)]
    ).close()
    with tiledbsoma.DataFrame.open(uri, "w") as stored:
        stored.write(table)


def listed(folder: Path, **options: str) -> list[Any]:
    return list(source(folder, folder / "cache", **options).datasets(Wanted()))


DOCUMENTS = {
    "release.json: no JSON": ("release", "<html>", r"release.json is '<html>'; expected JSON"),
    "release.json: a list": ("release", [1], "release.json is 'list'"),
    "release.json: no such release": ("release", {}, "has no release 'stable'"),
    "release.json: alias to nothing": ("release", {"stable": "V9"}, "has no release 'stable'"),
    "release.json: alias to itself": ("release", {"stable": "stable"}, "expected a release or"),
    "release.json: a number": ("release", {"stable": 3}, "release 'stable' in .* is 3"),
    "release.json: no build": ("release", {"stable": {}}, "release_build of 'stable'"),
    "release.json: a path for a build": (
        "release",
        {"stable": {"release_build": "../../etc"}},
        r"release_build of 'stable' in .* is '\.\./\.\./etc'",
    ),
    "release.json: no store": (
        "release",
        {"stable": {"release_build": BUILD}},
        "soma of 'stable' .* expected uri",
    ),
    "release.json: no address": (
        "release",
        {"stable": {"release_build": BUILD, "soma": {}}},
        "uri of \"soma of 'stable'\"",
    ),
    "mirrors.json: no JSON": ("mirrors", "oops", "mirrors.json is 'oops'"),
    "mirrors.json: no default": ("mirrors", {}, "default of 'default'"),
    "mirrors.json: default is missing": ("mirrors", {"default": "a"}, "has no mirror 'a'"),
    "mirrors.json: an unknown provider": (
        "mirrors",
        {"default": "a", "a": {"provider": "IPFS", "base_uri": "x"}},
        "IPFS.*expected provider S3 or file",
    ),
    "mirrors.json: no base": (
        "mirrors",
        {"default": "a", "a": {"provider": "S3"}},
        "base_uri of 'a'",
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_malformed_document_is_refused(whole: Path, tmp_path: Path, case: str) -> None:
    name, content, message = DOCUMENTS[case]
    for document in ("release.json", "mirrors.json"):
        shutil.copy(whole / document, tmp_path)
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / f"{name}.json").write_text(text)
    with pytest.raises((SchemaError, NotFoundError), match=message) as caught:
        listed(tmp_path)
    assert f"{name}.json" in caught.value.message


def _drop(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows.drop(columns=column)


def _put(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Change the first row."""
    return lambda rows: rows.assign(**{column: [value, *rows[column][1:]]})


TABLES: dict[str, tuple[str, Any, str]] = {
    "no datasets": ("census_info/datasets", lambda _: None, "no census_info/datasets"),
    "no summary": ("census_info/summary", lambda _: None, "no census_info/summary"),
    "datasets without ids": ("census_info/datasets", _drop("dataset_id"), "no column dataset_id"),
    "datasets without paths": (
        "census_info/datasets",
        _drop("dataset_h5ad_path"),
        "no column dataset_h5ad_path",
    ),
    "a path out of the folder": (
        "census_info/datasets",
        _put("dataset_h5ad_path", "../../secret.h5ad"),
        r"dataset_h5ad_path of .* is '\.\./\.\./secret.h5ad'",
    ),
    "a path that is no h5ad": (
        "census_info/datasets",
        _put("dataset_h5ad_path", "x.rds"),
        "expected a name that ends in .h5ad",
    ),
    "cells of a dataset that is not listed": (
        "census_info/datasets",
        lambda rows: rows.iloc[1:],
        f"cells of 1 datasets that census_info/datasets does not list .first: {RECIPES[0].dataset_id}",
    ),
    "cells without assay": (f"{HUMAN}/obs", _drop("assay_ontology_term_id"), "no column assay_"),
    "cells without dataset": (f"{HUMAN}/obs", _drop("dataset_id"), "no column dataset_id"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_malformed_table_is_refused(folder: Path, case: str) -> None:
    path, spoil, message = TABLES[case]
    change_table(folder, path, spoil)
    with pytest.raises(SchemaError, match=message) as caught:
        listed(folder)
    assert str(store(folder)) in str(caught.value.details["file"])


def test_a_dataset_without_cells_is_listed_and_skipped(folder: Path) -> None:
    change_table(
        folder,
        "census_info/datasets",
        lambda rows: pd.concat([rows, rows.iloc[:1].assign(dataset_id="zzz")]),
    )
    assert listed(folder)[-1].id == "zzz"
    assert listed(folder)[-1].skip == f"Census {BUILD} lists it and has no cell of it."


def test_an_old_release_without_versions_and_citations_is_listed(
    whole: Path, folder: Path, tmp_path: Path
) -> None:
    change_table(
        folder,
        "census_info/datasets",
        lambda rows: rows.drop(columns=["dataset_version_id", "citation"]),
    )
    change_table(folder, "census_info/organisms", lambda _: None)
    change_table(folder, "census_info/summary", lambda rows: rows.iloc[:1])
    made = source(folder, tmp_path)
    found = list(made.datasets(Wanted()))
    assert {dataset.version for dataset in found} == {f"census-{BUILD}"}
    assert {dataset.citation for dataset in found} == {made.citation}
    assert [d.terms["organism"] for d in found] == [
        d.terms["organism"] for d in source(whole, tmp_path).datasets(Wanted())
    ]
    path = whole / "cell-census" / BUILD / "h5ads" / f"{found[0].id}.h5ad"
    with made.open(found[0], [path]) as opened:
        assert opened.facts is not None
        assert opened.facts.says.startswith(f"CELLxGENE Census {BUILD}; ")


def test_an_organism_without_a_taxon_is_refused(folder: Path) -> None:
    change_table(folder, "census_info/organisms", lambda _: None)
    with tiledbsoma.Collection.open(str(store(folder) / "census_data"), "w") as parent:
        parent.set("homo_novus", tiledbsoma.open(str(store(folder) / HUMAN)))
    with pytest.raises(SchemaError, match="cells of homo_novus, whose taxon"):
        listed(folder)


def test_columns_that_lost_their_dictionary_are_refused(folder: Path, tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {f"{n}_ontology_term_id": ["a", "b"] for n in ("tissue", "assay", "disease")}
    )
    table = _arrow(rows.assign(dataset_id=["x", "y"]).astype("category"))
    shutil.rmtree(store(folder) / HUMAN)
    with tiledbsoma.Experiment.create(str(store(folder) / HUMAN)) as experiment:
        obs = experiment.add_new_dataframe(
            "obs", schema=table.schema, index_column_names=["soma_joinid"], domain=[(0, 1)]
        )
        obs.write(table)  # in the session that makes it: what trap 1 is about
    with pytest.raises(SchemaError, match=r"cannot be read: .* The store is damaged"):
        listed(folder)


def test_a_store_that_is_none_is_refused(folder: Path) -> None:
    shutil.rmtree(store(folder))
    with pytest.raises(NotFoundError, match=f"Census {BUILD} is not at"):
        listed(folder)


def test_a_damaged_store_is_refused(folder: Path) -> None:
    for path in (store(folder) / HUMAN / "obs" / "__fragments").rglob("*.tdb"):
        path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(SchemaError, match="The store is damaged"):
        listed(folder)


def _fetch(folder: Path, **changes: Any) -> None:
    made = source(folder, folder / "cache", form="slice")
    human = next(iter(made.datasets(Wanted(organism="NCBITaxon:9606"))))
    with made.fetch(replace(human, **changes)):
        pass


def _count(folder: Path, gene: int) -> None:
    """Add a count to the first cell."""
    import pyarrow as pa

    with tiledbsoma.SparseNDArray.open(str(store(folder) / HUMAN / "ms/RNA/X/raw"), "w") as stored:
        stored.write(
            pa.table(
                {
                    "soma_dim_0": pa.array([0], pa.int64()),
                    "soma_dim_1": pa.array([gene], pa.int64()),
                    "soma_data": pa.array([3], pa.float32()),
                }
            )
        )


def test_counts_of_a_gene_that_nobody_measured_are_refused(folder: Path) -> None:
    _count(folder, 1_199)
    with pytest.raises(SchemaError, match="values of genes that no dataset of the cells measured"):
        _fetch(folder)


def test_counts_that_obs_does_not_tell_are_refused(folder: Path) -> None:
    with tiledbsoma.SparseNDArray.open(str(store(folder) / HUMAN / "ms/RNA/X/raw")) as stored:
        row = stored.read(([0], slice(None))).tables().concat()["soma_dim_1"].to_numpy()
    presence = str(store(folder) / HUMAN / "ms/RNA/feature_dataset_presence_matrix")
    with tiledbsoma.SparseNDArray.open(presence) as stored:
        measured = stored.read(([0], slice(None))).tables().concat()["soma_dim_1"].to_numpy()
    _count(folder, int(np.setdiff1d(measured, row)[0]))
    with pytest.raises(SchemaError, match=r"nnz of obs says .* .and 0 cells more"):
        _fetch(folder)


def test_a_store_that_changed_since_it_was_listed_is_refused(folder: Path) -> None:
    with pytest.raises(SchemaError, match=r"has 210 cells .* but had 209 when it was listed"):
        _fetch(folder, n_cells=209)


def test_genes_without_ids_are_refused(folder: Path) -> None:
    change_table(folder, f"{HUMAN}/ms/RNA/var", _drop("feature_id"))
    with pytest.raises(SchemaError, match="no column feature_id"):
        _fetch(folder)


def test_nothing_is_left_of_a_slice_that_failed(folder: Path) -> None:
    _count(folder, 1_199)
    with pytest.raises(CorpuscleError):
        _fetch(folder)
    assert list((folder / "cache" / "entries").iterdir()) == []


def test_a_file_of_another_slice_is_refused(whole: Path, tmp_path: Path) -> None:
    made = source(whole, tmp_path, form="slice")
    human, mouse = made.datasets(Wanted())
    with made.fetch(human) as (file,), pytest.raises(SchemaError, match="210 cells, and slice mus"):
        made.open(mouse, [file.path])


def test_a_file_of_another_dataset_is_refused(whole: Path, tmp_path: Path) -> None:
    made = source(whole, tmp_path)
    first, second, *_ = made.datasets(Wanted())
    with made.fetch(first) as (file,), pytest.raises(InputError, match="names dataset version"):
        made.open(second, [file.path])


def test_without_the_package_the_error_says_what_to_install(folder: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
sys.modules["cellxgene_census"] = None
from corpuscle.errors import NotFoundError
from corpuscle.pipelines.sources import Wanted, get_source
from corpuscle.pipelines.transfer import Transfer
made = get_source("cellxgene-census")(Transfer(cache=Path({str(tmp_path)!r})), at={str(folder)!r})
try:
    list(made.datasets(Wanted()))
except NotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'corpuscle[census]'" in done.stdout
