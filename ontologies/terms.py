"""The terms of the ontologies: names, hierarchy, and what replaced what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError
from .ids import HOMES, normal_id, prefix_of
from .organisms import ORGANISMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd
    from cellxgene_ontology_guide.supported_versions import (
        CXGSchema,  # it has no stubs
    )

__all__ = ["Ontology", "current_id", "ontology", "ontology_versions", "schema_versions"]

_TAXONOMY = Path(__file__).resolve().parent / "data" / "taxonomy.json"
_NEWEST = "7.1.0"  # pinned: a new snapshot is a decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Ontology:
    """One ontology of a fixed release. Ids it does not hold raise `NotFoundError`."""

    prefix: str
    """What most of its ids begin with; ``ZFA`` also holds ZFS, ``HANCESTRO`` also AfPO."""

    version: str
    """Release, ``v2026-03-26``."""

    schema: str
    """Snapshot of all ontologies it belongs to: a version of the CELLxGENE schema."""

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

    def children(self, term_id: str) -> tuple[str, ...]:
        """Give the current terms one step below, sorted."""
        self._term(term_id)
        below = (i for i, t in self.current() if t.get("ancestors", {}).get(term_id) == 1)
        return tuple(sorted(below))

    def depth(self, term_id: str) -> int:
        """Give the steps to the nearest root, which has no ancestors; 0 for a root."""
        above = self.ancestors(term_id)
        # ancestors cut off with another ontology are roots too
        steps = [n for i, n in above.items() if not self.terms.get(i, {}).get("ancestors")]
        return min(steps, default=0)

    def find(self, text: str) -> tuple[str, ...]:
        """Give the current terms of that name, or if there are none, of that exact synonym."""
        wanted = fold(text)
        names, synonyms = _index_of(self.prefix, self.schema)
        return names.get(wanted) or synonyms.get(wanted, ())

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

    def closest_bridges(self, term_id: str) -> tuple[str, ...]:
        """Give the CL and UBERON terms that a term of fish, fly or worm is, or the nearest above.

        Several where ancestors equally near lead to different terms; empty where none does.
        """
        by_distance: dict[int, set[str]] = {0: set(self.bridges(term_id))}
        for ancestor, distance in self.ancestors(term_id).items():
            if ancestor in self.terms:
                by_distance.setdefault(distance, set()).update(self.bridges(ancestor))
        found = next((by_distance[n] for n in sorted(by_distance) if by_distance[n]), set())
        return tuple(sorted(found))

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


def ontology(prefix: str, *, schema: str | None = None) -> Ontology:
    """Load an ontology, once per process.

    Parameters
    ----------
    prefix
        What its ids begin with, such as ``CL``. ``ZFS`` gives ZFA and ``AfPO`` gives HANCESTRO,
        where these terms live. ``NCBITaxon`` holds the organisms of `ORGANISMS` and what is above
        them, plants included, and is the same in every snapshot.
    schema
        One of `schema_versions`: a snapshot of all ontologies. The newest by default.

    Returns
    -------
    The ontology.

    Raises
    ------
    NotFoundError
        If there is no such ontology or snapshot here.

    Examples
    --------
    >>> ontology("CL").label("CL:0000084")
    'T cell'
    """
    if prefix not in HOMES:
        msg = f"There is no ontology {prefix!r} here. Known are {', '.join(HOMES)}."
        raise NotFoundError(msg, {"ontology": prefix, "known": list(HOMES)})
    return _load(HOMES[prefix], _known_schema(schema))


def ontology_versions(schema: str | None = None) -> dict[str, str]:
    """Tell the release of each ontology, without loading it.

    Parameters
    ----------
    schema
        One of `schema_versions`. The newest by default.

    Returns
    -------
    Release by prefix.

    Raises
    ------
    NotFoundError
        If there is no such snapshot here.

    Examples
    --------
    >>> ontology_versions()["CL"]
    'v2026-03-26'
    """
    releases = _schema(_known_schema(schema)).supported_ontologies
    return {name: str(releases[name]["version"]) for name in sorted(set(HOMES.values()))}


def schema_versions() -> tuple[str, ...]:
    """List the snapshots of all ontologies that are here, oldest first.

    Returns
    -------
    Versions of the CELLxGENE schema.

    Examples
    --------
    >>> schema_versions()
    ('7.0.0', '7.1.0')
    """
    from cellxgene_ontology_guide.supported_versions import load_supported_versions

    versions = [str(version).removeprefix("v") for version in load_supported_versions()]
    return tuple(sorted(versions, key=lambda version: [int(n) for n in version.split(".")]))


def current_id(term_id: str, *, schema: str | None = None) -> str | None:
    """Follow a term to the one in use today.

    Parameters
    ----------
    term_id
        Term id. A taxon id of an organism's variant leads to the id we label with.
    schema
        One of `schema_versions`. The newest by default.

    Returns
    -------
    The id itself if it is in use, else what replaced it in the end, perhaps in another ontology.
    None if the id is unknown, or obsolete with no replacement that is known here.

    Raises
    ------
    NotFoundError
        If there is no such snapshot here.

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
        store = ontology_of(step, schema=schema)
        if store is None or step not in store:
            return None
        if store.is_current(step):
            return step
        step = store.replaced_by(step)
    return None


def ontology_of(term_id: str, *, schema: str | None = None) -> Ontology | None:
    """Load the ontology an id belongs to.

    Parameters
    ----------
    term_id
        Term id.
    schema
        One of `schema_versions`. The newest by default.

    Returns
    -------
    The ontology, or None if the id is of none that is loaded here. The id itself may be unknown.
    """
    prefix = prefix_of(term_id)
    return ontology(prefix, schema=schema) if prefix in HOMES else None


def fold(text: str) -> str:
    """Write a text so that case and white space do not matter.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    The text as names are compared.
    """
    return " ".join(text.casefold().split())


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


def _known_schema(schema: str | None) -> str:
    if schema is None:
        return _NEWEST
    known = schema_versions()
    if schema not in known:
        msg = f"There is no snapshot {schema!r} of the ontologies. There is: {', '.join(known)}."
        raise NotFoundError(msg, {"schema": schema, "known": list(known)})
    return schema


@cache
def _load(home: str, schema: str) -> Ontology:
    version = ontology_versions(schema)[home]
    # the whole of NCBITaxon needs a minute and 3 GiB, and lacks plants
    terms = _taxonomy() if home == "NCBITaxon" else _schema(schema).ontology(home)
    return Ontology(prefix=home, version=version, schema=schema, terms=terms)


def _taxonomy() -> dict[str, dict[str, Any]]:
    import json

    terms: dict[str, dict[str, Any]] = json.loads(_TAXONOMY.read_text(encoding="utf-8"))
    return terms


@cache
def _index_of(home: str, schema: str) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Map folded names, and folded exact synonyms, to the current terms that bear them."""
    names: dict[str, list[str]] = {}
    synonyms: dict[str, list[str]] = {}
    for i, term in _load(home, schema).current():
        names.setdefault(fold(str(term["label"])), []).append(i)
        for text in dict.fromkeys(fold(str(text)) for text in term.get("synonyms", ())):
            synonyms.setdefault(text, []).append(i)
    return tuple({text: tuple(ids) for text, ids in d.items()} for d in (names, synonyms))


@cache
def _schema(version: str) -> CXGSchema:
    import warnings

    from cellxgene_ontology_guide.supported_versions import CXGSchema

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # asked for on purpose
        return CXGSchema(version)
