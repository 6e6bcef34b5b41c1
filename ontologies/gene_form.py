"""The form of a gene table, and its file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["COLUMNS", "FLAGS", "LISTS", "GeneFile", "finish_table", "read_table", "write_table"]

FLAGS = ("is_mito", "is_ribo", "is_hb")
"""Nullable booleans; null means not known."""
LISTS = ("replaced_by", "aliases", "previous_symbols")
"""Tuples of texts; null in the file where empty."""
COLUMNS = (
    "gene_id",
    "symbol",
    "biotype",
    "version",
    "length",
    "release",
    "status",
    "replaced_by",
    "aliases",
    "previous_symbols",
    *FLAGS,
    "kind",
    "par_copy_of",
    "symbol_in",
    "previous_in",
)
"""Columns of the file. The last two say in which annotations a gene bore its symbol, and each of
its previous symbols: one bit per name in `GeneFile.annotations`, none for a name that only the
nomenclature knows."""
MAX_ANNOTATIONS = 16
_ABOUT = (b"release", b"annotations")

_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": ["biotype", "release", "status", "kind", "symbol_in"],
    "column_encoding": {
        "gene_id": "DELTA_BYTE_ARRAY",
        "symbol": "DELTA_BYTE_ARRAY",
        "version": "DELTA_BINARY_PACKED",
        "length": "DELTA_BINARY_PACKED",
    },
    "store_schema": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneFile:
    """A gene table as it lies in its file."""

    release: str
    """Annotation of the current genes."""
    annotations: tuple[str, ...]
    """Every annotation whose symbols are known, oldest first; the last is `release`."""
    table: Any = field(repr=False)
    """Arrow table, one row per gene, current and retired, by ascending ``gene_id``; columns as in
    `COLUMNS`."""

    def frame(self) -> pd.DataFrame:
        """Give the table as a data frame; lists are tuples."""
        rows = self.flat([name for name in COLUMNS if name not in (*LISTS, "previous_in")])
        for name in (*LISTS, "previous_in"):
            rows[name] = [tuple(cell or ()) for cell in self.table[name].to_pylist()]
        return rows[list(COLUMNS)]

    def flat(self, columns: Sequence[str]) -> pd.DataFrame:
        """Give some columns that hold no lists."""
        import pandas as pd
        import pyarrow as pa

        types = {pa.bool_(): pd.BooleanDtype(), pa.int32(): pd.Int32Dtype()}
        frame: pd.DataFrame = self.table.select(columns).to_pandas(types_mapper=types.get)
        return frame

    def lists(self, column: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
        """Give the entries of a column of lists, and the row of each."""
        import numpy as np
        import pyarrow.compute

        compute: Any = pyarrow.compute  # its functions are made at run time
        values = self.table[column].combine_chunks()
        rows = compute.list_parent_indices(values).to_numpy().astype(np.intp)
        return rows, compute.list_flatten(values).to_numpy(zero_copy_only=False)


def finish_table(genes: pd.DataFrame) -> pd.DataFrame:
    """Give a table all columns, in order, rows sorted: what is not known is null.

    Parameters
    ----------
    genes
        At least ``gene_id``; rows without ``status`` are current.

    Returns
    -------
    Columns as in `COLUMNS`.
    """
    genes = genes.sort_values("gene_id", ignore_index=True, kind="stable").reindex(columns=COLUMNS)
    genes["status"] = genes["status"].where(genes["status"].notna(), "current")
    genes["kind"] = genes["kind"].where(genes["kind"].notna(), "endogenous")
    genes["symbol_in"] = genes["symbol_in"].where(genes["symbol_in"].notna(), 0).astype("uint16")
    return genes


def write_table(
    path: Path, genes: pd.DataFrame, *, release: str, annotations: Sequence[str] = ()
) -> None:
    """Write a table; the same table and the same pyarrow give the same bytes.

    Parameters
    ----------
    path
        Where; the file appears when it is whole.
    genes
        As `finish_table` gives it.
    release
        Annotation of the current genes.
    annotations
        See `GeneFile.annotations`; `release` alone by default.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, texts = pa.string(), pa.list_(pa.field("item", pa.string()))
    masks = pa.list_(pa.field("item", pa.uint16()))
    kinds = dict.fromkeys(COLUMNS, text)
    kinds |= dict.fromkeys(FLAGS, pa.bool_()) | dict.fromkeys(LISTS, texts)
    kinds |= {"version": pa.int32(), "length": pa.int32()}
    kinds |= {"symbol_in": pa.uint16(), "previous_in": masks}
    rows: Any = genes.astype(object)
    rows = rows.where(genes.notna(), None)
    arrays = [
        pa.array([_cell(v) for v in rows[name]] if pa.types.is_list(kind) else rows[name], kind)
        for name, kind in kinds.items()
    ]
    known = {"release": release, "annotations": json.dumps(list(annotations) or [release])}
    table = pa.Table.from_arrays(arrays, schema=pa.schema(list(kinds.items())))
    unfinished = path.with_suffix(".unfinished")
    with pq.ParquetWriter(unfinished, table.schema, **_PARQUET) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(known)
    unfinished.replace(path)


def _cell(values: Any) -> list[Any] | None:
    return list(values) if values is not None and len(values) else None


def read_table(path: Path) -> GeneFile:
    """Read a table.

    Parameters
    ----------
    path
        A file of `write_table`.

    Raises
    ------
    SchemaError
        If the file is no gene table.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table, metadata = file.read(), file.metadata.metadata or {}
    about = {key.decode(): value.decode() for key, value in metadata.items() if key in _ABOUT}
    if table.column_names != list(COLUMNS) or "release" not in about:
        msg = f"{path} is no gene table of this version of Corpuscle. Add the genes again."
        raise SchemaError(msg, {"file": str(path)})
    return GeneFile(
        release=about["release"], annotations=tuple(json.loads(about["annotations"])), table=table
    )
