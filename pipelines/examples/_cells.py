"""Generated cells with real gene ids, whose types can be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ontologies import gene_table

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

N_GENES, N_MARKERS = 1_200, 12
ATLAS_KINDS = ("gaba", "erythroid", "mesoderm", "epi")
"""Programs of the cells of a mouse atlas that more than one source publishes."""
ATLAS_RUNS = ("run_4", "run_20")


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
    return _example_genes(taxon, n_genes).copy()


@cache
def _example_genes(taxon: str, n_genes: int) -> pd.DataFrame:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AtlasCells:
    """Nuclei of a mouse atlas that more than one source publishes."""

    names: tuple[str, ...]
    """``run_4_P2-01A.ATTCAAGCATGTTACGCAAG``: run, plate and well, barcode."""
    kinds: npt.NDArray[Any]
    """Name of the program of each cell, one of `ATLAS_KINDS`. Shape ``(n_cells,)``."""
    genes: pd.DataFrame
    """Rows of `example_genes` of the mouse."""
    counts: csr_matrix
    """Raw counts, int64, cells by genes."""


def atlas_cells(seed: int = 0, *, n_cells: int = 160) -> AtlasCells:
    """Make the same cells for every source that holds them: the first half is of the first run.

    Parameters
    ----------
    seed
        Of the example.
    n_cells
        How many; another number gives other cells.
    """
    from scipy import sparse

    rng = np.random.default_rng([seed, n_cells, *b"atlas"])
    kinds = rng.choice(ATLAS_KINDS, size=n_cells)
    genes = example_genes("NCBITaxon:10090")
    counts = sparse.csr_matrix(example_counts(kinds, len(genes), rng))
    barcodes = rng.choice(list("ACGT"), size=(n_cells, 20))
    names = [
        f"{ATLAS_RUNS[2 * place // n_cells]}_P2-{place % 12 + 1:02d}A.{''.join(barcode)}"
        for place, barcode in enumerate(barcodes)
    ]
    return AtlasCells(names=tuple(names), kinds=kinds, genes=genes, counts=counts)
