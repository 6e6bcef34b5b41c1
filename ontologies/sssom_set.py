"""A set of mappings, and what is wrong with it by the standard."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import LabelMappingError
from .sssom_slots import BUILT_IN, JUSTIFICATIONS, LITERAL, ROW_SLOTS, SET_SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

__all__ = [
    "MappingSet",
    "Problem",
    "check_sssom",
    "parts_of",
    "prefix_in",
    "reference_columns",
    "refuse",
]

_CURIE = re.compile(r"([A-Za-z_][\w.-]*):(\S+)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_NAME = re.compile(r"[^\W\d][\w.-]*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SHOWN = 5
"""Lines named per kind of problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a table."""

    kind: str
    """What sort of thing, in a few words: problems are counted by it."""
    line: int
    """Line of the file, 1 for the first; 0 for the file as a whole."""
    message: str
    """What is wrong with which value, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSet:
    """What an SSSOM file holds."""

    metadata: Mapping[str, Any]
    """Slots of the set, among them ``curie_map`` and ``extension_definitions``."""
    table: pd.DataFrame = field(repr=False)
    """One mapping per row, everything as text, empty where there is nothing. The index holds the
    line of the file."""
    problems: tuple[Problem, ...] = ()
    """Rows that could not be read."""


def check_sssom(found: MappingSet) -> list[Problem]:
    """Find everything in which a set departs from the standard.

    Returns
    -------
    All problems, by line. None of them is looked for in the meaning of the mappings.
    """
    columns = list(found.table.columns)
    problems = [*_check_metadata(found.metadata), *found.problems]
    declared = _declared(found.metadata)
    for name in dict.fromkeys(columns):
        if columns.count(name) > 1:
            problems.append(_whole("column twice", f"{name} comes {columns.count(name)} times"))
        if name not in ROW_SLOTS and name not in declared:
            text = f"{name!r} is neither a slot of SSSOM nor in extension_definitions"
            problems.append(_whole("unknown column", text))
    needed = {"predicate_id", "mapping_justification"}
    problems += [_whole("missing column", name) for name in sorted(needed.difference(columns))]
    if len(set(columns)) == len(columns):
        problems += _check_rows(found.table, set(found.metadata.get("curie_map") or ()))
    return sorted(problems, key=lambda problem: problem.line)


def _whole(kind: str, message: str) -> Problem:
    return Problem(kind=kind, line=0, message=message)


def _check_metadata(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    for slot in ("mapping_set_id", "license"):
        if not _URI.fullmatch(str(metadata.get(slot, ""))):
            text = f"{slot} must be an absolute URI and is {metadata.get(slot)!r}"
            yield _whole("metadata", text)
    if not isinstance(metadata.get("curie_map"), dict):
        yield _whole("metadata", "curie_map must say what each prefix stands for")
    known = {*SET_SLOTS, *_declared(metadata)}
    for slot in metadata:
        if slot not in known:
            text = f"{slot!r} is neither a slot of SSSOM nor in extension_definitions"
            yield _whole("metadata", text)


def _declared(metadata: Mapping[str, Any]) -> set[str]:
    """Names of the extensions that are properly defined."""
    definitions = metadata.get("extension_definitions") or ()
    return {
        str(entry["slot_name"])
        for entry in definitions
        if isinstance(entry, dict)
        and entry.keys() <= {"slot_name", "property", "type_hint"}
        and _NAME.fullmatch(str(entry.get("slot_name", "")))
    }


def _check_rows(table: pd.DataFrame, prefixes: set[str]) -> Iterator[Problem]:
    known = prefixes | set(BUILT_IN)
    references = reference_columns(table.columns)
    verdicts: dict[str, str | None] = {"": None}
    for line, row in zip(table.index, table.to_dict("records"), strict=True):
        yield from _check_required(line, row)
        for slot in references:
            text = row[slot]
            for part in text.split("|") if slot in _SEVERAL else (text,):
                if part not in verdicts:
                    verdicts[part] = _reference_problem(part, known)
                if verdicts[part] is not None:
                    yield Problem(
                        kind="invalid CURIE", line=line, message=f"{slot} {verdicts[part]}"
                    )
        yield from _check_values(line, row)


_SEVERAL = frozenset({"author_id", "reviewer_id", "creator_id"})


def _reference_problem(text: str, known: set[str]) -> str | None:
    for part in parts_of(text):
        prefix = prefix_in(part)
        if prefix is None:
            return f"{part!r} is not PREFIX:NAME"
        if prefix not in known:
            return f"{part!r} has a prefix that curie_map does not define"
    return None


def _check_required(line: int, row: Mapping[Any, Any]) -> Iterator[Problem]:
    for side in ("subject", "object"):
        slot = f"{side}_label" if row.get(f"{side}_type") == LITERAL else f"{side}_id"
        if not row.get(slot):
            yield Problem(kind="empty value", line=line, message=f"{slot} is empty")
    for slot in ("predicate_id", "mapping_justification"):
        if slot in row and not row[slot]:
            yield Problem(kind="empty value", line=line, message=f"{slot} is empty")


def _check_values(line: int, row: Mapping[Any, Any]) -> Iterator[Problem]:
    why = row.get("mapping_justification", "")
    if why and why.removeprefix("semapv:") not in JUSTIFICATIONS:
        yield Problem(
            kind="invalid value", line=line, message=f"mapping_justification {why!r} is not known"
        )
    confidence = row.get("confidence", "")
    if confidence and not _is_share(confidence):
        yield Problem(
            kind="invalid value", line=line, message=f"confidence {confidence!r} is not in 0..1"
        )
    date = row.get("mapping_date", "")
    if date and not _DATE.fullmatch(date):
        yield Problem(
            kind="invalid value", line=line, message=f"mapping_date {date!r} is not YYYY-MM-DD"
        )


def _is_share(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False


def refuse(
    problems: Sequence[Problem],
    what: str,
    *,
    remedy: str = "Nothing was taken over: correct these and run the same command again",
) -> None:
    """Raise all problems of a file as one error; do nothing if there are none.

    Parameters
    ----------
    problems
        What is wrong.
    what
        The file, for the message.
    remedy
        What to do next.

    Raises
    ------
    LabelMappingError
        If there is any problem. The message counts them by kind and names lines; the details hold
        each of them.
    """
    if not problems:
        return
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    groups = "; ".join(_group(kind, found) for kind, found in kinds.items())
    msg = (
        f"{len(problems):,} problem{'s' * (len(problems) > 1)} in {what}: {groups}. "
        f"{remedy}; --json lists them all."
    )
    each = [{"kind": p.kind, "line": p.line, "message": p.message} for p in problems]
    raise LabelMappingError(msg, {"file": what, "problems": each})


def _group(kind: str, problems: Sequence[Problem]) -> str:
    first = problems[0]
    lines = [str(problem.line) for problem in problems if problem.line]
    shown = ", ".join(lines[:_SHOWN])
    more = f" and {len(lines) - _SHOWN:,} more" if len(lines) > _SHOWN else ""
    where = f" (line{'s' * (len(lines) > 1)} {shown}{more})" if lines else ""
    return f"{len(problems):,} x {kind}{where}, first: {first.message}"


def reference_columns(columns: Iterable[str]) -> list[str]:
    """Name the columns that hold CURIEs."""
    return [c for c in columns if c in ROW_SLOTS and c.endswith("_id")] + [
        c for c in columns if c == "mapping_justification"
    ]


def parts_of(text: str) -> list[str]:
    """Take apart what several terms together are: CURIEs joined by ``+``."""
    first, *others = text.split("+")
    return [first, *(other for other in others if ":" in other)]


def prefix_in(text: str) -> str | None:
    """Give the prefix of a CURIE; None for what is none."""
    match = _CURIE.fullmatch(text)
    return None if match is None else match[1]
