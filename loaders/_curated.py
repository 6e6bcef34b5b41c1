"""What a loader asks of each curated file before it reads cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, IntegrityError, SchemaError
from .corpus import NO_CLASS, obs_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ._handles import Handles
    from .corpus import Corpus, DatasetRef

__all__ = ["Layout", "check_rows", "read_class_codes", "read_genes", "read_layout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the columns and labels of each file become those of the batches."""

    genes: tuple[str, ...]
    """Gene id of each column of a batch."""
    columns: tuple[npt.NDArray[np.int32] | None, ...]
    """For each file, the column of each of its genes, or -1. Shape ``(n_genes_of_file,)``. None if
    they are those of the batches."""
    class_of: tuple[dict[str, npt.NDArray[np.int64]], ...]
    """For each file and field, the class integer of each code, -1 for none; the last entry is
    for code -1. Shape ``(n_categories + 1,)``."""


def read_layout(
    corpus: Corpus, stores: Handles, *, labels: Sequence[str], genes: Sequence[str] | None
) -> Layout:
    """Read what every batch needs from every file, and refuse files that do not fit.

    Parameters
    ----------
    corpus, stores
        The corpus and its files.
    labels
        Fields to read.
    genes
        Columns of the batches; None for the sorted union of the files' genes.

    Raises
    ------
    InputError
        If a gene is listed twice.
    SchemaError
        If a file lacks a label's column, or names a gene twice.
    IntegrityError
        If a file has another number of cells, or a term that is not among the classes.
    """
    genes_of, class_of = [], []
    for ref, store in zip(corpus.datasets, stores, strict=True):
        check_rows(store, ref)
        genes_of.append(read_genes(store, ref))
        classes = {}
        for field in labels:
            codes = read_class_codes(store, ref, field=field, terms=corpus.classes[field])
            classes[field] = np.append(codes, -1)
        class_of.append(classes)
    vocabulary = _vocabulary(genes_of, genes)
    place = {gene: i for i, gene in enumerate(vocabulary)}
    shared: dict[bytes, npt.NDArray[np.int32]] = {}  # many files have the same genes
    columns: list[npt.NDArray[np.int32] | None] = []
    for names in genes_of:
        if tuple(names) == vocabulary:
            columns.append(None)
            continue
        own = np.array([place.get(name, -1) for name in names], dtype=np.int32)
        columns.append(shared.setdefault(own.tobytes(), own))
    return Layout(genes=vocabulary, columns=tuple(columns), class_of=tuple(class_of))


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
    if n_cells != ref.n_rows:
        msg = (
            f"Dataset {ref.uid} ({ref.path}) has {n_cells:,} cells, but the corpus says "
            f"{ref.n_rows:,}. Fetch the file of this version of the corpus."
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


def _vocabulary(genes_of: Sequence[Sequence[str]], genes: Sequence[str] | None) -> tuple[str, ...]:
    if genes is None:
        return tuple(sorted(set().union(*genes_of)))
    if len(set(genes)) < len(genes):
        repeat = next(gene for i, gene in enumerate(genes) if gene in genes[:i])
        msg = f"{repeat!r} is twice among the {len(genes):,} genes. List each column once."
        raise InputError(msg, {"gene": repeat})
    return tuple(genes)


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
