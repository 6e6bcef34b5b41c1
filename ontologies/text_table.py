"""Tables of text that others write: plain or compressed, read in chunks."""

from __future__ import annotations

import contextlib
import csv
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NotFoundError, SchemaError

if TYPE_CHECKING:
    import io
    import os
    from collections.abc import Iterator, Mapping

    import pandas as pd

CHUNK_BYTES = 2**26
"""Text that is in memory at a time."""
MISSING = ["", "-", "NA", "NULL", "\\N"]
"""Texts that stand for no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table with a header, its separator and place found out."""

    path: Path
    columns: tuple[str, ...]
    """Names in the header, or positions ``0``, ``1``, ... if there is none."""
    separator: str
    skipped: int
    """Lines before the first row: comments and header."""

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> TextTable:
        """Read the header: the first line that does not begin with ``#``.

        A first line that begins with a number is a row of a table without header.

        Raises
        ------
        NotFoundError
            If there is no file.
        SchemaError
            If the file is empty or no text.
        """
        place = Path(path)
        with _guarded(place), _binary(place) as stream:
            for number, raw in enumerate(stream):
                line = raw.decode("utf-8-sig")
                if line.startswith("#") or not line.strip():
                    continue
                separator = "\t" if "\t" in line else ","
                (cells,) = csv.reader([line.rstrip("\r\n")], delimiter=separator)
                bare = cells[0].strip().isdigit()
                names = [str(i) if bare else cell.strip() for i, cell in enumerate(cells)]
                skipped = number if bare else number + 1
                return cls(path=place, columns=tuple(names), separator=separator, skipped=skipped)
        msg = f"{place} has no header. Fetch the file again."
        raise SchemaError(msg, {"file": str(place)})

    def require(self, *wanted: str, format: str) -> None:
        """Refuse a table that lacks a column.

        Raises
        ------
        SchemaError
            Naming the columns that are missing and those that are there.
        """
        missing = [name for name in wanted if name not in self.columns]
        if missing:
            msg = (
                f"{self.path} is no table of {format}: it lacks {', '.join(missing)}. "
                f"Its columns: {', '.join(self.columns[:20])}. Name the right format."
            )
            details = {"file": str(self.path), "missing": missing, "columns": list(self.columns)}
            raise SchemaError(msg, details)

    def chunks(self, columns: Mapping[str, str]) -> Iterator[pd.DataFrame]:
        """Iterate over some columns.

        Parameters
        ----------
        columns
            Name in the header by new name.

        Returns
        -------
        Frames of about `CHUNK_BYTES` of text with the new names; texts, null where missing.

        Raises
        ------
        SchemaError
            If the file is damaged, or a row has more or fewer cells than the header.
        """
        import pandas as pd
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        places = {new: str(self.columns.index(old)) for new, old in columns.items()}
        wanted = sorted(set(places.values()))
        with _guarded(self.path), _binary(self.path) as stream:
            for _ in range(self.skipped):
                stream.readline()
            if not stream.peek(1):
                return
            reader = arrow_csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=arrow_csv.ReadOptions(
                    column_names=[str(i) for i in range(len(self.columns))],
                    block_size=CHUNK_BYTES,
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.separator, quote_char='"' if self.separator == "," else False
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    null_values=MISSING,
                    strings_can_be_null=True,
                ),
            )
            texts = {pa.string(): pd.StringDtype("pyarrow")}
            for batch in reader:
                chunk = batch.to_pandas(types_mapper=texts.get)
                yield pd.DataFrame({new: chunk[place] for new, place in places.items()})


@contextlib.contextmanager
def _binary(path: Path) -> Iterator[gzip.GzipFile | io.BufferedReader]:
    """Open a file, compressed or not: its first bytes tell, not its name."""
    with path.open("rb") as raw:
        if raw.peek(2)[:2] != b"\x1f\x8b":
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as stream:
            yield stream


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        msg = f"There is no file {path}. Check the path."
        raise NotFoundError(msg, {"file": str(path)}) from error
    except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error, ValueError) as error:
        _damaged(path, error)  # pyarrow and codecs raise a ValueError


def _damaged(path: Path, error: Exception) -> None:
    msg = (
        f"{path} cannot be read: {type(error).__name__}: {error}. "
        "It is damaged or no table of text: fetch it again."
    )
    raise SchemaError(msg, {"file": str(path)}) from error
