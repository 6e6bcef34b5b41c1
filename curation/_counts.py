"""Which matrix of a file holds raw counts, decided by all of its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CountsError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from ._source import Matrix, SourceFile

EXACT_FLOAT32 = 2**24
"""float32 holds every whole number up to here, and not beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a matrix holds."""

    matrix: str
    """Its name."""
    counts: bool
    """Whether it holds raw counts."""
    reason: str
    """Why, with the first offending value."""
    max_value: float
    """Largest value seen."""

    def __str__(self) -> str:
        return f"{self.matrix}: {self.reason}"


def check_counts(matrix: Matrix) -> Verdict:
    """Look at every value: finite, not negative, whole, exact, and at least one above 1."""
    largest = 0.0
    for start, rows in matrix.chunks():
        if rows.nnz:
            if reason := _first_offence(rows, start, matrix):
                return Verdict(matrix=matrix.name, counts=False, reason=reason, max_value=largest)
            largest = max(largest, float(rows.data.max()))
    if largest <= 1:
        reason = f"no value is above 1 (largest: {largest:g}): presence, not counts"
        return Verdict(matrix=matrix.name, counts=False, reason=reason, max_value=largest)
    return Verdict(matrix=matrix.name, counts=True, reason="whole counts", max_value=largest)


def _first_offence(rows: csr_matrix, start: int, matrix: Matrix) -> str | None:
    values = rows.data
    if values.dtype.kind in "bui":
        bad = values < 0
    elif values.dtype.kind == "f":
        limit = EXACT_FLOAT32 if values.dtype.itemsize <= 4 else 2**53
        with np.errstate(invalid="ignore"):
            bad = ~((values >= 0) & (values < limit) & (np.floor(values) == values))
    else:
        return f"values of type {values.dtype} are no counts"
    if not bad.any():
        return None
    at = int(np.argmax(bad))
    row = int(np.searchsorted(rows.indptr, at, side="right")) - 1
    value, feature = values[at], matrix.var.index[rows.indices[at]]
    what = (
        "is not finite"
        if not np.isfinite(value)
        else "is negative"
        if value < 0
        else "is not whole"
        if value != np.floor(value)
        else f"is too large to be exact as {values.dtype}"
    )
    return f"{value:g} {what} (row {start + row:,}, feature {str(feature)!r})"


def find_counts(source: SourceFile, *, layer: str | None = None) -> tuple[Matrix, list[Verdict]]:
    """Choose the matrix of raw counts.

    ``raw.X`` comes before ``X``, and ``X`` before layers: AnnData keeps the unprocessed matrix in
    ``raw``. Layers are looked at only when both fail, and only one of them may hold counts.

    Parameters
    ----------
    source
        The open file.
    layer
        Name of the matrix to use (``X``, ``raw.X``, a layer); it must hold raw counts too.

    Returns
    -------
    The matrix, and the verdict on each matrix that was looked at.

    Raises
    ------
    CountsError
        If no matrix holds raw counts, or more than one layer does and none was named.
    """
    if layer is not None:
        named = [m for n, m in source.matrices.items() if layer in {n, n.removeprefix("layers/")}]
        if not named:
            msg = (
                f"{source.path} has no matrix {layer!r}. It has {', '.join(source.matrices)}: "
                "pass one of them as --layer."
            )
            raise CountsError(msg, {"file": str(source.path), "layer": layer})
        verdict = check_counts(named[0])
        return _only([named[0]] if verdict.counts else [], source, [verdict])
    verdicts: list[Verdict] = []
    found: list[Matrix] = []
    for name, matrix in source.matrices.items():
        if found and not found[0].name.startswith("layers/"):
            break
        verdicts.append(check_counts(matrix))
        if verdicts[-1].counts:
            found.append(source.matrices[name])
    return _only(found, source, verdicts)


def _only(
    found: list[Matrix], source: SourceFile, verdicts: list[Verdict]
) -> tuple[Matrix, list[Verdict]]:
    if len(found) == 1:
        return found[0], verdicts
    details = {"file": str(source.path), "tried": {v.matrix: v.reason for v in verdicts}}
    if found:
        names = ", ".join(matrix.name for matrix in found)
        msg = (
            f"{source.path} has several layers of whole counts ({names}). Choose one with --layer."
        )
        raise CountsError(msg, details)
    tried = "; ".join(map(str, verdicts))
    msg = (
        f"{source.path} holds no raw counts. Tried {tried}. "
        "Provide the file with its unnormalised matrix in X, raw.X or a layer."
    )
    raise CountsError(msg, details)
