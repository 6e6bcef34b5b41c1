"""What a loader asks of each curated file before it reads cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import IntegrityError, SchemaError
from .corpus import NO_CLASS, obs_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .corpus import DatasetRef

__all__ = ["check_rows", "read_class_codes", "read_genes"]


def check_rows(store: Any, ref: DatasetRef) -> None:
    """Compare the file's number of cells, and the kind of its X, with what is expected.

    Raises
    ------
    SchemaError
        If X is neither CSR nor dense.
    IntegrityError
        If the numbers differ.
    """
    x = store["X"]
    kind = "array" if hasattr(x, "shape") else x.attrs["encoding-type"]
    if kind not in ("array", "csr_matrix"):
        msg = (
            f"X of dataset {ref.uid} ({ref.path}) is stored as {kind}, which cannot be read by rows. "
            "Write it again with X as a CSR matrix."
        )
        raise SchemaError(msg, {"dataset": ref.uid})
    n_cells = int((x.shape if kind == "array" else x.attrs["shape"])[0])
    if n_cells != ref.n_cells:
        msg = (
            f"Dataset {ref.uid} ({ref.path}) has {n_cells:,} cells, but the corpus says "
            f"{ref.n_cells:,}. Fetch the file of this version of the corpus."
        )
        raise IntegrityError(msg, {"dataset": ref.uid, "n_cells": n_cells})


def read_genes(store: Any, ref: DatasetRef) -> list[str]:
    """Read the gene ids of a file, in the order of its columns.

    Raises
    ------
    SchemaError
        If an id is there twice.
    """
    var = store["var"]
    genes = _strings(var[var.attrs["_index"]])
    if len(set(genes)) < len(genes):
        seen: set[str] = set()
        repeat = next(gene for gene in genes if gene in seen or seen.add(gene))  # type: ignore[func-returns-value]
        msg = (
            f"Gene {repeat!r} is twice in var of dataset {ref.uid} ({ref.path}). "
            "Curate the file again: counts of one gene belong into one column."
        )
        raise SchemaError(msg, {"dataset": ref.uid, "gene": repeat})
    return genes


def read_class_codes(
    store: Any, ref: DatasetRef, *, field: str, terms: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Translate the categories of a file into class integers.

    Parameters
    ----------
    store, ref
        The open file, and what is known of it.
    field
        One of `FIELDS`.
    terms
        The classes of the field.

    Returns
    -------
    Class integer of each category, -1 for those that stand for no label. Shape
    ``(n_categories,)``.

    Raises
    ------
    SchemaError
        If the column is missing or not categorical.
    IntegrityError
        If a cell has a term that is not among the classes.
    """
    stored = _categorical(store, ref, field)
    found = _strings(stored["categories"])
    codes = {term: i for i, term in enumerate(terms)}
    foreign = [i for i, term in enumerate(found) if term not in codes and term not in NO_CLASS]
    if foreign:  # a category without cells does no harm
        used = np.intersect1d(foreign, stored["codes"][...])
        if len(used):
            first = found[used[0]]
            msg = (
                f"{len(used):,} terms of {field!r} in dataset {ref.uid} ({ref.path}) are not among "
                f"the {len(terms):,} classes of the corpus (first: {first!r}). Append them to the "
                "classes in a new version of the corpus, or fetch the file of this version."
            )
            details = {"dataset": ref.uid, "field": field, "terms": [found[i] for i in used]}
            raise IntegrityError(msg, details)
    return np.array([codes.get(term, -1) for term in found], dtype=np.int64)


def _categorical(store: Any, ref: DatasetRef, field: str) -> Any:
    column = obs_column(field)
    obs = store["obs"]
    stored = obs.get(column)
    if stored is None or hasattr(stored, "shape") or "codes" not in stored:
        problem = "has no column" if stored is None else "has no categories in column"
        msg = (
            f"Dataset {ref.uid} ({ref.path}) {problem} {column!r}, which holds the labels of "
            f"{field!r}. Curate the file again, or leave {field!r} out of the labels."
        )
        raise SchemaError(msg, {"dataset": ref.uid, "field": field, "column": column})
    return stored


def _strings(array: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in array[...].tolist()]
