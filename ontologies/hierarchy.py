"""The classes of a field as a hierarchy: what is above what, how far apart, how alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import ConflictError, InputError, NotFoundError
from ._hierarchy_terms import Terms
from .fields import FIELDS

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    from scipy import sparse

__all__ = ["NO_PATH", "Hierarchy", "label_hierarchy"]

NO_PATH = 255
"""Distance between terms that have no ancestor in common."""

_NO_LABEL = ("unknown", "na")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Hierarchy:
    """The classes of one field with everything above them. Made by `label_hierarchy`.

    The classes come first, each at the place of its class integer; the terms that are only above
    them follow, sorted. A class is a leaf if no other class is below it. Arrays are not to be
    changed.
    """

    field: str
    """The field, one of `FIELDS`."""
    terms: tuple[str, ...]
    """Ids of the classes, then of the terms that are only above them."""
    labels: tuple[str, ...]
    """Name of each term."""
    n_classes: int
    """How many of the terms are classes."""
    ancestors: sparse.csr_matrix
    """Whether the column's term is the row's or above it. Shape ``(n_terms, n_terms)``, bool."""
    depth: npt.NDArray[np.uint8]
    """Steps from each term up to the nearest root. Shape ``(n_terms,)``."""
    information: npt.NDArray[np.float32]
    """Information content of each term, in nats. Shape ``(n_terms,)``."""
    distance: npt.NDArray[np.uint8]
    """Length of the shortest way between two classes through a term above both, or `NO_PATH`.

    It does not depend on which other classes there are. Shape ``(n_classes, n_classes)``.
    """
    lin: npt.NDArray[np.float16]
    """Lin's similarity of classes, 0 to 1. Shape ``(n_classes, n_classes)``."""
    redirects: Mapping[str, str]
    """Current id of ids that were replaced, where one of both is a class."""
    releases: Mapping[str, str]
    """Release of each ontology, by prefix."""
    n_cells: npt.NDArray[np.int64] | None = None
    """Cells of each class if they were counted. Shape ``(n_classes,)``."""

    def __repr__(self) -> str:
        n_leaves = len(self.leaves)
        releases = ", ".join(f"{name} {release}" for name, release in self.releases.items())
        return (
            f"Hierarchy of {self.field}: {self.n_classes:,} classes ({n_leaves:,} leaves), "
            f"{len(self.terms) - self.n_classes:,} terms above them; {releases or 'flat'}; "
            f"{self.content_hash[:12]}"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Term id of each class integer."""
        return self.terms[: self.n_classes]

    @property
    def is_leaf(self) -> npt.NDArray[np.bool_]:
        """Whether no other class is below a class. Shape ``(n_classes,)``."""
        n_with_itself = self.ancestors[: self.n_classes, : self.n_classes].sum(axis=0)
        return cast("npt.NDArray[np.bool_]", n_with_itself.A1 == 1)

    @property
    def leaves(self) -> npt.NDArray[np.int64]:
        """Class integers of the leaves, ascending. Shape ``(n_leaves,)``."""
        return self.is_leaf.nonzero()[0]

    @property
    def parents(self) -> npt.NDArray[np.int64]:
        """Places in `terms` of those that are not leaves, ascending. Shape ``(n_parents,)``."""
        import numpy as np

        return np.delete(np.arange(len(self.terms)), self.leaves)

    @property
    def parents_x_leaves(self) -> sparse.csr_matrix:
        """Whether a leaf is below a parent. Shape ``(n_parents, n_leaves)``, bool."""
        return self.ancestors[self.leaves][:, self.parents].T.tocsr()

    @property
    def kinds(self) -> tuple[str, ...]:
        """``leaf``, ``internal`` or, if it is no class, ``ancestor``, of each term."""
        kinds = ["leaf" if leaf else "internal" for leaf in self.is_leaf]
        return (*kinds, *("ancestor" for _ in self.terms[self.n_classes :]))

    @property
    def content_hash(self) -> str:
        """BLAKE3 of terms, names, structure and releases; numbers of cells do not count."""
        from ._hierarchy_files import content_hash

        return content_hash(self)

    def extends(self, previous: Hierarchy) -> None:
        """Check that the class integers of an earlier version still mean the same.

        A leaf of the earlier version may have become internal: it keeps its integer.

        Raises
        ------
        ConflictError
            If it is of another field, or a class of it is not at its place.
        """
        if self.field != previous.field:
            msg = f"A hierarchy of {self.field} cannot continue one of {previous.field}."
            raise ConflictError(msg, {"field": self.field, "previous": previous.field})
        for place, before in enumerate(previous.classes):
            now = self.terms[place] if place < self.n_classes else None
            if now != before:
                msg = (
                    f"Class {place} of {self.field} was {before} and is {now or 'not there'}: the "
                    "integers a model has learned would change their meaning. Append new classes "
                    "to the earlier ones in their order."
                )
                raise ConflictError(msg, {"place": place, "before": before, "now": now})

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the hierarchy as files, which `load` and other programs read.

        ``vocab.tsv`` (index, term_id, label, kind, depth, n_cells), ``ancestors.npz``,
        ``parents_x_leaves.npz`` (scipy's format), ``distance.npy``, ``ic.npy``, ``lin.npy``,
        ``redirects.tsv`` and ``manifest.json`` with the releases and the checksum of each file.
        The same hierarchy gives the same bytes. The folder appears whole or not at all.

        Returns
        -------
        The folder.

        Raises
        ------
        ConflictError
            If there is something else at `folder`.
        """
        from ._hierarchy_files import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Hierarchy:
        """Read what `save` wrote. Neither a registry nor the ontologies are needed.

        Raises
        ------
        NotFoundError
            If there is no hierarchy at `folder`.
        SchemaError
            If it was written in another format.
        IntegrityError
            If a file is missing or its bytes differ from those written.
        """
        from ._hierarchy_files import load

        return load(Path(folder))


def label_hierarchy(
    field: str, terms: Sequence[str], *, counts: Mapping[str, int] | None = None
) -> Hierarchy:
    """Build the hierarchy of the classes of a field.

    Only the classes and what is above them are looked at, never a whole ontology's pairs. Several
    terms joined by `` || `` are a class below each of them. A class that was replaced in the
    ontology is below what replaced it. Terms of fish, fly and worm are below the terms of CL and
    UBERON that they say they are. Organisms and tissue types are flat.

    Parameters
    ----------
    field
        One of `FIELDS`.
    terms
        Term ids; the place of a term is its class integer. A later version may only append, see
        `Hierarchy.extends`. No label, ``unknown`` and ``na``, is no class: its integer is -1.
    counts
        Cells of each term, for `Hierarchy.n_cells`. A class without is counted as 0.

    Raises
    ------
    NotFoundError
        If there is no such field, or a term is of no ontology here.
    InputError
        If a term is there twice, stands for a missing label, or has cells but is no class.

    Examples
    --------
    >>> cells = label_hierarchy("cell_type", ["CL:0000084", "CL:0000624", "CL:0000236"])
    >>> [cells.labels[i] for i in cells.leaves]
    ['CD4-positive, alpha-beta T cell', 'B cell']
    >>> cells.distance[1].tolist()
    [3, 0, 6]
    """
    import numpy as np

    from ._hierarchy_pairs import closure, pairs

    _check(field, terms, counts or {})
    found = Terms(field)
    only_above = set[str]().union(*(found.above(term) for term in terms)).difference(terms)
    every = (*terms, *sorted(only_above))
    above = [found.above(term) for term in every]
    roots = {term for term, ways in zip(every, above, strict=True) if not ways}
    information = np.array([found.information(term) for term in every], dtype=np.float64)
    distance, lin = pairs(every, above[: len(terms)], information)
    return Hierarchy(
        field=field,
        terms=every,
        labels=tuple(found.label(term) for term in every),
        n_classes=len(terms),
        ancestors=closure(every, above),
        depth=np.array([_depth(ways, roots) for ways in above], dtype=np.uint8),
        information=information.astype(np.float32),
        distance=distance,
        lin=lin,
        redirects=found.redirects(terms),
        releases=found.releases(),
        n_cells=None if counts is None else np.array([counts.get(t, 0) for t in terms], np.int64),
    )


def _depth(ways: Mapping[str, int], roots: set[str]) -> int:
    return min((n for term, n in ways.items() if term in roots), default=0)


def _check(field: str, terms: Sequence[str], counts: Mapping[str, int]) -> None:
    if field not in FIELDS:
        msg = f"There is no field {field!r}. Fields are: {', '.join(FIELDS)}."
        raise NotFoundError(msg, {"field": field, "known": list(FIELDS)})
    if repeats := [term for term, n in Counter(terms).items() if n > 1]:
        msg = f"{len(repeats):,} classes of {field} are listed twice (first: {repeats[0]!r})."
        raise InputError(msg, {"repeats": repeats})
    if missing := sorted(set(_NO_LABEL) & set(terms)):
        msg = (
            f"{missing[0]!r} is no class of {field}: it means that there is no label. Leave it out."
        )
        raise InputError(msg, {"field": field, "term": missing[0]})
    if foreign := sorted(set(counts).difference(terms, _NO_LABEL)):
        msg = (
            f"{len(foreign):,} terms of {field} have cells but are no class (first: {foreign[0]!r}). "
            "Append them to the classes."
        )
        raise InputError(msg, {"field": field, "terms": foreign})
