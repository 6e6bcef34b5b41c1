"""Which matrix of a file holds raw counts, decided by all of its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CountsError
from ._threads import ahead

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_matrix

    from ._matrix import Matrix
    from ._source import SourceFile

EXACT_FLOAT32 = 2**24
"""float32 holds every whole number up to here, and not beyond."""
EXACT_FLOAT64 = 2**53
"""The same of float64, which is what counts are summed in."""
EXACT_LIMITS = {"f2": 2**11, "f4": EXACT_FLOAT32}
"""The same of the types that hold less."""


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
    """Look at every value: finite, not negative, whole, exact, and at least one above 1.

    Raises
    ------
    SchemaError
        If the values cannot be read.
    """
    largest, reason = 0.0, ""
    if matrix.dtype.kind not in "biuf":
        reason = f"values of type {matrix.dtype} are no counts"
    for start, rows in () if reason else ahead(matrix.chunks()):
        limit = EXACT_LIMITS.get(matrix.dtype.str[1:], EXACT_FLOAT64)
        at, of_rows = _check(rows.data, limit)
        if at >= 0:
            reason = _offence(rows, start, matrix, at)
            break
        largest = max(largest, of_rows)
        matrix.kept.keep(start, rows, of_rows)
    if not reason and largest <= 1:
        reason = f"no value is above 1 (largest: {largest:g}): presence, not counts"
    if reason:
        matrix.kept.clear()
    return Verdict(
        matrix=matrix.name,
        counts=not reason,
        reason=reason or "whole counts",
        max_value=largest,
    )


def _check(values: npt.NDArray[Any], limit: float) -> tuple[int, float]:
    """Find the first value that is no count, or -1; and the largest of those before it."""
    from ._kernels import first_offence

    if values.dtype.kind == "f":
        at, largest = first_offence(values, limit)
        return int(at), float(largest)
    bad = ~((values >= 0) & (values < limit))
    return (int(np.argmax(bad)) if bad.any() else -1), float(values.max(initial=0))


def _offence(rows: csr_matrix, start: int, matrix: Matrix, at: int) -> str:
    values, limit = rows.data, EXACT_LIMITS.get(matrix.dtype.str[1:], EXACT_FLOAT64)
    row = int(np.searchsorted(rows.indptr, at, side="right")) - 1
    value, feature = values[at], matrix.var.index[rows.indices[at]]
    what = (
        "is not finite"
        if not np.isfinite(value)
        else "is negative"
        if value < 0
        else "is not whole"
        if value != np.floor(value)
        else f"is too large to be exact as {matrix.dtype if limit < EXACT_FLOAT64 else 'float64'}"
    )
    as_stored = value.astype(matrix.dtype) if matrix.dtype.kind == "f" else value
    whole = np.isfinite(value) and value == np.floor(value)
    shown = f"{int(value)}" if whole else str(as_stored)
    return f"{shown} {what} (row {start + row:,}, feature {str(feature)!r})"


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
    SchemaError
        If a matrix cannot be read.
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
