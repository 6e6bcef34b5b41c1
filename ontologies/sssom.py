"""Mapping sets in SSSOM, the standard of the field: read, write, check.

A file holds metadata as YAML in lines that begin with ``#``, then a table separated by tabs
(https://mapping-commons.github.io/sssom/spec-formats-tsv).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError, SchemaError
from .sssom_set import (
    MappingSet,
    Problem,
    check_sssom,
    parts_of,
    prefix_in,
    reference_columns,
    refuse,
)
from .sssom_slots import (
    IRIS,
    NO_TERM,
    OWN,
    PROPAGATED,
    ROW_SLOTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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
_QUOTED = re.compile(r'["\t\r\n]|^#')


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
    for slot in reference_columns(table.columns):
        used |= {prefix_in(part) or "" for text in table[slot].unique() for part in parts_of(text)}
    return {prefix: IRIS[prefix] for prefix in sorted(used & IRIS.keys())}
