"""What engines do when what they work with ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from corpuscle.curation import CurationOptions
from corpuscle.errors import ConflictError
from corpuscle.ontologies import tables_in_use
from corpuscle.pipelines._job import Job, Shared, SourceAt
from corpuscle.pipelines._memory import MemoryVersion
from corpuscle.pipelines._versions import code_version
from corpuscle.pipelines.engines import BuildWatch, DaskCluster, LocalProcesses, SlurmJobs, _slurm
from corpuscle.pipelines.recipes import Slurm
from corpuscle.pipelines.sources import SourceDataset
from corpuscle.pipelines.transfer import RemoteFile

from ..transfer.servers import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def web() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
    monkeypatch.setenv("CORPUSCLE_CACHE", str(tmp_path / "cache"))
    staging = tmp_path / "staging"
    staging.mkdir()
    memory = MemoryVersion(table=pd.DataFrame({"field": []}))
    return Shared(folder=staging, memory=memory, setup=tables_in_use(), code_version=code_version())


def job_at(url: str) -> Job:
    """A dataset of one file, published there."""
    dataset = SourceDataset(
        source="devatlas",
        id="one",
        key="devatlas/one",
        version="1",
        title="one",
        files=(RemoteFile(url=url),),
        licence="",
        citation="",
    )
    source = SourceAt(name="devatlas", release="", at=url.rpartition("/")[0], options={})
    return Job(source=source, dataset=dataset, options=CurationOptions(), reference="one")


def test_a_download_ends_with_the_build(web: Server, shared: Shared) -> None:
    page = web.put("one.h5ad", bytes(64 * 2**20), pause_s=0.05)  # minutes
    results: Any = LocalProcesses().run([job_at(f"{web.url}/one.h5ad")], shared, BuildWatch())
    assert next(results) == []  # a sign of life
    before = time.monotonic()
    results.close()
    assert time.monotonic() - before < 5
    assert 0 < page.sent < len(page.content)
    assert list(shared.folder.iterdir()) == []


@pytest.mark.slow
def test_a_scheduler_that_ends_is_told_and_fails_no_dataset(shared: Shared, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    words = ("--port", "0", "--no-dashboard", "--no-show", "--scheduler-file", str(file))
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not file.exists():
        time.sleep(0.05)
    address = pd.read_json(file, typ="series")["address"]
    results = DaskCluster(address).run([job_at("http://127.0.0.1:1/a")], shared, BuildWatch())
    end = threading.Timer(2, scheduler.kill)  # there are no workers: the job waits
    end.start()
    with pytest.raises(ConflictError, match=r"scheduler is gone\. What is registered stays"):
        next(results)
    scheduler.wait()


SBATCH = """#!/bin/sh
# as much of SLURM as is needed: a job is a group of processes, its number that of the group
for script; do :; done
cp "$script" "$script.job"
setsid sh "$script.job" >>"$SLURM_JOBS.log" 2>&1 &
echo $! >>"$SLURM_JOBS"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job; do kill -TERM -- "-$job"; done
"""


@pytest.fixture
def slurm_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with the numbers of the jobs that were submitted."""
    commands, jobs = tmp_path / "bin", tmp_path / "jobs"
    commands.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOBS", str(jobs))
    monkeypatch.chdir(tmp_path)
    yield jobs
    for job in jobs.read_text().split() if jobs.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(job), signal.SIGKILL)


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise an error in the main thread when the time is over."""

    def stop(*_: object) -> None:
        msg = f"nothing came in {seconds} s"
        raise TimeoutError(msg)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_slurm_job_that_ends_is_replaced(
    web: Server,
    shared: Shared,
    slurm_jobs: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
) -> None:
    monkeypatch.setattr(_slurm, "LOOK_S", 0.5)
    page = web.put("one.h5ad", bytes(2**20), pause_s=1)
    slurm = Slurm(jobs=1, cores=2, processes=processes, memory="8GB", interface="lo")
    jobs = [job_at(f"{web.url}/one.h5ad")]

    def end_first_job() -> None:
        while not page.sent:
            time.sleep(0.05)
        os.killpg(int(slurm_jobs.read_text()), signal.SIGKILL)
        page.pause_s = 0

    ending = threading.Thread(target=end_first_job)
    ending.start()
    results: Any = SlurmJobs(slurm).run(jobs, shared, BuildWatch())
    with contextlib.closing(results), at_most(60):  # a job that is not replaced is waited for
        ((place, result),) = next(results)
    ending.join()
    assert (place, isinstance(result, Exception)) == (0, True)  # these bytes are no matrix
    assert page.sent > len(page.content)
    first, second = map(int, slurm_jobs.read_text().split())
    assert first != second
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:  # the second is cancelled
        try:
            os.killpg(second, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the job lives on")
