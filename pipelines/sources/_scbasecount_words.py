"""What the words in scBaseCount's tables of samples stand for."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from ...ontologies import get_organism, ontology, vocabulary
from ...ontologies.label_rules import by_rules, squeeze

__all__ = [
    "EXPRESSION",
    "SUSPENSION",
    "Missing",
    "cell_line",
    "is_plant",
    "kind_of_missing",
    "not_expression",
    "parts",
    "sample_terms",
    "several_tissues",
]

Missing = Literal["", "null", "empty", "unknown", "na"]

EXPRESSION = {
    "3_prime_gex": "EFO:0030003",
    "5_prime_gex": "EFO:0030004",
    "multiome": "EFO:0030059",
}
"""Assay of each ``tech_10x`` whose counts are the expression of genes in cells."""
SUSPENSION = {"single_cell": "cell", "single_nucleus": "nucleus"}
"""Suspension type of each ``cell_prep``."""
_FLEX = "several cells of a droplet, told apart by their probes only, may be counted as one"
_NOT_EXPRESSION = {
    "atac": "it reads chromatin, not transcripts",
    "cellplex": "it reads tags of samples, not transcripts",
    "feature_barcoding": "it reads antibodies, guides or tags, and no column says which",
    "fixed_rna": _FLEX,
    "flex": _FLEX,
    "vdj": "it reads amplified transcripts of receptors, not all genes",
}
_SPELLINGS = frozenset(
    {
        *("n/a", "na", "nan", "none", "null", "other", "unknown", "unsure"),
        *("not available", "not mentioned", "not provided", "not specified", "none specified"),
    }
)
_NOT_APPLICABLE = "not applicable"
_PLANTS = "NCBITaxon:33090"
_MIN_LINE = 4
"""Shorter names of cell lines have several owners: H9 is a lymphoma and an embryonic stem cell."""


def kind_of_missing(value: object) -> Missing:
    """Tell how a table says nothing; empty if it does say something.

    Returns
    -------
    ``null``; ``empty`` for blanks; ``na`` for what is said not to apply; ``unknown`` for every
    other spelling.

    Examples
    --------
    >>> [kind_of_missing(text) for text in (None, "", "not_applicable", "unsure", "blood")]
    ['null', 'empty', 'na', 'unknown', '']
    """
    if value is None or value != value:  # NaN
        return "null"
    text = " ".join(str(value).replace("_", " ").casefold().split())
    if not text:
        return "empty"
    if text == _NOT_APPLICABLE:
        return "na"
    return "unknown" if text in _SPELLINGS else ""


def not_expression(tech: object) -> str:
    """Say why the counts of a library are not the expression of genes; empty if they are."""
    if tech in EXPRESSION:
        return ""
    why = _NOT_EXPRESSION.get(str(tech), "nothing says that it reads transcripts")
    return f"tech_10x is {tech!r}: {why}"


def parts(value: object, separator: str) -> tuple[str, ...]:
    """Take a text apart; what says nothing is no part, and what repeats is one."""
    texts = () if value is None else (part.strip() for part in str(value).split(separator))
    return tuple(dict.fromkeys(text for text in texts if not kind_of_missing(text)))


def several_tissues(words: object, ids: object) -> bool:
    """Tell whether a sample is of several tissues, so that no one holds for its cells."""
    named = [] if words is None else [part for part in str(words).split(";") if part.strip()]
    return len(named) > 1 or len(parts(ids, ",")) > 1


def is_plant(taxon: str) -> bool:
    """Tell whether an organism is a plant."""
    return _PLANTS in ontology("NCBITaxon").ancestors(get_organism(taxon).taxon_id)


@cache
def sample_terms(field: str, words: str | None, ids: str | None, taxon: str) -> tuple[str, ...]:
    """Find all the terms that a sample is said to be of, without likeness.

    Parameters
    ----------
    field
        ``tissue`` or ``disease``.
    words
        The publisher's words, several joined by ``;``.
    ids
        Its term ids, several joined by ``,``: those that are valid come before the words.
    taxon
        Whose cells they are.

    Returns
    -------
    Term ids, sorted. No anatomy of animals for plants.
    """
    if field == "tissue" and is_plant(taxon):
        return ()
    known = vocabulary(field, taxon)
    for texts in (parts(ids, ","), parts(words, ";")):
        found = (by_rules(text, known) for text in texts)
        terms = [f.term_id for f in found if f is not None and f.outcome == "mapped"]
        if terms:
            return tuple(sorted({str(term) for term in terms}))
    return ()


def cell_line(text: object) -> str:
    """Find the cell line that is called so, letter for letter, and is the only one alike.

    Parameters
    ----------
    text
        ``cell_line`` of a sample: as often a cell type, a strain or the name of a donor.

    Returns
    -------
    Id of Cellosaurus, ``na`` if said not to apply, or ``unknown``.
    """
    if missing := kind_of_missing(text):
        return "na" if missing == "na" else "unknown"
    return _lines().get(str(text), "unknown")


@cache
def _lines() -> dict[str, str]:
    named: dict[str, list[tuple[str, str]]] = {}
    for term_id, term in ontology("CVCL").current():
        name = str(term["label"])
        named.setdefault(squeeze(name), []).append((name, term_id))
    return {
        found[0][0]: found[0][1]
        for key, found in named.items()
        if len(found) == 1 and len(key) >= _MIN_LINE and re.search("[a-z]", key)
    }
