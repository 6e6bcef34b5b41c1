"""The names of a vocabulary, to be searched by likeness."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .fields import Vocabulary, one_meaning, vocabulary
from .ids import prefix_of
from .terms import ontology
from .wording import name_forms, tokens, word_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

__all__ = ["LabelIndex", "Strings", "label_index"]

_N_HITS = 24
_MIN_LIKENESS = 0.1
_EMPTY_WORDS = frozenset({"cell", "of", "the"})


class Strings:
    """Texts that can be searched by likeness of letters and of words.

    Likeness is the cosine of tf-idf weights, of 3- and 4-letter sequences within words and of
    whole words.

    Parameters
    ----------
    texts
        What to search in, distinct, worded as `wording` does.
    like
        Whose weights to use; those of `texts` by default.
    """

    def __init__(self, texts: Sequence[str], *, like: Strings | None = None) -> None:
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.texts = list(texts)
        if like is None:
            # preprocessing is ours: no lower-casing, no token pattern
            letters = TfidfVectorizer(
                analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, dtype=np.float32
            )
            words = TfidfVectorizer(analyzer=str.split, sublinear_tf=True, dtype=np.float32)
            by_letters = letters.fit_transform(_bare(self.texts))
            by_words = words.fit_transform(self.texts)
            self._letters, self._words = letters, words
            self.word_weights = dict(zip(words.get_feature_names_out(), words.idf_, strict=True))
            self.unknown_weight = float(words.idf_.max()) if len(words.idf_) else 1.0
        else:
            self._letters, self._words = like._letters, like._words
            self.word_weights, self.unknown_weight = like.word_weights, like.unknown_weight
            by_letters = self._letters.transform(_bare(self.texts))
            by_words = self._words.transform(self.texts)
        self._by_letters = by_letters.T.tocsr()
        self._by_words = by_words.T.tocsr()

    def like_letters(self, texts: Sequence[str], n: int = _N_HITS) -> Any:
        """Find what is alike in letters: CSR of likeness, ``(len(texts), len(self.texts))``."""
        return _top(self._letters.transform(_bare(texts)), self._by_letters, n)

    def like_words(self, texts: Sequence[str], n: int = _N_HITS) -> Any:
        """Find what is alike in words: CSR of likeness, ``(len(texts), len(self.texts))``."""
        return _top(self._words.transform(texts), self._by_words, n)

    def weigh(self, words: frozenset[str]) -> float:
        """Sum the weights of words."""
        # exact, so that the order of a set, which changes with the hash seed, does not matter
        return math.fsum(self.word_weights.get(word, self.unknown_weight) for word in words)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelIndex:
    """Names and synonyms of a vocabulary, in all their forms, and facts about its terms."""

    vocabulary: Vocabulary
    ids: tuple[str, ...]
    """Term ids, sorted; a term's place is its code."""
    strings: Strings
    code_of_string: npt.NDArray[np.int32]
    """Code of the term each string names. Shape ``(n_strings,)``."""
    first_string: npt.NDArray[np.int32]
    """The string of each term's name. Shape ``(n_terms,)``."""
    exact: dict[str, tuple[int, ...]]
    """Codes by string."""
    keyed: dict[str, tuple[int, ...]]
    """Codes by `word_key` of the strings."""
    unspaced: dict[str, tuple[int, ...]]
    """Codes by string without blanks: some write skeletalmuscle."""
    n_below: npt.NDArray[np.float32]
    """Terms below each term of the vocabulary. Shape ``(n_terms,)``."""
    depth: npt.NDArray[np.float32]
    """Steps to the root. Shape ``(n_terms,)``."""
    above: Any
    """CSR, ``(n_terms, n_terms)``: 1 where the column is an ancestor of the row."""
    label_words: tuple[frozenset[str], ...]
    """Words of each term's name."""


@cache
def label_index(field: str, organism: str | None, schema: str | None) -> LabelIndex:
    """Index a vocabulary, once per process.

    Parameters
    ----------
    field, organism, schema
        As for `vocabulary`; organism as a taxon id.

    Returns
    -------
    The index.
    """
    import numpy as np
    from scipy import sparse

    known = vocabulary(field, organism, schema=schema)
    ids = tuple(sorted(known.labels))
    texts: dict[str, set[int]] = defaultdict(set)
    first: list[str] = []
    for code, term_id in enumerate(ids):
        store = ontology(prefix_of(term_id), schema=schema)
        first.append(name_forms(known.labels[term_id])[0] if tokens(known.labels[term_id]) else "")
        for name in (known.labels[term_id], *store.synonyms(term_id)):
            for form in name_forms(name):
                texts[form].add(code)
    # a term of fish, fly or worm that says it is one of CL or UBERON with that name is that one
    for text, shared in texts.items():
        if len(shared) > 1:
            kept = set(one_meaning(tuple(ids[code] for code in shared), schema))
            texts[text] = {code for code in shared if ids[code] in kept}
    # one row per string and term: several terms may share a string
    rows = [(text, code) for text in sorted(texts) for code in sorted(texts[text])]
    keyed: dict[str, set[int]] = defaultdict(set)
    for text, code in rows:
        keyed[word_key(text)].add(code)
    unspaced: dict[str, set[int]] = defaultdict(set)
    for text, code in rows:
        unspaced[text.replace(" ", "")].add(code)
    place = {row: i for i, row in enumerate(rows)}
    code_of = {term_id: code for code, term_id in enumerate(ids)}
    ancestors = [ontology(prefix_of(term_id), schema=schema).ancestors(term_id) for term_id in ids]
    pairs = [(i, code_of[a]) for i, above in enumerate(ancestors) for a in above if a in code_of]
    lower, upper = np.array(pairs or np.empty((0, 2)), dtype=np.int64).reshape(-1, 2).T
    above = sparse.csr_matrix(
        (np.ones(len(pairs), dtype=np.float32), (lower, upper)), shape=(len(ids), len(ids))
    )
    return LabelIndex(
        vocabulary=known,
        ids=ids,
        strings=Strings([text for text, _ in rows]),
        code_of_string=np.array([code for _, code in rows], dtype=np.int32),
        first_string=np.array(
            [place.get((text, code), 0) for code, text in enumerate(first)], dtype=np.int32
        ),
        exact={text: tuple(sorted(codes)) for text, codes in texts.items()},
        unspaced={text: tuple(sorted(codes)) for text, codes in unspaced.items()},
        keyed={key: tuple(sorted(codes)) for key, codes in keyed.items()},
        n_below=np.bincount(upper, minlength=len(ids)).astype(np.float32),
        depth=np.array(
            [ontology(prefix_of(i), schema=schema).depth(i) for i in ids], dtype=np.float32
        ),
        above=above,
        label_words=tuple(frozenset(text.split()) for text in first),
    )


def _bare(texts: Sequence[str]) -> list[str]:
    """Leave words out that nearly every name has."""
    return [" ".join(w for w in text.split() if w not in _EMPTY_WORDS) or text for text in texts]


def _top(queries: Any, by_feature: Any, n: int) -> Any:
    from sparse_dot_topn import sp_matmul_topn

    return sp_matmul_topn(queries, by_feature, top_n=n, threshold=_MIN_LIKENESS, sort=True)
