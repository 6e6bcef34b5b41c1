"""The same recipe by every engine, and processes that are killed: each build a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from corpuscle.pipelines._build import in_order
from corpuscle.pipelines.examples import write_mirrors

from .conftest import write_h5ad
from .test_crashes import assert_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpuscle.pipelines import Workspace


MAIN = [sys.executable, "-P", "-c", "from corpuscle.pipelines.cli import main; main()"]
REFUSED = {
    "human_oligodendroglioma_nonint_counts",
    "human_pbmc68k_legacy_encoding",
    "human_pbmc68k_reduced_scaled",
    "mouse_spatial_squidpy_processed",
    "pertpy_smillie_celltype_counts",
}
"""Real files without counts, or without genes."""
RECIPE = """
name: four
sources:
  - {source: tahoe, mirror: mirrors/tahoe, ids: plate1}
  - {source: devatlas, mirror: mirrors/devatlas, limit: 2}
  - {source: scbasecount, mirror: mirrors/scbasecount, organism: [human, mouse], limit: 1}
  - {source: cellxgene, mirror: mirrors/cellxgene, options: {versions: all}, limit: 4}
duplicates: drop
splits: {by: donor, fractions: {train: 0.7, test: 0.3}}
"""


def environment(folder: Path) -> dict[str, str]:
    """Nothing of this process's registry, and a cache of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LAMIN", "CORPUSCLE"))}
    return {**clean, "CORPUSCLE_CACHE": str(folder)}


def begin(folder: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*MAIN, *map(str, words)],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *words: object, code: int = 0) -> Any:
    """Run a command in a process of its own, which ends with this code."""
    process = begin(folder, *words, "--json")
    out, err = process.communicate(timeout=900)
    assert process.returncode == code, out + err
    return json.loads(out)


@pytest.fixture(scope="session")
def four_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe over the fixtures of all four sources."""
    folder = tmp_path_factory.mktemp("recipe")
    write_mirrors(folder / "mirrors")
    path = folder / "four.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def recipe(four_sources: Path, real_data: Path, tmp_path: Path) -> Path:
    """The same with all real files."""
    (tmp_path / "mirrors").symlink_to(four_sources.parent / "mirrors")
    path = tmp_path / "four.yaml"
    local = f"  - {{source: local, paths: {real_data / 'real' / 'h5ad'}}}\n"
    path.write_text(RECIPE.replace("duplicates:", f"{local}duplicates:"))
    return path


class Cluster:
    """A Dask scheduler and workers, each a process with a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        self.file = folder / "scheduler.json"
        self.start("dask_scheduler", "--port", "0", "--no-dashboard", "--no-show")
        for _ in range(2):
            self.add_worker()

    def start(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        own = self.folder / str(len(self.processes))
        own.mkdir()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"distributed.cli.{module}",
                *words,
                "--scheduler-file",
                str(self.file),
            ],
            env=environment(own),
            cwd=own,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def add_worker(self) -> subprocess.Popen[bytes]:
        words = ("--no-nanny", "--nthreads", "1", "--memory-limit", "4GB", "--no-dashboard")
        return self.start("dask_worker", *words)

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        """Those that live."""
        return [process for process in self.processes[1:] if process.poll() is None]

    @property
    def address(self) -> str:
        while not self.file.exists():
            time.sleep(0.05)
        return str(json.loads(self.file.read_text())["address"])

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


def readers_of(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """Processes that read files for a process."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            child
            for child in psutil.Process(process.pid).children()
            if "_worker_process" in " ".join(child.cmdline())
        ]
    return []


def wait_for_reader(*processes: subprocess.Popen[Any]) -> psutil.Process:
    """Wait until one has a process that reads, and has worked for a moment."""
    for _ in range(2000):
        for process in processes:
            for reader in readers_of(process):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if reader.cpu_times().user > 1:
                        return reader
        time.sleep(0.02)
    msg = "no process reads"
    raise AssertionError(msg)


def small_recipe(folder: Path) -> Path:
    """A recipe of a plate, two files, and one that is refused."""
    (folder / "files").mkdir()
    write_h5ad(folder / "files" / "small1.h5ad", seed=1, donor_id="ada")
    write_h5ad(folder / "files" / "small2.h5ad", seed=2, donor_id="bob", tissue="lung")
    cut = write_h5ad(folder / "files" / "small3.h5ad", seed=3)
    cut.write_bytes(cut.read_bytes()[:3000])
    path = folder / "small.yaml"
    path.write_text(
        "name: small\n"
        "sources: [{source: local, paths: files}]\n"
        "splits: {by: donor, fractions: {train: 0.5, test: 0.5}}\n"
    )
    return path


@pytest.mark.long
@pytest.mark.xdist_group("postgres")
def test_two_engines_and_databases_give_the_same_collection(
    workspace: Workspace,
    cluster: Cluster,
    postgres_home: tuple[Path, dict[str, str]],
    tmp_path: Path,
) -> None:
    recipe = small_recipe(tmp_path)
    dask = ("--engine", "dask", "--scheduler", cluster.address)
    local = ("--processes", 2)
    hashes = {
        run(tmp_path, "build", recipe, *words, "--home", home, code=1)["collection"]["hash"]
        for words, home in ((dask, postgres_home[0]), (local, workspace.folder))
    }
    assert len(hashes) == 1


@pytest.mark.long
def test_every_engine_and_database_gives_the_same_collection(
    recipe: Path, cluster: Cluster, postgres: str, tmp_path: Path
) -> None:
    dask = ("--engine", "dask", "--scheduler", cluster.address)
    made = {}
    for name, words, db in (
        ("one", ("--processes", 1), ()),
        ("two", ("--processes", 2), ()),
        ("dask", dask, ()),
        ("postgres", dask, ("--db", postgres)),
    ):
        home = tmp_path / name
        run(home / "cache", "init", home, *db)
        built = run(home / "cache", "build", recipe, *words, "--home", home, code=1)
        refused = {d["dataset"] for d in built["datasets"] if d["status"] == "refused"}
        assert refused == REFUSED
        others = {d["status"] for d in built["datasets"] if d["dataset"] not in refused}
        assert others <= {"new", "revised", "skipped"}
        made[name] = (built["hash"], built["collection"]["hash"], built["collection"]["splits"])
        again = run(home / "cache", "build", recipe, *words, "--home", home, code=1)
        assert {d["status"] for d in again["datasets"]} <= {"unchanged", "skipped", "refused"}
        assert again["collection"] == {**built["collection"], "new": False}
    assert len({json.dumps(result, sort_keys=True) for result in made.values()}) == 1, made


@pytest.mark.slow
def test_a_dataset_whose_process_is_killed_is_curated_by_another(
    workspace: Workspace, tmp_path: Path
) -> None:
    recipe = large_recipe(tmp_path)
    process = begin(tmp_path / "cache", "build", recipe, "--json", "--home", workspace.folder)
    wait_for_reader(process).kill()
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert [d["status"] for d in json.loads(out)["datasets"]] == ["new"]


@pytest.mark.slow
def test_a_dataset_whose_dask_worker_dies_is_curated_by_another(
    workspace: Workspace, cluster: Cluster, tmp_path: Path
) -> None:
    recipe = large_recipe(tmp_path)
    words = ("--scheduler", cluster.address, "--json", "--home", workspace.folder)
    process = begin(tmp_path / "cache", "build", recipe, *words)
    for worker in cluster.processes[1:]:
        for reader in readers_of(worker):
            reader.kill()  # of other tests: only the one at work is left
    victim = wait_for_reader(*cluster.processes[1:]).ppid()
    os.kill(victim, signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    cluster.add_worker()
    assert process.returncode == 0, err
    assert [d["status"] for d in json.loads(out)["datasets"]] == ["new"]
    assert_whole(workspace)


def large_recipe(folder: Path) -> Path:
    """A recipe of one dataset that takes some seconds."""
    write_h5ad(folder / "large.h5ad", n_cells=60_000)
    path = folder / "large.yaml"
    path.write_text("name: large\nsources: [{source: local, paths: large.h5ad}]\n")
    return path


def test_versions_of_a_dataset_are_given_in_their_order() -> None:
    class Named:
        def __init__(self, key: str) -> None:
            self.dataset = self
            self.key = key

    jobs: Any = [Named("a"), Named("a"), Named("b"), Named("a")]
    results: Any = [[(3, "a3"), (2, "b")], [(1, "a2")], [(0, "a1")]]
    given: list[Any] = list(in_order(jobs, results))
    assert given == [[(2, "b")], [(0, "a1"), (1, "a2"), (3, "a3")]]
