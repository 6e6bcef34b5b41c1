"""scBaseCount's tables of samples, read and checked."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

from ...errors import SchemaError
from ._scbasecount_words import kind_of_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

__all__ = ["ACCESSION", "TABLE_BYTES", "collections_of", "contradiction", "read_samples", "rows_of"]

logger = logging.getLogger(__name__)

TABLE_BYTES = 256 * 2**20
"""Largest table that is read; the largest there is has 35,263 rows and a few MB."""
ACCESSION = r"[SEDN]RX[0-9]{1,12}"
"""Accessions of SRA, ENA and DDBJ, and ``NRX`` for samples of CZI that are in none of them."""
_TEXTS = (
    *("srx_accession", "tech_10x", "cell_prep", "organism", "tissue", "disease"),
    *("perturbation", "cell_line", "czi_collection_id"),
)
_MORE_TEXTS = ("file_path", "feature_type", "tissue_ontology_term_id", "disease_ontology_term_id")
_COUNT = "obs_count"
_INDEX = "__index_level_"
"""Beginning of columns that pandas adds: row numbers, which repeat in merged tables."""
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_FILE = re.compile(r".*/h5ad/([^/]+)/([^/]+)/([^/]+?)\.h5ad(?:\.gz)?")
_ROWS = 4_096
"""Rows that are Python objects at a time."""


def read_samples(data: bytes, url: str, *, feature: str) -> pa.Table:
    """Read a table of samples.

    Parameters
    ----------
    data
        The parquet file.
    url
        Where it came from, for messages.
    feature
        Which feature type is wanted: a merged table may have rows of others.

    Returns
    -------
    One row per sample and place; an accession may repeat. Columns as published, without row
    numbers, and ``srx_accession`` always so called.

    Raises
    ------
    SchemaError
        If it is no such table.
    """
    import pyarrow as pa

    try:
        table = _read(data)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        msg = f"{url} cannot be read as parquet: {error}. Fetch it again, or name another --at."
        raise SchemaError(msg, {"file": url}) from error
    table = _with_columns(table, url)
    table = _of_feature(table, url, feature)
    _check_accessions(table, url)
    return table


def rows_of(table: pa.Table) -> Iterator[tuple[dict[str, Any], str]]:
    """Iterate over the samples of a table, each once, in the order of the table.

    Yields
    ------
    The row, and in which columns another row of the same accession differs from it.
    """
    differences = _repeated(table)
    seen: set[str] = set()
    for batch in table.to_batches(max_chunksize=_ROWS):
        for row in batch.to_pylist():
            accession = str(row["srx_accession"])
            if accession not in differences:
                yield row, ""
            elif accession not in seen:
                seen.add(accession)
                yield row, differences[accession]


def contradiction(row: dict[str, Any], *, feature: str, folder: str) -> str:
    """Say how a row contradicts where it stands or itself; empty if it does not.

    ``file_path`` may point to a bucket that is no more. It is never followed, only compared.
    """
    if row["organism"] != (name := folder.replace("_", " ")):
        return f"its organism is {row['organism']!r}, and it stands among {name}"
    path = row.get("file_path")
    if not kind_of_missing(path):
        parts = _FILE.fullmatch(str(path))
        expected = (feature, folder, row["srx_accession"])
        if parts is None or parts.groups() != expected:
            return f"its file_path is {path!r}, and it stands at {'/'.join(expected)}"
    if row[_COUNT] is not None and row[_COUNT] < 1:
        return f"its obs_count is {row[_COUNT]}"
    wrong = [text for text in collections_of(row) if not re.fullmatch(_UUID, text)]
    return f"its czi_collection_id is {wrong[0]!r}, no UUID" if wrong else ""


def collections_of(row: dict[str, Any]) -> tuple[str, ...]:
    """Collections of CZI CELLxGENE that a row says it is part of."""
    value = row["czi_collection_id"]
    if kind_of_missing(value):
        return ()
    return tuple(text.lower() for text in re.split(r"[\s,;|]+", str(value)) if text)


def _read(data: bytes) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    if size > TABLE_BYTES:
        msg = f"it holds {size:,} bytes, more than {TABLE_BYTES:,}"
        raise ValueError(msg)
    names = file.schema_arrow.names
    if len(set(names)) < len(names):
        msg = f"it has columns of the same name: {', '.join(sorted(names))}"
        raise ValueError(msg)
    return file.read([name for name in names if not name.startswith(_INDEX)])


def _with_columns(table: pa.Table, url: str) -> pa.Table:
    """Find the columns by name, of the types they should have."""
    names = {"SRX_accession": "srx_accession"}
    if "srx_accession" not in table.column_names:
        table = table.rename_columns([names.get(name, name) for name in table.column_names])
    if missing := [name for name in (*_TEXTS, _COUNT) if name not in table.column_names]:
        msg = (
            f"{url} has no column {', '.join(missing)}. It has {', '.join(table.column_names)}: "
            "is it a sample_metadata.parquet of scBaseCount?"
        )
        raise SchemaError(msg, {"file": url, "missing": missing})
    for name in table.column_names:
        table = table.set_column(
            table.column_names.index(name), name, _column(table[name], name, url)
        )
    return table


def _column(values: pa.ChunkedArray, name: str, url: str) -> pa.ChunkedArray:
    """Give a column as text or whole numbers; what is neither and not asked for becomes text."""
    import pyarrow as pa

    kind = values.type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if name == _COUNT:
        if not pa.types.is_integer(kind):
            raise _wrong_type(url, name, str(kind), "whole numbers")
        return values
    if values.null_count == len(values):  # of whatever type: most often null
        return pa.chunked_array([pa.nulls(len(values), pa.string())])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return values.cast(pa.string())
    if name in (*_TEXTS, *_MORE_TEXTS):
        raise _wrong_type(url, name, str(kind), "text")
    if pa.types.is_integer(kind):
        return values
    texts = [None if value is None else str(value) for value in values.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _wrong_type(url: str, name: str, kind: str, wanted: str) -> SchemaError:
    msg = f"Column {name} of {url} is of type {kind}, not {wanted}. Fetch the table again."
    return SchemaError(msg, {"file": url, "column": name, "type": kind})


def _of_feature(table: pa.Table, url: str, feature: str) -> pa.Table:
    """Keep the rows of a feature type; those that name none are of the folder's."""
    import pyarrow.compute

    pc: Any = pyarrow.compute
    if "feature_type" not in table.column_names or not table.num_rows:
        return table
    stated = pc.coalesce(table["feature_type"], feature)
    kept = table.filter(pc.equal(stated, feature))
    if not kept.num_rows:
        others = sorted(set(stated.unique().to_pylist()))
        msg = f"{url} has rows of {', '.join(others)} only, not of {feature}. Choose one of them."
        raise SchemaError(msg, {"file": url, "feature": feature, "features": others})
    if kept.num_rows < table.num_rows:
        logger.info("table=%s rows_of_other_features=%d", url, table.num_rows - kept.num_rows)
    return kept


def _check_accessions(table: pa.Table, url: str) -> None:
    import pyarrow.compute

    pc: Any = pyarrow.compute
    names = table["srx_accession"]
    wrong = pc.invert(pc.coalesce(pc.match_substring_regex(names, f"^{ACCESSION}$"), False))
    if found := names.filter(wrong).to_pylist():
        msg = (
            f"{len(found):,} of {table.num_rows:,} values of srx_accession in {url} are no "
            f"accessions (first: {found[0]!r}). Expected SRX, ERX, DRX or NRX and digits."
        )
        raise SchemaError(msg, {"file": url, "column": "srx_accession", "first": found[:5]})


def _repeated(table: pa.Table) -> dict[str, str]:
    """Columns in which the rows of a repeated accession differ: none for a mere copy."""
    import pyarrow as pa
    import pyarrow.compute

    pc: Any = pyarrow.compute
    counts = table["srx_accession"].value_counts()
    often = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if not len(often):
        return {}
    rows: dict[str, list[dict[str, Any]]] = {}
    chosen = table.filter(pc.is_in(table["srx_accession"], value_set=pa.array(often)))
    for row in chosen.to_pylist():
        rows.setdefault(row["srx_accession"], []).append(row)
    found = {
        name: [
            c for c in table.column_names if len({json.dumps(r[c], default=str) for r in same}) > 1
        ]
        for name, same in rows.items()
    }
    logger.warning("repeated_accessions=%d first=%s", len(found), ", ".join(list(found)[:5]))
    return {name: ", ".join(columns) for name, columns in found.items()}
