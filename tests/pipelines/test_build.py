from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from corpuscle.errors import NotFoundError
from corpuscle.pipelines import find_workspace, open_splits
from corpuscle.pipelines._building import STEP, _params, building, end_killed
from corpuscle.pipelines._registrar import begin_run
from corpuscle.pipelines._versions import code_version

from .conftest import write_h5ad
from .test_crashes import assert_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done


def counts(ln: Any) -> tuple[int, int, int]:
    models = (ln.Artifact, ln.Run, ln.Collection)
    artifacts, runs, collections = (model.objects.count() for model in models)
    return artifacts, runs, collections


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Two files with donors, and one that is cut."""
    files = tmp_path / "files"
    files.mkdir()
    write_h5ad(files / "a.h5ad", seed=1, donor_id="ada")
    write_h5ad(files / "b.h5ad", seed=2, donor_id="unknown")
    cut = write_h5ad(files / "cut.h5ad", seed=3)
    cut.write_bytes(cut.read_bytes()[:3000])
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: tiny\n"
        "notes: for tests\n"
        "sources: [{source: local, paths: files}]\n"
        "splits: {by: donor, fractions: {train: 0.5, test: 0.5}}\n"
    )
    return path


def statuses(done: Done) -> dict[str, str]:
    return {outcome["dataset"]: outcome["status"] for outcome in done.json["datasets"]}


def test_a_recipe_becomes_a_collection_and_one_refused_dataset_stops_nothing(
    ln: Any, workspace: Workspace, recipe: Path, corpuscle: Callable[..., Done]
) -> None:
    done = corpuscle("build", recipe, "--processes", 2, "--json")
    assert done.code == 1
    assert statuses(done) == {"a": "new", "b": "new", "cut": "refused"}
    made = done.json["collection"]
    assert [dataset["key"] for dataset in made["datasets"]] == ["a", "b"]
    collection = ln.Collection.get(made["uid"])
    assert collection.hash == made["hash"]
    read = {a.key: a for a in collection.run.input_artifacts.all()}
    assert set(read) == {"datasets/a.h5ad", "datasets/b.h5ad", "recipes/tiny.yaml"}
    assert read["recipes/tiny.yaml"].path.read_bytes() == recipe.read_bytes()
    params = collection.run.params
    assert params["recipe"]["hash"] == done.json["hash"]
    assert {"processing", "package:numpy"} <= set(params["recipe"]["versions"])
    assert params["code_version"] == code_version()
    assert_whole(workspace)


def test_a_build_again_does_nothing_and_a_refusal_waits_for_its_flag(
    ln: Any, recipe: Path, corpuscle: Callable[..., Done]
) -> None:
    first = corpuscle("build", recipe, "--json").json
    before = counts(ln)
    told = " ".join(corpuscle("build", recipe, "--dry-run").out.split())
    assert "cut.h5ad cannot be read as h5ad" in told.replace("- ", "-")
    assert "tried again with --retry-failed" in told
    again = corpuscle("build", recipe, "--json")
    assert counts(ln) == before
    assert statuses(again) == {"a": "unchanged", "b": "unchanged", "cut": "refused"}
    assert again.json["collection"] == {**first["collection"], "new": False}
    errors = [d["error"] for d in (*first["datasets"], *again.json["datasets"]) if d["error"]]
    assert errors[0] == errors[1]
    retried = corpuscle("build", recipe, "--retry-failed", "--json")
    assert statuses(retried)["cut"] == "refused"
    assert ln.Run.objects.filter(_status_code=1).count() == 2


def test_the_status_shows_what_failed_until_it_is_repaired(
    recipe: Path, corpuscle: Callable[..., Done]
) -> None:
    corpuscle("build", recipe)
    (failure,) = corpuscle("status", "--json").json["failed"]
    assert (failure["dataset"], failure["kind"]) == ("cut", "schema")
    assert "cut failed (schema): " in corpuscle("status").out
    write_h5ad(recipe.parent / "files" / "cut.h5ad", seed=3)
    done = corpuscle("build", recipe, "--json")
    assert statuses(done) == {"a": "unchanged", "b": "unchanged", "cut": "new"}
    assert done.json["collection"]["version"] == "2"
    assert corpuscle("status", "--json").json["failed"] == []


def test_a_dry_run_tells_what_it_would_take_and_registers_nothing(
    ln: Any, workspace: Workspace, recipe: Path, corpuscle: Callable[..., Done]
) -> None:
    before = counts(ln)
    plan = corpuscle("build", recipe, "--dry-run", "--json").json
    assert counts(ln) == before
    assert {d["status"] for d in plan["datasets"]} == {"planned"}
    assert plan["expected"]["bytes"] == sum(p.stat().st_size for p in recipe.parent.glob("files/*"))
    assert (plan["expected"]["n_jobs"], plan["expected"]["measured_on"]) == (3, 0)
    shown = " ".join(corpuscle("build", recipe, "--dry-run").out.split())
    assert "assumed: nothing was measured here yet" in shown
    corpuscle("build", recipe)
    plan = corpuscle("build", recipe, "--dry-run", "--retry-failed", "--json").json
    assert {d["dataset"]: d["status"] for d in plan["datasets"]} == {
        "a": "unchanged",
        "b": "unchanged",
        "cut": "planned",
    }
    assert plan["expected"]["measured_on"] == 2


def test_splits_are_kept_with_the_collection_and_new_ones_are_a_new_version(
    ln: Any, recipe: Path, corpuscle: Callable[..., Done]
) -> None:
    made = corpuscle("build", recipe, "--json").json["collection"]
    table = pd.read_parquet(ln.Artifact.get(key="splits/tiny.parquet").path)
    rows = {
        d: (v, n) for d, v, n in zip(table["dataset"], table["value"], table["n_rows"], strict=True)
    }
    assert rows == {"a": ("ada", 6), "b": ("unknown", 6)}
    assert sum(made["splits"]["n_rows"].values()) == 12
    recipe.write_text(recipe.read_text().replace("0.5, test: 0.5", "0.9, test: 0.1"))
    again = corpuscle("build", recipe, "--json").json["collection"]
    assert (again["version"], again["splits"]["rule"]["fractions"]["train"]) == ("2", 0.9)


def test_splits_are_opened_as_numbers_of_cells(
    ln: Any, recipe: Path, workspace: Workspace, corpuscle: Callable[..., Done]
) -> None:
    corpuscle("build", recipe)
    corpuscle("collect", "plain")
    table = pd.read_parquet(ln.Artifact.get(key="splits/tiny.parquet").path)
    cells = open_splits("tiny", folder=workspace.folder)
    rows = {"a": range(6), "b": range(6, 12)}
    for split in ("train", "test"):
        datasets = sorted(table["dataset"][table["split"] == split])
        assert cells[split].tolist() == [cell for dataset in datasets for cell in rows[dataset]]
    with pytest.raises(NotFoundError, match=r"has no splits\. Build it from a recipe"):
        open_splits("plain", folder=workspace.folder)


def test_what_ingest_registered_is_not_built_again(
    recipe: Path, corpuscle: Callable[..., Done]
) -> None:
    corpuscle("ingest", recipe.parent / "files" / "a.h5ad")
    assert statuses(corpuscle("build", recipe, "--json"))["a"] == "unchanged"


def test_an_error_of_a_source_names_the_line_of_the_recipe(
    tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: x\nsources:\n  - source: tahoe\n    tissue: brian\n    mirror: here\n")
    done = corpuscle("build", recipe)
    assert done.code == 1
    assert f"{recipe}:3: sources[0]: --tissue 'brian' is no tissue" in done.err


def test_the_script_of_a_slurm_job_is_shown(
    ln: Any, recipe: Path, corpuscle: Callable[..., Done]
) -> None:
    recipe.write_text(
        recipe.read_text() + "engine:\n  dask:\n    slurm:\n"
        "      {jobs: 20, cores: 32, processes: 16, memory: 240GB, queue: long,\n"
        "       directives: [--exclusive], prologue: [module load python]}\n"
    )
    plan = corpuscle("build", recipe, "--dry-run", "--json").json
    script = plan["job_script"].splitlines()
    for line in ("-p long", "--cpus-per-task=32", "-t 24:00:00", "--exclusive"):
        assert f"#SBATCH {line}" in script
    assert "module load python" in script
    assert "--nworkers 16" in script[-1]
    assert "--nthreads 1 " in script[-1]
    assert plan["expected"]["at_once"] == 320


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "dask"), "needs --scheduler ADDRESS"),
        (("--engine", "local", "--scheduler", "tcp://h:1"), "--scheduler is for --engine dask"),
        (("--engine", "dask", "--processes", 2), "--processes 2 is for --engine local"),
        (("--processes", 0), "1 or more"),
        (("--scheduler", "nonsense://"), "No Dask scheduler answers at nonsense://"),
    ],
)
def test_engines_that_cannot_be_are_refused(
    recipe: Path, corpuscle: Callable[..., Done], words: tuple[object, ...], said: str
) -> None:
    done = corpuscle("build", recipe, *words)
    assert (done.code, said in " ".join(done.err.split())) == (1, True), done.err


def test_a_build_that_was_killed_is_seen_until_the_recipe_is_built_again(
    corpuscle: Callable[..., Done],
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    begin_run(STEP, _params("tiny", "hash", "LocalProcesses", 3) | {"pid": ended.pid})
    (seen,) = corpuscle("status", "--json").json["builds"]
    assert (seen["state"], seen["recipe"]) == ("killed", "tiny")
    with building("other", "hash", "LocalProcesses", 3):
        states = [seen["state"] for seen in corpuscle("status", "--json").json["builds"]]
        assert states == ["running", "killed"]
        end_killed("other")
        assert len(corpuscle("status", "--json").json["builds"]) == 2
        end_killed("tiny")
        states = [seen["state"] for seen in corpuscle("status", "--json").json["builds"]]
        assert states == ["running"]
    assert corpuscle("status", "--json").json["builds"] == []


def test_a_build_is_seen_while_it_runs(
    workspace: Workspace, corpuscle: Callable[..., Done]
) -> None:
    with building("tiny", "hash", "LocalProcesses", 3) as told:
        told.tell(done=1, refused=0, running=["b"])
        (seen,) = corpuscle("status", "--json").json["builds"]
        assert "build of tiny (running)" in corpuscle("status").out
    assert (seen["state"], seen["done"], seen["planned"], seen["running"]) == (
        "running",
        1,
        3,
        ["b"],
    )
    assert corpuscle("status", "--json").json["builds"] == []
    assert find_workspace(workspace.folder) == workspace
    json.dumps(seen)
