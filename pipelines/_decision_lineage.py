"""What a decision about a label touches: datasets, collections, models."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import NotFoundError
from ._answers import DATASETS, answers_now, decisions_of, is_outdated
from ._collect import name_of
from ._lineage import lineage_of_dataset
from ._memory import MEMORY, current_memory


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelUse:
    """A label in one version of a dataset."""

    dataset: str
    version: str
    uid: str
    is_latest: bool
    n_cells: int
    """Cells whose term this label decided."""
    outcome: str
    term_id: str
    term_label: str
    method: str
    decided_in: str
    """Version of the memory the decision was made in; empty if no curator decided."""
    answer: str
    """What the memory says today: a term id, or empty."""
    changes: bool
    """Whether the next ingestion curates this dataset again because of this label."""
    collections: tuple[str, ...]
    """Collections that hold it, ``NAME@VERSION``."""
    models: tuple[str, ...]
    """Models that were fed cells of it, ``NAME@VERSION``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLineage:
    """Everything about one label of a field."""

    field: str
    label: str
    history: tuple[dict[str, Any], ...]
    """Decisions about it, first to last: ``version`` of the memory, ``before``, ``after``,
    ``organism``, ``dataset``, ``reviewer``, ``date``."""
    uses: tuple[LabelUse, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "field": self.field,
            "label": self.label,
            "history": list(self.history),
            "uses": [asdict(use) for use in self.uses],
        }


def lineage_of_decision(field: str, label: str) -> DecisionLineage:
    """Tell which datasets, collections and models the decision about a label touches.

    Parameters
    ----------
    field
        The field.
    label
        The author's words, exactly.

    Returns
    -------
    All versions of datasets with the label, and what was decided about it.

    Raises
    ------
    NotFoundError
        If nobody used the label and nobody decided about it.
    """
    import lamindb as ln

    history = _history(field, label)
    memory = current_memory()
    uses = []
    chain = ln.Artifact.objects.filter(key__startswith=DATASETS).select_related("run")
    for artifact in chain.order_by("key", "id"):
        table = decisions_of(artifact.run_id, name_of(artifact))
        rows = table[(table["field"] == field) & (table["subject_label"] == label)]
        if not len(rows):
            continue
        name = name_of(artifact)
        row = rows.sort_values("n_cells").iloc[-1]
        now = [
            a["term_id"]
            for a in answers_now(artifact.run, name, table, memory)
            if (a["field"], a["label"]) == (field, label)
        ]
        then = [
            a["term_id"]
            for a in artifact.run.params.get("answers", [])
            if (a["field"], a["label"]) == (field, label)
        ]
        changes = now != then and is_outdated(artifact.run, name, memory)
        uses.append(_use(artifact, row, now, int(rows["n_cells"].sum()), changes=changes))
    if not uses and not history:
        msg = (
            f"No dataset has the {field} {label!r}, and nobody decided about it. Write it as its "
            "author did; `corpuscle review` lists what is open."
        )
        raise NotFoundError(msg, {"field": field, "label": label})
    return DecisionLineage(field=field, label=label, history=tuple(history), uses=tuple(uses))


def _use(artifact: Any, row: Any, now: list[str], n_cells: int, *, changes: bool) -> LabelUse:
    import lamindb as ln

    name, version = name_of(artifact), artifact.version_tag
    collections = ln.Collection.objects.filter(artifacts__id=artifact.id).order_by("key", "id")
    fed = lineage_of_dataset(f"{name}@{version}").rows
    return LabelUse(
        dataset=name,
        version=version,
        uid=artifact.uid,
        is_latest=artifact.is_latest,
        n_cells=n_cells,
        outcome=row["outcome"],
        term_id=row["object_id"],
        term_label=row["object_label"],
        method=row["method"],
        decided_in=row["decided_in"],
        answer=now[0] if now else "",
        changes=changes and artifact.is_latest,
        collections=tuple(f"{c.key}@{c.version_tag}" for c in collections),
        models=tuple(dict.fromkeys(f"{row.model}@{row.model_version}" for row in fed)),
    )


def _history(field: str, label: str) -> list[dict[str, Any]]:
    import lamindb as ln

    found = []
    versions = ln.Artifact.objects.filter(key=MEMORY).select_related("run").order_by("id")
    for artifact in versions:
        params = artifact.run.params
        found += [
            {
                "version": artifact.version_tag,
                "reviewer": params["reviewer"],
                "date": params["date"],
                **{name: change[name] for name in ("before", "after", "organism", "dataset")},
            }
            for change in params["changes"]
            if (change["field"], change["label"]) == (field, label)
        ]
    return found
