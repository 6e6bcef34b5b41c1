"""Open labels as a sheet that a curator fills in with any spreadsheet program.

Such programs compute what begins with ``=``, turn ``1-2`` into a date, save with ``;``, with other
line ends, or in UTF-16. What is written here is safe from the first, and all of it is noticed
when a sheet is read back.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..curation import atomic_path
from ..errors import ConflictError, NotFoundError, SchemaError
from ..ontologies import Decision, Problem
from ._review import label_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ._review import OpenLabel

COLUMNS: tuple[str, ...] = (
    "field",
    "label",
    "decision",
    "comment",
    "n_cells",
    "outcome",
    "candidates",
    "tissues",
    "datasets",
    "for_organism",
    "for_dataset",
    "key",
)
NEEDED = ("field", "label", "decision")
DEFINITION = 160
"""Characters of a definition that are shown."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_MANGLED = re.compile(
    r"\d{1,2}[-/. ]{1,2}[A-Za-z]{3}([-/. ]\d{2,4})?|[A-Za-z]{3}[-/. ]\d{2,4}|\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}.*"
    r"|\d+[.,]?\d*E[+-]?\d+|#[A-Z/0!?]+"
)
"""Dates, numbers with an exponent, and errors, as spreadsheets write them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was read from a file of decisions."""

    decisions: tuple[Decision, ...]
    problems: tuple[Problem, ...]
    skipped: int = 0
    """Rows without a decision."""
    notes: tuple[str, ...] = field(default=())
    """What was put right or left out."""


def write_sheet(items: Sequence[OpenLabel], path: Path) -> None:
    """Write open labels as a table with an empty column ``decision``.

    Parameters
    ----------
    items
        See `open_labels`.
    path
        File to write: separated by commas if it ends with ``.csv``, else by tabs.

    Raises
    ------
    ConflictError
        If there is such a file: there may be answers in it.
    """
    if path.exists():
        msg = f"{path} is there already, perhaps with answers in it. Name another file for --out."
        raise ConflictError(msg, {"file": str(path)})
    is_csv = path.suffix == ".csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="," if is_csv else "\t", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in items:
        row = {
            "field": item.field,
            "label": item.label,
            "n_cells": str(item.n_cells),
            "outcome": item.outcome,
            "candidates": " | ".join(_described(item)),
            "tissues": ", ".join(item.tissues),
            "datasets": ", ".join(item.datasets),
            "for_organism": item.organism,
            "key": item.key,
        }
        writer.writerow(_safe(row.get(column, "")) for column in COLUMNS)
    with atomic_path(path) as temporary:
        # without the mark, spreadsheets take a .csv for the code page of the country
        temporary.write_text(text.getvalue(), encoding="utf-8-sig" if is_csv else "utf-8")


def _described(item: OpenLabel) -> list[str]:
    texts = []
    for candidate in item.candidates:
        about = candidate.definition
        short = about if len(about) <= DEFINITION else f"{about[:DEFINITION]}…"
        texts.append(f"{candidate.term_id} {candidate.label}" + (f": {short}" if short else ""))
    return texts


def _safe(text: str) -> str:
    """Keep a spreadsheet from computing a text: an apostrophe marks it as one."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(cell: str) -> str:
    return cell.removeprefix("'")


def read_sheet(path: Path, known: Callable[[], Mapping[str, tuple[str, str]]]) -> Answers:
    """Read a sheet back.

    Needed are the columns ``field``, ``label`` and ``decision``; see `find_target` for what a
    decision may be. Empty ones and ``skip`` are passed over. Labels that a spreadsheet mangled are
    put right by their key, and noted.

    Parameters
    ----------
    path
        The sheet: separated by tabs, commas or semicolons.
    known
        Gives field and label by key; asked if a label looks mangled.

    Raises
    ------
    NotFoundError
        If there is no such file.
    SchemaError
        If it is no such table.
    """
    rows = _table(path)
    _, header = next(rows)
    decisions: list[Decision] = []
    problems: list[Problem] = []
    notes: list[str] = []
    skipped = 0
    if left := [name for name in header if name and name not in COLUMNS]:
        notes.append(f"columns that were not read: {', '.join(left)}")
    for line, cells in rows:
        if not any(cells):
            continue
        row = dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=False))
        if any(cells[len(header) :]):
            text = f"{len(cells)} values for {len(header)} columns"
            problems.append(Problem(kind="row of another length", line=line, message=text))
            continue
        decision = _plain(row["decision"]).strip()
        if decision.casefold() in ("", "skip"):
            skipped += 1
            continue
        found = _label(line, row, known)
        if isinstance(found, Problem):
            problems.append(found)
            continue
        label, note = found
        notes += [note] if note else []
        decisions.append(
            Decision(
                line=line,
                field=row["field"].strip(),
                label=label,
                target="none" if decision.casefold() == "none" else decision,
                organism=_plain(row.get("for_organism", "")).strip(),
                dataset=_plain(row.get("for_dataset", "")).strip(),
                comment=_plain(row.get("comment", "")),
            )
        )
    return Answers(
        decisions=tuple(decisions), problems=tuple(problems), skipped=skipped, notes=tuple(notes)
    )


def _label(
    line: int, row: Mapping[str, str], known: Callable[[], Mapping[str, tuple[str, str]]]
) -> tuple[str, str] | Problem:
    """Give the label of a row as its author wrote it, and what was put right, if anything."""
    name, label, key = row["field"].strip(), _plain(row["label"]), row.get("key", "").strip()
    if key == label_key(name, label):
        return label, ""
    if not key:
        if _MANGLED.fullmatch(label) and label_key(name, label) not in known():
            text = f"{label!r} looks as a spreadsheet writes a date or number; format the column as text"
            return Problem(kind="mangled label", line=line, message=text)
        return label, ""
    field_, original = known().get(key, ("", ""))
    if field_ == name and _is_mangling(label, original):
        return original, f"line {line}: {label!r} is {original!r} again, by its key"
    text = f"{label!r} is not the label this row was written for"
    if original:
        text += f", {original!r}"
    text += "; put it back, or empty the column key to decide about another label"
    return Problem(kind="changed label", line=line, message=text)


def _is_mangling(label: str, original: str) -> bool:
    """Tell whether a spreadsheet may have made `label` of `original`."""
    if "".join(label.split()) == "".join(original.split()):
        return True
    if _number(label) is not None and _number(label) == _number(original):
        return True
    return bool(_MANGLED.fullmatch(label)) and any(c.isdigit() for c in original)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Iterate over the rows of a sheet with their lines; the first names the columns."""
    text = _decoded(path)
    first = text.partition("\n")[0]
    for delimiter in ("\t", ",", ";"):
        header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
        if set(NEEDED) <= set(header):
            break
    else:
        msg = (
            f"{path} is no sheet of decisions: its first line must name the columns "
            f"{', '.join(NEEDED)}. `corpuscle review --out FILE` writes one."
        )
        raise SchemaError(msg, {"file": str(path)})
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for cells in reader:
            yield begins, [cell.strip() for cell in cells] if begins == 1 else cells
            begins = reader.line_num + 1
    except csv.Error as error:
        msg = f"{path} cannot be read from line {begins} on: {error}. Is a quote not closed?"
        raise SchemaError(msg, {"file": str(path), "line": begins}) from error


def _decoded(path: Path) -> str:
    if not path.is_file():
        msg = f"There is no file {path}. `corpuscle review --out FILE` writes one to fill in."
        raise NotFoundError(msg, {"file": str(path)})
    raw = path.read_bytes()
    is_wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))  # what "Unicode text" is to a spreadsheet
    try:
        return raw.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text: {error}. Save it as CSV UTF-8."
        raise SchemaError(msg, {"file": str(path)}) from error
