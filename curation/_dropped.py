"""Cells that rules drop: each for one reason, none without, and not too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import IntegrityError, QualityError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from ._rules import QualityRules

    Mask = npt.NDArray[np.bool_]


def first_rules(rules: Mapping[str, Mask]) -> dict[str, Mask]:
    """Give each cell to the first rule that drops it."""
    result: dict[str, Mask] = {}
    for rule, cells in rules.items():
        result[rule] = cells & ~_any(result, len(cells))
    return result


def staying(dropped: Mapping[str, Mask], n_cells: int) -> Mask:
    """Tell the cells that no rule drops. Shape ``(n_cells,)``."""
    return ~_any(dropped, n_cells)


def _any(dropped: Mapping[str, Mask], n_cells: int) -> Mask:
    gone = np.zeros(n_cells, dtype=np.bool_)
    for cells in dropped.values():
        gone |= cells
    return gone


def count_dropped(dropped: Mapping[str, Mask]) -> dict[str, int]:
    """Count the cells of each rule that drops any."""
    return {rule: n for rule, cells in dropped.items() if (n := int(cells.sum()))}


def account(path: Path, n_cells_in: int, n_cells: int, dropped: Mapping[str, Mask]) -> None:
    """See that every cell is in the curated dataset or was dropped by one rule.

    Parameters
    ----------
    path
        The file, for messages.
    n_cells_in
        Rows of the matrix in it.
    n_cells
        Rows that were written.
    dropped
        Cells by rule.

    Raises
    ------
    IntegrityError
        If a cell is missing, or counted twice.
    """
    counts = count_dropped(dropped)
    if n_cells_in != n_cells + sum(counts.values()):
        msg = (
            f"{path} has {n_cells_in:,} cells, {n_cells:,} would come out, and rules dropped "
            f"{counts or 'none'}: cells are unaccounted for. Nothing was written; see that obs and "
            "matrix have the same cells, or report this with the file."
        )
        details = {"file": str(path), "n_cells_in": n_cells_in, "n_cells": n_cells}
        raise IntegrityError(msg, {**details, "dropped": counts})


def refuse_few_cells(
    path: Path, n_cells_in: int, dropped: Mapping[str, Mask], rules: QualityRules | None
) -> None:
    """See that enough cells are left; one, where there are no rules.

    Raises
    ------
    QualityError
        If not.
    """
    lost = count_dropped(dropped)
    n_cells = n_cells_in - sum(lost.values())
    least = max(rules.min_cells if rules is not None else 0, 1)
    if n_cells < least:
        msg = (
            f"{path} keeps {n_cells:,} of {n_cells_in:,} cells ({_causes(lost)}), fewer than "
            f"min_cells = {least:,}. Leave the dataset out, or change the rules."
        )
        details = {"file": str(path), "n_cells_in": n_cells_in, "n_cells": n_cells}
        raise QualityError(msg, {**details, "dropped": lost})


def refuse_loss(
    path: Path, n_measured: int, dropped: Mapping[str, Mask], rules: QualityRules
) -> None:
    """See that flags do not drop too large a share of the measured cells.

    Raises
    ------
    QualityError
        If they do.
    """
    lost = count_dropped(dropped)
    share = sum(lost.values()) / n_measured
    if share > rules.max_dropped_share:
        msg = (
            f"{path} would lose {share:.1%} of {n_measured:,} measured cells ({_causes(lost)}), "
            f"more than max_dropped_share = {rules.max_dropped_share:.1%}. Curate it with drop "
            "empty to look at the flags, then change the rules or leave the dataset out."
        )
        details = {"file": str(path), "n_measured": n_measured, "dropped": lost, "share": share}
        raise QualityError(msg, details)


def refuse_few_genes(path: Path, n_genes: int, rules: QualityRules) -> None:
    """See that a dataset measured enough genes.

    Raises
    ------
    QualityError
        If it did not.
    """
    if n_genes < rules.min_genes:
        msg = (
            f"{path} measured {n_genes:,} genes, fewer than min_genes = {rules.min_genes:,}. "
            "Leave the dataset out, or lower min_genes."
        )
        raise QualityError(msg, {"file": str(path), "n_genes": n_genes})


def _causes(lost: Mapping[str, int]) -> str:
    return ", ".join(f"{rule} drops {n:,}" for rule, n in lost.items()) or "none is dropped"
