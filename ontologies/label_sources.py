"""What names of terms and confirmed labels say of pairs of a label and a term."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .label_evidence import REMEMBERED, Evidence
from .wording import VIEWS, Wording, word_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .label_index import LabelIndex

    _Floats: TypeAlias = npt.NDArray[np.float32]
    _Codes: TypeAlias = npt.NDArray[np.int64]

__all__ = ["SOURCES", "Entries", "add_confirmed", "add_names"]

_LIKE_TERMS = 8
_LIKE_LABELS = 20
_SAME_WORDS = 0.7
"""How much it counts that words are the same in another order."""

# What each source says of a pair of label and term: the greatest of its values.
SOURCES = (
    *(f"letters_{view}" for view in VIEWS),
    *(f"words_{view}" for view in VIEWS),
    *(f"same_{view}" for view in (*VIEWS, "plain")),
    "same_letters",
    *(f"confirmed_{view}" for view in REMEMBERED),
    "confirmed_count",
    "confirmed_here",
    "like_confirmed",
    "vote",
)
_SOURCE = {name: number for number, name in enumerate(SOURCES)}
_ADDED = frozenset({_SOURCE["vote"]})
"""Sources whose values are added up rather than compared."""


class Entries:
    """What sources say of pairs of label and term, collected, then brought into one table."""

    def __init__(self) -> None:
        self.parts: list[tuple[_Codes, _Codes, int, _Floats]] = []

    def add(self, source: str, rows: Any, codes: Any, values: Any) -> None:
        """Say that pairs of `rows` and `codes` have `values` by a source."""
        self.parts.append(
            (
                np.asarray(rows, dtype=np.int64),
                np.asarray(codes, dtype=np.int64),
                _SOURCE[source],
                np.asarray(values, dtype=np.float32),
            )
        )

    def pivot(self, n_terms: int) -> tuple[_Codes, _Floats]:
        """Give the distinct pairs, ascending, and one row of sources for each."""
        keys = [rows * n_terms + codes for rows, codes, _, _ in self.parts]
        pairs, places = np.unique(np.concatenate(keys), return_inverse=True)
        table = np.zeros((len(pairs), len(SOURCES)), dtype=np.float32)
        start = 0
        for key, (_, _, source, values) in zip(keys, self.parts, strict=True):
            at = places[start : start + len(key)]
            start += len(key)
            combine = np.add if source in _ADDED else np.maximum
            combine.at(table[:, source], at, values)
        return pairs, table


def add_names(entries: Entries, words: Sequence[Wording], index: LabelIndex) -> None:
    """Compare every form of the labels with the names of terms."""
    views = {view: [getattr(w, view) for w in words] for view in VIEWS}
    texts = sorted({text for column in views.values() for text in column})
    place = {text: i for i, text in enumerate(texts)}
    for kind, search in (
        ("letters", index.strings.like_letters),
        ("words", index.strings.like_words),
    ):
        hits = search(texts)
        for view, column in views.items():
            picked = hits[[place[text] for text in column]].tocoo()
            n = _LIKE_TERMS if view in ("head", "tail", "full") else None
            near = picked if n is None else _first(picked, n)
            entries.add(f"{kind}_{view}", near.row, index.code_of_string[near.col], near.data)
    for view in (*VIEWS, "plain"):
        found: list[tuple[int, int, float]] = []
        for row, w in enumerate(words):
            text = getattr(w, view)
            same = index.exact.get(text, ())
            found += [(row, code, 1.0) for code in same]
            alike = index.keyed.get(word_key(text), ())
            found += [(row, code, _SAME_WORDS) for code in alike if code not in same]
        entries.add(f"same_{view}", *_columns(found))
    unspaced = [
        (row, code, 1.0)
        for row, w in enumerate(words)
        for code in index.unspaced.get(w.plain.replace(" ", ""), ())
    ]
    entries.add("same_letters", *_columns(unspaced))


def _columns(found: Sequence[tuple[int, int, float]]) -> tuple[Any, ...]:
    return tuple(zip(*found, strict=True)) if found else ((), (), ())


def _first(hits: Any, n: int) -> Any:
    """Keep the first `n` of each row of a COO matrix made from sorted rows."""
    from scipy import sparse

    starts = np.concatenate([[0], np.cumsum(np.bincount(hits.row, minlength=hits.shape[0]))])
    keep = np.arange(hits.nnz) - starts[hits.row] < n
    return sparse.coo_matrix((hits.data[keep], (hits.row[keep], hits.col[keep])), shape=hits.shape)


def add_confirmed(
    entries: Entries,
    words: Sequence[Wording],
    where: Sequence[frozenset[int]],
    evidence: Evidence,
    like_any: _Floats,
    n_terms: int,
) -> Any:
    """Compare labels with confirmed labels; give each label's votes by term."""
    from scipy import sparse

    sizes = np.array([len(codes) for codes in evidence.codes], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    codes = np.array([c for found in evidence.codes for c in found], dtype=np.int64)
    counts = np.array([n for found in evidence.codes for n in found.values()], dtype=np.float32)
    all_votes: Any = sparse.csr_array((len(words), n_terms), dtype=np.float32)
    for view in ("core", "full"):
        texts = [getattr(w, view) for w in words]
        like = (
            evidence.strings.like_letters(texts, _LIKE_LABELS)
            + evidence.strings.like_words(texts, _LIKE_LABELS)
        ) * 0.5
        hits = like.tocoo()
        np.maximum.at(like_any, hits.row, hits.data)
        repeat = sizes[hits.col]
        rows = np.repeat(hits.row, repeat).astype(np.int64)
        offset = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat)
        at = np.repeat(starts[hits.col], repeat) + offset
        likeness = np.repeat(hits.data, repeat)
        weights = np.where(likeness > 0.2, likeness**4 * counts[at], 0).astype(np.float32)
        total = np.bincount(rows, weights=weights, minlength=len(words)) + 0.05
        votes = (weights / (2 * total[rows])).astype(np.float32)
        entries.add("vote", rows, codes[at], votes)
        entries.add("like_confirmed", rows, codes[at], likeness)
        all_votes = all_votes + sparse.csr_array(
            (votes, (rows, codes[at])), shape=(len(words), n_terms)
        )
    for view in REMEMBERED:
        shares: list[tuple[int, int, float]] = []
        numbers: list[tuple[int, int, float]] = []
        for row, w in enumerate(words):
            known = evidence.keyed[view].get(word_key(getattr(w, view)), {})
            whole = sum(known.values()) + 0.5
            shares += [(row, code, n / whole) for code, n in known.items()]
            numbers += [(row, code, math.log1p(n)) for code, n in known.items()]
        entries.add(f"confirmed_{view}", *_columns(shares))
        if view == "core":
            entries.add("confirmed_count", *_columns(numbers))
    _add_confirmed_here(entries, words, where, evidence)
    return all_votes


def _add_confirmed_here(
    entries: Entries,
    words: Sequence[Wording],
    where: Sequence[frozenset[int]],
    evidence: Evidence,
) -> None:
    """Say which terms the same label was confirmed as among cells of the same organ."""
    found: list[tuple[int, int, float]] = []
    for row, (w, organs) in enumerate(zip(words, where, strict=True)):
        if not organs:
            continue
        near: dict[int, int] = defaultdict(int)
        for code, others in evidence.places.get(word_key(w.core), ()):
            if organs & others:
                near[code] += 1
        whole = sum(near.values()) + 0.5
        found += [(row, code, n / whole) for code, n in near.items()]
    entries.add("confirmed_here", *_columns(found))
