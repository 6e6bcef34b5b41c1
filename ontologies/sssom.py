"""Mapping sets in SSSOM, the standard of the field: read, write, check.

A file holds metadata as YAML in lines that begin with ``#``, then a table separated by tabs
(https://mapping-commons.github.io/sssom/spec-formats-tsv).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import LabelMappingError, NotFoundError, SchemaError
from .sssom_slots import (
    BUILT_IN,
    IRIS,
    JUSTIFICATIONS,
    LITERAL,
    NO_TERM,
    PROPAGATED,
    ROW_SLOTS,
    SET_SLOTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

__all__ = [
    "NO_TERM",
    "MappingSet",
    "Problem",
    "check_sssom",
    "read_sssom",
    "refuse",
    "write_sssom",
]

LICENSE = "https://creativecommons.org/publicdomain/zero/1.0/"
OWN = "corpuscle"
"""Prefix of the properties that our extension columns stand for."""
_CURIE = re.compile(r"([A-Za-z_][\w.-]*):(\S+)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_NAME = re.compile(r"[^\W\d][\w.-]*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_QUOTED = re.compile(r'["\t\r\n]|^#')
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


def read_sssom(path: Path, *, until: tuple[str, str] | None = None) -> MappingSet:
    """Read an SSSOM file. It need not be valid: `check_sssom` tells.

    Slots of the set that hold for every mapping (``mapping_date``, ``subject_type`` ...) become
    columns of the table where it has none.

    Parameters
    ----------
    path
        The file.
    until
        Column and value: rows from the first with this value on are left unread.

    Raises
    ------
    NotFoundError
        If there is no such file.
    SchemaError
        If it cannot be read as text, YAML and a table at all.
    """
    import pandas as pd

    head, body = _split(path)
    metadata = _metadata(path, head)
    rows = _rows(path, body, first_line=len(head) + 1)
    _, columns = next(rows, (0, []))
    if not columns:
        msg = f"{path} has no table after its metadata. Its first line names the columns."
        raise SchemaError(msg, {"file": str(path)})
    good: list[list[str]] = []
    lines: list[int] = []
    problems: list[Problem] = []
    stop = None if until is None or until[0] not in columns else columns.index(until[0])
    for line, row in rows:
        if stop is not None and until is not None and row[stop : stop + 1] == [until[1]]:
            break
        if len(row) == len(columns):
            good.append(row)
            lines.append(line)
        elif row:
            text = f"{len(row)} values for {len(columns)} columns; is a tab missing?"
            problems.append(Problem(kind="row of another length", line=line, message=text))
    table = pd.DataFrame(good, columns=columns, index=pd.Index(lines, name="line"), dtype=object)
    for slot in PROPAGATED:
        if slot in metadata and slot not in columns:
            table[slot] = str(metadata[slot])
    return MappingSet(metadata=metadata, table=table, problems=tuple(problems))


def _split(path: Path) -> tuple[list[str], str]:
    """Give the lines of metadata, and the rest of the text as it is."""
    if not path.exists():
        msg = f"There is no file {path}. Check the path."
        raise NotFoundError(msg, {"file": str(path)})
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text: {error}. Save it as UTF-8."
        raise SchemaError(msg, {"file": str(path)}) from error
    head = []
    while text.startswith("#"):
        line, _, text = text.partition("\n")
        head.append(line.rstrip("\r").removeprefix("#"))
    return head, text


def _metadata(path: Path, head: Sequence[str]) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load("\n".join(head)) or {}
    except yaml.YAMLError as error:
        msg = f"The lines of {path} that begin with # are not YAML: {error}. Correct them."
        raise SchemaError(msg, {"file": str(path)}) from error
    if not isinstance(found, dict):
        msg = f"The lines of {path} that begin with # are not NAME: VALUE. They say {found!r}."
        raise SchemaError(msg, {"file": str(path)})
    return {str(name): value for name, value in found.items()}


def _rows(path: Path, text: str, *, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Iterate over the rows with the line on which each begins."""
    import csv
    import io

    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    begins = first_line
    try:
        for row in reader:
            yield begins, row
            begins = first_line + reader.line_num
    except csv.Error as error:
        msg = f"{path} cannot be read from line {begins} on: {error}. Is a quote not closed?"
        raise SchemaError(msg, {"file": str(path), "line": begins}) from error


def write_sssom(
    table: pd.DataFrame,
    path: Path,
    *,
    mapping_set_id: str,
    extensions: Mapping[str, str],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a valid SSSOM file: the same table gives the same bytes.

    Columns are ordered as the standard does, ours behind them. Rows stay in their order.

    Parameters
    ----------
    table
        One mapping per row. Nulls are empty. Numbers that are not whole get three digits.
    path
        File to write.
    mapping_set_id
        Absolute URI of the set.
    extensions
        Columns that the standard does not know, and the type of their values (``xsd:string``).
    metadata
        Further slots of the set.

    Raises
    ------
    LabelMappingError
        If that would not be a valid set.
    """
    import yaml

    standard = [slot for slot in ROW_SLOTS if slot in table.columns]
    columns = [*standard, *sorted(extensions)]
    texts = table.reindex(columns=[*columns, *table.columns.difference(columns)]).map(_text)
    slots: dict[str, Any] = {
        "curie_map": _curie_map(texts),
        "sssom_version": "1.1",
        "mapping_set_id": mapping_set_id,
        "license": LICENSE,
        **(metadata or {}),
        "extension_definitions": [
            {"slot_name": name, "property": f"{OWN}:{name}", "type_hint": extensions[name]}
            for name in sorted(extensions)
        ],
    }
    whole = MappingSet(metadata=slots, table=texts.set_axis(range(1, len(texts) + 1), axis=0))
    refuse(check_sssom(whole), str(path), remedy="This is a defect of Corpuscle: please report it")
    head = yaml.safe_dump(slots, sort_keys=False, allow_unicode=True, width=2**31)
    lines = [f"#{line}" for line in head.splitlines()]
    lines += ["\t".join(map(_quoted, row)) for row in [columns, *texts.to_numpy().tolist()]]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def _text(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)


def _quoted(text: str) -> str:
    if not _QUOTED.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _curie_map(table: pd.DataFrame) -> dict[str, str]:
    used = {OWN}
    for slot in _references(table.columns):
        used |= {_prefix(part) or "" for text in table[slot].unique() for part in _parts(text)}
    return {prefix: IRIS[prefix] for prefix in sorted(used & IRIS.keys())}


def _references(columns: Iterable[str]) -> list[str]:
    return [c for c in columns if c in ROW_SLOTS and c.endswith("_id")] + [
        c for c in columns if c == "mapping_justification"
    ]


def _parts(text: str) -> list[str]:
    """Take apart what several terms together are: CURIEs joined by ``+``."""
    first, *others = text.split("+")
    return [first, *(other for other in others if ":" in other)]


def _prefix(text: str) -> str | None:
    match = _CURIE.fullmatch(text)
    return None if match is None else match[1]


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
    references = _references(table.columns)
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
    for part in _parts(text):
        prefix = _prefix(part)
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
