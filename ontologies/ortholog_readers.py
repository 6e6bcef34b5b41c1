"""Tables of orthologs as their publishers write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..errors import InputError, SchemaError
from .ortholog_formats import READERS, Found, Options
from .orthologs import Orthologs, reciprocal_best
from .text_table import TextTable

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["OrthologFormat", "read_orthologs"]

OrthologFormat = Literal["alliance", "babelgene", "biomart", "compara", "hcop", "homologene"]
"""Publishers whose tables are read."""

_SOURCES = {"biomart": "ensembl", "compara": "ensembl"}
"""Source of the edges, where it is not the name of the format."""


def read_orthologs(
    path: str | os.PathLike[str],
    format: OrthologFormat,
    *,
    release: str | None = None,
    organism: str | None = None,
    min_support: int = 2,
    best_only: bool = False,
    cross_references: Mapping[str, str] | None = None,
) -> Orthologs:
    """Read the orthologs in a file, plain or gzipped, in chunks.

    ======================  ====================================================================
    ``compara``             homologies of Ensembl Compara; paralogs, homoeologs and the like are
                            no orthologs and are counted by type
    ``biomart``             an export of Ensembl BioMart, attributes in any order, one or more
                            target species; types are derived if the export has none
    ``hcop``                HGNC Comparison of Orthology Predictions, 15 or 16 columns
    ``alliance``            Alliance of Genome Resources, ORTHOLOGY-ALLIANCE
    ``homologene``          NCBI HomoloGene with or without header; symbols are resolved by the
                            gene tables, so only species that have one are read
    ``babelgene``           the long table of the R package of that name
    ======================  ====================================================================

    Parameters
    ----------
    path
        The file.
    format
        Its publisher, see above.
    release
        Release of the source; it is not in the file.
    organism
        The organism that a BioMart export starts from. By default told by the shape of its ids.
    min_support
        ``hcop``, ``babelgene`` and ``alliance``: least number of distinct sources that name a
        pair. Most pairs that only one source names are noise.
    best_only
        Keep only pairs that neither gene has a better supported alternative to; for the formats
        that `min_support` is for.
    cross_references
        ``alliance``: gene id by CURIE (``HGNC:``, ``MGI:``, ``RGD:``, ``ZFIN:``, ...). Ids of
        FlyBase and WormBase need none.

    Returns
    -------
    The edges, and in ``left_out`` the rows (of HomoloGene: genes; below `min_support`: pairs) that
    are none, by reason. Types are those of the source if it states them, else derived from the
    edges. An Ensembl one2many of which the file has a single pair is ``n:m``: it does not tell
    which side has more.

    Raises
    ------
    NotFoundError
        If there is no file, or `organism` is not known.
    SchemaError
        If the file has not the columns of its format, or is damaged, or no edge is in it.
    InputError
        If `format` is no known format, or `min_support` is negative.
    """
    if format not in READERS:
        msg = f"{format!r} is no format of orthologs. There are: {', '.join(sorted(READERS))}."
        raise InputError(msg, {"format": format})
    if min_support < 0:
        msg = f"min_support is {min_support}. It is a number of sources: 0 or more."
        raise InputError(msg, {"min_support": min_support})
    options = Options(
        organism=organism,
        min_support=min_support,
        cross_references=cross_references or {},
    )
    table = TextTable.open(path)
    found = Found()
    rows = READERS[format](table, options, found)
    if rows.empty:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in found.left_out.most_common(5))
        msg = f"There is no ortholog in {path}: {reasons or 'no rows'}."
        raise SchemaError(msg, {"file": str(path), "left_out": dict(found.left_out)})
    result = Orthologs.of(
        rows.assign(source=_SOURCES.get(format, format), release=release), found.left_out
    )
    return reciprocal_best(result) if best_only else result
