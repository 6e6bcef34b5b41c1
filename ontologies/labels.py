"""From what an author wrote to a term, or to the reason why not."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from .fields import Vocabulary, vocabulary
from .ids import PREFIXES, ids_in, normal_id
from .terms import current_id, fold, ontology_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

__all__ = ["map_labels"]

logger = logging.getLogger(__name__)

Outcome: TypeAlias = Literal["mapped", "ambiguous", "unmapped"]

_COLUMNS = (
    "source_label",
    "term_id",
    "term_label",
    "outcome",
    "predicate",
    "method",
    "confidence",
    "candidates",
)
_EXACT = "skos:exactMatch"
_JOINT = " || "
_SYNONYM_CONFIDENCE = 0.95

# As one text table of sample metadata spelled it, and what programs write.
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
        "none",
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
        "unavailable",
        "undefined",
        "unknown",
        "unspecified",
        "unsure",
    }
)
_MIGRATED = MappingProxyType({"tissue_type": {"cell culture": "primary cell culture"}})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    outcome: Outcome
    method: str
    term_id: str | None = None
    term_label: str | None = None
    confidence: float = 0.0
    candidates: tuple[str, ...] = ()


def map_labels(
    labels: Iterable[object],
    *,
    field: str,
    organism: str | None = None,
    tissue: str | None = None,
    memory: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Find the term of every distinct label, and say how it was found.

    What is asked, in this order; the first that knows the label decides:

    - ``memory``: a decision made before
    - ``special``: ``unknown`` or ``na``, written so, where the schema allows it; ``missing``:
      every other way to say nothing
    - ``schema_migration``: a value that schema 7 renamed
    - ``id``, ``id_replaced`` (deprecated, followed to its replacement), ``wrong_vocabulary``
      (not of this field), ``obsolete`` (no replacement), ``unknown_id`` (nobody's)
    - ``name``, ``synonym``: case and white space do not matter, nor underscores if nothing else
      fits
    - ``embedded_id``: an id with something around it; ``none``: nothing fits

    Where a field may hold several terms, values joined by `` || ``, and ids joined by ``,``, are
    mapped one by one.

    Parameters
    ----------
    labels
        Labels or ids, a column of ``obs`` for instance. Repetitions and nulls are fine.
    field
        One of `FIELDS`.
    organism
        Any name `get_organism` accepts; see `vocabulary`.
    tissue
        Where the cells are from: context for names that several terms share. No method of today
        uses it.
    memory
        Term id by label, as written. An id the field cannot hold is passed over, with a warning
        in the log.

    Returns
    -------
    One row per distinct label as text, in order of first appearance; all nulls are one row whose
    label is None. Columns ``source_label``, ``term_id`` (None unless mapped), ``term_label``,
    ``outcome`` (``mapped``, ``ambiguous``, ``unmapped``), ``predicate`` (``skos:exactMatch`` or
    empty), ``method``, ``confidence`` (1 for ids and names, 0.95 for synonyms, 0 if not mapped;
    not calibrated), ``candidates`` (tuple of ids to choose from).

    Raises
    ------
    NotFoundError
        If there is no such field or organism.

    Examples
    --------
    >>> map_labels(["T cells", "T-cell"], field="cell_type").term_id.tolist()
    [None, 'CL:0000084']
    """
    import pandas as pd

    known = vocabulary(field, organism)
    texts = _distinct(labels)
    remembered = _usable(memory or {}, texts, known)
    rows = [(text, remembered.get(text) or _find(text, known)) for text in texts]
    return pd.DataFrame(
        {
            "source_label": pd.Series([text for text, _ in rows], dtype=object),
            "term_id": pd.Series([f.term_id for _, f in rows], dtype=object),
            "term_label": pd.Series([f.term_label for _, f in rows], dtype=object),
            "outcome": [f.outcome for _, f in rows],
            "predicate": [_EXACT if f.outcome == "mapped" else "" for _, f in rows],
            "method": [f.method for _, f in rows],
            "confidence": pd.Series([f.confidence for _, f in rows], dtype=float),
            "candidates": pd.Series([f.candidates for _, f in rows], dtype=object),
        },
        columns=list(_COLUMNS),
    )


def _distinct(labels: Iterable[object]) -> list[str | None]:
    import pandas as pd

    column = labels if isinstance(labels, pd.Series) else pd.Series(list(labels), dtype=object)
    # not unique() for texts: it takes all that follows a NUL for the same
    is_coded = isinstance(column.dtype, pd.CategoricalDtype)
    values = pd.Series(column.unique() if is_coded else column, dtype=object)
    known = values.notna()
    return list(dict.fromkeys(str(v) if k else None for v, k in zip(values, known, strict=True)))


def _usable(
    memory: Mapping[str, str], texts: Iterable[str | None], known: Vocabulary
) -> dict[str | None, _Finding]:
    """Turn what is remembered of `texts` into findings; report what the field cannot hold."""
    asked = {text: memory[text] for text in texts if text is not None and text in memory}
    found = {text: _remembered(term_id, known) for text, term_id in asked.items()}
    unfit = [f"{text!r} -> {asked[text]}" for text, finding in found.items() if finding is None]
    if unfit:
        logger.warning(
            "field=%s remembered_unfit=%d first=%s", known.field, len(unfit), ", ".join(unfit[:5])
        )
    return {text: finding for text, finding in found.items() if finding is not None}


def _remembered(term_id: str, known: Vocabulary) -> _Finding | None:
    finding = _special(term_id, known) or _by_ids(term_id, known)
    if finding is None or finding.outcome != "mapped":
        return None
    return replace(finding, method="memory")


def _find(text: str | None, known: Vocabulary) -> _Finding:
    if text is None:
        return _Finding(outcome="unmapped", method="missing")
    return (
        _special(text, known)
        or _missing(text)
        or _migrated(text, known)
        or _by_ids(text, known)
        or _by_name(text, known)
        or _by_parts(text, known)
        or _embedded(text, known)
        or _Finding(outcome="unmapped", method="none")
    )


def _mapped(term_id: str, known: Vocabulary, method: str, confidence: float = 1.0) -> _Finding:
    return _Finding(
        outcome="mapped",
        method=method,
        term_id=term_id,
        term_label=known.labels[term_id],
        confidence=confidence,
    )


def _special(text: str, known: Vocabulary) -> _Finding | None:
    if text not in known.specials:
        return None
    return _Finding(
        outcome="mapped", method="special", term_id=text, term_label=text, confidence=1.0
    )


def _missing(text: str) -> _Finding | None:
    is_missing = fold(text.replace("_", " ")) in _MISSING
    return _Finding(outcome="unmapped", method="missing") if is_missing else None


def _migrated(text: str, known: Vocabulary) -> _Finding | None:
    term_id = _MIGRATED.get(known.field, {}).get(fold(text))
    return None if term_id is None else _mapped(term_id, known, "schema_migration")


def _by_ids(text: str, known: Vocabulary) -> _Finding | None:
    """Map a text that is an id, or several ids of a field that may hold several."""
    if text in known:
        return _mapped(text, known, "id")
    one = normal_id(text)
    if one is not None:
        return _by_id(one, known)
    parts = [normal_id(part) for part in text.replace("||", ",").split(",")]
    ids = [part for part in parts if part is not None]
    if not known.several or len(ids) < len(parts):
        return None
    return _joined([_by_id(i, known) for i in ids])


def _by_id(term_id: str, known: Vocabulary) -> _Finding:
    if term_id in known:
        return _mapped(term_id, known, "id")
    current = current_id(term_id)
    if current is not None:
        if current in known:
            return _mapped(current, known, "id_replaced")
        return _Finding(outcome="unmapped", method="wrong_vocabulary")
    store = ontology_of(term_id)
    if store is None:
        is_foreign = term_id.split(":", maxsplit=1)[0] in PREFIXES
        return _Finding(
            outcome="unmapped", method="wrong_vocabulary" if is_foreign else "unknown_id"
        )
    if term_id not in store:
        return _Finding(outcome="unmapped", method="unknown_id")
    return _Finding(outcome="unmapped", method="obsolete", candidates=store.consider(term_id))


def _by_name(text: str, known: Vocabulary) -> _Finding | None:
    for spelling in (fold(text), fold(text.replace("_", " "))):
        ids = known.index.get(spelling, ())
        if len(ids) == 1:
            if fold(known.labels[ids[0]]) == spelling:
                return _mapped(ids[0], known, "name")
            return _mapped(ids[0], known, "synonym", _SYNONYM_CONFIDENCE)
        if ids:
            is_name = any(fold(known.labels[i]) == spelling for i in ids)
            method = "name" if is_name else "synonym"
            return _Finding(outcome="ambiguous", method=method, candidates=ids)
    return None


def _by_parts(text: str, known: Vocabulary) -> _Finding | None:
    if not known.several or _JOINT not in text:
        return None
    return _joined([_find(part.strip(), known) for part in text.split(_JOINT)])


def _joined(parts: list[_Finding]) -> _Finding:
    """Join the findings of the parts of a label: mapped if all are, and all may stand together."""
    ids = {part.term_id: part for part in parts if part.term_id is not None}
    candidates = tuple(sorted(ids))
    if not ids:
        return max(parts, key=lambda part: part.outcome == "ambiguous")
    weakest = min(parts, key=lambda part: part.confidence)
    # normal beside a disease contradicts itself, and so does unknown beside anything
    may_stand = len(ids) == 1 or not any(i.startswith("PATO:") or ":" not in i for i in candidates)
    if weakest.outcome != "mapped" or not may_stand:
        return _Finding(outcome="ambiguous", method=weakest.method, candidates=candidates)
    return replace(
        weakest,
        term_id=_JOINT.join(candidates),
        term_label=_JOINT.join(str(ids[i].term_label) for i in candidates),
    )


def _embedded(text: str, known: Vocabulary) -> _Finding | None:
    found = (current_id(i) for i in ids_in(text))
    candidates = tuple(dict.fromkeys(i for i in found if i is not None and i in known))
    if not candidates:
        return None
    return _Finding(outcome="ambiguous", method="embedded_id", candidates=candidates)
