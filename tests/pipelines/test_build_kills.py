"""Builds whose processes are killed at any moment, and are started again."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from corpuscle.pipelines.examples import write_mirrors

from .test_build_engines import Cluster, begin, readers_of, run, small_recipe
from .test_crashes import assert_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done

KILLS = {"local": 20, "dask": 10}
"""Builds that are killed, by engine."""
VICTIMS = {"local": ("parent", "reader"), "dask": ("parent", "reader", "worker")}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Local files, one of which is refused, and two sources."""
    folder = tmp_path_factory.mktemp("killed")
    write_mirrors(folder / "mirrors")
    path = small_recipe(folder)
    path.write_text(
        path.read_text().replace(
            "sources: [",
            "duplicates: drop\nsources: [{source: tahoe, mirror: mirrors/tahoe, ids: plate1},"
            " {source: scbasecount, mirror: mirrors/scbasecount, organism: [human], limit: 1}, ",
        )
    )
    return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def calm(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, float]:
    """Hash of the collection of a build that nobody killed, and how long it took."""
    folder = tmp_path_factory.mktemp("calm")
    run(folder, "init", folder / "home")
    started = time.monotonic()
    built = run(folder, "build", recipe, "--home", folder / "home", code=1)
    return str(built["collection"]["hash"]), time.monotonic() - started


def kill(kind: str, process: subprocess.Popen[str], cluster: Cluster | None) -> None:
    """Kill the build, what reads files for it, or a worker; the build where there is no other."""
    parents: list[subprocess.Popen[Any]] = [process]
    if cluster is not None:
        parents = list(cluster.workers)
    if kind == "worker" and cluster is not None:
        cluster.workers[0].kill()
        cluster.workers[0].wait()
        cluster.add_worker()
    elif kind == "reader" and (readers := [r for p in parents for r in readers_of(p)]):
        for reader in readers:
            with contextlib.suppress(psutil.NoSuchProcess):
                reader.kill()
    else:
        process.kill()


def assert_nothing_dangles(ln: Any) -> None:
    """Nothing is there twice, unfinished, or without what it belongs to."""
    artifacts = list(ln.Artifact.objects.values_list("key", "hash", "is_latest", "version_tag"))
    assert max(Counter((key, digest) for key, digest, _, _ in artifacts).values()) == 1
    assert {tag for *_, tag in artifacts} == {"1"}
    assert all(is_latest for _, _, is_latest, _ in artifacts)
    assert not ln.Run.objects.filter(_status_code=-1).exists()
    assert not ln.Artifact.objects.filter(run__isnull=True, kind="dataset").exists()
    (collection,) = ln.Collection.objects.all()
    assert collection.artifacts.count() == ln.Artifact.objects.filter(kind="dataset").count()


def kill_and_go_on(
    workspace: Workspace,
    recipe: Path,
    tmp_path: Path,
    words: tuple[object, ...],
    kind: str,
    moment: float,
    cluster: Cluster | None = None,
) -> Any:
    """Kill something of a build after so many seconds, and build again; give the second build."""
    words = ("build", recipe, *words, "--json", "--home", workspace.folder)
    process = begin(tmp_path / "cache", *words)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    readers = readers_of(process)
    kill(kind, process, cluster)
    _, err = process.communicate(timeout=900)
    assert process.returncode in {1, -9}, err
    psutil.wait_procs(readers, timeout=10)
    assert not any(reader.is_running() for reader in readers)
    return run(tmp_path / "cache", *words[:-3], *words[-2:], code=1)


@pytest.mark.slow
def test_a_build_that_is_killed_goes_on_to_the_same_collection(
    ln: Any, workspace: Workspace, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    recipe = small_recipe(tmp_path)
    words = ("build", recipe, "--json", "--home", workspace.folder)
    process = begin(tmp_path / "cache", *words)
    while not any(workspace.folder.glob("storage/.lamindb/*.h5ad")) and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    (killed,) = corpuscle("status", "--json").json["builds"]
    assert killed["state"] == "killed"
    done = corpuscle("build", recipe, "--json")
    # what was put in its place just before the commit is taken back, and new again
    assert {d["status"] for d in done.json["datasets"]} <= {"unchanged", "new", "refused"}
    assert corpuscle("status", "--json").json["builds"] == []
    assert_whole(workspace)
    assert_nothing_dangles(ln)


@pytest.mark.long
@pytest.mark.parametrize(
    ("engine", "number"),
    [(engine, number) for engine, n in KILLS.items() for number in range(n)],
)
def test_a_build_that_is_killed_at_any_moment_goes_on_to_the_same_collection(
    request: pytest.FixtureRequest,
    ln: Any,
    workspace: Workspace,
    recipe: Path,
    calm: tuple[str, float],
    tmp_path: Path,
    engine: str,
    number: int,
) -> None:
    digest, seconds = calm
    draw = random.Random(f"{engine} {number}")
    moment = seconds * (number + draw.random()) / KILLS[engine]  # spread over the whole build
    kind = VICTIMS[engine][number % len(VICTIMS[engine])]
    cluster = request.getfixturevalue("cluster") if engine == "dask" else None
    words = ("--processes", 2) if cluster is None else ("--scheduler", cluster.address)
    built = kill_and_go_on(workspace, recipe, tmp_path, words, kind, moment, cluster)
    assert built["collection"]["hash"] == digest
    assert_whole(workspace)
    assert_nothing_dangles(ln)
