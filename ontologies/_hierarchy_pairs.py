"""Matrices of a hierarchy: what is above what, and how far apart and alike two classes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

_FAR = 255


def closure(terms: Sequence[str], above: Sequence[Mapping[str, int]]) -> sparse.csr_matrix:
    """Mark each term itself and every term above it.

    Parameters
    ----------
    terms
        All terms.
    above
        What is above each of them.

    Returns
    -------
    Shape ``(n_terms, n_terms)``, bool, indices sorted.
    """
    place = {term: i for i, term in enumerate(terms)}
    rows = [sorted((i, *(place[a] for a in ways))) for i, ways in enumerate(above)]
    starts = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int32)
    columns = np.array([i for row in rows for i in row], dtype=np.int32)
    values = np.ones(len(columns), dtype=bool)
    return sparse.csr_matrix((values, columns, starts), shape=(len(terms), len(terms)))


def pairs(
    terms: Sequence[str], above: Sequence[Mapping[str, int]], information: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]:
    """Measure every pair of classes over the terms that are above both.

    Each term gives what it knows of all pairs below it: as much work as there are pairs below
    terms, not pairs of terms.

    Parameters
    ----------
    terms
        All terms, classes first.
    above
        What is above each class, with its distance.
    information
        Information content of each term.

    Returns
    -------
    distance
        Length of the shortest way up and down, 254 at most, 255 if there is none. Shape
        ``(n_classes, n_classes)``.
    lin
        ``2 IC(c) / (IC(a) + IC(b))`` with c the term above both that tells most (Lin 1998); 1 for
        a class and itself, 0 if nothing is above both. Shape ``(n_classes, n_classes)``.
    """
    n = len(above)
    below: dict[str, list[tuple[int, int]]] = {}
    for i, ways in enumerate(above):
        for term, distance in {terms[i]: 0, **ways}.items():
            below.setdefault(term, []).append((i, distance))
    shortest = np.full((n, n), _FAR, dtype=np.uint16)
    shared = np.zeros((n, n))
    for place in np.argsort(information, kind="stable"):  # whoever tells more has the last word
        classes, ways_up = np.array(below[terms[place]], dtype=np.int64).T
        square = np.ix_(classes, classes)
        way = np.minimum(ways_up[:, None] + ways_up, _FAR - 1).astype(np.uint16)
        shortest[square] = np.minimum(shortest[square], way)
        shared[square] = information[place]
    both = information[:n, None] + information[:n]
    lin = np.divide(2 * shared, both, out=np.zeros((n, n)), where=both > 0)
    np.fill_diagonal(lin, 1.0)
    return shortest.astype(np.uint8), lin.astype(np.float16)
