"""Where terms stand in their ontologies: what is above them, how far, how much they tell."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from ..errors import NotFoundError
from .fields import vocabulary
from .terms import current_id, ontology_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .terms import Ontology

SEVERAL = " || "
"""Joins the terms of a cell that has more than one."""

FLAT = ("organism", "tissue_type")
"""Fields whose words have no hierarchy here."""


class Terms:
    """Terms of one field. What was looked up is kept.

    Parameters
    ----------
    field
        One of `FIELDS`.
    """

    def __init__(self, field: str) -> None:
        self.flat = dict(vocabulary(field).labels) if field in FLAT else None
        self.stores: dict[str, Ontology] = {}
        """Ontologies that were needed, by prefix."""
        self._above: dict[str, dict[str, int]] = {}
        self._descendants: dict[str, Counter[str]] = {}
        self._n_current: dict[str, int] = {}

    def label(self, term: str) -> str:
        """Give the name of a term; empty for some that were taken back."""
        if SEVERAL in term:
            return SEVERAL.join(self.label(member) for member in term.split(SEVERAL))
        if self.flat is not None:
            return self.flat.get(term, term)
        return self._store(term).label(term)

    def above(self, term: str) -> dict[str, int]:
        """Give every ancestor with the length of the shortest way up to it.

        Above several terms joined are its members; above a term that was replaced is what replaced
        it; above a term of fish, fly or worm are the terms of CL and UBERON that it says it is.

        Raises
        ------
        NotFoundError
            If a term is of no ontology here.
        """
        if term not in self._above:
            self._above[term] = {} if self.flat is not None else self._find_above(term)
        return self._above[term]

    def information(self, term: str) -> float:
        """Tell how much it says of a cell to be of this term, in nats.

        ``-log p`` with p the share of the ontology's terms that are the term or below it: Resnik's
        information content (1995) with the intrinsic p of Seco, Veale and Hayes (2004), and never
        less than that of a term above, which may be of another ontology.
        """
        if self.flat is not None:
            return math.log(max(len(self.flat), 1))
        own = 0.0 if SEVERAL in term else self._own_information(term)
        return max(own, *(self._own_information(a) for a in self.above(term)), 0.0)

    def redirects(self, classes: Iterable[str]) -> dict[str, str]:
        """List the ids that were replaced, with what stands for them today.

        Parameters
        ----------
        classes
            Terms of the vocabulary.

        Returns
        -------
        Current id by replaced id, sorted: of classes that were replaced, and of what leads to a
        class through the ontologies that were needed.
        """
        into: dict[str, list[str]] = {}
        for store in self.stores.values():
            for term in store.terms:
                target = None if store.is_current(term) else store.replaced_by(term)
                if target is not None:
                    into.setdefault(target, []).append(term)
        reached: set[str] = set()
        front = set(classes)
        while front := front - reached:
            reached |= front
            front = {term for target in front for term in into.get(target, ())}
        targets = {term: current_id(term) for term in sorted(reached)}
        return {term: t for term, t in targets.items() if t is not None and t != term}

    def releases(self) -> dict[str, str]:
        """Give the release of every ontology that was needed, by prefix, sorted."""
        return {prefix: self.stores[prefix].version for prefix in sorted(self.stores)}

    def _find_above(self, term: str) -> dict[str, int]:
        if SEVERAL in term:
            return self._with_theirs(dict.fromkeys(term.split(SEVERAL), 1))
        store = self._store(term)
        if not store.is_current(term):
            successor = current_id(term)
            return {} if successor is None else self._with_theirs({successor: 1})
        own = store.ancestors(term)
        bridged = {
            bridge: distance + 1
            for rung, distance in sorted({term: 0, **own}.items(), key=lambda item: -item[1])
            for bridge in store.bridges(rung)
            if current_id(bridge) == bridge
        }
        return _shortest(own, self._with_theirs(bridged))

    def _with_theirs(self, near: Mapping[str, int]) -> dict[str, int]:
        """Add what is above these terms."""
        far = ({a: n + m for a, m in self.above(term).items()} for term, n in near.items())
        return _shortest(near, *far)

    def _own_information(self, term: str) -> float:
        store = self._store(term)
        if store.prefix not in self._descendants:
            below: Counter[str] = Counter()
            n_current = 0
            for _, entry in store.current():
                below.update(entry.get("ancestors", {}).keys())
                n_current += 1
            self._descendants[store.prefix] = below
            self._n_current[store.prefix] = n_current
        n_below = self._descendants[store.prefix][term] + 1
        return math.log(self._n_current[store.prefix] / n_below)

    def _store(self, term: str) -> Ontology:
        store = ontology_of(term)
        if store is None or term not in store:
            msg = (
                f"{term!r} is no term of the ontologies in use, so it has no place in a hierarchy. "
                "Take it out of the classes, or use the release of corpuscle that labelled with it."
            )
            raise NotFoundError(msg, {"term_id": term})
        return self.stores.setdefault(store.prefix, store)


def _shortest(*ways: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for way in ways:
        for term, distance in way.items():
            found[term] = min(distance, found.get(term, distance))
    return found
