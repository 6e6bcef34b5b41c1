"""A number for each cell that tells its copies in other files."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ontologies import gene_table, gene_versions

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

    from ..ontologies import Organism

MIN_GENES = 25
"""Comparable genes with a count that make a cell one of its kind; docs/design/0010 has figures."""
TOO_SHALLOW = 0
"""Fingerprint of cells with less."""


def gene_hashes(var: pd.DataFrame, organism: Organism) -> npt.NDArray[np.uint64]:
    """Hash the genes by which cells are compared.

    These are the organism's protein-coding genes (all genes, where the table has no biotypes),
    without mitochondrial ones, and without those whose symbol or former symbol was ever borne by
    another gene. The others are what copies of a file differ in: references have more or fewer
    non-coding genes, name mitochondrial genes differently, and a shared symbol is a gene when the
    file has ids and none when it has symbols.

    Parameters
    ----------
    var
        Curated genes, index gene id.
    organism
        Whose genes they are.

    Returns
    -------
    0 for genes that do not count. Shape ``(n_genes,)``.
    """
    names = sorted(gene_versions().items())
    hashes = _comparable(organism.taxon_id, tuple(names)).reindex(var.index, fill_value=0)
    return np.asarray(hashes.to_numpy(dtype=np.uint64))


def comparable(var: pd.DataFrame, organism: Organism) -> str:
    """Name the genes by which cells are compared: fingerprints of other ones say nothing of these.

    Parameters
    ----------
    var, organism
        See `gene_hashes`.
    """
    return blake2b(gene_hashes(var, organism).tobytes(), digest_size=16).hexdigest()


@cache
def _comparable(taxon: str, versions: tuple[tuple[str, str], ...]) -> pd.Series[Any]:
    """Hash of each comparable gene; `versions` tells tables of one organism apart."""
    import pandas as pd

    del versions
    genes = gene_table(taxon, retired=True)
    former = genes["previous_symbols"].explode()
    names = pd.concat([genes["symbol"], former]).dropna().str.casefold()
    borne = pd.DataFrame({"name": names.to_numpy(), "gene": names.index}).drop_duplicates()
    shared = borne["gene"][borne["name"].duplicated(keep=False)]
    is_coding = genes["biotype"].eq("protein_coding").fillna(value=False)
    is_mito = genes["is_mito"].fillna(value=False).astype(np.bool_)
    chosen = (genes["status"] == "current") & ~is_mito & ~genes.index.isin(shared)
    if is_coding.any():
        chosen &= is_coding
    ids = genes.index[chosen]
    hashes = [int.from_bytes(blake2b(gene.encode(), digest_size=8).digest()) or 1 for gene in ids]
    return pd.Series(np.array(hashes, dtype=np.uint64), index=ids)


def fingerprints(rows: csr_matrix, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Fingerprint cells: the sum of a hash of each comparable gene with its count.

    The sum does not know an order of genes, nor genes without a count.

    Parameters
    ----------
    rows
        Counts as float32 or float64, without stored zeros. Shape ``(n, n_genes)``.
    hashes
        Of the genes, see `gene_hashes`. Shape ``(n_genes,)``.

    Returns
    -------
    `TOO_SHALLOW` for cells with counts in less than `MIN_GENES` comparable genes. Shape ``(n,)``.
    """
    from ._kernels import hashed_sums

    n_genes, sums = hashed_sums(rows.indptr, rows.indices, rows.data, hashes)
    few = n_genes < MIN_GENES
    return np.where(few, np.uint64(TOO_SHALLOW), np.maximum(sums, np.uint64(1)))
