"""The decisions of curators about labels: one table per workspace, every version of it kept."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..curation import MEMORY_COLUMNS
from ..ontologies import Problem, refuse
from ._lamin import connect, transaction
from ._memory_file import read_memory, write_memory
from ._registrar import NewFile, NewRun, register
from ._staging import copy, staging
from ._versions import code_version

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from ..ontologies import Decision, Target

STEP = "corpuscle/review"
MEMORY = "memory/decisions.sssom.tsv"
"""Key of the table in the registry."""
REVIEWS = "reviews/"
"""Prefix of the keys of the files that were applied."""
_KEY = ("field", "source_label", "organism", "dataset")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryVersion:
    """A version of the memory; nothing at all before the first decision."""

    version: str = ""
    uid: str = ""
    id: int | None = None
    table: pd.DataFrame = field(repr=False)
    """``field`` and `MEMORY_COLUMNS`, everything as text, sorted."""

    def by_field(self) -> dict[str, pd.DataFrame]:
        """Give the decisions the form that `curate` takes."""
        columns = list(MEMORY_COLUMNS)
        return {
            str(name): rows[columns].reset_index(drop=True)
            for name, rows in self.table.groupby("field", sort=True)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that was new, or changed an earlier one."""

    field: str
    label: str
    organism: str
    dataset: str
    before: str
    """Term id; empty if nothing was decided."""
    after: str
    term_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of the memory."""

    version: str
    uid: str
    new: bool
    """False if it said all of it before, or nothing was to be written."""
    changes: tuple[Change, ...]
    unchanged: int
    """Decisions that the memory held already."""
    memory: MemoryVersion = field(repr=False)
    """The memory with the changes."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "version": self.version,
            "uid": self.uid,
            "new": self.new,
            "changes": [asdict(change) for change in self.changes],
            "unchanged": self.unchanged,
        }


def memory_of(folder: str | os.PathLike[str] | None = None) -> dict[str, pd.DataFrame]:
    """Read the decisions of a workspace.

    Parameters
    ----------
    folder
        The workspace, see `connect`.

    Returns
    -------
    By field: a table with `corpuscle.curation.MEMORY_COLUMNS`, for `curate` and `map_labels`.

    Raises
    ------
    NotFoundError
        If there is no workspace.
    """
    connect(folder)
    return current_memory().by_field()


def current_memory() -> MemoryVersion:
    """Read the latest version of the memory."""
    import lamindb as ln

    latest = ln.Artifact.objects.filter(key=MEMORY, is_latest=True).first()
    if latest is None:
        return MemoryVersion(table=_empty())
    return MemoryVersion(
        version=latest.version_tag,
        uid=latest.uid,
        id=latest.id,
        table=read_memory(Path(latest.path)),
    )


def _empty() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=["field", *MEMORY_COLUMNS], dtype=object)


def merge(
    memory: MemoryVersion,
    decided: Sequence[tuple[Decision, Target]],
    *,
    reviewer: str,
    date: str,
    version: str,
) -> tuple[pd.DataFrame, list[Change]]:
    """Put decisions into the memory: later ones replace earlier ones about the same.

    Returns
    -------
    The table of the new version, and what is new in it.
    """
    import pandas as pd

    rows = {tuple(row[k] for k in _KEY): row for row in memory.table.to_dict("records")}
    changes = []
    for decision, target in decided:
        before = rows.get(decision.about)
        if before is not None and before["term_id"] == target.term_id:
            continue
        field_, label, organism, dataset = decision.about
        changes.append(
            Change(
                field=field_,
                label=label,
                organism=organism,
                dataset=dataset,
                before=before["term_id"] if before else "",
                after=target.term_id,
                term_label=target.term_label,
            )
        )
        rows[decision.about] = {
            "field": field_,
            "source_label": label,
            "term_id": target.term_id,
            "term_label": target.term_label,
            "organism": organism,
            "scope": "dataset" if dataset else "global",
            "dataset": dataset,
            "reviewer": decision.reviewer or reviewer,
            "date": date,
            "confidence": decision.confidence,
            "comment": decision.comment,
            "version": version,
        }
    table = pd.DataFrame(
        [rows[key] for key in sorted(rows)], columns=["field", *MEMORY_COLUMNS], dtype=object
    )
    return table, changes


def record(
    decided: Sequence[tuple[Decision, Target]],
    *,
    reviewer: str,
    source: Path | None = None,
    dry_run: bool = False,
) -> Recorded:
    """Write decisions to the memory, as its next version.

    Reading and writing are one transaction: of two reviewers at the same time, the second adds to
    what the first wrote.

    Parameters
    ----------
    decided
        What `check_decisions` found right.
    reviewer
        Who decided.
    source
        The file they were written in; kept in the registry.
    dry_run
        Only tell what would change.

    Raises
    ------
    ConflictError
        If other processes kept the registry for a minute.
    LabelMappingError
        If the reviewer has no name.
    """
    if not reviewer.strip():
        problem = Problem(kind="reviewer", line=0, message="who decided? Pass --reviewer NAME")
        refuse([problem], str(source or "the answers"))
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    with transaction("corpuscle:memory"):
        memory = current_memory()
        version = str(int(memory.version or 0) + 1)
        table, changes = merge(memory, decided, reviewer=reviewer, date=date, version=version)
        uid, is_new = memory.uid, bool(changes) and not dry_run
        if is_new:
            uid = _write(memory, table, changes, reviewer=reviewer, date=date, source=source)
    after = MemoryVersion(
        version=version if changes else memory.version,
        uid=uid if is_new or not changes else "planned",
        table=table,
    )
    return Recorded(
        version=after.version,
        uid=uid,
        new=is_new,
        changes=tuple(changes),
        unchanged=len(decided) - len(changes),
        memory=after,
    )


def _write(
    memory: MemoryVersion,
    table: pd.DataFrame,
    changes: Sequence[Change],
    *,
    reviewer: str,
    date: str,
    source: Path | None,
) -> str:
    params = {
        "reviewer": reviewer,
        "date": date,
        "source": None if source is None else str(source),
        "changes": [asdict(change) for change in changes],
        "code_version": code_version(),
    }
    with staging() as folder:
        write_memory(table, folder / "decisions.tsv")
        inputs = []
        if source is not None:
            copy(source, folder / "applied")
            inputs = [
                NewFile(
                    key=f"{REVIEWS}{source.name}",
                    staged=folder / "applied",
                    suffix=source.suffix,
                    description=f"Decisions of {reviewer}",
                    kind="review",
                )
            ]
        output = NewFile(
            key=MEMORY,
            staged=folder / "decisions.tsv",
            suffix=".tsv",
            description=f"{len(table):,} decisions about labels",
            kind="memory",
        )
        before = [] if memory.id is None else [memory.id]
        run = NewRun(step=STEP, params=params, inputs=inputs, input_ids=before, outputs=[output])
        ((registered,),) = register([run])
    return registered.uid
