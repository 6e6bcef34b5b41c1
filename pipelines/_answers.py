"""What the memory of decisions said about a dataset when it was curated, and what it says now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..curation import answers, read_decisions, same_answers

if TYPE_CHECKING:
    import pandas as pd

    from ._memory import MemoryVersion

DATASETS, DECISIONS = "datasets/", "decisions/"
"""Prefixes of the keys of what a file becomes in the registry."""


def made_by(run_id: int, key: str) -> Any:
    """Find the version of `key` that a run wrote, for the first time or again."""
    import lamindb as ln
    from django.db.models import Q

    of_run = Q(run_id=run_id) | Q(recreating_runs__id=run_id)
    return ln.Artifact.objects.filter(of_run, key=key).order_by("id").last()


def decisions_of(run_id: int, dataset: str) -> pd.DataFrame:
    """Read the decisions about the labels of a dataset that a run made, see `read_decisions`."""
    return read_decisions(Path(made_by(run_id, f"{DECISIONS}{dataset}.sssom.tsv").path))


def answers_now(
    run: Any, dataset: str, table: pd.DataFrame, memory: MemoryVersion
) -> list[dict[str, str]]:
    """Look up what the memory says today about the labels in the decisions of a dataset."""
    asked = {str(name): set(rows) for name, rows in table.groupby("field")["subject_label"]}
    taxon = run.params["report"]["organism"]["taxon_id"]
    return answers(memory.by_field(), asked, dataset=dataset, organism=taxon)


def is_outdated(run: Any, dataset: str, memory: MemoryVersion) -> bool:
    """Tell whether the memory answers otherwise than when a run curated a dataset."""
    if run.params.get("memory", {}).get("uid", "") == memory.uid:
        return False
    now = answers_now(run, dataset, decisions_of(run.id, dataset), memory)
    return not same_answers(run.params.get("answers", []), now)
