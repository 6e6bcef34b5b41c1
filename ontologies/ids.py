"""The ids of terms, and the many ways to write them."""

from __future__ import annotations

import re

__all__ = ["ids_in", "normal_id", "prefix_of"]

# CHEBI and UniProt describe nothing of a cell.
HOMES = {
    "AfPO": "HANCESTRO",
    "CL": "CL",
    "CVCL": "CVCL",
    "EFO": "EFO",
    "FBbt": "FBbt",
    "FBdv": "FBdv",
    "HANCESTRO": "HANCESTRO",
    "HsapDv": "HsapDv",
    "MONDO": "MONDO",
    "MmusDv": "MmusDv",
    "NCBITaxon": "NCBITaxon",
    "PATO": "PATO",
    "UBERON": "UBERON",
    "WBbt": "WBbt",
    "WBls": "WBls",
    "ZFA": "ZFA",
    "ZFS": "ZFA",
}
PREFIXES = (*HOMES, "CHEBI", "UniProt")
"""Prefixes of the ids CELLxGENE allows, whether the ontology is loaded here or not."""

_PREFIX_BY_FOLDED = {prefix.casefold(): prefix for prefix in PREFIXES}
_IRI = r"(?:https?://purl\.obolibrary\.org/obo/|https?://www\.ebi\.ac\.uk/efo/|obo[.:])?"
_ID = re.compile(_IRI + r"([A-Za-z]+)([:_])([A-Za-z0-9]*\d[A-Za-z0-9]*)")


def normal_id(text: str) -> str | None:
    """Write an id as CELLxGENE does.

    Parameters
    ----------
    text
        An id and nothing else: ``CL:0000084``, ``cl_0000084``, ``obo.CL_0000084`` or an OBO or
        EFO address.

    Returns
    -------
    ``CL:0000084``, or ``CVCL_0023`` for a cell line. With a colon any prefix passes; without one
    only those of `PREFIXES`, for ``cluster_12`` is no id. None for anything else.

    Examples
    --------
    >>> normal_id("http://purl.obolibrary.org/obo/CL_0000084")
    'CL:0000084'
    """
    match = _ID.fullmatch(text.strip())
    return None if match is None else _assemble(match)


def ids_in(text: str) -> tuple[str, ...]:
    """Find the ids of known ontologies inside a text.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    Normalised ids in order of appearance, each once.
    """
    matches = (m for m in _ID.finditer(text) if m[1].casefold() in _PREFIX_BY_FOLDED)
    found = (_assemble(match) for match in matches)
    return tuple(dict.fromkeys(i for i in found if i is not None))


def _assemble(match: re.Match[str]) -> str | None:
    prefix, separator, number = match.groups()
    known = _PREFIX_BY_FOLDED.get(prefix.casefold())
    if known is None:
        return f"{prefix}:{number}" if separator == ":" else None
    return f"{known}{'_' if known == 'CVCL' else ':'}{number}"


def prefix_of(term_id: str) -> str:
    """Tell the ontology of an id; Cellosaurus alone writes ``CVCL_0023``.

    Parameters
    ----------
    term_id
        An id as `normal_id` writes it.

    Returns
    -------
    Its prefix.

    Examples
    --------
    >>> prefix_of("CL:0000084"), prefix_of("CVCL_0023")
    ('CL', 'CVCL')
    """
    return term_id.replace("_", ":").partition(":")[0]
