"""Many datasets: ingestion, registration in LaminDB, collections, training runs, lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from ._collect import Collected, collect, find_datasets, open_corpus
    from ._demo_data import write_examples
    from ._ingest import Outcome, ingest
    from ._lamin import connect
    from ._lineage import Fed, Lineage, lineage_of_dataset, lineage_of_model, status
    from ._registrar import NewFile, NewRun, Registered, register
    from ._setup import Setup, init
    from ._training import TrainingRun, training_run
    from ._workspace import Workspace, find_workspace

_HOMES = {
    "Collected": "_collect",
    "Fed": "_lineage",
    "Lineage": "_lineage",
    "NewFile": "_registrar",
    "NewRun": "_registrar",
    "Outcome": "_ingest",
    "Registered": "_registrar",
    "Setup": "_setup",
    "TrainingRun": "_training",
    "Workspace": "_workspace",
    "collect": "_collect",
    "connect": "_lamin",
    "find_datasets": "_collect",
    "find_workspace": "_workspace",
    "ingest": "_ingest",
    "init": "_setup",
    "lineage_of_dataset": "_lineage",
    "lineage_of_model": "_lineage",
    "open_corpus": "_collect",
    "register": "_registrar",
    "status": "_lineage",
    "training_run": "_training",
    "write_examples": "_demo_data",
}

__all__ = [
    "Collected",
    "Fed",
    "Lineage",
    "NewFile",
    "NewRun",
    "Outcome",
    "Registered",
    "Setup",
    "TrainingRun",
    "Workspace",
    "collect",
    "connect",
    "find_datasets",
    "find_workspace",
    "ingest",
    "init",
    "lineage_of_dataset",
    "lineage_of_model",
    "open_corpus",
    "register",
    "status",
    "training_run",
    "write_examples",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
