"""Tables of text that others write: plain or compressed, read in chunks."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NotFoundError, SchemaError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import pandas as pd

CHUNK_ROWS = 500_000
"""Rows that are in memory at a time."""
MISSING = ("", "-", "NA", "NULL", "\\N")
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
        with _guarded(place), _text(place) as lines:
            for number, line in enumerate(lines):
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
        Frames of at most `CHUNK_ROWS` rows with the new names; texts, null where missing.

        Raises
        ------
        SchemaError
            If the file is damaged.
        """
        import pandas as pd

        places = {new: self.columns.index(old) for new, old in columns.items()}
        wanted = sorted(set(places.values()))
        with _guarded(self.path), _text(self.path) as lines:
            for _ in range(self.skipped):
                next(lines)
            reader = pd.read_csv(
                lines,
                sep=self.separator,
                header=None,
                names=range(len(self.columns)),
                usecols=wanted,
                dtype="string[pyarrow]",
                keep_default_na=False,
                na_values=list(MISSING),
                quoting=csv.QUOTE_MINIMAL if self.separator == "," else csv.QUOTE_NONE,
                chunksize=CHUNK_ROWS,
            )
            for chunk in reader:
                yield pd.DataFrame({new: chunk[place] for new, place in places.items()})


@contextlib.contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a file, compressed or not: its first bytes tell, not its name."""
    with path.open("rb") as raw:
        is_gzip = raw.peek(2)[:2] == b"\x1f\x8b"
        stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as lines:
            yield lines


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    import pandas as pd

    try:
        yield
    except FileNotFoundError as error:
        msg = f"There is no file {path}. Check the path."
        raise NotFoundError(msg, {"file": str(path)}) from error
    except pd.errors.EmptyDataError:
        return
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, csv.Error) as error:
        _damaged(path, error)
    except pd.errors.ParserError as error:
        _damaged(path, error)


def _damaged(path: Path, error: Exception) -> None:
    msg = (
        f"{path} cannot be read: {type(error).__name__}: {error}. "
        "It is damaged or no table of text: fetch it again."
    )
    raise SchemaError(msg, {"file": str(path)}) from error
