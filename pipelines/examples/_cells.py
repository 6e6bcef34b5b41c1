"""Generated cells with real gene ids, whose types can be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ontologies import gene_table

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

N_GENES, N_MARKERS = 1_200, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a generated dataset really holds."""

    counts: csr_matrix
    """Raw counts, cells by genes."""
    cells: tuple[str, ...]
    """Names of the cells, as the file gives them."""
    genes: tuple[str, ...]
    """Stable ids of the genes."""


def example_genes(taxon: str, n_genes: int = N_GENES) -> pd.DataFrame:
    """Protein-coding genes with a symbol of their own, the same ones for every file.

    Returns
    -------
    Rows of `gene_table`: indexed by id, with ``symbol`` and ``biotype``.
    """
    table = gene_table(taxon)
    table = table[(table["biotype"] == "protein_coding") & table["symbol"].notna()]
    unique = table[~table["symbol"].duplicated(keep=False)]
    return unique.iloc[np.linspace(0, len(unique) - 1, n_genes).astype(int)]


def example_counts(
    kinds: npt.NDArray[Any], n_genes: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Poisson counts: each kind of cell has markers of its own, each cell a depth of its own.

    Parameters
    ----------
    kinds
        Name of the kind of each cell. Shape ``(n_cells,)``.
    n_genes
        How many genes there are.
    rng
        Source of randomness.

    Returns
    -------
    Shape ``(n_cells, n_genes)``.
    """
    base = rng.gamma(0.3, 1.0, size=n_genes)
    depth = rng.lognormal(0.0, 0.4, size=len(kinds))
    rates = np.tile(base, (len(kinds), 1))
    for kind in sorted(set(kinds)):
        program = np.random.default_rng(list(kind.encode()))  # the same in every file
        markers = program.choice(n_genes, size=N_MARKERS, replace=False)
        rates[np.ix_(kinds == kind, markers)] += 0.7
    return rng.poisson(rates * depth[:, None])
