"""What was decided before, and what other datasets' labels were mapped to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import LabelMappingError
from .organisms import get_organism
from .sssom_slots import NO_TERM

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Confirmed", "Memory", "read_memory"]

_GLOBAL = "global"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A mapping that a person made for some dataset."""

    label: str
    term_id: str
    tissue: str
    """Where the cells were from; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was decided and confirmed for one field and organism."""

    decisions: Mapping[str, str] = field(default_factory=dict)
    """Term id by label, as written: these decide."""
    confirmed: tuple[Confirmed, ...] = ()
    """Mappings of other datasets: these are evidence."""


def read_memory(memory: Mapping[str, str] | pd.DataFrame | None, *, organism: str | None) -> Memory:
    """Take a memory apart into decisions and evidence.

    Parameters
    ----------
    memory
        Term id by label; or a table with columns ``source_label`` and ``term_id`` and perhaps
        ``scope`` (``global`` or empty: a decision; else evidence), ``organism``, ``tissue``.
    organism
        Taxon id. Rows of a table that name another organism are no decisions, but evidence.

    Returns
    -------
    The memory.

    Raises
    ------
    LabelMappingError
        If a column is missing, or one label is decided twice.
    """
    if memory is None:
        return Memory()
    if isinstance(memory, Mapping):
        return Memory(decisions=memory)
    missing = {"source_label", "term_id"} - set(memory.columns)
    if missing:
        msg = (
            f"The memory has no column {', '.join(sorted(missing))}. "
            f"It has {', '.join(map(str, memory.columns))}."
        )
        raise LabelMappingError(msg, {"missing": sorted(missing)})
    # a decision for this organism is stronger than one for any
    decided: dict[bool, dict[str, set[str]]] = {True: defaultdict(set), False: defaultdict(set)}
    confirmed = []
    for row in _rows(memory):
        owner = row["organism"]
        is_own = bool(owner) and organism is not None and get_organism(owner).taxon_id == organism
        if row["scope"] in ("", _GLOBAL) and (is_own or not owner):
            decided[is_own][row["source_label"]].add(row["term_id"])
        elif row["term_id"] != NO_TERM:
            confirmed.append(
                Confirmed(label=row["source_label"], term_id=row["term_id"], tissue=row["tissue"])
            )
    decisions: dict[str, str] = {}
    for is_own in (False, True):
        for label, ids in decided[is_own].items():
            if len(ids) > 1:
                msg = (
                    f"{label!r} is decided twice, as {' and as '.join(sorted(ids))}. "
                    "Keep one of these decisions."
                )
                raise LabelMappingError(msg, {"label": label, "term_ids": sorted(ids)})
            decisions[label] = next(iter(ids))
    return Memory(decisions=decisions, confirmed=tuple(confirmed))


def _rows(memory: pd.DataFrame) -> list[dict[str, str]]:
    columns: dict[str, list[Any]] = {}
    for name in ("source_label", "term_id", "scope", "organism", "tissue"):
        if name in memory:
            values = memory[name]
            columns[name] = [
                str(v) if known else "" for v, known in zip(values, values.notna(), strict=True)
            ]
        else:
            columns[name] = [""] * len(memory)
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
