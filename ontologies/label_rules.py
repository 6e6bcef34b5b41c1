"""Rules that need no likeness: ids, names, what is missing, what has a name of its own."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from .ages import parse_age, stages_of_age
from .fields import CELL_LINE_TISSUE, Vocabulary, vocabulary
from .ids import PREFIXES, ids_in, normal_id, prefix_of
from .sssom_slots import NO_TERM
from .terms import current_id, fold, ontology_of
from .wording import tokens

__all__ = ["EXACT", "Finding", "by_rules", "mapped", "remembered"]

Outcome: TypeAlias = Literal["mapped", "ambiguous", "unmapped"]

EXACT = "skos:exactMatch"
_JOINT = " || "
_SYNONYM_CONFIDENCE = 0.95
_KNOWN_NAMES = Path(__file__).resolve().parent / "data" / "known_names.tsv"

# As tables of sample metadata spell it, and what programs write.
_MISSING = frozenset(
    {
        "",
        "-",
        "--",
        ".",
        "?",
        "<na>",
        "missing",
        "n.a.",
        "n/a",
        "na",
        "nan",
        "nat",
        "nd",
        "no data",
        "none",
        "not annotated",
        "not applicable",
        "not available",
        "not collected",
        "not determined",
        "not known",
        "not mentioned",
        "not provided",
        "not recorded",
        "not reported",
        "not specified",
        "null",
        "other",
        "tbd",
        "unannotated",
        "unassigned",
        "unavailable",
        "unclassified",
        "undefined",
        "undetermined",
        "unidentified",
        "unknown",
        "unlabeled",
        "unlabelled",
        "unspecified",
        "unsure",
    }
)
_MIGRATED = MappingProxyType({"tissue_type": {"cell culture": "primary cell culture"}})
_TAXA = "NCBITaxon"
_NORMAL = "PATO:0000461"
_HEALTHY = frozenset(
    [
        *(
            "control",
            "ctl",
            "ctrl",
            "healthy",
            "normal",
            "nondiseased",
            "undiseased",
            "disease-free",
        ),
        *("unaffected", "uninfected", "uninjured"),
    ]
)
# Words that may stand beside them and change nothing.
_BYSTANDERS = frozenset(
    [
        *("adult", "age", "child", "control", "donor", "fetal", "fetus", "human", "individual"),
        *("matched", "non", "not", "old", "patient", "pediatric", "sample", "state", "status"),
        *("subject", "tissue", "volunteer", "young", "disease", "diseased", "free", "no"),
    ]
)
_DENIALS = frozenset({"disease", "diseased", "free", "no", "non", "not", "patient"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found for one label."""

    outcome: Outcome
    method: str
    term_id: str | None = None
    term_label: str | None = None
    predicate: str = ""
    confidence: float = 0.0
    candidates: tuple[str, ...] = ()


def by_rules(text: str | None, known: Vocabulary) -> Finding | None:
    """Ask the rules, in the order that `map_labels` tells; None if none knows the label."""
    if text is None:
        return Finding(outcome="unmapped", method="missing")
    return (
        _special(text, known)
        or _missing(text)
        or _migrated(text, known)
        or _by_ids(text, known)
        or _by_name(text, known)
        or _by_known_name(text, known)
        or _by_synonym(text, known)
        or _by_line(text, known)
        or _by_parts(text, known)
        or _embedded(text, known)
        or _healthy(text, known)
        or _by_age(text, known)
    )


def remembered(term_id: str, known: Vocabulary) -> Finding | None:
    """Turn what a curator decided into a finding; None if the field cannot hold it."""
    if term_id == NO_TERM:
        return Finding(outcome="unmapped", method="memory")
    finding = _special(term_id, known) or _by_ids(term_id, known)
    if finding is None or finding.outcome != "mapped":
        return None
    return replace(finding, method="memory")


def mapped(
    term_id: str, known: Vocabulary, method: str, confidence: float = 1.0, predicate: str = EXACT
) -> Finding:
    """Say that a label is a term."""
    return Finding(
        outcome="mapped",
        method=method,
        term_id=term_id,
        term_label=known.labels[term_id],
        predicate=predicate,
        confidence=confidence,
        candidates=(term_id,),
    )


def _special(text: str, known: Vocabulary) -> Finding | None:
    if text not in known.specials:
        return None
    return Finding(
        outcome="mapped",
        method="special",
        term_id=text,
        term_label=text,
        predicate=EXACT,
        confidence=1.0,
    )


def _missing(text: str) -> Finding | None:
    is_missing = fold(text.replace("_", " ")) in _MISSING
    return Finding(outcome="unmapped", method="missing") if is_missing else None


def _migrated(text: str, known: Vocabulary) -> Finding | None:
    term_id = _MIGRATED.get(known.field, {}).get(fold(text))
    return None if term_id is None else mapped(term_id, known, "schema_migration")


def _by_ids(text: str, known: Vocabulary) -> Finding | None:
    """Map a text that is an id, or several ids of a field that may hold several."""
    if text in known:
        return mapped(text, known, "id")
    one = normal_id(text)
    if one is not None:
        return _by_id(one, known)
    parts = [normal_id(part) for part in text.replace("||", ",").split(",")]
    ids = [part for part in parts if part is not None]
    if not known.several or len(ids) < len(parts):
        return None
    return _joined([_by_id(i, known) for i in ids])


def _by_id(term_id: str, known: Vocabulary) -> Finding:
    if term_id in known:
        return mapped(term_id, known, "id")
    current = current_id(term_id, schema=known.schema)
    if current is not None:
        if current in known:
            return mapped(current, known, "id_replaced")
        return Finding(outcome="unmapped", method="wrong_vocabulary")
    store = ontology_of(term_id, schema=known.schema)
    prefix = prefix_of(term_id)
    if store is None or prefix == _TAXA:  # of taxa we hold only our own
        is_foreign = prefix in PREFIXES
        return Finding(
            outcome="unmapped", method="wrong_vocabulary" if is_foreign else "unknown_id"
        )
    if term_id not in store:
        return Finding(outcome="unmapped", method="unknown_id")
    considered = (current_id(i, schema=known.schema) for i in store.consider(term_id))
    candidates = tuple(dict.fromkeys(i for i in considered if i is not None and i in known))
    return Finding(outcome="unmapped", method="obsolete", candidates=candidates)


def _by_name(text: str, known: Vocabulary) -> Finding | None:
    for spelling in _spellings(text):
        ids = known.index.get(spelling, ())
        named = tuple(i for i in ids if fold(known.labels[i]) == spelling)
        if named and len(ids) == 1:
            return mapped(ids[0], known, "name")
        if named:  # others have it as a synonym
            return Finding(outcome="ambiguous", method="name", candidates=ids)
    return None


def _by_synonym(text: str, known: Vocabulary) -> Finding | None:
    for spelling in _spellings(text):
        ids = known.index.get(spelling, ())
        if len(ids) == 1:
            return mapped(ids[0], known, "synonym", _SYNONYM_CONFIDENCE)
        if ids:
            return Finding(outcome="ambiguous", method="synonym", candidates=ids)
    return None


def _spellings(text: str) -> tuple[str, str]:
    return fold(text), fold(text.replace("_", " "))


def _by_parts(text: str, known: Vocabulary) -> Finding | None:
    if not known.several or _JOINT not in text:
        return None
    parts = [by_rules(part.strip(), known) for part in text.split(_JOINT)]
    nothing = Finding(outcome="unmapped", method="none")
    return _joined([part or nothing for part in parts])


def _joined(parts: list[Finding]) -> Finding:
    """Join the findings of the parts of a label: mapped if all are, and all may stand together."""
    ids = {part.term_id: part for part in parts if part.term_id is not None}
    candidates = tuple(sorted(ids))
    if not ids:
        return max(parts, key=lambda part: part.outcome == "ambiguous")
    weakest = min(parts, key=lambda part: part.confidence)
    # normal beside a disease contradicts itself, and so does unknown beside anything
    may_stand = len(ids) == 1 or not any(i.startswith("PATO:") or ":" not in i for i in candidates)
    if weakest.outcome != "mapped" or not may_stand:
        return Finding(outcome="ambiguous", method=weakest.method, candidates=candidates)
    return replace(
        weakest,
        term_id=_JOINT.join(candidates),
        term_label=_JOINT.join(str(ids[i].term_label) for i in candidates),
        candidates=(_JOINT.join(candidates),),
    )


def _embedded(text: str, known: Vocabulary) -> Finding | None:
    found = (current_id(i, schema=known.schema) for i in ids_in(text))
    candidates = tuple(dict.fromkeys(i for i in found if i is not None and i in known))
    if not candidates:
        return None
    return Finding(outcome="ambiguous", method="embedded_id", candidates=candidates)


def _by_known_name(text: str, known: Vocabulary) -> Finding | None:
    """Look a name up that no ontology has: ``3_prime_gex``."""
    ids = [i for i in _known_names().get((known.field, squeeze(text)), ()) if i in known]
    if not ids:
        return None
    if len(ids) == 1:
        return mapped(ids[0], known, "known_name", _SYNONYM_CONFIDENCE)
    return Finding(outcome="ambiguous", method="known_name", candidates=tuple(ids))


def _by_line(text: str, known: Vocabulary) -> Finding | None:
    """Find a cell line whatever signs its name is written with: A549, A-549."""
    if known.field != CELL_LINE_TISSUE:
        return None
    ids = _lines(known.schema).get(squeeze(text), ())
    if len(ids) == 1:
        return mapped(ids[0], known, "wording", _SYNONYM_CONFIDENCE)
    return Finding(outcome="ambiguous", method="wording", candidates=ids) if ids else None


@cache
def _lines(schema: str | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for term_id, name in vocabulary(CELL_LINE_TISSUE, schema=schema).labels.items():
        key = squeeze(name)
        found[key] = (*found.get(key, ()), term_id)
    found.pop("", None)
    return found


def squeeze(text: str) -> str:
    """Write a name so that blanks, signs and the ways to write a prime do not matter.

    Examples
    --------
    >>> squeeze("10x 3' v3.1") == squeeze("10X_3prime_v3-1")
    True
    """
    primes = re.sub(r"(?<=\d)\s*[\u2019\u2032'`\u00b4]", "prime", text.casefold())
    return re.sub("[^a-z0-9]", "", primes)


def _healthy(text: str, known: Vocabulary) -> Finding | None:
    """Read the ways to say that there is no disease."""
    if _NORMAL not in known:
        return None
    words = set(tokens(text.replace("-", " ")))
    denies = bool(words & {"no", "non", "not"} and words & {"disease", "diseased"}) or (
        {"disease", "free"} <= words
    )
    says = words & _HEALTHY
    if not (says or denies) or words - _HEALTHY - _BYSTANDERS:
        return None
    if not denies and words & _DENIALS:  # "not normal", "control disease"
        return None
    return mapped(_NORMAL, known, "known_name", _SYNONYM_CONFIDENCE)


def _by_age(text: str, known: Vocabulary) -> Finding | None:
    if known.field != "development_stage":
        return None
    age = parse_age(text)
    if age is None:
        return None
    stages = stages_of_age(age, known)
    if len(stages) == 1 and age.unit is not None:
        return mapped(stages[0], known, "age")
    outcome: Outcome = "ambiguous" if stages else "unmapped"
    return Finding(outcome=outcome, method="age", candidates=stages)


@cache
def _known_names() -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    with _KNOWN_NAMES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            found[row["field"], squeeze(row["text"])] = tuple(row["term_ids"].split("|"))
    return found
