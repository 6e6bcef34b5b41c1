"""Comma-separated tables of cells and genes, read in blocks and joined by a key."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CorpuscleError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

BLOCK_BYTES = 8_000_000
NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"
"""Texts that are the same number to everybody: neither ``007`` nor ``nan``."""
WORDS = frozenset({"day", "development_stage", "embryo_id"})
"""Columns that are labels even where they look like numbers: ``8.0`` is not ``8``."""
NUMBERS = frozenset({"UMI_count", "gene_count", "log2_umi", "unmatched_rate", "doublet_score"})
"""Columns that are numbers wherever they are."""
MISSING = ("", "NA")
"""How R and pandas write a missing value, without quotes."""


def read_table(path: Path, *, key: str, keep: pd.Index[Any] | None = None) -> pd.DataFrame:
    """Read a table, plain or gzip, in blocks of bounded size.

    Parameters
    ----------
    path
        The file.
    key
        Column that names its rows, each once.
    keep
        The rows to keep, in the order wanted. All by default, as in the file.

    Returns
    -------
    Its columns but that of row names, which has no name. Numbers are numbers, other columns
    categories of text. ``NA`` and nothing are missing unless they stand in quotes.

    Raises
    ------
    SchemaError
        If it is no such table, has no `key`, names a row twice or not at all, or lacks rows of
        `keep`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    blocks: list[pa.RecordBatch] = []
    places = []
    with readable(path, key):
        names = _header(path)
        if key not in names:
            msg = (
                f"{path} has no column {key!r}. It has {', '.join(names)}. Expected a table "
                "separated by commas, as the publisher has it: fetch it again."
            )
            raise SchemaError(msg, {"file": str(path), "column": key})
        for block in _blocks(path, names):
            rows = block
            if keep is not None:
                place = keep.get_indexer(block[key].to_pandas())
                inside = place >= 0
                places.append(place[inside])
                rows = block.filter(pa.array(inside))
            blocks.append(rows)
        table = pa.Table.from_batches(blocks)
        _check_key(table[key], path, key)
        if keep is not None:
            table = table.take(pa.array(np.argsort(_placed(places, keep, path, key))))
        columns = {}
        for name in table.column_names:
            columns[name] = _column(pc, table[name], name, path)
            table = table.drop_columns([name])
    import pandas as pd

    return pd.DataFrame(columns)


def join(given: pd.DataFrame, more: pd.DataFrame, *, key: str, files: tuple[Path, Path]) -> Any:
    """Add the columns of a second table of the same rows; what both have must be the same.

    Parameters
    ----------
    given, more
        Tables with equally many rows, row by row.
    key
        Column or index of `given` that names the rows, for messages.
    files
        Where they come from, for messages.

    Raises
    ------
    SchemaError
        If they contradict each other.
    """
    names = given[key] if key in given else given.index.to_series()
    result = given.copy()
    for name in more.columns:
        if name not in given:
            result[name] = more[name].array
            continue
        differ = ~_same(given[name], more[name])
        if differ.any():
            row = int(np.argmax(differ))
            first, second = given[name].iloc[row], more[name].iloc[row]
            msg = (
                f"{files[0].name} and {files[1].name} contradict each other in {name!r} of "
                f"{int(differ.sum()):,} rows: {names.iloc[row]!r} has {first!r} in the one and "
                f"{second!r} in the other. They are not of the same release: fetch both again."
            )
            raise SchemaError(msg, {"files": [str(file) for file in files], "column": name})
    return result


@contextmanager
def readable(path: Path, what: str) -> Iterator[None]:
    """Turn what libraries raise about a damaged table into `SchemaError`."""
    try:
        yield
    except (CorpuscleError, MemoryError):
        raise
    except Exception as error:  # a damaged file raises what its library pleases
        msg = (
            f"{path} cannot be read as a table of {what}: {type(error).__name__}: {error}. "
            "The file is damaged: fetch it again."
        )
        raise SchemaError(msg, {"file": str(path)}) from error


def _header(path: Path) -> list[str]:
    import pandas as pd

    names = [str(name) for name in pd.read_csv(path, nrows=0).columns]
    if names and names[0].startswith("Unnamed: "):
        names[0] = ""
    return names


def _blocks(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv

    read = csv.ReadOptions(block_size=BLOCK_BYTES, column_names=names, skip_rows=1)
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=[name for name in names if name],
        null_values=list(MISSING),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    with csv.open_csv(path, read_options=read, convert_options=convert) as reader:
        yield from reader


def _check_key(keys: pa.ChunkedArray, path: Path, key: str) -> None:
    import pyarrow.compute as pc

    n_known = len(pc.unique(keys.drop_null()))
    if n_known != len(keys):
        msg = (
            f"{path} names {n_known:,} rows in its column {key!r}, and has {len(keys):,}: some "
            "names are missing or repeat. The file is damaged: fetch it again."
        )
        raise SchemaError(msg, {"file": str(path), "column": key})


def _placed(places: list[Any], keep: pd.Index[Any], path: Path, key: str) -> Any:
    placed = np.concatenate(places) if places else np.empty(0, dtype=np.intp)
    if len(placed) != len(keep):
        lacking = np.setdiff1d(np.arange(len(keep)), placed)
        msg = (
            f"{path} lacks {len(lacking):,} of {len(keep):,} rows, by {key!r}: the first is "
            f"{keep[lacking[0]]!r}. It is of another release or not whole: fetch it again."
        )
        raise SchemaError(msg, {"file": str(path), "column": key, "missing": len(lacking)})
    return placed


def _column(pc: Any, texts: pa.ChunkedArray, name: str, path: Path) -> Any:
    """Make numbers of a column of numbers and categories of any other."""
    import pandas as pd
    import pyarrow as pa

    is_number = pc.match_substring_regex(texts, NUMBER)
    every = pc.all(is_number).as_py()
    if name in NUMBERS and every is False:
        first = texts.filter(pc.invert(is_number))[0].as_py()
        msg = (
            f"Column {name!r} of {path} holds {first!r} in place of a number. "
            "The file is damaged: fetch it again."
        )
        raise SchemaError(msg, {"file": str(path), "column": name, "value": first})
    if not every or name in WORDS:
        return texts.combine_chunks().dictionary_encode().to_pandas()
    whole = not pc.any(pc.match_substring_regex(texts, r"[.eE]")).as_py()
    numbers = texts.cast(pa.int64() if whole else pa.float64())
    kinds = {pa.int64(): pd.Int64Dtype()} if numbers.null_count else {}
    return numbers.to_pandas(types_mapper=kinds.get)


def _same(first: pd.Series[Any], second: pd.Series[Any]) -> Any:
    kinds = {first.dtype.kind, second.dtype.kind}
    if kinds <= set("iuf"):
        values = first.to_numpy(np.float64, na_value=np.nan), second.to_numpy(np.float64)
        return np.isclose(*values, rtol=1e-5, equal_nan=True)
    a, b = (_texts(column) for column in (first, second))
    return (a == b).to_numpy()


def _texts(column: pd.Series[Any]) -> Any:
    """Texts, with one word for all that a table without quotes cannot tell from missing."""
    texts = column.astype(object).where(column.notna(), "").astype(str).reset_index(drop=True)
    return texts.where(~texts.isin(MISSING), "")
