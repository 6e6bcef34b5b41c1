"""The terms of the ontologies: names, hierarchy, and what replaced what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError
from .organisms import ORGANISMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd
    from cellxgene_ontology_guide.supported_versions import (
        CXGSchema,  # it has no stubs
    )

__all__ = ["Ontology", "current_id", "normal_id", "ontology", "ontology_versions"]

_SCHEMA = "7.1.0"

# NCBITaxon needs a minute and 3 GiB, and lacks plants: ORGANISMS stands for it. CHEBI and UniProt
# describe nothing of a cell.
_HOME = {
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
    "PATO": "PATO",
    "UBERON": "UBERON",
    "WBbt": "WBbt",
    "WBls": "WBls",
    "ZFA": "ZFA",
    "ZFS": "ZFA",
}
PREFIXES = (*_HOME, "CHEBI", "NCBITaxon", "UniProt")
"""Prefixes of the ids CELLxGENE allows, whether the ontology is loaded here or not."""

_PREFIX_BY_FOLDED = {prefix.casefold(): prefix for prefix in PREFIXES}
_IRI = r"(?:https?://purl\.obolibrary\.org/obo/|https?://www\.ebi\.ac\.uk/efo/|obo[.:])?"
_ID = re.compile(_IRI + r"([A-Za-z]+)([:_])([A-Za-z0-9]*\d[A-Za-z0-9]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ontology:
    """One ontology of a fixed release. Ids it does not hold raise `NotFoundError`."""

    prefix: str
    """What most of its ids begin with; ``ZFA`` also holds ZFS, ``HANCESTRO`` also AfPO."""

    version: str
    """Release, ``v2026-03-26``."""

    terms: Mapping[str, Mapping[str, Any]]
    """Everything known, by term id: for bulk work. Not to be changed."""

    def __contains__(self, term_id: object) -> bool:
        return term_id in self.terms

    def __len__(self) -> int:
        return len(self.terms)

    def label(self, term_id: str) -> str:
        """Give the name of a term; empty for many terms that were taken back."""
        return str(self._term(term_id).get("label") or "")

    def definition(self, term_id: str) -> str:
        """Give the definition of a term; empty if there is none."""
        return str(self._term(term_id).get("description") or "")

    def synonyms(self, term_id: str) -> tuple[str, ...]:
        """Give the exact synonyms of a term."""
        return tuple(self._term(term_id).get("synonyms", ()))

    def is_current(self, term_id: str) -> bool:
        """Tell whether a term is in use: not deprecated, and named."""
        return _is_current(self._term(term_id))

    def ancestors(self, term_id: str) -> dict[str, int]:
        """Give every ancestor of a term with its distance; UBERON's include wholes of parts."""
        return dict(self._term(term_id).get("ancestors", {}))

    def parents(self, term_id: str) -> tuple[str, ...]:
        """Give the current ancestors one step away, sorted."""
        near = (a for a, distance in self.ancestors(term_id).items() if distance == 1)
        return tuple(sorted(a for a in near if a in self.terms and _is_current(self.terms[a])))

    def replaced_by(self, term_id: str) -> str | None:
        """Give the id that replaces a deprecated term: of any ontology, itself perhaps deprecated."""
        return normal_id(str(self._term(term_id).get("replaced_by", "")))

    def consider(self, term_id: str) -> tuple[str, ...]:
        """Give the ids to choose from where a deprecated term has no replacement."""
        ids = (normal_id(str(text)) for text in self._term(term_id).get("consider", ()))
        return tuple(i for i in ids if i is not None)

    def bridges(self, term_id: str) -> tuple[str, ...]:
        """Give the CL and UBERON terms that a term of fish, fly or worm says it is."""
        return tuple(self._term(term_id).get("cross_ontology_terms", {}).values())

    def descendants(self, *roots: str) -> frozenset[str]:
        """Give all current terms below any of `roots`, the roots themselves left out unless below."""
        wanted = set(roots)
        return frozenset(
            i for i, term in self.current() if not wanted.isdisjoint(term.get("ancestors", ()))
        )

    def current(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Iterate over the terms in use, with their ids."""
        return ((i, term) for i, term in self.terms.items() if _is_current(term))

    def table(self) -> pd.DataFrame:
        """List the terms in use the way registries are seeded.

        Returns
        -------
        One row per current term, sorted by id: ``ontology_id``, ``name``, ``definition``,
        ``synonyms`` (joined by ``|``, None if there are none), ``parents`` (list of ids).
        """
        import pandas as pd

        rows = [
            {
                "ontology_id": i,
                "name": self.label(i),
                "definition": self.definition(i) or None,
                "synonyms": "|".join(self.synonyms(i)) or None,
                "parents": list(self.parents(i)),
            }
            for i, _ in sorted(self.current())
        ]
        return pd.DataFrame(
            rows, columns=["ontology_id", "name", "definition", "synonyms", "parents"]
        )

    def _term(self, term_id: str) -> Mapping[str, Any]:
        if term_id not in self.terms:
            msg = (
                f"{term_id!r} is no term of {self.prefix} {self.version}. Check its spelling; "
                f"ids look like {next(iter(self.terms))}."
            )
            raise NotFoundError(msg, {"term_id": term_id, "ontology": self.prefix})
        return self.terms[term_id]


def ontology(prefix: str) -> Ontology:
    """Load an ontology, once per process.

    Parameters
    ----------
    prefix
        What its ids begin with, such as ``CL``. ``ZFS`` gives ZFA and ``AfPO`` gives HANCESTRO,
        where these terms live.

    Returns
    -------
    The ontology.

    Raises
    ------
    NotFoundError
        If there is no such ontology here. Organisms are not one: see `get_organism`.

    Examples
    --------
    >>> ontology("CL").label("CL:0000084")
    'T cell'
    """
    if prefix not in _HOME:
        msg = (
            f"There is no ontology {prefix!r} here. Known are {', '.join(_HOME)}; "
            "for organisms use get_organism."
        )
        raise NotFoundError(msg, {"ontology": prefix, "known": list(_HOME)})
    return _load(_HOME[prefix])


def ontology_versions() -> dict[str, str]:
    """Tell which release of each ontology is in use, without loading it.

    Returns
    -------
    Release by prefix.

    Examples
    --------
    >>> ontology_versions()["CL"]
    'v2026-03-26'
    """
    releases = _schema().supported_ontologies
    return {name: str(releases[name]["version"]) for name in sorted(set(_HOME.values()))}


def current_id(term_id: str) -> str | None:
    """Follow a term to the one in use today.

    Parameters
    ----------
    term_id
        Term id. A taxon id of an organism's variant leads to the id we label with.

    Returns
    -------
    The id itself if it is in use, else what replaced it in the end, perhaps in another ontology.
    None if the id is unknown, or obsolete with no replacement that is known here.

    Examples
    --------
    >>> current_id("EFO:0009310")
    'EFO:0009899'
    >>> current_id("HsapDv:0000087") is None
    True
    """
    seen: set[str] = set()
    step: str | None = term_id
    while step is not None and step not in seen:
        seen.add(step)
        if step.startswith("NCBITaxon:"):
            return _taxa().get(step)
        store = ontology_of(step)
        if store is None or step not in store:
            return None
        if store.is_current(step):
            return step
        step = store.replaced_by(step)
    return None


def ontology_of(term_id: str) -> Ontology | None:
    """Load the ontology an id belongs to.

    Parameters
    ----------
    term_id
        Term id.

    Returns
    -------
    The ontology, or None if the id is of none that is loaded here. The id itself may be unknown.
    """
    prefix = re.split("[:_]", term_id, maxsplit=1)[0]
    return ontology(prefix) if prefix in _HOME else None


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


def _is_current(term: Mapping[str, Any]) -> bool:
    # FBbt holds 270 terms with neither name nor mark that they were taken back
    return not term["deprecated"] and bool(term["label"])


@cache
def _taxa() -> dict[str, str]:
    return {
        taxon: organism.taxon_id
        for organism in ORGANISMS
        for taxon in (organism.taxon_id, *organism.variants)
    }


@cache
def _load(home: str) -> Ontology:
    return Ontology(prefix=home, version=ontology_versions()[home], terms=_schema().ontology(home))


@cache
def _schema() -> CXGSchema:
    from cellxgene_ontology_guide.supported_versions import CXGSchema

    return CXGSchema(_SCHEMA)
