"""What a hierarchical loss needs of a hierarchy: sets of classes, and their weights per label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..ontologies import Hierarchy

__all__ = ["Masses", "masses_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Masses:
    """Sets of classes whose probability counts, and how much each counts for a label.

    The first sets are the single classes, by their integers; those of several classes follow.
    """

    members: npt.NDArray[np.bool_]
    """Classes of each set of several, no two the same. Shape ``(n_several, n_classes)``."""
    everything: int
    """The set of all classes that have a probability of their own."""
    own: npt.NDArray[np.int64]
    """Set of a class itself and what is below it. Shape ``(n_classes,)``."""
    sets: npt.NDArray[np.int64]
    """Sets that count for each label, filled up with any. Shape ``(n_classes, n_slots)``."""
    weights: npt.NDArray[np.float64]
    """How much they count; 0 for filling. Shape ``(n_classes, n_slots)``."""


def masses_of(hierarchy: Hierarchy, *, strength: float, leaves_only: bool) -> Masses:
    """Prepare a loss. See `HierarchicalLoss` for the formula.

    Parameters
    ----------
    hierarchy
        The classes.
    strength
        The factor beta.
    leaves_only
        Whether only leaves have a probability of their own.
    """
    n = hierarchy.n_classes
    above = hierarchy.ancestors[:n].toarray()  # (n_classes, n_terms)
    members = above.T.copy()
    if leaves_only:
        members[:, ~hierarchy.is_leaf] = False
    members = np.vstack([members, members.any(axis=0)])
    packed = np.packbits(members, axis=1)
    _, first, place = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    members = members[first]
    several = members.sum(axis=1) != 1
    number = np.where(several, n + np.cumsum(several) - 1, members.argmax(axis=1))
    *of_terms, everything = number[place.reshape(-1)].tolist()
    members = members[several]

    weight = above * (strength * term_weights(hierarchy))
    np.fill_diagonal(weight, 0.0)
    np.fill_diagonal(weight, 1.0 - weight.sum(axis=1))
    per_set = np.zeros((n, n + len(members)))
    np.add.at(per_set.T, of_terms, weight.T)
    per_set[:, everything] = 0.0  # its probability is 1

    n_slots = int(np.count_nonzero(per_set, axis=1).max(initial=1))
    sets = np.argsort(per_set == 0, axis=1, kind="stable")[:, :n_slots]
    return Masses(
        members=members,
        everything=everything,
        own=np.array(of_terms[:n], dtype=np.int64),
        sets=sets,
        weights=np.take_along_axis(per_set, sets, axis=1),
    )


def term_weights(hierarchy: Hierarchy) -> npt.NDArray[np.float64]:
    """Tell how much it counts that two classes share a term.

    That is what the term tells beyond the terms above it, as a share of what the class below it
    tells that has most to tell: the weights of all terms of a class sum to 1 at most.

    Returns
    -------
    Weights from 0 to 1. Shape ``(n_terms,)``.
    """
    information = hierarchy.information.astype(np.float64)
    strict = hierarchy.ancestors.toarray()
    np.fill_diagonal(strict, val=False)
    added = information - np.where(strict, information, 0.0).max(axis=1)
    above = hierarchy.ancestors[: hierarchy.n_classes].toarray()
    most = np.where(above, (above @ added)[:, None], 0.0).max(axis=0)
    weights = np.zeros(len(added))
    np.divide(added, most, out=weights, where=most > 0)
    return weights
