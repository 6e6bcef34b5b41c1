"""Decisions that curators made before, as one dataset sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

MEMORY_COLUMNS = (
    "source_label",
    "term_id",
    "term_label",
    "organism",
    "scope",
    "dataset",
    "reviewer",
    "date",
    "confidence",
    "comment",
    "version",
)
"""Columns of a field's decisions. ``organism`` is a taxon id, or empty for all. ``scope`` is
``global``, or ``dataset`` for what was decided for the one in ``dataset``. ``version`` is that of
the memory in which the decision was first made."""
Memory: TypeAlias = "Mapping[str, pd.DataFrame | Mapping[str, str]]"
"""Decisions by field: tables with `MEMORY_COLUMNS`, or term id by label."""


def memory_of_dataset(memory: Memory, *, dataset: str, organism: str) -> dict[str, pd.DataFrame]:
    """Find the decisions that hold for a dataset, and what is known of others.

    What was decided for the dataset comes before what was decided for all, and what was decided
    for its organism before what was decided for any.

    Parameters
    ----------
    memory
        All decisions, by field.
    dataset
        Name of the dataset.
    organism
        Its taxon id.

    Returns
    -------
    By field: at most one row per label with scope ``global``, which decides; and rows with scope
    ``dataset``: decisions for other datasets, which are evidence. None for other organisms.
    """
    import pandas as pd

    result = {}
    for field in sorted(memory):
        rows = _table(memory[field])
        rows = rows[rows["organism"].isin(["", organism])]
        is_other = (rows["scope"] == "dataset") & (rows["dataset"] != dataset)
        own = rows[~is_other]
        rank = 2 * (own["scope"] == "dataset") + (own["organism"] != "")
        own = own.iloc[rank.argsort(kind="stable")[::-1]].drop_duplicates("source_label")
        own = own.sort_values("source_label", kind="stable").assign(scope="global", organism="")
        result[field] = pd.concat([own, rows[is_other]], ignore_index=True)
    return result


def _table(rows: pd.DataFrame | Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    if isinstance(rows, Mapping):
        rows = pd.DataFrame({"source_label": list(rows), "term_id": list(rows.values())})
    table = rows.reindex(columns=list(MEMORY_COLUMNS)).astype(object)
    table = table.where(table.notna(), "")
    return table.assign(scope=table["scope"].replace("", "global"))


def answers(
    memory: Memory, asked: Mapping[str, Iterable[str]], *, dataset: str, organism: str
) -> list[dict[str, str]]:
    """Look up what the memory says about the labels of a dataset.

    Parameters
    ----------
    memory
        All decisions, by field.
    asked
        Labels of the dataset, by field.
    dataset
        Name of the dataset.
    organism
        Its taxon id.

    Returns
    -------
    ``field``, ``label``, ``term_id`` and ``version`` of each decision, sorted. Whether the field
    can hold the term in this dataset is another question.
    """
    found = memory_of_dataset(memory, dataset=dataset, organism=organism)
    result = []
    for field, rows in found.items():
        labels = set(asked.get(field, ()))
        for row in rows[rows["scope"] == "global"].to_dict("records"):
            if row["source_label"] in labels:
                decision = {"field": field, "label": str(row["source_label"])}
                result.append(
                    {**decision, "term_id": str(row["term_id"]), "version": str(row["version"])}
                )
    return result


def same_answers(before: Iterable[Mapping[str, str]], now: Iterable[Mapping[str, str]]) -> bool:
    """Tell whether two looks at the memory gave the same terms, whoever decided them when."""
    terms = [
        {(row["field"], row["label"], row["term_id"]) for row in rows} for rows in (before, now)
    ]
    return terms[0] == terms[1]
