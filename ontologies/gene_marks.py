"""Which genes are mitochondrial, ribosomal, of haemoglobin, or a second copy on Y."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mark_haemoglobin", "mark_mitochondrial", "mark_par_copies", "mark_ribosomal"]

_MITO_CHROMOSOMES = ("chrM", "chrMT", "M", "MT", "Mt", "MtDNA", "mitochondrion_genome")
_MITO_RNA = ("Mt_rRNA", "Mt_tRNA")

# The 13 proteins of animal mitochondria as Ensembl, NCBI, FlyBase and HGNC spell them. A gene of
# that name is only mitochondrial if it also codes for protein.
_MITO_PROTEIN = re.compile(
    r"(?:mt[-:])?(?:n(?:d[1-6]|d4l)|co(?:x)?(?:[123]|i{1,3})|cyt-?b|cyb|atp(?:ase)?[68])",
    re.IGNORECASE,
)

# FlyBase begins every mitochondrial symbol this way, RNAs too; their biotype does not say so.
_FLY_MITO = "mt:"

# Of the worm's 12 proteins the table names only ND1, ND6 and COX3, and its RNAs have no name at
# all. The ids are WormBase's MTCE genes: 12 proteins, then 22 tRNAs and 2 rRNAs in one run.
_WORM_MITO = frozenset(
    {"WBGene00000829"}
    | {f"WBGene{number:08}" for number in range(10957, 10968)}
    | {f"WBGene{number:08}" for number in range(14450, 14474)}
)

# Proteins of the cytosolic ribosome. Small: SA, S2 to S30 (FAU), S27a (a ubiquitin fusion); large:
# P0 to P2, L3 to L41, L40 (UBA52, a ubiquitin fusion). A letter or a number after the first tells
# paralogues apart (RPS4Y1, Rps3a1, rpl5b, RpL10Ab, rps27.1, rpl-7A, rpl-36.A), "l" and "rt" copies
# (RPL36AL, Rps27rt). What the name goes on with is something else: a kinase (RPS6KA1), a partner
# (RPS19BP1), a readthrough (RPS10-NUDT3), a processed copy (Rpl9-ps6), a protein of the nucleolus
# (RpL7-like, RpL24-like).
_RIBO = re.compile(
    r"rp-?(?:"
    r"s-?(?:a2?|[0-9]{1,2}(?:\.[0-9a-z])?(?:a[ab]?|b|x|y[0-9]?)?)"
    r"|l-?(?:p[0-2]|[0-9]{1,2}(?:\.[0-9a-z])?(?:a[ab]?|b)?(?:-[12])?)"
    r")(?:[0-9]|rt|l[0-9]{0,2})?"
    r"|fau[ab]?|uba52(?:rt|l[0-9]+)?",
    re.IGNORECASE,
)
# The fly's SA is stubarista, and its second L22 is in the ribosome, unlike others called so. The worm's P0 to P2 are rla-0 to rla-2 (rpa-1 is a replication
# protein), its S27a is ubl-1 and its L40 ubq-2; rpl-24.2 is the nucleolar homologue of L24.
_FLY_RIBO = frozenset({"sta", "RpL22-like"})
_WORM_RIBO = frozenset({"rla-0", "rla-1", "rla-2", "ubl-1", "ubq-2"})
_NOT_RIBO = frozenset({"rpl-24.2"})
_SPECIES_RIBO = (("FBgn", _FLY_RIBO), ("WBGene", _WORM_RIBO))

# Globins of red cells: alpha (HBA1, hbaa1, Hba-a1, Hba-x), beta (HBB, hbba1, Hbb-bs), delta,
# epsilon (HBE1, hbae1.1, hbbe2), gamma, mu, theta (HBQ1), zeta. Not the growth factor HBEGF, nor
# HBS1L, HBP1, the lectins hbl1 of fish, or hb of fly.
_HAEMOGLOBIN = re.compile(
    r"hb(?:"
    r"a(?:[0-9]|d|-?a[0-9]|-?x|e[0-9](?:\.[0-9])?)?"
    r"|b(?:[0-9]|-?a[0-9]|-?b[0-9]|-bs|-bt|-bh[0-9]|-y|e[0-9](?:\.[0-9])?)?"
    r"|d|e[0-9]?|g[0-9]?|m|q[0-9][ab]?|z[0-9]?"
    r")",
    re.IGNORECASE,
)
_NO_RED_CELLS = ("FBgn", "FBti", "FBtr", "WBGene")

# Distance between the two copies of the second pseudoautosomal region in GRCh38: they end at
# 156,030,895 of X and 57,217,415 of Y. Those of the first region lie at the same place.
_PAR2_SHIFT = 98_813_480


def mark_mitochondrial(genes: pd.DataFrame, chromosomes: pd.Series[str] | None) -> pd.Series[bool]:
    """Tell which genes the mitochondrion encodes.

    Parameters
    ----------
    genes
        Columns ``gene_id``, ``symbol``, ``biotype``.
    chromosomes
        Chromosome by gene id, or None: then biotype and name decide.

    Returns
    -------
    Nullable boolean, one per row of `genes`; all null if no gene of the table is mitochondrial,
    for then the assembly lacks the mitochondrion and nothing is known.
    """
    if chromosomes is not None:
        marks = genes["gene_id"].map(chromosomes).isin(_MITO_CHROMOSOMES)
    else:
        symbols = genes["symbol"].fillna("").astype(str)
        proteins = symbols.str.fullmatch(_MITO_PROTEIN) & genes["biotype"].eq("protein_coding")
        marks = (
            proteins
            | genes["biotype"].isin(_MITO_RNA)
            | symbols.str.startswith(_FLY_MITO)
            | genes["gene_id"].isin(_WORM_MITO)
        )
    nullable = marks.astype("boolean")
    return nullable if bool(marks.any()) else nullable.mask(~marks)


def mark_ribosomal(genes: pd.DataFrame) -> pd.Series[bool]:
    """Tell which genes code for proteins of the cytosolic ribosome.

    Parameters
    ----------
    genes
        Columns ``gene_id``, ``symbol``, ``biotype``.

    Returns
    -------
    Nullable boolean: null for a gene that may code for protein and has no symbol.
    """
    symbols = genes["symbol"].fillna("").astype(str)
    marks = symbols.str.fullmatch(_RIBO) & ~symbols.isin(_NOT_RIBO)
    for prefix, names in _SPECIES_RIBO:
        marks |= symbols.isin(names) & genes["gene_id"].str.startswith(prefix)
    return _of_proteins(genes, marks)


def mark_haemoglobin(genes: pd.DataFrame) -> pd.Series[bool]:
    """Tell which genes code for the haemoglobin of red blood cells.

    Parameters
    ----------
    genes
        Columns ``gene_id``, ``symbol``, ``biotype``.

    Returns
    -------
    Nullable boolean: null for a gene that may code for protein and has no symbol. Flies and worms
    have no red cells: false.
    """
    marks = genes["symbol"].fillna("").astype(str).str.fullmatch(_HAEMOGLOBIN)
    bloodless = genes["gene_id"].str.startswith(_NO_RED_CELLS)
    return _of_proteins(genes, marks & ~bloodless).mask(bloodless, other=False)


def _of_proteins(genes: pd.DataFrame, marks: pd.Series[bool]) -> pd.Series[bool]:
    biotypes = genes["biotype"].astype(object)
    may_code = biotypes.isna() | biotypes.eq("protein_coding")
    return (marks & may_code).astype("boolean").mask(genes["symbol"].isna() & may_code)


def mark_par_copies(genes: pd.DataFrame, places: pd.DataFrame) -> pd.Series[str]:
    """Find the human genes on Y that are copies of a gene on X.

    Parameters
    ----------
    genes
        Column ``gene_id``.
    places
        Index gene id; columns ``chrom``, ``start``, ``end``, ``strand`` on GRCh38.

    Returns
    -------
    Id of the gene on X, or null; one per row of `genes`.
    """
    keys = ["start", "end", "strand"]
    on_x = places[places["chrom"] == "chrX"].reset_index(names="original")
    on_y = places[places["chrom"] == "chrY"].reset_index(names="copy")
    shifted = on_y.assign(start=on_y["start"] + _PAR2_SHIFT, end=on_y["end"] + _PAR2_SHIFT)
    pairs = [side.merge(on_x[[*keys, "original"]], on=keys) for side in (on_y, shifted)]
    original = {
        copy: gene
        for pair in pairs
        for copy, gene in zip(pair["copy"], pair["original"], strict=True)
    }
    return genes["gene_id"].map(original).astype(object)
