"""Decisions of curators as an SSSOM file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..curation import MEMORY_COLUMNS
from ..ontologies import Decision, Problem, check_sssom, read_sssom, write_sssom
from ..ontologies.decisions import sssom_object, term_of
from ..ontologies.sssom_slots import LITERAL

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

EXTENSIONS = dict.fromkeys(("field", "organism", "scope", "dataset", "version"), "xsd:string")
"""Columns of the file that SSSOM does not know."""
_ORDER = ["field", "source_label", "organism", "dataset"]
_SLOTS = {
    "source_label": "subject_label",
    "term_label": "object_label",
    "reviewer": "reviewer_label",
    "date": "mapping_date",
}
"""Columns that SSSOM calls otherwise."""


def read_memory(path: Path) -> pd.DataFrame:
    """Read the file of a version of the memory.

    Returns
    -------
    ``field`` and `MEMORY_COLUMNS`.
    """
    table = read_sssom(path).table
    table["term_id"] = [term_of(row) for row in table.to_dict("records")]
    table = table.rename(columns={slot: column for column, slot in _SLOTS.items()})
    return table.reindex(columns=["field", *MEMORY_COLUMNS], fill_value="").reset_index(drop=True)


def write_memory(table: pd.DataFrame, path: Path) -> None:
    """Write the memory as an SSSOM file, sorted: the same decisions give the same bytes."""
    rows = table.sort_values(_ORDER, kind="stable").rename(columns=_SLOTS)
    objects = [sssom_object(term) for term in rows["term_id"]]
    whole = rows.drop(columns="term_id").assign(
        subject_type=LITERAL,
        predicate_id="skos:exactMatch",
        object_id=[object_id for object_id, _ in objects],
        object_type=[kind for _, kind in objects],
        mapping_justification="semapv:ManualMappingCuration",
    )
    title = {"mapping_set_title": "Decisions of curators about the labels of cells"}
    write_sssom(
        whole,
        path,
        mapping_set_id="urn:x-corpuscle:memory",
        extensions=EXTENSIONS,
        metadata=title,
    )


def read_decision_file(path: Path) -> tuple[list[Decision], list[Problem]]:
    """Read decisions from an SSSOM file: of this workspace, another one, or somebody else.

    Rows need ``subject_label``, ``object_id``, and the column ``field``; ``organism`` and
    ``dataset`` narrow them down. Rows with an ``outcome`` other than ``mapped`` that no curator
    decided, and rows that say what something is *not*, are no decisions: they are left out.

    Returns
    -------
    Decisions, and where the file departs from SSSOM.
    """
    found = read_sssom(path)
    problems = check_sssom(found)
    if "field" not in found.table.columns:
        text = "which field a label belongs to must be in a column called field"
        problems.append(Problem(kind="missing column", line=0, message=text))
        return [], problems
    decisions = []
    for line, row in zip(found.table.index, found.table.to_dict("records"), strict=True):
        by_person = row.get("mapping_justification") == "semapv:ManualMappingCuration"
        if row.get("predicate_modifier") or not by_person:
            continue
        target = term_of({"object_id": "", "object_label": ""} | dict(row))
        decisions.append(
            Decision(
                line=int(line),
                field=row["field"],
                label=row.get("subject_label", ""),
                target=target,
                organism=row.get("organism", ""),
                dataset=row.get("dataset", ""),
                comment=row.get("comment", ""),
                confidence=row.get("confidence") or "1",
                reviewer=row.get("reviewer_label") or row.get("author_label", ""),
            )
        )
    return decisions, problems
