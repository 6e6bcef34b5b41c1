"""What a recipe may ask of quality and structure."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from ..errors import InputError

FLAGS = (
    "empty",
    "few_genes",
    "few_counts",
    "outlier_counts",
    "outlier_genes",
    "outlier_top20",
    "high_mito",
    "duplicate",
    "doublet",
)
"""What may be wrong with a cell, in the order in which rules drop; see `find_flags`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRules:
    """Which cells are flagged, which flagged cells go, and which datasets are too small."""

    min_genes_per_cell: int = 0
    """A cell with fewer genes is flagged ``few_genes``."""
    min_counts_per_cell: float = 0
    """A cell with fewer counts is flagged ``few_counts``."""
    n_mads: float = 5
    """Median deviations beyond which counts, genes or the share of the top 20 genes are outliers."""
    n_mads_mito: float = 3
    """Likewise for the mitochondrial share, upwards only."""
    max_pct_mito: float = 8
    """Per cent of mitochondrial counts above which a cell is flagged whatever its dataset."""
    doublets: bool = False
    """Whether cells are scored by how much they look like two in one droplet."""
    max_doublet_score: float = 0.15
    """A cell with a higher score is flagged ``doublet``, see `doublet_scores`."""
    drop: tuple[str, ...] = ()
    """Flags whose cells go; all others stay with their flags."""
    primary_only: bool = False
    """Whether cells that are not primary data go; those that do not say stay."""
    min_cells: int = 0
    """A dataset with fewer cells, after dropping, is refused."""
    min_genes: int = 0
    """A dataset with fewer measured genes is refused."""
    max_dropped_share: float = 1
    """A dataset that `drop` would take a larger share of its measured cells from is refused."""

    def check(self) -> None:
        """See that the rules can be followed.

        Raises
        ------
        InputError
            If `drop` names what is no flag, or doublets that are not looked for, or a number is
            negative or not finite.
        """
        strange = [flag for flag in self.drop if flag not in FLAGS]
        if strange:
            msg = f"drop names {', '.join(map(repr, strange))}. Flags are {', '.join(FLAGS)}."
            raise InputError(msg, {"drop": strange})
        if "doublet" in self.drop and not self.doublets:
            msg = "drop names 'doublet', which needs doublets: true. Add it, or leave the flag out."
            raise InputError(msg, {"drop": ["doublet"]})
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "drop"}
        for name, value in numbers.items():
            most = 1 if name == "max_dropped_share" else math.inf
            if not 0 <= value <= most or math.isinf(value):
                limit = "from 0 to 1" if most == 1 else "from 0 on"
                msg = f"{name} is {value}, and not a finite number {limit}. Correct the rule."
                raise InputError(msg, {name: str(value)})


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureOptions:
    """How clusters, neighbours and cell groups of a dataset are found."""

    n_components: int = 50
    """Principal components of the log-normalised counts."""
    n_neighbors: int = 6
    """Neighbours that are stored, for meta-cells."""
    n_graph_neighbors: int = 15
    """Neighbours of the graph that is clustered."""
    resolution: float = 1.0
    """Of the Leiden clusters."""
    min_group: int = 10
    """Cell groups with fewer cells are folded into their parent."""
    seed: int = 0

    def check(self) -> None:
        """See that structure can be found.

        Raises
        ------
        InputError
            If a number is out of range.
        """
        least = dict.fromkeys(("n_components", "n_neighbors", "n_graph_neighbors"), 1)
        for name, smallest in {**least, "min_group": 0, "seed": 0}.items():
            value = getattr(self, name)
            if not smallest <= value < 2**31:
                msg = f"structure.{name} is {value}. Give a whole number from {smallest}."
                raise InputError(msg, {"option": name, "value": value})
        if not 0 < self.resolution < float("inf"):
            msg = f"structure.resolution is {self.resolution}. Give a number above 0."
            raise InputError(msg, {"option": "resolution", "value": self.resolution})


def told(options: Any) -> dict[str, Any]:
    """Fields of a dataclass that are not the default, also of dataclasses in it.

    Returns
    -------
    Values as JSON has them.
    """
    default = type(options)()
    result: dict[str, Any] = {}
    for name in [f.name for f in fields(options)]:
        value = getattr(options, name)
        if value != getattr(default, name):
            is_nested = isinstance(value, QualityRules | StructureOptions)
            result[name] = told(value) if is_nested else _as_json(value)
    if "drop" in result:  # a set, whatever the order it was written in
        result["drop"] = [flag for flag in FLAGS if flag in options.drop]
    return result


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if hasattr(value, "items") else value
