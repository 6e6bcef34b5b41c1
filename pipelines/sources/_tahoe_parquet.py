"""Shards of Tahoe-100M: a list of genes and a list of counts per cell, read as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...curation import Matrix, Rows, SourceFile
from ...errors import SchemaError
from ._tahoe_tables import check_schema, refuse, require_unique, unreadable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

CELLS = (
    "BARCODE_SUB_LIB_ID",
    "sample",
    "drug",
    "cell_line_id",
    "moa-fine",
    "canonical_smiles",
    "pubchem_cid",
    "plate",
)
"""Columns of a shard besides the lists."""
GENES, COUNTS = "genes", "expressions"
MARK_TOKEN, MARK_VALUE = 1, -2.0
"""What stands before the genes and counts of a cell."""
BATCH_ROWS = 1_000
"""Cells decoded at a time: some 2 million counts."""
MAX_VALUES = 2**28
"""Counts of a row group; more is refused unread."""


def open_shard(path: Path, genes: pd.DataFrame) -> SourceFile:
    """Open a shard.

    Parameters
    ----------
    path
        A Parquet file.
    genes
        Rows of `read_genes`.

    Raises
    ------
    SchemaError
        If it is damaged, or columns are missing, of another type or too long.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            dtype = _check_shard(path, file, n_genes=len(genes))
            table = file.read(columns=list(CELLS))
    except SchemaError:
        raise
    except Exception as error:  # a damaged file raises what its library pleases
        raise unreadable(path, error) from error
    names = pd.Index(table.column(CELLS[0]).to_pandas(), dtype=object, name=CELLS[0])
    require_unique(path, CELLS[0], names)
    if names.hasnans:
        refuse(path, CELLS[0], "cells without a name")
    obs: pd.DataFrame = table.drop_columns(CELLS[0]).to_pandas(strings_to_categorical=True)
    obs.index = names
    rows = _ListRows(path, genes["token_id"].to_numpy(), dtype)
    matrix = Matrix(
        path=path,
        name="X",
        shape=(len(obs), len(genes)),
        dtype=dtype,
        var=genes[["ensembl_id"]],
        open=rows.open,
    )
    return SourceFile(path=path, format="parquet", obs=obs, matrices={"X": matrix})


def _check_shard(path: Path, file: Any, *, n_genes: int) -> np.dtype[Any]:
    """Look at the schema and the sizes before anything is decoded."""
    import pyarrow as pa

    schema, about = file.schema_arrow, file.metadata
    check_schema(path, schema, dict.fromkeys(CELLS, "text"))
    kinds = {GENES: (pa.types.is_integer,), COUNTS: (pa.types.is_integer, pa.types.is_floating)}
    for name, allowed in kinds.items():
        found: Any = schema.field(name).type if name in schema.names else pa.null()
        is_list = pa.types.is_list(found) or pa.types.is_large_list(found)
        if not is_list or not any(kind(found.value_type) for kind in allowed):
            refuse(path, name, f"type {found} where a list of numbers is expected")
    if not about.num_rows:
        refuse(path, "rows", "no cells")
    for group in (about.row_group(place) for place in range(about.num_row_groups)):
        most = min(MAX_VALUES, group.num_rows * (n_genes + 1))
        for column in (group.column(place) for place in range(group.num_columns)):
            if column.path_in_schema.startswith((f"{GENES}.", f"{COUNTS}.")):
                name, n = column.path_in_schema.partition(".")[0], column.num_values
                if n > most:
                    refuse(path, name, f"{n:,} values for {group.num_rows:,} cells")
    dtype: np.dtype[Any] = np.dtype(schema.field(COUNTS).type.value_type.to_pandas_dtype())
    return dtype


class _ListRows:
    """Rows of two columns of lists.

    Chunks are asked for one after the other, so the file is read as a stream that begins anew
    when an earlier row is asked for.

    Parameters
    ----------
    path
        The shard.
    tokens
        Token of each column of the matrix.
    dtype
        Type of the counts.
    """

    def __init__(self, path: Path, tokens: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> None:
        self._path = path
        self._column = np.full(int(tokens.max()) + 2, -1, dtype=np.int32)  # none at both ends
        self._column[tokens] = np.arange(len(tokens))
        self._n_columns = len(tokens)
        self._dtype = dtype
        self._indptr = np.zeros(1, dtype=np.int64)
        self._stream: Generator[tuple[int, Any]] | None = None
        self._first = 0
        self._batch: Any = ()

    def open(self) -> Rows:
        """Find where rows begin: the lengths of one column tell."""
        lengths = []
        for row, batch in self._batches(0, [COUNTS]):
            offsets, values = _lists(batch, COUNTS, row)
            lengths.append(np.diff(offsets) - _marked(offsets, values))
        self._indptr = np.concatenate([[0], *lengths]).cumsum()
        return Rows(indptr=self._indptr, read=self.read)

    def read(self, start: int, stop: int) -> csr_matrix:
        """Read rows."""
        from scipy import sparse

        indptr = self._indptr[start : stop + 1] - self._indptr[start]
        data = np.empty(indptr[-1], dtype=self._dtype)
        indices = np.empty(indptr[-1], dtype=np.int32)
        for row, batch in self._slices(start, stop):
            part = slice(indptr[row - start], indptr[row - start + len(batch)])
            data[part], indices[part] = self._counts(batch, row)
        rows = sparse.csr_matrix((data, indices, indptr), shape=(stop - start, self._n_columns))
        rows.sort_indices()
        if not rows.has_canonical_format:
            msg = f"{GENES} names a gene twice in a cell of rows {start:,} to {stop - 1:,}"
            raise ValueError(msg)
        return rows

    def _counts(self, batch: Any, row: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """Take the counts of some lists, and their columns."""
        at, tokens = _lists(batch, GENES, row)
        offsets, values = _lists(batch, COUNTS, row)
        if (bad := np.diff(at) != np.diff(offsets)).any():
            n = int(bad.argmax())
            msg = (
                f"row {row + n:,} has {np.diff(at)[n]:,} {GENES} "
                f"and {np.diff(offsets)[n]:,} {COUNTS}"
            )
            raise ValueError(msg)
        marked = _marked(offsets, values)
        first = offsets[:-1][marked]
        wrong = (tokens[first] != MARK_TOKEN) | (values[first] != MARK_VALUE)
        if wrong.any():
            n = int(np.flatnonzero(marked)[wrong.argmax()])
            msg = (
                f"row {row + n:,} begins with {GENES} {tokens[offsets[n]]} and {COUNTS} "
                f"{values[offsets[n]]}, not with {MARK_TOKEN} and {MARK_VALUE:g}"
            )
            raise ValueError(msg)
        kept = np.ones(len(values), dtype=np.bool_)
        kept[first] = False
        columns = self._column.take(tokens, mode="clip")
        if (bad := kept & (columns < 0)).any():
            n = int(bad.argmax())
            where = int(np.searchsorted(offsets, n, side="right")) - 1
            msg = f"row {row + where:,} has token {tokens[n]} in {GENES}, which is no gene's"
            raise ValueError(msg)
        return values[kept], columns[kept]

    def _slices(self, start: int, stop: int) -> Iterator[tuple[int, Any]]:
        """Give the batches of some rows, cut to them, with the number of their first row."""
        if self._stream is None or start < self._first:
            self._stream = self._batches(start, [GENES, COUNTS])
            self._first, self._batch = next(self._stream)
        while start < stop:
            n = self._first + len(self._batch) - start
            if n <= 0:
                self._first, self._batch = next(self._stream)
                continue
            n = min(n, stop - start)
            yield start, self._batch.slice(start - self._first, n)
            start += n

    def _batches(self, start: int, columns: list[str]) -> Generator[tuple[int, Any]]:
        """Decode batches from the row group of a row on, with the number of their first row."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._path, buffer_size=2**20) as file:
            about = file.metadata
            sizes = [about.row_group(place).num_rows for place in range(about.num_row_groups)]
            ends = np.cumsum(sizes)
            group = int(np.searchsorted(ends, start, side="right"))
            row = int(ends[group]) - sizes[group]
            for place in range(group, len(sizes)):  # in one call it would keep what it has read
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[place], columns=columns):
                    yield row, batch
                    row += batch.num_rows


def _lists(batch: Any, name: str, row: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Give where the lists of a column begin, and their values."""
    lists = batch.column(name)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    if n_null := lists.null_count + values.null_count:
        msg = f"{name} has {n_null:,} nulls in rows {row:,} to {row + len(lists) - 1:,}"
        raise ValueError(msg)
    return offsets - offsets[0], values.to_numpy()


def _marked(offsets: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which lists begin with a mark: counts are not negative."""
    marked = np.diff(offsets) > 0
    marked[marked] = values[offsets[:-1][marked]] < 0
    return marked
