from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.pipelines._staging import file_facts

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable

    from corpuscle.pipelines import Workspace

    from .conftest import Done

INGEST = [sys.executable, "-c", "from corpuscle.pipelines.cli import main; main()", "ingest"]


def start(workspace: Workspace, *words: object) -> subprocess.Popen[str]:
    """Ingest in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LAMIN")}
    return subprocess.Popen(
        [*INGEST, *map(str, words)],
        env={**clean, "CORPUSCLE_HOME": str(workspace.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_whole(workspace: Workspace) -> None:
    """Every row has its file with the recorded bytes, and every file its row."""
    ln: Any = import_module("lamindb")
    folder = workspace.folder / "storage" / ".lamindb"
    artifacts = list(ln.Artifact.objects.all())
    for artifact in artifacts:
        assert file_facts(Path(str(artifact.path)))[1] == artifact.hash
    known = {artifact.path.name for artifact in artifacts}
    own = {"staging", "lamin.db", "lamin.db-wal", "lamin.db-shm", "storage_uid.txt"}
    assert {path.name for path in folder.iterdir()} - own == known
    assert not list((folder / "staging").glob("*"))
    for run in ln.Run.objects.filter(transform__key="corpuscle/ingest").exclude(_status_code=1):
        assert run.output_artifacts.count() + run.recreated_artifacts.count() == 2
        assert run.input_artifacts.count() == len(run.params["from"]["files"])


def test_a_killed_ingest_leaves_a_whole_registry_and_goes_on(
    ln: Any, workspace: Workspace, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    for i in range(6):
        write_h5ad(tmp_path / f"d{i}.h5ad", seed=i)
    for delay in (1.2, 1.7, 2.0, 2.3, 2.6):
        process = start(workspace, tmp_path)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = corpuscle("ingest", tmp_path, "--json")
    assert done.code == 0
    assert {o["version"] for o in done.json} == {"1"}
    assert ln.Artifact.filter(key__startswith="datasets/").count() == 6
    assert_whole(workspace)


def test_an_interrupted_ingest_says_that_it_can_go_on(workspace: Workspace, tmp_path: Path) -> None:
    for i in range(60):
        write_h5ad(tmp_path / f"d{i}.h5ad", seed=i)
    process = start(workspace, tmp_path)
    storage = workspace.folder / "storage" / ".lamindb"
    while not any(storage.glob("*.h5ad")):  # it has begun to register
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in err
    assert_whole(workspace)


def test_processes_that_ingest_side_by_side_lose_nothing(
    ln: Any, workspace: Workspace, tmp_path: Path
) -> None:
    processes = []
    for p in range(3):
        folder = tmp_path / str(p)
        folder.mkdir()
        write_h5ad(folder / f"own{p}.h5ad", seed=p, organism="zebrafish", cell_types=("neuron",))
        path = write_h5ad(folder / "shared.h5ad", seed=10 + p)
        processes.append(start(workspace, folder / f"own{p}.h5ad"))
        processes.append(start(workspace, path, "--name", "shared"))
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    shared = ln.Artifact.filter(key="datasets/shared.h5ad").order_by("id")
    assert [a.version for a in shared] == ["1", "2", "3"]
    assert [a.is_latest for a in shared] == [False, False, True]
    assert len({a.stem_uid for a in shared}) == 1
    assert ln.Artifact.filter(key__startswith="datasets/own").count() == 3
    assert_whole(workspace)


@pytest.mark.parametrize("kind", ["cut", "empty"])
def test_a_damaged_file_is_refused_and_leaves_nothing(
    workspace: Workspace, tmp_path: Path, kind: str, corpuscle: Callable[..., Done]
) -> None:
    path = write_h5ad(tmp_path / "a.h5ad")
    path.write_bytes(path.read_bytes()[: 3000 if kind == "cut" else 0])
    done = corpuscle("ingest", path, "--json")
    assert (done.code, done.json[0]["error"]["kind"]) == (1, "schema")
    assert_whole(workspace)
