"""What a recipe may ask of quality and structure."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError


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
    drop: tuple[str, ...] = ()
    """Flags whose cells go; all others stay with their flags."""
    primary_only: bool = False
    """Whether cells that are not primary data go."""
    min_cells: int = 0
    """A dataset with fewer cells, after dropping, is refused."""
    min_genes: int = 0
    """A dataset with fewer measured genes is refused."""
    max_dropped_share: float = 1
    """A dataset that would lose a larger share of its cells is refused."""


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
