"""What speaks for each candidate term of a label, in numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .ids import prefix_of
from .label_index import LabelIndex, Strings
from .organs import OrganWords, organ_words
from .terms import ontology
from .wording import VIEWS, Wording, tokens, word_key, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .label_memory import Confirmed

    _Floats: TypeAlias = npt.NDArray[np.float32]
    _Codes: TypeAlias = npt.NDArray[np.int64]

__all__ = ["FEATURES", "Candidates", "Evidence", "find_candidates", "prepare_evidence"]

N_CANDIDATES = 12
_LIKE_TERMS = 8
_LIKE_LABELS = 20
_REMEMBERED = ("core", "soft", "head", "tail")
"""Forms of a label that are compared with confirmed labels word by word."""

# What each source says of a pair of label and term: the greatest of its values.
_SOURCES = (
    *(f"letters_{view}" for view in VIEWS),
    *(f"words_{view}" for view in VIEWS),
    *(f"same_{view}" for view in (*VIEWS, "plain")),
    "same_letters",
    *(f"confirmed_{view}" for view in _REMEMBERED),
    "confirmed_count",
    "confirmed_here",
    "like_confirmed",
    "vote",
)
_SOURCE = {name: number for number, name in enumerate(_SOURCES)}
_ADDED = frozenset({_SOURCE["vote"]})
"""Sources whose values are added up rather than compared."""

FEATURES = (
    *_SOURCES,
    "n_same",
    "share_of_label",
    "share_of_name",
    "label_left",
    "name_left",
    "prior",
    "prior_here",
    "organ_in_name",
    "organ_in_definition",
    "other_organs_in_name",
    "other_organs_in_definition",
    "n_below",
    "depth",
    "wrong_species",
    "vote_below",
    "vote_above",
    "cycling_unsaid",
    "n_parts",
    "has_memory",
    "rank",
    "gap",
    "like_any_confirmed",
    "n_words",
)
"""Names of the features, in order."""

# First guess by which candidates are kept; the model of `label_model` decides among them.
_FIRST_GUESS = {
    "letters_core": 0.25,
    "words_core": 0.25,
    "letters_soft": 0.1,
    "words_soft": 0.1,
    "letters_head": 0.07,
    "words_head": 0.07,
    "letters_tail": 0.07,
    "words_tail": 0.07,
    "letters_full": 0.07,
    "same_core": 1.0,
    "same_soft": 0.6,
    "same_head": 0.35,
    "same_tail": 0.35,
    "same_plain": 1.0,
    "same_letters": 0.8,
    "vote": 1.0,
    "confirmed_core": 0.6,
    "confirmed_soft": 0.3,
    "confirmed_head": 0.2,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Confirmed mappings of other datasets, ready to be asked."""

    strings: Strings
    codes: tuple[dict[int, int], ...]
    """Terms of each string, with how often they were confirmed."""
    keyed: dict[str, dict[str, dict[int, int]]]
    """By form and key: terms with how often they were confirmed."""
    places: dict[str, tuple[tuple[int, frozenset[int]], ...]]
    """By key of the core: term and organs of each confirmed label."""
    prior: _Floats
    """Log of how often each term was confirmed. Shape ``(n_terms,)``."""
    prior_here: dict[int, _Floats]
    """The same among the labels of an organ."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Pairs of a label and a term that may be its."""

    rows: _Codes
    """Label of each pair, ascending. Shape ``(n_pairs,)``."""
    codes: _Codes
    """Term of each pair. Shape ``(n_pairs,)``."""
    features: _Floats
    """Shape ``(n_pairs, len(FEATURES))``."""

    def column(self, name: str) -> _Floats:
        """Give one feature."""
        return self.features[:, FEATURES.index(name)]


def prepare_evidence(
    confirmed: Sequence[Confirmed], index: LabelIndex, *, field: str
) -> Evidence | None:
    """Index confirmed mappings; those whose term the field cannot hold are left out.

    Returns
    -------
    The evidence, None if there is none.
    """
    code_of = {term_id: code for code, term_id in enumerate(index.ids)}
    usable = [(c, code_of[c.term_id]) for c in confirmed if c.term_id in code_of]
    if not usable:
        return None
    organs = organ_words()
    here = _tissues(organs, [c.tissue for c, _ in usable])
    by_string: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    keyed: dict[str, dict[str, dict[int, int]]] = {
        view: defaultdict(lambda: defaultdict(int)) for view in _REMEMBERED
    }
    places: dict[str, list[tuple[int, frozenset[int]]]] = defaultdict(list)
    counts = np.zeros(len(index.ids))
    by_organ: dict[int, npt.NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(index.ids)))
    for (item, code), tissue in zip(usable, here, strict=True):
        words = wording(item.label, field=field)
        where = tissue | organs.of(words.context)
        for text in {words.core, words.full}:
            by_string[text][code] += 1
        for view in _REMEMBERED:
            keyed[view][word_key(getattr(words, view))][code] += 1
        places[word_key(words.core)].append((code, where))
        counts[code] += 1
        for organ in where:
            by_organ[organ][code] += 1
    texts = sorted(by_string)
    return Evidence(
        strings=Strings(texts, like=index.strings),
        codes=tuple(dict(by_string[text]) for text in texts),
        keyed={view: {key: dict(codes) for key, codes in d.items()} for view, d in keyed.items()},
        places={key: tuple(items) for key, items in places.items()},
        prior=np.log1p(counts).astype(np.float32),
        prior_here={o: np.log1p(c).astype(np.float32) for o, c in by_organ.items()},
    )


def find_candidates(
    labels: Sequence[str],
    index: LabelIndex,
    *,
    field: str,
    tissue: str | None,
    evidence: Evidence | None,
    n_candidates: int = N_CANDIDATES,
) -> Candidates:
    """Find terms that may be those of labels, and measure what speaks for each.

    Parameters
    ----------
    labels
        Distinct labels.
    index
        Of the vocabulary.
    field
        The field.
    tissue
        Where the cells are from.
    evidence
        What other datasets' labels were mapped to.
    n_candidates
        The most candidates of a label.

    Returns
    -------
    The candidates; a label that is like nothing has none.
    """
    words = [wording(label, field=field) for label in labels]
    entries = _Entries()
    votes = _add_names(entries, words, index)
    like_any = np.zeros(len(labels), dtype=np.float32)
    organs = organ_words()
    given = organs.of_tissue(tissue) if tissue else frozenset()
    where = [given | organs.of(w.context) for w in words]
    if evidence is not None:
        votes = _add_confirmed(entries, words, where, evidence, like_any, len(index.ids))
    pairs, sources = entries.pivot(len(index.ids))
    rows, codes = np.divmod(pairs, len(index.ids))
    guess = sources @ np.array([_FIRST_GUESS.get(name, 0.0) for name in _SOURCES], np.float32)
    kept, rank, gap = _best(rows, guess, n_candidates)
    rows, codes, sources = rows[kept], codes[kept], sources[kept]
    features = np.zeros((len(rows), len(FEATURES)), dtype=np.float32)
    features[:, : len(_SOURCES)] = sources
    found = Candidates(rows=rows, codes=codes, features=features)
    found.column("rank")[:] = rank
    found.column("gap")[:] = gap
    found.column("has_memory")[:] = evidence is not None
    found.column("like_any_confirmed")[:] = like_any[rows]
    found.column("n_parts")[:] = np.array([w.n_parts for w in words], dtype=np.float32)[rows]
    found.column("n_words")[:] = np.array([len(w.core.split()) for w in words])[rows]
    _describe_terms(found, words, index)
    _compare_words(found, words, index)
    _compare_organs(found, words, where, index, organs)
    if evidence is not None:
        _weigh_memory(found, where, evidence, votes, index)
    return found


class _Entries:
    """What sources say of pairs of label and term, collected, then brought into one table."""

    def __init__(self) -> None:
        self.parts: list[tuple[_Codes, _Codes, int, _Floats]] = []

    def add(self, rows: Any, codes: Any, source: str, values: Any) -> None:
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
        table = np.zeros((len(pairs), len(_SOURCES)), dtype=np.float32)
        start = 0
        for key, (_, _, source, values) in zip(keys, self.parts, strict=True):
            at = places[start : start + len(key)]
            start += len(key)
            combine = np.add if source in _ADDED else np.maximum
            combine.at(table[:, source], at, values)
        return pairs, table


def _add_names(entries: _Entries, words: Sequence[Wording], index: LabelIndex) -> Any:
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
            entries.add(near.row, index.code_of_string[near.col], f"{kind}_{view}", near.data)
    for view in (*VIEWS, "plain"):
        rows, codes, values = [], [], []
        for row, w in enumerate(words):
            text = getattr(w, view)
            same = index.exact.get(text, ())
            for code in same:
                rows.append(row), codes.append(code), values.append(1.0)
            for code in index.keyed.get(word_key(text), ()):
                if code not in same:
                    rows.append(row), codes.append(code), values.append(0.7)
        entries.add(rows, codes, f"same_{view}", values)
    unspaced = [
        (row, code)
        for row, w in enumerate(words)
        for code in index.unspaced.get(w.plain.replace(" ", ""), ())
    ]
    entries.add(
        [r for r, _ in unspaced], [c for _, c in unspaced], "same_letters", np.ones(len(unspaced))
    )


def _first(hits: Any, n: int) -> Any:
    """Keep the first `n` of each row of a COO matrix made from sorted rows."""
    from scipy import sparse

    starts = np.concatenate([[0], np.cumsum(np.bincount(hits.row, minlength=hits.shape[0]))])
    keep = np.arange(hits.nnz) - starts[hits.row] < n
    return sparse.coo_matrix((hits.data[keep], (hits.row[keep], hits.col[keep])), shape=hits.shape)


def _add_confirmed(
    entries: _Entries,
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
    all_votes = sparse.csr_matrix((len(words), n_terms), dtype=np.float32)
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
        entries.add(rows, codes[at], "vote", votes)
        entries.add(rows, codes[at], "like_confirmed", likeness)
        all_votes = all_votes + sparse.csr_matrix(
            (votes, (rows, codes[at])), shape=(len(words), n_terms)
        )
    for view in _REMEMBERED:
        rows_, codes_, shares, numbers = [], [], [], []
        for row, w in enumerate(words):
            found = evidence.keyed[view].get(word_key(getattr(w, view)))
            if found:
                total_count = sum(found.values())
                for code, n in found.items():
                    rows_.append(row), codes_.append(code)
                    shares.append(n / (total_count + 0.5)), numbers.append(np.log1p(n))
        entries.add(rows_, codes_, f"confirmed_{view}", shares)
        if view == "core":
            entries.add(rows_, codes_, "confirmed_count", numbers)
    _add_confirmed_here(entries, words, where, evidence)
    return all_votes


def _add_confirmed_here(
    entries: _Entries,
    words: Sequence[Wording],
    where: Sequence[frozenset[int]],
    evidence: Evidence,
) -> None:
    """Say which terms the same label was confirmed as among cells of the same organ."""
    rows, codes, shares = [], [], []
    for row, (w, organs) in enumerate(zip(words, where, strict=True)):
        if not organs:
            continue
        near: dict[int, int] = defaultdict(int)
        for code, others in evidence.places.get(word_key(w.core), ()):
            if organs & others:
                near[code] += 1
        for code, n in near.items():
            rows.append(row), codes.append(code)
            shares.append(n / (sum(near.values()) + 0.5))
    entries.add(rows, codes, "confirmed_here", shares)


def _best(rows: _Codes, guess: _Floats, n: int) -> tuple[_Codes, _Codes, _Floats]:
    """Find the `n` best pairs of each row: their places ascending, ranks, and gaps to the best."""
    order = np.lexsort((-guess, rows))
    in_order = rows[order]
    is_first = np.concatenate([[True], in_order[1:] != in_order[:-1]]) if len(rows) else rows > 0
    starts = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    rank = np.arange(len(rows)) - starts[group]
    gap = guess[order][starts[group]] - guess[order]
    keep = rank < n
    kept = order[keep]
    ascending = np.argsort(kept, kind="stable")
    return kept[ascending], rank[keep][ascending], gap[keep][ascending].astype(np.float32)


def _describe_terms(found: Candidates, words: Sequence[Wording], index: LabelIndex) -> None:
    codes = found.codes
    found.column("n_below")[:] = np.log1p(index.n_below[codes])
    found.column("depth")[:] = index.depth[codes]
    same = found.column("same_core") >= 1
    n_same = np.bincount(found.rows[same], minlength=len(words))
    found.column("n_same")[:] = np.where(same, n_same[found.rows], 0)
    organism = index.vocabulary.organism
    foreign = {"NCBITaxon:9606": {"mouse", "mmu"}, "NCBITaxon:10090": {"human"}}
    wrong = foreign.get(organism or "", set())
    is_foreign = np.array([bool(wrong & label) for label in index.label_words])
    found.column("wrong_species")[:] = is_foreign[codes]
    cycles = np.array(["cycling" in label for label in index.label_words])
    said = np.array(["cycling" in w.core.split() for w in words], dtype=np.bool_)
    found.column("cycling_unsaid")[:] = cycles[codes] & ~said[found.rows]


def _compare_words(found: Candidates, words: Sequence[Wording], index: LabelIndex) -> None:
    """Measure how much of the label is in the name, and of the name in the label."""
    weigh = index.strings.weigh
    names = [frozenset(index.strings.texts[s].split()) for s in index.first_string]
    labels = [frozenset(w.core.split()) for w in words]
    label_weight = np.array([weigh(label) for label in labels], dtype=np.float32)
    name_weight = np.array([weigh(name) for name in names], dtype=np.float32)
    shared = np.array(
        [
            weigh(labels[row] & names[code])
            for row, code in zip(found.rows.tolist(), found.codes.tolist(), strict=True)
        ],
        dtype=np.float32,
    )
    of_label, of_name = label_weight[found.rows], name_weight[found.codes]
    found.column("share_of_label")[:] = shared / np.maximum(of_label, 1e-6)
    found.column("share_of_name")[:] = shared / np.maximum(of_name, 1e-6)
    found.column("label_left")[:] = np.minimum(of_label - shared, 20) / 10
    found.column("name_left")[:] = np.minimum(of_name - shared, 20) / 10


def _compare_organs(
    found: Candidates,
    words: Sequence[Wording],
    where: Sequence[frozenset[int]],
    index: LabelIndex,
    organs: OrganWords,
) -> None:
    """Tell whether term and cells speak of the same organs."""
    said = [place | organs.of(w.core.split()) for place, w in zip(where, words, strict=True)]
    used, at = np.unique(found.codes, return_inverse=True)
    in_names = [organs.of(index.label_words[code]) for code in used]
    in_definitions = [organs.of(tokens(_definition(index, int(code)))) for code in used]
    here, spoken = organs.matrix(where)[found.rows], organs.matrix(said)[found.rows]
    for kind, sets in (("name", in_names), ("definition", in_definitions)):
        theirs = organs.matrix(sets)[at]
        common = np.asarray(theirs.multiply(here).sum(axis=1)).ravel()
        named = np.asarray(theirs.multiply(spoken).sum(axis=1)).ravel()
        size = np.diff(theirs.indptr)
        found.column(f"organ_in_{kind}")[:] = common > 0
        found.column(f"other_organs_in_{kind}")[:] = np.minimum(size - named, 3)


def _definition(index: LabelIndex, code: int) -> str:
    term_id = index.ids[code]
    return ontology(prefix_of(term_id), schema=index.vocabulary.schema).definition(term_id)


def _weigh_memory(
    found: Candidates,
    where: Sequence[frozenset[int]],
    evidence: Evidence,
    votes: Any,
    index: LabelIndex,
) -> None:
    """Measure how often terms were confirmed, and the votes for their kin."""
    found.column("prior")[:] = evidence.prior[found.codes]
    by_place: dict[frozenset[int], _Floats] = {}
    nothing = np.zeros(len(index.ids), dtype=np.float32)
    for organs in set(where):
        known = [evidence.prior_here[o] for o in organs if o in evidence.prior_here]
        by_place[organs] = np.maximum.reduce(known) if known else nothing
    bounds = np.searchsorted(found.rows, np.arange(len(where) + 1))
    prior_here = found.column("prior_here")
    for row, organs in enumerate(where):
        part = slice(bounds[row], bounds[row + 1])
        prior_here[part] = by_place[organs][found.codes[part]]
    for name, kin in (("vote_below", index.above), ("vote_above", index.above.T.tocsr())):
        sums = (votes @ kin).tocsr()
        found.column(name)[:] = np.asarray(sums[found.rows, found.codes]).ravel()


def _tissues(organs: OrganWords, tissues: Sequence[str]) -> list[frozenset[int]]:
    known = {tissue: organs.of_tissue(tissue) if tissue else frozenset() for tissue in set(tissues)}
    return [known[tissue] for tissue in tissues]
