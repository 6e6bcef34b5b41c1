"""From likeness to an answer: mapped, ambiguous with candidates, or unmapped."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .label_evidence import Evidence, prepare_evidence
from .label_features import Candidates, find_candidates
from .label_index import LabelIndex, label_index
from .label_memory import Confirmed
from .label_model import LabelModel, label_model
from .label_rules import EXACT, Finding, mapped
from .wording import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .fields import Vocabulary
    from .label_memory import Memory

__all__ = ["RANKED", "rank"]

RANKED = frozenset(
    {
        "cell_type",
        "tissue",
        "disease",
        "assay",
        "development_stage",
        "self_reported_ethnicity",
        "primary_cell_culture_tissue",
    }
)
"""Fields whose terms are looked for by likeness."""

_DECIDED = frozenset({"cell_type", "tissue", "disease", "primary_cell_culture_tissue"})
"""Fields where likeness may decide; elsewhere it only proposes: one digit is another assay."""

MAPPED_FROM = 0.75
"""Confidence from which a label is mapped: `benchmarks/labels.py` tells what it costs and brings."""
PROPOSED_FROM = 0.2
"""Confidence from which a label is ambiguous rather than unmapped."""

_CLOSE, _BROAD = "skos:closeMatch", "skos:broadMatch"
_SHOWN = 5
_CHUNK = 2_000
_TISSUE = "UBERON:0000479"
_BETWEEN = re.compile(r"/|,|;|\||\+|&|\band\b")


def rank(
    labels: Sequence[str],
    known: Vocabulary,
    *,
    tissue: str | None,
    past: Memory,
    model: LabelModel | None = None,
) -> list[Finding]:
    """Find the likeliest term of each label.

    Parameters
    ----------
    labels
        Labels that no rule knows.
    known
        Vocabulary; of a field that is not in `RANKED` nothing is found.
    tissue
        Where the cells are from.
    past
        What was decided and confirmed for other labels.
    model
        What weighs the evidence; the one that is shipped by default.

    Returns
    -------
    One finding per label. Methods: ``wording`` (the words are those of a name, whatever their
    order, number and abbreviations), ``confirmed`` (other datasets' curators said so),
    ``similar``, ``mixture`` (several tissues or diseases in one label).
    """
    if known.field not in RANKED or not known.labels:
        return [Finding(outcome="unmapped", method="none")] * len(labels)
    index = label_index(known.field, known.organism, known.schema)
    evidence = _evidence(past, index)
    model = label_model() if model is None else model
    found: list[Finding] = []
    for start in range(0, len(labels), _CHUNK):
        part = labels[start : start + _CHUNK]
        pairs = find_candidates(part, index, field=known.field, tissue=tissue, evidence=evidence)
        found += _decide(part, pairs, index, model)
    return found


def _evidence(past: Memory, index: LabelIndex) -> Evidence | None:
    """Make evidence of what was confirmed and decided for other labels."""
    decided = (Confirmed(label=t, term_id=i, tissue="") for t, i in past.decisions.items())
    return prepare_evidence((*past.confirmed, *decided), index, field=index.vocabulary.field)


def _decide(
    labels: Sequence[str], pairs: Candidates, index: LabelIndex, model: LabelModel
) -> list[Finding]:
    known = index.vocabulary
    scores = model.score(pairs.features)
    has_memory = bool(len(scores)) and bool(pairs.column("has_memory")[0])
    confidences = model.confidence(scores, has_memory=has_memory)
    order = np.lexsort((-scores, pairs.rows))
    bounds = np.searchsorted(pairs.rows[order], np.arange(len(labels) + 1))
    findings = []
    for row, label in enumerate(labels):
        if not any(letter.isalpha() for letter in label):  # the number of a cluster
            findings.append(Finding(outcome="unmapped", method="none"))
            continue
        mixture = _mixture(label, index)
        if mixture:
            findings.append(Finding(outcome="ambiguous", method="mixture", candidates=mixture))
            continue
        ranked = order[bounds[row] : bounds[row + 1]]
        if not len(ranked):
            findings.append(Finding(outcome="unmapped", method="none"))
            continue
        best = ranked[0]
        confidence = float(confidences[best])
        candidates = tuple(index.ids[pairs.codes[pair]] for pair in ranked[:_SHOWN])
        method, predicate = _reason(pairs, int(best))
        has_one_meaning = pairs.column("n_same")[best] <= 1
        if confidence >= MAPPED_FROM and known.field in _DECIDED and has_one_meaning:
            finding = mapped(candidates[0], known, method, confidence, predicate)
            findings.append(replace(finding, candidates=candidates))
        elif confidence >= PROPOSED_FROM:
            findings.append(Finding(outcome="ambiguous", method=method, candidates=candidates))
        else:
            findings.append(Finding(outcome="unmapped", method="none", candidates=candidates))
    return findings


def _reason(pairs: Candidates, pair: int) -> tuple[str, str]:
    """Tell what speaks for a pair most, and how label and term relate."""

    def says(*names: str) -> bool:
        return any(pairs.column(name)[pair] >= 1 for name in names)

    if says("same_plain", "same_full", "same_core", "same_letters"):
        return "wording", EXACT
    if says("same_soft", "same_head"):
        return "wording", _BROAD  # the label says more than the term
    if pairs.column("confirmed_core")[pair] > 0:
        return "confirmed", _CLOSE
    return "similar", _CLOSE


def _mixture(label: str, index: LabelIndex) -> tuple[str, ...]:
    """Name the terms of a label that names several, none of which is part of another."""
    field = index.vocabulary.field
    if field not in ("tissue", "disease") or not _BETWEEN.search(label):
        return ()
    codes: list[int] = []
    for part in _BETWEEN.split(label):
        words = wording(part, field=field)
        same = index.exact.get(words.core) or index.exact.get(words.full) or ()
        if len(same) != 1:
            return ()
        codes += [code for code in same if code not in codes]
    if len(codes) < 2 or index.above[codes][:, codes].nnz:
        return ()
    whole = (_TISSUE,) if field == "tissue" and _TISSUE in index.vocabulary else ()
    return (*whole, *(index.ids[code] for code in codes))
