"""From what a file calls a feature to the gene it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["resolve_genes"]


def resolve_genes(
    features: Sequence[str], *, organism: str, symbols: Sequence[str] | None = None
) -> pd.DataFrame:
    """Find the gene of every feature, and say how it was found.

    Methods in order of trust; the first that knows the feature decides:

    - ``id``: a stable id of the organism, of an ERCC spike-in or of SARS-CoV-2; ``id_version``: an
      Ensembl id whose version was cut off
    - ``par_copy``: ``ENSG..._PAR_Y``, the copy on Y, under the id it has now; the gene on X if it
      has none
    - ``retired_id``: an id that another gene has replaced; ``retired_id_symbol``: one of which
      that is not known, by the file's own symbol of that row, if no other row claims that gene
    - ``retired``: an id, or the name of a gene, that there is no more
    - ``release_symbol``: a symbol that in the annotation that the file was made with, the one that
      knows most of its symbols, meant another gene than it would by itself, or one instead of
      several; ambiguous if it meant several there and the file has several of that name
    - ``symbol``; ``symbol_par``: a symbol that a gene on X shares with its copy on Y alone: the
      gene on X; ``previous_symbol``; ``alias``: if it is nobody's current symbol
    - ``symbol_case``, ``previous_symbol_case``, ``alias_case``: the same without regard to case
    - ``symbol_made_unique``: nothing, because it is a symbol of the file with ``-1``, ``-2``, ...,
      which tells it from a twin: the file had another gene of that symbol
    - ``transgene``, ``antibody``, ``peak``: nothing, because it is no gene of an organism
    - ``other_organism``, ``deprecated``, ``none``: nothing, because the id belongs to another
      organism, the probe was withdrawn, or nobody knows the text

    Parameters
    ----------
    features
        What the file says, one text per feature. Repetitions are fine.
    organism
        Any name `get_organism` accepts.
    symbols
        The file's symbols of the same features, if `features` are ids.

    Returns
    -------
    One row per feature, in order. Columns ``source_id``, ``gene_id``, ``symbol``, ``biotype``,
    ``is_mito``, ``is_ribo``, ``is_hb`` (nullable booleans), ``kind`` (``endogenous``,
    ``spike-in``, ``virus``, ``transgene``, ``antibody``, ``peak`` or None),
    ``organism_ontology_term_id``, ``outcome`` (``resolved``, ``ambiguous`` or ``unknown``),
    ``method``, ``candidates`` (tuple of gene ids; of an ambiguous feature only). What is not
    resolved has None instead of a gene: nothing is guessed.

    Raises
    ------
    NotFoundError
        If the organism is unknown or there is no table of its genes.
    ValueError
        If there are not as many `symbols` as `features`.

    Examples
    --------
    >>> resolve_genes(["ENSG00000141510.18", "Y_RNA"], organism="human").outcome.tolist()
    ['resolved', 'ambiguous']
    """
    from .gene_resolution import resolve

    return resolve(features, organism, symbols)
