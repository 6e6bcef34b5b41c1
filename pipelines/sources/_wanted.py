"""Which datasets of a source are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ...errors import LabelMappingError
from ...ontologies import get_organism, map_labels, ontology
from ...ontologies.ids import prefix_of

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Iterator, Mapping

    from ._interface import SourceDataset

FIELDS = ("tissue", "assay", "disease")
"""Fields to choose by, besides the organism."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A choice among the datasets of a source: everything by default.

    A dataset is chosen if it has cells of every field's terms or of terms below them.
    """

    organism: str | None = None
    """Taxon id."""
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By field: term ids, any of them."""
    ids: tuple[str, ...] = ()
    """What the source calls them, with ``*`` and ``?`` as in a shell; any of them."""
    released_before: datetime.date | None = None

    @classmethod
    def of(
        cls,
        *,
        organism: str | None = None,
        terms: Mapping[str, Iterable[str]] | None = None,
        ids: Iterable[str] = (),
        released_before: datetime.date | None = None,
    ) -> Wanted:
        """Make a choice from words: names or ids of organisms and terms.

        Raises
        ------
        LabelMappingError
            If a word is no term of its field; the message names the nearest.
        NotFoundError
            If there is no such organism.
        """
        taxon = None if organism is None else get_organism(organism).taxon_id
        found = {
            name: tuple(_term(word, name, taxon) for word in words)
            for name, words in (terms or {}).items()
        }
        return cls(
            organism=taxon,
            terms={name: ids_ for name, ids_ in found.items() if ids_},
            ids=tuple(ids),
            released_before=released_before,
        )

    def has_id(self, id_: str) -> bool:
        """Tell whether a dataset of this name may be wanted."""
        return not self.ids or any(fnmatchcase(id_, pattern) for pattern in self.ids)

    def has_organism(self, taxon_id: str) -> bool:
        """Tell whether a dataset of this organism may be wanted."""
        return self.organism in {None, taxon_id}

    def has(self, dataset: SourceDataset) -> bool:
        """Tell whether a dataset is wanted. What is not known of it is not what is asked for."""
        if not self.has_id(dataset.id):
            return False
        if self.released_before is not None and (
            dataset.released is None or dataset.released >= self.released_before
        ):
            return False
        asked = dict(self.terms)
        if self.organism is not None:
            asked["organism"] = (self.organism,)
        return all(
            any(is_below(term, wanted) for term in dataset.terms.get(name, ()) for wanted in any_of)
            for name, any_of in asked.items()
        )


def is_below(term: str, wanted: str) -> bool:
    """Tell whether a term is another one, or below it."""
    if term == wanted:
        return True
    if prefix_of(term) != prefix_of(wanted) or prefix_of(term) == "NCBITaxon":
        return False
    store = ontology(prefix_of(term))
    return term in store and wanted in store.ancestors(term)


def _term(word: str, name: str, taxon: str | None) -> str:
    row = map_labels([word], field=name, organism=taxon).iloc[0]
    if row["outcome"] == "mapped":
        return str(row["term_id"])
    nearest = ", ".join(row["candidates"][:5]) or "none"
    msg = f"--{name} {word!r} is no {name.replace('_', ' ')} we know. Nearest: {nearest}."
    raise LabelMappingError(
        msg, {"field": name, "label": word, "candidates": list(row["candidates"])}
    )


def first_taken(listed: Iterable[SourceDataset], limit: int | None) -> Iterator[SourceDataset]:
    """Give datasets until `limit` of them are to be ingested; those that are not come along."""
    n_taken = 0
    for dataset in listed:
        if n_taken == limit:
            return
        yield dataset
        n_taken += not dataset.skip
