"""What a shard takes from a curated file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ...errors import NotFoundError, SchemaError
from ...ontologies import FIELDS
from .._curated import check_rows, read_genes
from ..corpus import obs_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from scipy.sparse import csr_matrix

    from ..corpus import DatasetRef

__all__ = ["COLUMNS", "OBSM", "Column", "Source"]

COLUMNS = (
    *(obs_column(field) for field in FIELDS),
    "dataset_id",
    "donor_id",
    "suspension_type",
    "is_primary_data",
    "cluster",
    "cell_group",
    "quality",
    "n_genes",
    "n_counts",
    "pct_counts_mito",
    "pct_counts_ribo",
    "pct_counts_hb",
    "pct_counts_top20",
)
"""Columns of obs that are packed where a file has them."""
NEIGHBORS = "neighbors"
OBSM = (NEIGHBORS, "neighbor_distances", "spatial")
"""Arrays of obsm that are packed where a file has them."""
CHUNK_VALUES = 4_000_000
"""Stored values that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of some cells."""

    values: npt.NDArray[Any]
    """One value per cell, or one code per cell: -1 for none. Shape ``(n_cells,)``."""
    categories: list[Any] | None = None
    """What the codes stand for."""


class Source:
    """A stretch of the cells of a curated file that a corpus keeps.

    Parameters
    ----------
    store
        The open file.
    ref
        What the corpus says of it.
    first, n_cells
        The stretch, among the cells that are kept.
    excluded
        Rows of the file that are left out, ascending.

    Raises
    ------
    IntegrityError
        If the file has another number of cells.
    SchemaError
        If X cannot be read by rows, or a gene is there twice.
    """

    def __init__(
        self, store: Any, ref: DatasetRef, *, first: int, n_cells: int, excluded: npt.NDArray[Any]
    ) -> None:
        check_rows(store, ref)
        self.ref = ref
        self.genes = read_genes(store, ref)
        self._store = store
        self._excluded = excluded.astype(np.int64)
        before = self._excluded - np.arange(len(excluded))
        places = np.arange(first, first + n_cells, dtype=np.int64)
        self.rows = places + np.searchsorted(before, places, side="right")
        """Row of each cell in the file. Shape ``(n_cells,)``."""

    def chunks(self, block_rows: int) -> Iterator[csr_matrix]:
        """Read the counts, some blocks of rows at a time; columns are those of the file.

        Raises
        ------
        SchemaError
            If a column is out of range.
        """
        from scipy import sparse

        x = self._store["X"]
        is_dense = hasattr(x, "shape")
        n_genes = int((x.shape if is_dense else x.attrs["shape"])[1])
        rows = self.rows
        indptr = self._row_pointers(x, is_dense=is_dense, n_genes=n_genes)
        ends = indptr[rows - rows[0] + 1]
        start = 0
        while start < len(rows):
            begin = int(rows[start])
            limit = int(indptr[begin - rows[0]]) + CHUNK_VALUES
            fit = int(np.searchsorted(ends, limit, side="right")) // block_rows * block_rows
            stop = min(fit if fit > start else start + block_rows, len(rows))
            end = int(rows[stop - 1]) + 1
            if is_dense:
                block = sparse.csr_matrix(x[begin:end])
            else:
                span = indptr[begin - rows[0] : end - rows[0] + 1]
                part = slice(int(span[0]), int(span[-1]))
                indices = x["indices"][part]
                if len(indices) and not 0 <= indices.min() <= indices.max() < n_genes:
                    msg = (
                        f"X of dataset {self.ref.uid} ({self.ref.path}) has values in columns that are not "
                        f"there, among rows {begin:,} to {end:,}. Curate or fetch the file again."
                    )
                    raise SchemaError(msg, {"dataset": self.ref.uid})
                parts = (x["data"][part], indices, span - span[0])
                block = sparse.csr_matrix(parts, shape=(end - begin, n_genes), copy=False)
            kept = rows[start:stop] - begin
            yield block if len(kept) == end - begin else block[kept]
            start = stop

    def _row_pointers(self, x: Any, *, is_dense: bool, n_genes: int) -> npt.NDArray[np.int64]:
        """Where the values of each row from the first to the last begin, and end."""
        first, last = int(self.rows[0]), int(self.rows[-1])
        if is_dense:
            return np.arange(first, last + 2, dtype=np.int64) * n_genes
        indptr = np.asarray(x["indptr"][first : last + 2], dtype=np.int64)
        n_stored = int(x["data"].shape[0])
        if (np.diff(indptr) < 0).any() or indptr[0] < 0 or indptr[-1] > n_stored:
            msg = (
                f"X of dataset {self.ref.uid} ({self.ref.path}) has row pointers that do not ascend or end "
                f"beyond its {n_stored:,} values. Curate or fetch the file again."
            )
            raise SchemaError(msg, {"dataset": self.ref.uid})
        return indptr

    def columns(self, wanted: Sequence[str] | None) -> Iterator[tuple[str, Column]]:
        """Read columns of obs, sorted by name; those of `COLUMNS` that are there if none are named.

        Raises
        ------
        NotFoundError
            If a named column is not there.
        SchemaError
            If a column is of a kind that cannot be packed.
        """
        for name in self._chosen("obs", wanted, COLUMNS):
            yield name, self._column(name)

    def arrays(self, wanted: Sequence[str] | None) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Read arrays of obsm, sorted by name; those of `OBSM` that are there if none are named.

        Neighbours become places among the cells that the corpus keeps of the dataset, or -1.

        Raises
        ------
        NotFoundError
            If a named array is not there.
        SchemaError
            If it is no array with two dimensions.
        """
        for name in self._chosen("obsm", wanted, OBSM):
            stored = self._store["obsm"][name]
            if not hasattr(stored, "shape") or len(stored.shape) != 2:
                self._refuse("obsm", name, "is no array of numbers")
            values = self._of_cells(stored)
            yield name, self._places(values) if name == NEIGHBORS else values

    def _chosen(self, group: str, wanted: Sequence[str] | None, usual: Sequence[str]) -> list[str]:
        there = set(self._store[group]) if group in self._store else set()
        if wanted is None:
            return sorted(there & set(usual))
        if missing := sorted(set(wanted) - there):
            msg = (
                f"{group} of dataset {self.ref.uid} ({self.ref.path}) has no {missing[0]!r}. "
                f"It has: {', '.join(sorted(there))}."
            )
            raise NotFoundError(msg, {"dataset": self.ref.uid, "missing": missing})
        return sorted(set(wanted))

    def _of_cells(self, stored: Any) -> npt.NDArray[Any]:
        """Values of the cells, from first to last row read at once."""
        first, last = int(self.rows[0]), int(self.rows[-1])
        values = np.asarray(stored[first : last + 1])
        return values if len(values) == len(self.rows) else values[self.rows - first]

    def _column(self, name: str) -> Column:
        stored = self._store["obs"][name]
        if hasattr(stored, "shape"):
            values = self._of_cells(stored)
            if values.dtype.kind in "biuf":
                return Column(values=values)
            if values.dtype.kind not in "OSTU":
                self._refuse("obs", name, "is neither numbers nor text")
            return _categorical(np.array([_text(v) for v in values.tolist()], dtype=object))
        if "codes" in stored:
            codes = self._of_cells(stored["codes"]).astype(np.int64)
            categories = stored["categories"][...].tolist()
            used, places = np.unique(codes, return_inverse=True)
            names = [_text(categories[code]) for code in used.tolist() if code >= 0]
            return _coded(places - int((used < 0).sum()), names)
        if "mask" not in stored:
            self._refuse("obs", name, "is of an unknown kind")
        missing = self._of_cells(stored["mask"]).astype(np.bool_)
        return _categorical(self._of_cells(stored["values"]), missing)

    def _places(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Places among the cells that are kept, of rows of the file."""
        if not len(self._excluded):
            return rows.astype(np.int32)
        before = np.searchsorted(self._excluded, rows, side="left")
        nearest = self._excluded[np.minimum(before, len(self._excluded) - 1)]
        return np.where((rows < 0) | (nearest == rows), -1, rows - before).astype(np.int32)

    def _refuse(self, group: str, name: str, problem: str) -> NoReturn:
        msg = (
            f"{group}/{name} of dataset {self.ref.uid} ({self.ref.path}) {problem}, and cannot be packed. "
            "Leave it out."
        )
        raise SchemaError(msg, {"dataset": self.ref.uid, "field": f"{group}/{name}"})


def _categorical(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None = None) -> Column:
    """Make sorted categories of values, without those that are missing."""
    known = np.ones(len(values), np.bool_) if missing is None else ~missing
    names, places = np.unique(values[known], return_inverse=True)
    codes = np.full(len(values), -1, dtype=np.int64)
    codes[known] = places
    return _coded(codes, names.tolist())


def _coded(codes: npt.NDArray[np.int64], categories: list[Any]) -> Column:
    kinds = (np.int8, np.int16, np.int32)
    kind = next(kind for kind in kinds if len(categories) <= np.iinfo(kind).max)
    return Column(values=codes.astype(kind), categories=categories)


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
