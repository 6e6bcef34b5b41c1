"""Matrix Market text: its header, and its entries in blocks, each line checked."""

from __future__ import annotations

import contextlib
import gzip
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SchemaError
from ._alive import sign_of_life

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

BLOCK_BYTES = 1 << 23
"""Text held in memory at a time: about half a million entries."""
MAX_LINE_BYTES = 1 << 10
"""More than this per line is padding: a bomb. Two indices and a number take at most 50."""
MAX_COMMENT_BYTES = 1 << 20
"""Comments may be long, but not without end."""
MAX_SIDE = 2**31 - 1
"""Indices are kept as int32: no file has as many cells or features."""
TYPES: dict[str, np.dtype[Any]] = {
    "integer": np.dtype(np.int32),
    "unsigned-integer": np.dtype(np.int32),  # as scipy writes it
    "real": np.dtype(np.float64),
    "double": np.dtype(np.float64),
    "pattern": np.dtype(np.int32),
}
"""How values are kept, by field of the banner. No count of a gene in a cell exceeds int32."""
WHOLE = re.compile(rb"-?[0-9]+")
REAL = re.compile(rb"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?(nan|inf|infinity)", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the text says of itself before its first entry."""

    path: Path
    field: str
    """A key of `TYPES`."""
    n_rows: int
    n_columns: int
    n_entries: int
    n_lines: int
    """Lines before the first entry."""


def damaged(path: Path, what: str, **details: object) -> SchemaError:
    """Say that a file of text is not what it should be."""
    msg = f"{path} {what}. Fetch or write the file again."
    return SchemaError(msg, {"file": str(path), **details})


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[Any]:
    """Open plain or gzip text, whatever its name says; bytes that cannot be unpacked are named.

    Raises
    ------
    SchemaError
        While it is read, if the file ends early or its checksum is wrong.
    """
    with path.open("rb") as plain:
        is_gzip = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        try:
            yield gzip.GzipFile(fileobj=plain) if is_gzip else plain
        except EOFError as error:
            raise damaged(path, "ends in the middle of its gzip stream") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise damaged(path, f"is not whole as gzip: {error}") from error


def read_header(path: Path) -> Header:
    """Read the banner, the comments and the line of sizes.

    Raises
    ------
    SchemaError
        If they are not those of a sparse, general matrix of numbers.
    """
    with open_text(path) as file:
        return _header(path, file)


def _header(path: Path, file: Any) -> Header:
    banner = file.readline(MAX_LINE_BYTES).decode("utf-8", "replace").lower().split()
    if banner[:2] != ["%%matrixmarket", "matrix"] or len(banner) != 5:
        raise damaged(path, "has no banner of Matrix Market in its first line", line=1)
    form, field, symmetry = banner[2:]
    if (form, symmetry) != ("coordinate", "general") or field not in TYPES:
        msg = (
            f"{path} is a matrix {form} {field} {symmetry}; counts are read from coordinate "
            f"general of {', '.join(TYPES)}. Write the matrix in that form."
        )
        raise SchemaError(msg, {"file": str(path), "line": 1})
    n_lines, left = 1, MAX_COMMENT_BYTES
    line = b"%"
    while left > 0 and (line.startswith(b"%") or (line and not line.strip())):
        line = file.readline(left)
        left -= len(line)
        n_lines += 1
    sizes = line.split()
    if len(sizes) != 3 or not all(re.fullmatch(rb"[0-9]{1,18}", size) for size in sizes):
        what = f"has no line of rows, columns and entries, but {_shown(line)} in line {n_lines}"
        raise damaged(path, what, line=n_lines)
    n_rows, n_columns, n_entries = (int(size) for size in sizes)
    if max(n_rows, n_columns) > MAX_SIDE or n_entries > n_rows * n_columns:
        what = f"claims {n_entries:,} entries in {n_rows:,} rows and {n_columns:,} columns"
        raise damaged(path, what, line=n_lines)
    return Header(
        path=path,
        field=field,
        n_rows=n_rows,
        n_columns=n_columns,
        n_entries=n_entries,
        n_lines=n_lines,
    )


def read_entries(header: Header) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], Any]]:
    """Iterate over blocks of rows and columns, both from 0, and values.

    Raises
    ------
    SchemaError
        At the first line that is no entry within the shape, if there are fewer or more entries
        than the header says, or if the file ends early.
    """
    n_seen, n_lines = 0, header.n_lines
    with open_text(header.path) as file:
        for _ in range(header.n_lines):
            file.readline(MAX_COMMENT_BYTES)
        for block in _blocks(header.path, file):
            entries = _parse(block, header, n_lines, header.n_entries - n_seen)
            n_seen += len(entries[0])
            n_lines += block.count(b"\n")
            if len(entries[0]):
                yield entries
    if n_seen < header.n_entries:
        what = f"ends after {n_seen:,} entries, but its header says {header.n_entries:,}"
        raise damaged(header.path, what, entries=n_seen, stated=header.n_entries)


def _blocks(path: Path, file: Any) -> Iterator[bytes]:
    """Cut text behind ends of lines; the next block is unpacked while one is looked at."""
    rest = b""
    with ThreadPoolExecutor(1) as ahead:
        read = ahead.submit(file.read, BLOCK_BYTES)
        while text := read.result():
            sign_of_life()
            read = ahead.submit(file.read, BLOCK_BYTES)
            end = text.rfind(b"\n") + 1
            if end:
                yield rest + text[:end]
                rest = b""
            rest += text[end:]
            if len(rest) > MAX_LINE_BYTES:
                raise damaged(path, f"has a line of over {MAX_LINE_BYTES:,} bytes")
    if rest:
        yield rest


def _parse(
    block: bytes, header: Header, n_lines: int, n_left: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Any]:
    from pyarrow import ArrowInvalid

    empty = np.empty(0, dtype=np.int32)
    if not block.strip():
        return empty, empty, empty
    try:
        try:
            rows, columns, *values = _read_csv(block, header)
        except ArrowInvalid:  # more than one blank between numbers is rare, and legal
            tidy = re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", block))
            rows, columns, *values = _read_csv(tidy, header)
    except ArrowInvalid as error:
        raise _blame(block, header, n_lines) from error
    lowest, highest = min(rows.min(), columns.min()), (rows.max(), columns.max())
    is_inside = lowest > 0 and highest[0] <= header.n_rows and highest[1] <= header.n_columns
    if not is_inside or b"x" in block or b"X" in block:  # 0x1 would be taken for 1
        raise _blame(block, header, n_lines)
    if len(rows) > n_left:
        what = f"has more entries than the {header.n_entries:,} of its header"
        raise damaged(header.path, what, stated=header.n_entries)
    if len(block) > MAX_LINE_BYTES * len(rows):
        raise damaged(header.path, f"has mostly blank space after line {n_lines:,}")
    return rows - 1, columns - 1, values[0] if values else np.ones(len(rows), dtype=np.int32)


def _read_csv(block: bytes, header: Header) -> list[npt.NDArray[Any]]:
    import pyarrow as pa
    from pyarrow import csv

    names = ["row", "column"] if header.field == "pattern" else ["row", "column", "value"]
    types = {
        "row": pa.int32(),
        "column": pa.int32(),
        "value": pa.from_numpy_dtype(TYPES[header.field]),
    }
    table = csv.read_csv(
        pa.BufferReader(block),
        csv.ReadOptions(column_names=names, block_size=BLOCK_BYTES // 4),
        csv.ParseOptions(delimiter=" ", quote_char=False),
        csv.ConvertOptions(column_types={name: types[name] for name in names}, null_values=[]),
    )
    return [column.to_numpy() for column in table.columns]


def _blame(block: bytes, header: Header, n_lines: int) -> SchemaError:
    """Find the first line of a block that is no entry: slow, and done once."""
    number = REAL if TYPES[header.field].kind == "f" else WHOLE
    n_words = 2 if header.field == "pattern" else 3
    for at, line in enumerate(block.split(b"\n"), start=n_lines + 1):
        words = line.split()
        if not words:
            continue
        if len(words) != n_words or not all(map(WHOLE.fullmatch, words[:2])):
            expected = "row and column" if n_words == 2 else "row, column and value"
            what = f"has {_shown(line)} in line {at:,}, not {expected}"
        elif not 0 < int(words[0]) <= header.n_rows or not 0 < int(words[1]) <= header.n_columns:
            what = (
                f"has an entry outside of its {header.n_rows:,} rows and {header.n_columns:,} "
                f"columns in line {at:,}: {_shown(line)}"
            )
        elif n_words == 3 and not number.fullmatch(words[2]):
            what = (
                f"has the value {_shown(words[2])} in line {at:,}, but its field is {header.field}"
            )
        elif number is WHOLE and abs(int(words[-1])) > MAX_SIDE:
            what = f"has a value too large for a count in line {at:,}: {_shown(words[2])}"
        else:
            continue
        return damaged(header.path, what, line=at)
    return damaged(header.path, f"cannot be parsed after line {n_lines:,}", line=n_lines)


def _shown(text: bytes) -> str:
    return repr(text[:60].decode("utf-8", "replace").strip())
