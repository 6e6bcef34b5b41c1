"""Which of several orthologs of a gene to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_BEYOND_SUPPORT = 2**31


def single_best(
    edges: pd.DataFrame, gene: str = "gene", other: str = "ortholog"
) -> pd.Series[bool]:
    """Find the edges that are the one best of their gene.

    The higher confidence wins, high before not stated before low; then the higher support; then
    an edge that no edge of the ortholog beats in confidence and support. Genes of which two edges
    are then still equal have no best edge: to take one of them would be a guess.

    Parameters
    ----------
    edges
        As of `Orthologs.between`; also `Orthologs.edges` between two species.
    gene, other
        Columns of the genes that choose, and of those that are chosen.

    Returns
    -------
    Whether an edge is the best of its gene: at most one per gene. Index of `edges`.
    """
    rank = _rank(edges)
    best = rank.eq(rank.groupby(edges[gene]).transform("max"))
    unbeaten = rank.eq(rank.groupby(edges[other]).transform("max")) & best
    answered = unbeaten.groupby(edges[gene]).transform("any")
    chosen = best & (unbeaten | ~answered)
    result: pd.Series[bool] = chosen & chosen.groupby(edges[gene]).transform("sum").eq(1)
    return result


def mutual_best(edges: pd.DataFrame) -> pd.Series[bool]:
    """Find the edges that are the one best of both their genes.

    Parameters
    ----------
    edges
        As of `Orthologs.between`.

    Returns
    -------
    Whether an edge is: at most one per gene and one per ortholog. Index of `edges`.
    """
    return single_best(edges) & single_best(edges, gene="ortholog", other="gene")


def _rank(edges: pd.DataFrame) -> pd.Series[int]:
    """Order edges by confidence, then support."""
    confidence = edges["confidence"].astype(object).map({"low": 0, "high": 2}).fillna(1)
    support = edges["support"].fillna(-1).astype("int64") + 1
    return confidence.astype("int64") * _BEYOND_SUPPORT + support
