"""A Dask cluster of SLURM jobs."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from ...errors import NotFoundError
from ._dask import DaskCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..recipes import Slurm


LOOK_S = 30.0
"""Seconds between two looks for jobs that have ended."""


class SlurmJobs(DaskCluster):
    """Workers are jobs that are submitted with ``sbatch`` and cancelled in the end.

    A job that ends before, at its walltime or with its node, is replaced by a new one; what it
    was at is done again.

    Parameters
    ----------
    slurm
        What is asked of the cluster.
    """

    def __init__(self, slurm: Slurm) -> None:
        super().__init__("slurm")
        self.slurm = slurm

    @property
    def at_once(self) -> int:
        """Processes of all jobs."""
        return self.slurm.jobs * self.slurm.processes

    @contextlib.contextmanager
    def cluster(self) -> Iterator[str]:
        """Start a scheduler here, and submit the jobs."""
        _need_jobqueue()
        from dask_jobqueue.slurm import SLURMCluster

        # other builds of this machine may have the usual port
        any_port = {"dashboard_address": ":0"}
        with SLURMCluster(**_settings(self.slurm), scheduler_options=any_port) as cluster:
            cluster.scale(jobs=self.slurm.jobs)
            done = threading.Event()
            watcher = threading.Thread(target=_replace_ended, args=(cluster, done), daemon=True)
            watcher.start()
            try:
                yield str(cluster.scheduler_address)
            finally:
                done.set()
                watcher.join()


def _replace_ended(cluster: Any, done: threading.Event) -> None:
    """Submit a job for each whose workers were there and are no more."""
    n_jobs, came = len(cluster.worker_spec), set[str]()
    while not done.wait(LOOK_S):
        here = {str(worker["name"]) for worker in cluster.scheduler_info["workers"].values()}
        workers_of = {
            name: {f"{name}{suffix}" for suffix in spec.get("group", [""])}
            for name, spec in cluster.worker_spec.items()
        }
        ended = [name for name, own in workers_of.items() if own & came and not own & here]
        came = here | came - set().union(*(workers_of[name] for name in ended))
        if ended:
            cluster.sync(cluster.scale_down, ended)
            cluster.scale(jobs=n_jobs)


def job_script(slurm: Slurm) -> str:
    """Write the script of one job as it would be submitted.

    Raises
    ------
    NotFoundError
        If dask-jobqueue is not installed.
    """
    _need_jobqueue()
    from dask_jobqueue.slurm import SLURMJob

    settings = {**_settings(slurm), "name": "corpuscle"}
    job: Any = SLURMJob(scheduler="tcp://SCHEDULER:8786", **settings)  # type: ignore[no-untyped-call]
    return str(job.job_script())


def _settings(slurm: Slurm) -> dict[str, Any]:
    return {
        "job_name": "corpuscle",
        "cores": slurm.processes,  # one thread each: a dataset is curated by one process
        "job_cpu": slurm.cores,
        "processes": slurm.processes,
        "memory": slurm.memory,
        "walltime": slurm.walltime,
        "queue": slurm.queue,
        "account": slurm.account,
        "interface": slurm.interface,
        "job_extra_directives": list(slurm.directives),
        "job_script_prologue": list(slurm.prologue),
        "log_directory": slurm.log_directory,
        "local_directory": slurm.local_directory,
    }


def _need_jobqueue() -> None:
    from importlib.util import find_spec

    if find_spec("dask_jobqueue") is None:
        msg = "SLURM needs dask-jobqueue: pip install 'corpuscle[slurm]'."
        raise NotFoundError(msg, {"package": "dask-jobqueue"})
