"""What speaks for each candidate term of a label, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .ids import prefix_of
from .label_sources import SOURCES, Entries, add_confirmed, add_names
from .organs import OrganWords, organ_words
from .terms import ontology
from .wording import Wording, tokens, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .label_evidence import Evidence
    from .label_index import LabelIndex

    _Floats: TypeAlias = npt.NDArray[np.float32]
    _Codes: TypeAlias = npt.NDArray[np.int64]

__all__ = ["FEATURES", "Candidates", "find_candidates"]

N_CANDIDATES = 12

FEATURES = (
    *SOURCES,
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
    "same_below",
    "same_above",
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
    entries = Entries()
    add_names(entries, words, index)
    votes: Any = None
    like_any = np.zeros(len(labels), dtype=np.float32)
    organs = organ_words()
    given = organs.of_tissue(tissue) if tissue else frozenset()
    where = [given | organs.of(w.context) for w in words]
    if evidence is not None:
        votes = add_confirmed(entries, words, where, evidence, like_any, len(index.ids))
    pairs, sources = entries.pivot(len(index.ids))
    rows, codes = np.divmod(pairs, len(index.ids))
    guess = sources @ np.array([_FIRST_GUESS.get(name, 0.0) for name in SOURCES], np.float32)
    kept, rank, gap = _best(rows, guess, n_candidates)
    rows, codes, sources = rows[kept], codes[kept], sources[kept]
    features = np.zeros((len(rows), len(FEATURES)), dtype=np.float32)
    features[:, : len(SOURCES)] = sources
    found = Candidates(rows=rows, codes=codes, features=features)
    if not len(rows):
        return found
    found.column("rank")[:] = rank
    found.column("gap")[:] = gap
    found.column("has_memory")[:] = evidence is not None
    found.column("like_any_confirmed")[:] = like_any[rows]
    found.column("n_parts")[:] = np.array([w.n_parts for w in words], dtype=np.float32)[rows]
    found.column("n_words")[:] = np.array([len(w.core.split()) for w in words])[rows]
    _describe_terms(found, words, index)
    _compare_words(found, words, index)
    _compare_organs(found, words, where, index, organs)
    _compare_kin(found, index, len(words))
    if evidence is not None:
        _weigh_memory(found, where, evidence, votes, index)
    return found


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


def _compare_kin(found: Candidates, index: LabelIndex, n_labels: int) -> None:
    """Tell whether a part of the label names a term below, or above: Immune (B lymphocytes)."""
    from scipy import sparse

    parts = ("same_core", "same_head", "same_tail", "same_plain")
    is_named = np.maximum.reduce([found.column(part) for part in parts]) >= 1
    shape = (n_labels, len(index.ids))
    ones = np.ones(int(is_named.sum()), dtype=np.float32)
    named: Any = sparse.csr_array(
        (ones, (found.rows[is_named], found.codes[is_named])), shape=shape
    )
    for name, kin in (("same_below", index.above), ("same_above", index.above.T.tocsr())):
        sums = (named @ kin).tocsr()
        found.column(name)[:] = np.asarray(sums[found.rows, found.codes]).ravel() > 0


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
