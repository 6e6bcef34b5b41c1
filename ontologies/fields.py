"""What each field of a dataset may hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ..errors import NotFoundError
from .ids import prefix_of
from .organisms import ORGANISMS, get_organism, names_of
from .terms import Ontology, fold, ontology

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["FIELDS", "Vocabulary", "vocabulary"]

FIELDS = (
    "cell_type",
    "disease",
    "development_stage",
    "tissue",
    "assay",
    "self_reported_ethnicity",
    "sex",
    "tissue_type",
    "organism",
)
"""The nine fields every cell is labelled with."""

PRIMARY_CELL_CULTURE_TISSUE = "primary_cell_culture_tissue"
"""The field tissue of cells in primary culture: a cell type."""

CELL_LINE_TISSUE = "cell_line_tissue"
"""The field tissue of cell lines: the line, from Cellosaurus."""

_HUMAN, _MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"
_FISH, _FLY, _WORM = "NCBITaxon:7955", "NCBITaxon:7227", "NCBITaxon:6239"

_TISSUE_TYPES = ("tissue", "organoid", "primary cell culture", "cell line")

# What schema 7.1 allows: descendants of `roots` and `terms` themselves, less `banned` and, below
# them, `banned_roots`; or `every` term.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    prefix: str
    roots: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()
    banned_roots: tuple[str, ...] = ()
    every: bool = False

    def ids(self, schema: str | None) -> frozenset[str]:
        store = ontology(self.prefix, schema=schema)
        if self.every:
            return frozenset(i for i, _ in store.current())
        banned = store.descendants(*self.banned_roots) | set(self.banned) | set(self.banned_roots)
        return (store.descendants(*self.roots) | set(self.terms)) - banned


_CELL_TYPE = _Part(
    prefix="CL",
    roots=("CL:0000000",),
    terms=("CL:0000000",),
    banned=("CL:0000255", "CL:0000257", "CL:0000548"),
)
_CELL_TYPE_OF = {
    _FISH: _Part(prefix="ZFA", roots=("ZFA:0009000",)),
    _FLY: _Part(prefix="FBbt", roots=("FBbt:00007002",)),
    _WORM: _Part(prefix="WBbt", roots=("WBbt:0004017",), banned_roots=("WBbt:0006803",)),
}
_TISSUE = _Part(prefix="UBERON", roots=("UBERON:0001062",))
_TISSUE_OF = {
    _FISH: _Part(
        prefix="ZFA",
        roots=("ZFA:0100000",),
        banned=("ZFA:0001093",),
        banned_roots=("ZFA:0009000",),
    ),
    _FLY: _Part(prefix="FBbt", roots=("FBbt:10000000",), banned_roots=("FBbt:00007002",)),
    _WORM: _Part(
        prefix="WBbt",
        roots=("WBbt:0005766",),
        banned=("WBbt:0007849", "WBbt:0007850", "WBbt:0008595"),
        banned_roots=("WBbt:0004017", "WBbt:0006803"),
    ),
}
_STAGE = _Part(prefix="UBERON", roots=("UBERON:0000105",), banned=("UBERON:0000071",))
_STAGE_OF = {
    _HUMAN: _Part(prefix="HsapDv", roots=("HsapDv:0000001",)),
    _MOUSE: _Part(prefix="MmusDv", roots=("MmusDv:0000001",)),
    _FISH: _Part(prefix="ZFS", roots=("ZFS:0100000",), banned=("ZFS:0000000",)),
    _FLY: _Part(prefix="FBdv", roots=("FBdv:00007014", "FBdv:00005259"), banned=("FBdv:00007012",)),
    _WORM: _Part(prefix="WBls", roots=("WBls:0000803", "WBls:0000804"), terms=("WBls:0000669",)),
}
_DISEASE = (
    _Part(prefix="MONDO", roots=("MONDO:0000001", "MONDO:0021178"), terms=("MONDO:0021178",)),
    _Part(prefix="PATO", terms=("PATO:0000461",)),
)
_ASSAY = _Part(prefix="EFO", roots=("EFO:0002772", "EFO:0010183"))
_ETHNICITY = _Part(prefix="HANCESTRO", roots=("HANCESTRO:0601", "HANCESTRO:0602"))
_SEX = _Part(prefix="PATO", terms=("PATO:0000383", "PATO:0000384", "PATO:0001340"))
_SEX_OF_WORM = _Part(prefix="PATO", terms=("PATO:0000384", "PATO:0001340"))
_LINES = _Part(prefix="CVCL", every=True)

# "na" is right for cell lines only, or for what is not human; that is checked where it is known.
_SPECIALS = {
    "cell_type": ("unknown", "na"),
    "development_stage": ("unknown", "na"),
    "self_reported_ethnicity": ("unknown", "na"),
    "sex": ("unknown", "na"),
    PRIMARY_CELL_CULTURE_TISSUE: ("unknown",),
}
_SEVERAL = frozenset({"disease", "self_reported_ethnicity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Everything a field may hold for one organism."""

    field: str
    """The field, one of `FIELDS`."""

    organism: str | None
    """Taxon id, or None if the vocabulary does not depend on it or it was not given."""

    schema: str | None
    """Snapshot of the ontologies; None is the newest."""

    labels: Mapping[str, str]
    """Name of every allowed term, by id."""

    index: Mapping[str, tuple[str, ...]]
    """Ids by name and synonym as `fold` writes them; several ids where a text is ambiguous."""

    specials: frozenset[str]
    """Words allowed in place of an id: ``unknown``, ``na``."""

    several: bool
    """True if a cell may have more than one term, joined by `` || ``."""

    @property
    def allowed(self) -> frozenset[str]:
        """Ids of the allowed terms."""
        return frozenset(self.labels)

    def __contains__(self, term_id: object) -> bool:
        return term_id in self.labels


def vocabulary(field: str, organism: str | None = None, *, schema: str | None = None) -> Vocabulary:
    """Give what a field may hold, following CELLxGENE schema 7.1.

    Parameters
    ----------
    field
        One of `FIELDS`, or ``primary_cell_culture_tissue`` or ``cell_line_tissue``: what the
        field tissue holds where the tissue type is not tissue or organoid.
    organism
        Any name `get_organism` accepts. It matters for cell types, tissues and stages of fish,
        fly and worm, for stages of human and mouse, for ethnicity and sex. None stands for
        human, mouse or an organism without an ontology of its own.
    schema
        Snapshot of the ontologies, see `schema_versions`. The newest by default.

    Returns
    -------
    The vocabulary; the same object for the same question.

    Raises
    ------
    NotFoundError
        If there is no such field, organism or snapshot.

    Examples
    --------
    >>> sorted(vocabulary("sex").labels.values())
    ['female', 'hermaphrodite', 'male']
    """
    known = (*FIELDS, PRIMARY_CELL_CULTURE_TISSUE, CELL_LINE_TISSUE)
    if field not in known:
        msg = f"There is no field {field!r}. Fields are: {', '.join(known)}."
        raise NotFoundError(msg, {"field": field, "known": list(known)})
    return _build(field, None if organism is None else get_organism(organism).taxon_id, schema)


@cache
def _build(field: str, taxon: str | None, schema: str | None) -> Vocabulary:
    if field in _ENUMERATED:
        labels, index = _enumeration(field), _index(_enumerated_names(field))
    else:
        labels, index = _content(_parts(field, taxon), schema)
    not_human = field == "self_reported_ethnicity" and taxon not in (None, _HUMAN)
    return Vocabulary(
        field=field,
        organism=taxon,
        schema=schema,
        labels=labels,
        index=index,
        specials=frozenset(("na",) if not_human else _SPECIALS.get(field, ())),
        several=field in _SEVERAL,
    )


@cache
def _content(
    parts: tuple[_Part, ...], schema: str | None
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Names of the terms of some parts, and terms by name: one object for all organisms alike."""
    ids = sorted(frozenset[str]().union(*(part.ids(schema) for part in parts)))
    labels = {i: _store(i, schema).label(i) for i in ids}
    shared = _index(_names(ids, schema))
    return labels, {text: one_meaning(found, schema) for text, found in shared.items()}


_ENUMERATED = frozenset({"tissue_type", "organism"})


def _enumeration(field: str) -> dict[str, str]:
    if field == "tissue_type":
        return {name: name for name in _TISSUE_TYPES}
    return {organism.taxon_id: organism.name for organism in ORGANISMS}


def _enumerated_names(field: str) -> Iterator[tuple[str, str]]:
    if field == "tissue_type":
        yield from ((name, name) for name in _TISSUE_TYPES)
        return
    for organism in ORGANISMS:
        for name in names_of(organism):
            for spelling in {name, name.replace("_", " ")}:
                yield spelling, organism.taxon_id


def _parts(field: str, taxon: str | None) -> tuple[_Part, ...]:
    own = taxon or ""
    if field in ("cell_type", PRIMARY_CELL_CULTURE_TISSUE):
        return (_CELL_TYPE, *_of(_CELL_TYPE_OF, own))
    if field == CELL_LINE_TISSUE:
        return (_LINES,)
    if field == "tissue":
        return (_TISSUE, *_of(_TISSUE_OF, own))
    if field == "development_stage":
        if taxon is None:
            return (_STAGE_OF[_HUMAN], _STAGE_OF[_MOUSE], _STAGE)
        return _of(_STAGE_OF, own) or (_STAGE,)
    if field == "self_reported_ethnicity":
        return (_ETHNICITY,) if taxon in (None, _HUMAN) else ()
    if field == "sex":
        return (_SEX_OF_WORM if taxon == _WORM else _SEX,)
    return _DISEASE if field == "disease" else (_ASSAY,)


def _of(parts: Mapping[str, _Part], taxon: str) -> tuple[_Part, ...]:
    return (parts[taxon],) if taxon in parts else ()


def _names(ids: Iterable[str], schema: str | None) -> Iterator[tuple[str, str]]:
    for i in ids:
        store = _store(i, schema)
        yield store.label(i), i
        for synonym in store.synonyms(i):
            yield synonym, i


def one_meaning(ids: tuple[str, ...], schema: str | None) -> tuple[str, ...]:
    """Drop terms of fish, fly or worm that say they are another of `ids`, one of CL or UBERON.

    Parameters
    ----------
    ids
        Terms that share a name.
    schema
        Snapshot of the ontologies; None is the newest.

    Returns
    -------
    Those that remain, in order.
    """
    if len(ids) == 1:
        return ids
    return tuple(i for i in ids if not set(_store(i, schema).bridges(i)) & set(ids))


def _store(term_id: str, schema: str | None) -> Ontology:
    return ontology(prefix_of(term_id), schema=schema)


def _index(names: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, term_id in names:
        text = fold(name)
        known = found.get(text, ())
        if term_id not in known:
            found[text] = tuple(sorted((*known, term_id)))
    return found
