"""Where the datasets of a build are curated: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from ._dask import DaskCluster
from ._engine import BuildWatch, Engine
from ._local import LocalProcesses
from ._slurm import SlurmJobs, job_script

__all__ = [
    "BuildWatch",
    "DaskCluster",
    "Engine",
    "LocalProcesses",
    "SlurmJobs",
    "job_script",
]
