"""The same cells under two names, from the files to the batches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

import corpuscle as cp
from corpuscle.curation import CurationOptions
from corpuscle.errors import ConflictError, SchemaError
from corpuscle.ontologies import gene_table
from corpuscle.pipelines import Policy, collect, find_datasets, ingest, lineage_of_model, status

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done


@pytest.fixture
def files(workspace: Workspace, tmp_path: Path) -> Path:
    """Six cells; four of them submitted again by symbols, two of those as primary; six others."""
    folder = tmp_path / "files"
    folder.mkdir()
    first = anndata.read_h5ad(write_h5ad(folder / "first.h5ad"))
    first.obs["is_primary_data"] = True
    first.write_h5ad(folder / "first.h5ad")
    again = first[[4, 3, 2, 1], ::-1].copy()
    symbols = gene_table("human")["symbol"][again.var_names]
    again.var_names = symbols.fillna(dict(zip(symbols.index, symbols.index, strict=True))).tolist()
    again.obs["is_primary_data"] = [True, True, False, False]
    again.write_h5ad(folder / "second.h5ad")
    write_h5ad(folder / "third.h5ad", seed=1)
    outcomes = list(ingest([folder], options=CurationOptions(organism="human")))
    assert [outcome.status for outcome in outcomes] == ["new"] * 3, outcomes[1].error
    return folder


def cells_of(corpus: Any) -> list[tuple[str, int]]:
    """Names of the datasets and rows of the files that one epoch serves."""
    loader = corpus.loader(4, seed=2)
    cells = torch.cat([batch["row"] for batch in loader])
    datasets, rows = loader.locate(cells)
    return sorted((corpus.datasets[d].key, r) for d, r in zip(datasets, rows.tolist(), strict=True))


ALL = [("first", i) for i in range(6)]
SECOND = [("second", i) for i in range(4)]
THIRD = [("third", i) for i in range(6)]


def test_the_command_shows_which_datasets_share_cells(
    files: Path, corpuscle: Callable[..., Done]
) -> None:
    (pair,) = corpuscle("duplicates", "--json").json["pairs"]
    assert pair == {
        "a": "first",
        "b": "second",
        "n_a": 4,
        "n_b": 4,
        "share_a": 4 / 6,
        "share_b": 1.0,
        "how": "fingerprint",
    }
    shown = corpuscle("duplicates", "--dataset", "[fs]*")
    assert ["first", "second", "4", "66.7%", "100%", "fingerprint"] in _words(shown)
    assert "no two datasets" in corpuscle("duplicates", "--dataset", "third").out


def _words(done: Done) -> list[list[str]]:
    return [line.split() for line in done.out.splitlines()]


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("flag", ALL + SECOND + THIRD),
        ("keep_primary", ALL + SECOND[:2] + THIRD),
        ("drop", ALL + THIRD),
    ],
)
def test_a_policy_decides_which_cells_are_served(
    files: Path, policy: Policy, served: list[tuple[str, int]]
) -> None:
    collected = collect("atlas", duplicates=policy)
    corpus = cp.open_corpus("atlas")
    assert cells_of(corpus) == served
    assert corpus.n_cells == len(served) == sum(ref.n_cells for ref in collected.datasets)
    assert collected.duplicates is not None
    assert collected.duplicates["n_excluded"] == 16 - len(served)
    assert status()["collections"][0]["n_cells"] == len(served)


def test_the_list_of_copies_is_an_artifact_of_the_collections_run(ln: Any, files: Path) -> None:
    made = collect("atlas", duplicates="keep_primary")
    run = ln.Collection.get(made.uid).run
    listed = run.output_artifacts.get(key="duplicates/atlas.parquet")
    uid = {ref.key: ref.uid for ref in made.datasets}
    table = pd.read_parquet(listed.path)
    assert table["dataset"].astype(str).tolist() == [uid["second"]] * 4
    assert table["same_as_dataset"].astype(str).tolist() == [uid["first"]] * 4
    assert dict(zip(table["row"], table["same_as_row"], strict=True)) == {0: 4, 1: 3, 2: 2, 3: 1}
    assert dict(zip(table["row"], table["kept"], strict=True)) == dict(enumerate([1, 1, 0, 0]))
    assert run.params["duplicates"] == made.duplicates
    manifest = json.loads(ln.Collection.get(made.uid).meta_artifact.path.read_text())
    assert [ref.get("n_excluded", 0) for ref in manifest["datasets"]] == [0, 2, 0]
    assert manifest["duplicates"]["key"] == listed.key


def test_another_policy_is_another_version_and_the_same_is_not(files: Path) -> None:
    policies: list[Policy] = ["flag", "flag", "drop", "drop", "flag"]
    made = [collect("atlas", duplicates=policy) for policy in policies]
    assert [(c.version, c.new) for c in made] == [
        ("1", True),
        ("1", False),
        ("2", True),
        ("2", False),
        ("3", True),
    ]
    assert [sum(ref.n_cells for ref in c.datasets) for c in made] == [16, 16, 12, 12, 16]
    assert made[3].duplicates == made[2].duplicates
    assert [cp.open_corpus("atlas", version).n_cells for version in (1, 2, 3)] == [16, 12, 16]


def test_a_version_of_before_duplicates_were_looked_for_still_opens(ln: Any, files: Path) -> None:
    made = collect("atlas")
    path = ln.Collection.get(made.uid).meta_artifact.path
    manifest = json.loads(path.read_text())
    del manifest["duplicates"]
    path.write_text(json.dumps(manifest))
    assert cells_of(cp.open_corpus("atlas")) == ALL + SECOND + THIRD
    assert collect("atlas").new is False
    assert collect("atlas", duplicates="drop").version == "2"


def test_a_training_run_is_resumed_and_its_lineage_counts_kept_cells(
    files: Path, tmp_path: Path
) -> None:
    collect("atlas", duplicates="drop")
    corpus = cp.open_corpus("atlas")
    whole = [batch["row"].tolist() for batch in corpus.loader(5, seed=3)]
    with cp.training_run("model", corpus) as run:
        loader = corpus.loader(5, seed=3)
        begun = [next(iter(loader))["row"].tolist()]
        resumed = corpus.loader(5, seed=3)
        resumed.load_state_dict(json.loads(json.dumps(loader.state_dict())))
        begun += [batch["row"].tolist() for batch in resumed]
        (tmp_path / "model.pt").write_bytes(b"1")
        run.save(tmp_path / "model.pt")
    assert begun == whole
    rows = [
        (row.dataset, row.n_cells, row.cells, row.exposures)
        for row in lineage_of_model("model").rows
    ]
    assert rows == [("first", 6, 6, 6), ("third", 6, 6, 6)]


def test_a_state_of_another_policy_is_refused(files: Path) -> None:
    collect("atlas")
    state = cp.open_corpus("atlas").loader(5).state_dict()
    collect("atlas", duplicates="drop")
    with pytest.raises(ConflictError, match="corpus="):
        cp.open_corpus("atlas").loader(5).load_state_dict(state)


def test_a_declared_copy_with_other_counts_is_left_out_as_a_whole(ln: Any, files: Path) -> None:
    first, _, third = find_datasets()
    for artifact, declared in (
        (first, {"aliases": ["cellxgene:dataset:1", "cellxgene:collection:2"]}),
        (third, {"links": ["cellxgene:collection:2"]}),
    ):
        run = artifact.run
        ln.Run.filter(id=run.id).update(params={**run.params, **declared})
    made = collect("atlas", duplicates="drop")
    assert made.duplicates is not None
    pairs = {(pair["a"], pair["b"]): pair["how"] for pair in made.duplicates["pairs"]}
    assert pairs == {("first", "second"): "fingerprint", ("third", "first"): "declared"}
    assert cells_of(cp.open_corpus("atlas")) == ALL


def test_the_command_collects_with_a_policy(files: Path, corpuscle: Callable[..., Done]) -> None:
    planned = corpuscle("collect", "atlas", "--duplicates", "drop", "--dry-run", "--json").json
    assert [ref["n_excluded"] for ref in planned["datasets"]] == [0, 4, 0]
    done = corpuscle("collect", "atlas", "--duplicates", "drop")
    assert "4 cells are left out by drop" in done.out
    wrong = corpuscle("collect", "atlas", "--duplicates", "delete")
    assert (wrong.code, "flag" in wrong.err) == (2, True)


def test_revisions_of_words_only_are_told(files: Path, corpuscle: Callable[..., Done]) -> None:
    assert "no dataset has more than one version" in corpuscle("duplicates", "--revisions").out
    data = anndata.read_h5ad(files / "first.h5ad")
    data.obs["cell_type"] = "neuron"
    data.write_h5ad(files / "first.h5ad")
    write_h5ad(files / "third.h5ad", seed=9)
    list(ingest([files], options=CurationOptions(organism="human")))
    found = corpuscle("duplicates", "--revisions", "--json").json
    assert {r["key"]: r["pair"]["share_b"] for r in found} == {"first": 1.0, "third": 0.0}
    assert ["first@2", "1", "6", "100%", "100%"] in _words(corpuscle("duplicates", "--revisions"))


def test_datasets_of_before_fingerprints_are_named(
    ln: Any, files: Path, corpuscle: Callable[..., Done]
) -> None:
    import h5py

    with h5py.File(find_datasets(patterns=["third"])[0].path, "r+") as file:
        obs: Any = file["obs"]
        del obs["fingerprint"]
        obs.attrs["column-order"] = [n for n in obs.attrs["column-order"] if n != "fingerprint"]
    assert "1 datasets were curated before cells had fingerprints" in corpuscle("duplicates").out
    assert "unknown" not in corpuscle("duplicates", "--revisions").out
    with pytest.raises(SchemaError, match="'third'"):
        collect("atlas", duplicates="drop")


def test_cells_that_cannot_be_told_apart_are_counted_not_called_copies(
    workspace: Workspace, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        path = write_h5ad(tmp_path / f"{name}.h5ad")
        data: Any = anndata.read_h5ad(path)
        data.X = np.where(np.arange(50) < 20, data.X, 0)
        data.write_h5ad(path)
    list(ingest([tmp_path]))
    found = collect("atlas", duplicates="drop").duplicates
    assert found is not None
    assert found["pairs"] == []
    assert [dataset["n_shallow"] for dataset in found["datasets"]] == [6, 6]
