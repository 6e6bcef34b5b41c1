"""What a curator may decide about a label: a term of the field, or that there is none."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import LabelMappingError, NotFoundError
from .fields import FIELDS, vocabulary
from .ids import normal_id
from .organisms import get_organism
from .sssom_set import Problem
from .sssom_slots import COMPOSED, LITERAL, NO_TERM
from .terms import current_id, ontology_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .fields import Vocabulary

__all__ = [
    "DECIDED_FIELDS",
    "Decision",
    "Target",
    "check_decisions",
    "find_target",
    "sssom_object",
    "term_of",
]

DECIDED_FIELDS = tuple(field for field in FIELDS if field != "organism")
"""Fields whose labels a curator decides; the organism is stated for a file."""
JOINT = " || "
_LINES = "cell_line_tissue"
_VOCABULARIES = {"tissue": ("tissue", "primary_cell_culture_tissue", _LINES)}
"""What a field may hold depends on the kind of tissue: any of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody wrote about one label."""

    line: int
    """Line of the file it was written in, 1 for the first."""
    field: str
    label: str
    """The author's words, exactly."""
    target: str
    """As written; see `find_target`."""
    organism: str = ""
    """Taxon id or name, where it holds for one organism; empty for all."""
    dataset: str = ""
    """Name of the dataset, where it holds for one; empty for all."""
    comment: str = ""
    confidence: str = "1"
    reviewer: str = ""
    """Who decided; empty for whoever applies it."""

    @property
    def about(self) -> tuple[str, str, str, str]:
        """What it decides: field, label, organism, dataset."""
        return self.field, self.label, self.organism, self.dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a label was decided to mean."""

    term_id: str
    """One term, several joined by `` || ``, a special word, or ``sssom:NoTermFound``."""
    term_label: str
    """Its name; empty if there is no term."""


def find_target(
    text: str, *, field: str, organism: str | None = None, schema: str | None = None
) -> Target:
    """Understand what a curator wrote as the meaning of a label.

    Parameters
    ----------
    text
        A term id, several joined by `` || `` where the field may hold several, a term's name
        (case does not matter; synonyms are no names), a special word of the field, or ``none``:
        there is no term.
    field
        One of `DECIDED_FIELDS`.
    organism
        Taxon id that the decision is for; for all of them by default.
    schema
        Snapshot of the ontologies; the newest by default.

    Raises
    ------
    LabelMappingError
        If it is deprecated (the message names the replacement), outside the field's vocabulary,
        unknown, or a name of several terms. ``details["problem"]`` says which.
    NotFoundError
        If there is no such field or organism.

    Examples
    --------
    >>> find_target("t cell", field="cell_type").term_id
    'CL:0000084'
    """
    said = text.strip()
    if said in ("none", NO_TERM):
        return Target(term_id=NO_TERM, term_label="")
    books = [
        vocabulary(name, organism, schema=schema)
        for name in _VOCABULARIES.get(field, (field,))
        if name != _LINES or said.upper().startswith("CVCL")
    ]
    if any(said in book.specials for book in books):
        return Target(term_id=said, term_label=said)
    parts = [part.strip() for part in said.split(JOINT)] if books[0].several else [said]
    found = {t.term_id: t.term_label for t in (_one(part, books, schema) for part in parts)}
    ids = sorted(found)
    return Target(term_id=JOINT.join(ids), term_label=JOINT.join(found[i] for i in ids))


def _one(text: str, books: Sequence[Vocabulary], schema: str | None) -> Target:
    term_id = text if any(text in book for book in books) else normal_id(text)
    if term_id is None:
        return _by_name(text, books, schema)
    for book in books:
        if term_id in book:
            return Target(term_id=term_id, term_label=book.labels[term_id])
    where = _where(books[0])
    current = current_id(term_id, schema=schema)
    if current == term_id:
        raise _refusal(problem="wrong vocabulary", message=f"{term_id} is no term of {where}")
    if current is not None:
        name = next((book.labels[current] for book in books if current in book), None)
        better = f"write {current} ({name})" if name else f"{current}, no term of {where}, is now"
        raise _refusal(problem="deprecated term", message=f"{term_id} is deprecated: {better}")
    store = ontology_of(term_id, schema=schema)
    if store is None or term_id not in store:
        raise _refusal(problem="unknown term", message=f"there is no term {term_id}")
    consider = ", ".join(store.consider(term_id)) or "nothing"
    raise _refusal(
        problem="deprecated term",
        message=f"{term_id} is deprecated and not replaced; to consider: {consider}",
    )


def _by_name(text: str, books: Sequence[Vocabulary], schema: str | None) -> Target:
    found = {
        i: book.labels[i]
        for book in books
        for i in _names(book.field, book.organism, schema).get(_folded(text), ())
    }
    if len(found) == 1:
        ((term_id, label),) = found.items()
        return Target(term_id=term_id, term_label=label)
    if found:
        raise _refusal(
            problem="ambiguous name",
            message=f"{text!r} names {', '.join(sorted(found))}; write one of these ids",
        )
    raise _refusal(
        problem="unknown term",
        message=f"{text!r} is neither id nor name of a term of {_where(books[0])}, nor none",
    )


@cache
def _names(field: str, organism: str | None, schema: str | None) -> dict[str, list[str]]:
    """Ids of the terms of a vocabulary by folded name."""
    found = defaultdict[str, list[str]](list)
    for term_id, label in vocabulary(field, organism, schema=schema).labels.items():
        found[_folded(label)].append(term_id)
    return dict(found)


def _refusal(*, problem: str, message: str) -> LabelMappingError:
    return LabelMappingError(message, {"problem": problem})


def _where(book: Vocabulary) -> str:
    return book.field if book.organism is None else f"{book.field} of {book.organism}"


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def check_decisions(
    decisions: Iterable[Decision], *, schema: str | None = None
) -> tuple[list[tuple[Decision, Target]], list[Problem]]:
    """Understand decisions, and find everything that is wrong with them.

    Parameters
    ----------
    decisions
        As a curator wrote them.
    schema
        Snapshot of the ontologies; the newest by default.

    Returns
    -------
    What is right with what it means, in the order given, and all problems: unknown fields and
    organisms, empty labels, what `find_target` refuses, and labels with two meanings.
    """
    good: list[tuple[Decision, Target]] = []
    problems: list[Problem] = []
    meant: dict[tuple[str, ...], tuple[Decision, Target]] = {}
    for written in decisions:
        decision = written
        try:
            if written.organism:
                taxon = get_organism(written.organism).taxon_id
                decision = replace(written, organism=taxon)
            target = _understand(decision, schema)
        except (LabelMappingError, NotFoundError) as error:
            kind = str(error.details.get("problem", "unknown name"))
            problems.append(_problem(kind, decision, error.message))
            continue
        first, other = meant.setdefault(decision.about, (decision, target))
        if first is decision:
            good.append((decision, target))
        elif other != target:
            text = f"{target.term_id} here and {other.term_id} in line {first.line}"
            problems.append(_problem("contradiction", decision, text))
    return good, problems


def _understand(decision: Decision, schema: str | None) -> Target:
    if decision.field not in DECIDED_FIELDS:
        raise _refusal(
            problem="unknown field", message=f"a field is one of {', '.join(DECIDED_FIELDS)}"
        )
    if not decision.label:
        raise _refusal(problem="empty label", message="there is no label to decide about")
    return find_target(
        decision.target,
        field=decision.field,
        organism=decision.organism or None,
        schema=schema,
    )


def _problem(kind: str, decision: Decision, message: str) -> Problem:
    return Problem(
        kind=kind, line=decision.line, message=f"{decision.field} {decision.label!r}: {message}"
    )


def sssom_object(term_id: str | None) -> tuple[str, str]:
    """Write a term as SSSOM wants it.

    Returns
    -------
    ``object_id``, empty for a word, and ``object_type``, empty for a term.

    Examples
    --------
    >>> sssom_object("CVCL_0023"), sssom_object("cell line"), sssom_object(None)
    (('cellosaurus:CVCL_0023', ''), ('', 'rdfs literal'), ('sssom:NoTermFound', ''))
    """
    if not term_id:
        return NO_TERM, ""
    parts = [
        f"cellosaurus:{part}" if part.startswith("CVCL_") else part for part in term_id.split(JOINT)
    ]
    if len(parts) > 1:
        return "+".join(parts), COMPOSED  # white space would make it no CURIE
    return (parts[0], "") if ":" in parts[0] else ("", LITERAL)


def term_of(row: Mapping[Any, Any]) -> str:
    """Read the term of a row of an SSSOM table: the inverse of `sssom_object`."""
    if row.get("object_type") == LITERAL:
        return str(row["object_label"])
    text = str(row["object_id"])
    parts = text.split("+") if row.get("object_type") == COMPOSED else [text]
    return JOINT.join(part.removeprefix("cellosaurus:") for part in parts)
