"""From what an author wrote to a term, or to the reason why not."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from .fields import Vocabulary, vocabulary
from .label_memory import Memory, read_memory
from .label_rules import Finding, by_rules, remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from .label_model import LabelModel

__all__ = ["map_labels"]

logger = logging.getLogger(__name__)

# Cell types have abbreviations as exact synonyms that mean other cells elsewhere: of 150 such labels
# of real datasets, 62 % were what CL says. Likeness, tissue and memory decide with them.
_LOOSE_SYNONYMS = frozenset({"cell_type", "primary_cell_culture_tissue"})

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


def map_labels(
    labels: Iterable[object],
    *,
    field: str,
    organism: str | None = None,
    tissue: str | None = None,
    memory: Mapping[str, str] | pd.DataFrame | None = None,
    schema: str | None = None,
) -> pd.DataFrame:
    """Find the term of every distinct label, and say how it was found.

    What is asked, in this order; the first that knows the label decides:

    - ``memory``: a decision made before, perhaps that there is no term
    - ``special``: ``unknown`` or ``na``, written so, where the schema allows it; ``missing``:
      every other way to say nothing
    - ``schema_migration``: a value that schema 7 renamed
    - ``id``, ``id_replaced`` (deprecated, followed to its replacement), ``wrong_vocabulary``
      (not of this field), ``obsolete`` (no replacement), ``unknown_id`` (nobody's)
    - ``name``, ``synonym``: case and white space do not matter, nor underscores if nothing else
      fits; a text that several terms share is ambiguous
    - ``embedded_id``: an id with something around it
    - ``known_name``: what no ontology calls it, such as ``3_prime_gex`` or ``healthy donor``;
      ``age``: a value and a unit
    - ``wording``, ``confirmed``, ``similar``: the likeliest term by names, synonyms and confirmed
      mappings; ``mixture``: several in one label; ``none``: nothing fits

    Likeness decides for cell types, tissues and diseases, where the confidence is at least 0.75: the
    share of such answers that were right for curators the model had never seen. Elsewhere it only
    proposes. Where a field may hold several terms, values joined by `` || ``, and ids joined by
    ``,``, are mapped one by one.

    Parameters
    ----------
    labels
        Labels or ids, a column of ``obs`` for instance. Repetitions and nulls are fine.
    field
        One of `FIELDS`.
    organism
        Any name `get_organism` accepts; see `vocabulary`.
    tissue
        Where the cells are from, as a term id of UBERON (several joined by ``|``) or in words:
        it tells cell types apart that share a name.
    memory
        What was decided before: term id by label, as written; or a table with columns
        ``source_label`` and ``term_id`` and perhaps ``organism``, ``tissue`` and ``scope``. Rows
        of scope ``global``, or without one, decide; those of any other scope are confirmed
        mappings of other datasets and count as evidence. The id ``sssom:NoTermFound`` says that
        there is no term. An id the field cannot hold is passed over, with a warning in the log.
    schema
        Snapshot of the ontologies, see `schema_versions`. The newest by default.

    Returns
    -------
    One row per distinct label as text, in order of first appearance; all nulls are one row whose
    label is None. Columns ``source_label``, ``term_id`` (None unless mapped), ``term_label``,
    ``outcome`` (``mapped``, ``ambiguous``, ``unmapped``), ``predicate`` (``skos:exactMatch``;
    ``skos:broadMatch`` if the label says more than the term; ``skos:closeMatch`` if only alike; or
    empty), ``method``, ``confidence`` (1 for ids and names, 0.95 for synonyms and known names,
    calibrated for likeness, 0 if not mapped), ``candidates`` (tuple of ids to choose from, the
    likeliest first, also where the label is mapped).

    Raises
    ------
    NotFoundError
        If there is no such field, organism or snapshot.
    LabelMappingError
        If the memory lacks a column or decides a label twice.

    Examples
    --------
    >>> map_labels(["T cells", "T-cell"], field="cell_type").term_id.tolist()
    ['CL:0000084', 'CL:0000084']
    """
    import pandas as pd

    known = vocabulary(field, organism, schema=schema)
    texts = _distinct(labels)
    past = read_memory(memory, organism=known.organism)
    rows = list(zip(texts, find_terms(texts, known, tissue=tissue, past=past), strict=True))
    return pd.DataFrame(
        {
            "source_label": pd.Series([text for text, _ in rows], dtype=object),
            "term_id": pd.Series([f.term_id for _, f in rows], dtype=object),
            "term_label": pd.Series([f.term_label for _, f in rows], dtype=object),
            "outcome": [f.outcome for _, f in rows],
            "predicate": [f.predicate for _, f in rows],
            "method": [f.method for _, f in rows],
            "confidence": pd.Series([f.confidence for _, f in rows], dtype=float),
            "candidates": pd.Series([f.candidates for _, f in rows], dtype=object),
        },
        columns=list(_COLUMNS),
    )


def find_terms(
    texts: Sequence[str | None],
    known: Vocabulary,
    *,
    tissue: str | None,
    past: Memory,
    model: LabelModel | None = None,
) -> list[Finding]:
    """Do what `map_labels` does, for distinct texts.

    Parameters
    ----------
    texts
        Distinct labels.
    known
        Vocabulary of the field.
    tissue
        Where the cells are from.
    past
        What was decided and confirmed before.
    model
        What weighs likeness; the one that is shipped by default.

    Returns
    -------
    One finding per text.
    """
    found = _decided(past, texts, known)
    synonyms: dict[str, Finding] = {}
    for text in texts:
        if text in found or (finding := by_rules(text, known)) is None:
            continue
        if text is not None and finding.method == "synonym" and known.field in _LOOSE_SYNONYMS:
            synonyms[text] = finding
        else:
            found[text] = finding
    open_texts = [text for text in texts if text is not None and text not in found]
    if open_texts:
        from .label_ranking import rank  # it loads numpy

        ranked = rank(open_texts, known, tissue=tissue, past=past, model=model)
        for text, finding in zip(open_texts, ranked, strict=True):
            found[text] = _with_synonym(finding, synonyms.get(text))
    return [found[text] for text in texts]


def _with_synonym(ranked: Finding, synonym: Finding | None) -> Finding:
    """Join what likeness says of a label with the term that has it as a synonym."""
    if synonym is None:
        return ranked
    candidates = tuple(dict.fromkeys((*ranked.candidates, *synonym.candidates)))
    if synonym.outcome == "ambiguous":
        return replace(synonym, candidates=candidates)
    if ranked.term_id == synonym.term_id:
        return replace(synonym, confidence=ranked.confidence, candidates=candidates)
    if ranked.outcome == "unmapped":
        return replace(
            synonym,
            outcome="ambiguous",
            term_id=None,
            term_label=None,
            predicate="",
            confidence=0.0,
            candidates=candidates,
        )
    return replace(ranked, candidates=candidates)


def _distinct(labels: Iterable[object]) -> list[str | None]:
    import pandas as pd

    column = labels if isinstance(labels, pd.Series) else pd.Series(list(labels), dtype=object)
    # not unique() for texts: it takes all that follows a NUL for the same
    is_coded = isinstance(column.dtype, pd.CategoricalDtype)
    values = pd.Series(column.unique() if is_coded else column, dtype=object)
    known = values.notna()
    return list(dict.fromkeys(str(v) if k else None for v, k in zip(values, known, strict=True)))


def _decided(
    past: Memory, texts: Iterable[str | None], known: Vocabulary
) -> dict[str | None, Finding]:
    """Turn decisions on `texts` into findings; report what the field cannot hold."""
    decisions = past.decisions
    asked = {text: decisions[text] for text in texts if text is not None and text in decisions}
    found = {text: remembered(term_id, known) for text, term_id in asked.items()}
    unfit = [f"{text!r} -> {asked[text]}" for text, finding in found.items() if finding is None]
    if unfit:
        logger.warning(
            "field=%s remembered_unfit=%d first=%s", known.field, len(unfit), ", ".join(unfit[:5])
        )
    return {text: finding for text, finding in found.items() if finding is not None}
