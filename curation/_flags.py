"""What may be wrong with a cell, seen from its dataset, and which cells go for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ._dropped import first_rules
from ._fingerprints import TOO_SHALLOW
from ._rules import FLAGS, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt
    import pandas as pd

    from ._rules import QualityRules

    Mask = npt.NDArray[np.bool_]
    Bounds = tuple[float, float]

DIGITS = 9
"""Significant digits of a bound: logarithms differ in the last of 16 between machines."""
ANY: Bounds = (-math.inf, math.inf)
"""Bounds that every cell is within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """The cells of a dataset with their flags."""

    flags: dict[str, npt.NDArray[np.bool_]] = field(repr=False)
    """By flag, in the order of `FLAGS`: which cells it holds for."""
    bounds: dict[str, tuple[float, float]]
    """By flag: what is within, in the units of obs; infinite where a side has no bound."""

    def column(self, cells: Mask | slice = slice(None)) -> pd.Categorical:
        """Name the flags of some cells in their order with ``;`` between them, or ``ok``."""
        import pandas as pd

        codes = sum(mask[cells].astype(np.int64) << i for i, mask in enumerate(self.flags.values()))
        found, positions = np.unique(codes, return_inverse=True)
        names = [
            ";".join(flag for i, flag in enumerate(FLAGS) if code >> i & 1) or "ok"
            for code in found.tolist()
        ]
        return pd.Categorical.from_codes(
            positions.tolist(), categories=pd.Index(names, dtype=object)
        )

    def summary(self, rules: QualityRules) -> dict[str, Any]:
        """Tell the rules, how many cells each flag holds for, and the bounds."""
        return {
            "rules": told(rules),
            "flags": {flag: int(cells.sum()) for flag, cells in self.flags.items()},
            "bounds": {
                flag: [None if math.isinf(end) else end for end in ends]
                for flag, ends in self.bounds.items()
            },
        }


def find_flags(measures: pd.DataFrame, rules: QualityRules) -> Flagged:
    """Flag the cells of a dataset. Several flags can hold for a cell.

    ==================  ==========================================================================
    ``empty``           no counts
    ``few_genes``       fewer than ``min_genes_per_cell``
    ``few_counts``      fewer than ``min_counts_per_cell``
    ``outlier_counts``  log1p of the counts is not within median ± ``n_mads`` MAD
    ``outlier_genes``   likewise for log1p of the number of genes
    ``outlier_top20``   likewise for the share of the 20 most expressed genes
    ``high_mito``       mitochondrial share above median + ``n_mads_mito`` MAD, or above
                        ``max_pct_mito``
    ``duplicate``       the `fingerprint` of an earlier cell
    ``doublet``         doublet score above ``max_doublet_score``; only with ``doublets``
    ==================  ==========================================================================

    Medians, and median absolute deviations (MAD, not scaled), are of the cells that are neither
    empty nor have few genes or counts; all cells are compared with them. A MAD of 0 says nothing
    of how cells differ, and gives no bound. What is missing is never flagged. Which cells are
    dropped does not change any flag.

    Parameters
    ----------
    measures
        Columns ``n_genes``, ``n_counts``, ``pct_counts_top20``, ``pct_counts_mito`` and
        ``fingerprint`` of all cells, as in obs; ``doublet_score`` where that is looked for.
    rules
        The numbers.
    """
    n_genes, n_counts = measures["n_genes"].to_numpy(), measures["n_counts"].to_numpy()
    mito, top = measures["pct_counts_mito"].to_numpy(), measures["pct_counts_top20"].to_numpy()
    empty = n_counts == 0
    few_genes, few_counts = n_genes < rules.min_genes_per_cell, n_counts < rules.min_counts_per_cell
    typical = ~(empty | few_genes | few_counts)
    high = min(_bounds(mito[typical], rules.n_mads_mito)[1], rules.max_pct_mito)
    bounds = {
        "outlier_counts": _log_bounds(n_counts[typical], rules.n_mads),
        "outlier_genes": _log_bounds(n_genes[typical], rules.n_mads),
        "outlier_top20": _bounds(top[typical], rules.n_mads),
        "high_mito": (-math.inf, high),
    }
    values = (n_counts, n_genes, top, mito)
    flags = {
        "empty": empty,
        "few_genes": few_genes,
        "few_counts": few_counts,
        **{
            flag: (of_cells < low) | (of_cells > high)
            for (flag, (low, high)), of_cells in zip(bounds.items(), values, strict=True)
        },
        "duplicate": (
            measures["fingerprint"].duplicated() & (measures["fingerprint"] != TOO_SHALLOW)
        ).to_numpy(),
    }
    if "doublet_score" in measures:
        bounds["doublet"] = (-math.inf, rules.max_doublet_score)
        flags["doublet"] = measures["doublet_score"].to_numpy() > rules.max_doublet_score
    return Flagged(flags=flags, bounds=bounds)


def _log_bounds(values: npt.NDArray[Any], n_mads: float) -> Bounds:
    ends = _bounds(np.log1p(values.astype(np.float64)), n_mads)
    with np.errstate(over="ignore"):
        low, high = (float(f"{np.expm1(end):.{DIGITS}g}") for end in ends)
    return ends if ends == ANY else (low, high)


def _bounds(values: npt.NDArray[Any], n_mads: float) -> Bounds:
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return ANY
    median = float(np.median(known))
    mad = float(np.median(np.abs(known - median)))
    return (median - n_mads * mad, median + n_mads * mad) if mad else ANY


def dropped_cells(flagged: Flagged, drop: Iterable[str]) -> dict[str, Mask]:
    """Cells that each named flag drops, by rule ``quality:FLAG``."""
    named = set(drop)
    return first_rules(
        {f"quality:{flag}": cells for flag, cells in flagged.flags.items() if flag in named}
    )
