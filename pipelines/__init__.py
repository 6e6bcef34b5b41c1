"""Many datasets: ingestion, registration in LaminDB, collections, training runs, lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from ._apply import Applied, apply_file
    from ._build import Built, build
    from ._collect import Collected, collect, find_datasets, open_corpus
    from ._decision_lineage import DecisionLineage, lineage_of_decision
    from ._diff import CollectionDiff, diff
    from ._duplicates import Duplicates, Policy, find_duplicates
    from ._ingest import ingest, ingest_source
    from ._lamin import connect
    from ._lineage import Fed, Lineage, lineage_of_dataset, lineage_of_model, status
    from ._memory import memory_of, record
    from ._open_splits import open_splits
    from ._outcome import Outcome, Watch
    from ._pack import Packed, pack
    from ._registrar import NewFile, NewRun, Registered, register
    from ._review import OpenLabel, open_labels
    from ._setup import Setup, init
    from ._training import TrainingRun, training_run
    from ._upgrade import Upgrade, upgrade_report
    from ._workspace import Workspace, find_workspace
    from .examples._local import write_examples

_HOMES = {
    "Applied": "_apply",
    "Collected": "_collect",
    "Built": "_build",
    "CollectionDiff": "_diff",
    "DecisionLineage": "_decision_lineage",
    "Duplicates": "_duplicates",
    "Fed": "_lineage",
    "Lineage": "_lineage",
    "NewFile": "_registrar",
    "NewRun": "_registrar",
    "OpenLabel": "_review",
    "Outcome": "_outcome",
    "Packed": "_pack",
    "Policy": "_duplicates",
    "Registered": "_registrar",
    "Setup": "_setup",
    "TrainingRun": "_training",
    "Upgrade": "_upgrade",
    "Watch": "_outcome",
    "Workspace": "_workspace",
    "apply_file": "_apply",
    "build": "_build",
    "collect": "_collect",
    "connect": "_lamin",
    "diff": "_diff",
    "find_datasets": "_collect",
    "find_duplicates": "_duplicates",
    "find_workspace": "_workspace",
    "ingest": "_ingest",
    "ingest_source": "_ingest",
    "init": "_setup",
    "lineage_of_dataset": "_lineage",
    "lineage_of_decision": "_decision_lineage",
    "lineage_of_model": "_lineage",
    "memory_of": "_memory",
    "open_corpus": "_collect",
    "open_labels": "_review",
    "open_splits": "_open_splits",
    "pack": "_pack",
    "record": "_memory",
    "register": "_registrar",
    "status": "_lineage",
    "training_run": "_training",
    "upgrade_report": "_upgrade",
    "write_examples": "examples._local",
}

__all__ = [
    "Applied",
    "Built",
    "Collected",
    "CollectionDiff",
    "DecisionLineage",
    "Duplicates",
    "Fed",
    "Lineage",
    "NewFile",
    "NewRun",
    "OpenLabel",
    "Outcome",
    "Packed",
    "Policy",
    "Registered",
    "Setup",
    "TrainingRun",
    "Upgrade",
    "Watch",
    "Workspace",
    "apply_file",
    "build",
    "collect",
    "connect",
    "diff",
    "find_datasets",
    "find_duplicates",
    "find_workspace",
    "ingest",
    "ingest_source",
    "init",
    "lineage_of_dataset",
    "lineage_of_decision",
    "lineage_of_model",
    "memory_of",
    "open_corpus",
    "open_labels",
    "open_splits",
    "pack",
    "record",
    "register",
    "status",
    "training_run",
    "upgrade_report",
    "write_examples",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
