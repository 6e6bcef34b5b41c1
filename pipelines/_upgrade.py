"""What another release of the ontologies would change, before anything is changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..curation import memory_of_dataset, tissue_context
from ..ontologies import (
    DECIDED_FIELDS,
    NO_TERM,
    current_id,
    map_labels,
    ontology_versions,
    vocabulary,
)
from ..ontologies.decisions import JOINT
from ..ontologies.terms import ontology_of
from ._answers import decisions_of
from ._collect import find_datasets, name_of
from ._memory import current_memory
from ._review import organism_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd


KINDS = ("gone", "deprecated", "out of vocabulary", "renamed", "mapped otherwise")
"""Kinds of changes, the worst first."""
_TISSUES = ("tissue", "primary_cell_culture_tissue", "cell_line_tissue")


class Snapshot(Protocol):
    """The ontologies at one time, as far as an upgrade looks at them."""

    def label(self, term_id: str) -> str | None:
        """Name of a term; None if there is no such term."""
        ...

    def current(self, term_id: str) -> str | None:
        """Give the term that is in use for a term, itself or another; None if there is none."""
        ...

    def allows(self, field: str, organism: str | None, term_id: str) -> bool:
        """Whether a field may hold a term."""
        ...

    def map(
        self,
        labels: Sequence[str],
        field: str,
        organism: str,
        tissue: str | None,
        memory: pd.DataFrame | None,
    ) -> dict[str, str]:
        """Term of each label; empty where there is none for sure."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaSnapshot:
    """The ontologies that belong to a version of the CELLxGENE schema."""

    schema: str | None = None
    """The newest by default."""

    def label(self, term_id: str) -> str | None:
        """See `Snapshot`."""
        store = ontology_of(term_id, schema=self.schema)
        return store.label(term_id) if store is not None and term_id in store else None

    def current(self, term_id: str) -> str | None:
        """See `Snapshot`."""
        return current_id(term_id, schema=self.schema)

    def allows(self, field: str, organism: str | None, term_id: str) -> bool:
        """See `Snapshot`."""
        names = _TISSUES if field == "tissue" else (field,)
        return any(
            term_id in vocabulary(name, organism, schema=self.schema)
            for name in names
            if name != "cell_line_tissue" or term_id.startswith("CVCL_")
        )

    def map(
        self,
        labels: Sequence[str],
        field: str,
        organism: str,
        tissue: str | None,
        memory: pd.DataFrame | None,
    ) -> dict[str, str]:
        """See `Snapshot`."""
        table = map_labels(
            labels,
            field=field,
            organism=organism,
            tissue=tissue,
            memory=memory,
            schema=self.schema,
        )
        terms = table["term_id"].where(table["outcome"] == "mapped", "")
        return dict(zip(table["source_label"], terms, strict=True))

    def versions(self) -> dict[str, str]:
        """Release of each ontology."""
        return ontology_versions(self.schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermChange:
    """One term or label that would change."""

    kind: str
    """One of `KINDS`."""
    field: str
    subject: str
    """The term id; the author's words where they would be mapped otherwise."""
    before: str
    """Name of the term today; the term id of a label."""
    after: str
    """What it would be: a name, a replacement, a term id; empty for nothing."""
    n_cells: int
    datasets: tuple[str, ...]
    decisions: int
    """Decisions of curators that would be touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What another snapshot of the ontologies would change."""

    releases: dict[str, tuple[str, str]]
    """Ontologies whose release differs: today's and the other."""
    n_terms: int
    n_labels: int
    """Terms and labels that were looked at."""
    changes: tuple[TermChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        counts = {kind: [c for c in self.changes if c.kind == kind] for kind in KINDS}
        return {
            "releases": {name: list(pair) for name, pair in self.releases.items()},
            "n_terms": self.n_terms,
            "n_labels": self.n_labels,
            "counts": {
                kind: {"changes": len(found), "n_cells": sum(c.n_cells for c in found)}
                for kind, found in counts.items()
            },
            "changes": [asdict(change) for change in self.changes],
        }


@dataclass(slots=True, kw_only=True)
class Use:
    """Where a term or a label is used."""

    n_cells: int = 0
    datasets: set[str] = field(default_factory=set)
    organisms: set[str] = field(default_factory=set)
    decisions: int = 0


def upgrade_report(schema: str) -> Upgrade:
    """Tell what another snapshot of the ontologies would change in the registry.

    All terms and labels of the latest versions of the datasets, and all decisions of curators, are
    looked at. Nothing is changed.

    Parameters
    ----------
    schema
        One of `corpuscle.ontologies.schema_versions`.

    Raises
    ------
    NotFoundError
        If there is no such snapshot.
    """
    now, then = SchemaSnapshot(), SchemaSnapshot(schema=schema)
    old, new = now.versions(), then.versions()
    releases = {n: (old.get(n, ""), new.get(n, "")) for n in sorted({*old, *new})}
    terms, labels = _uses()
    tissues: dict[str, list[str]] = {}
    for (name, term_id), use in sorted(terms.items()):
        if name == "tissue":
            for dataset in use.datasets:
                tissues.setdefault(dataset, []).append(term_id)
    changes = [
        *term_changes(terms, now, then),
        *label_changes(labels, now, then, tissues=tissues),
    ]
    return Upgrade(
        releases={name: pair for name, pair in releases.items() if pair[0] != pair[1]},
        n_terms=len(terms),
        n_labels=len({(name, label) for name, _, _, label in labels}),
        changes=tuple(sorted(changes, key=_order)),
    )


def _order(change: TermChange) -> tuple[int, int, str, str]:
    return KINDS.index(change.kind), -change.n_cells, change.field, change.subject


def _uses() -> tuple[dict[tuple[str, str], Use], dict[tuple[str, str, str, str], int]]:
    """Find the terms in use by field and id, and the cells of labels by field, taxon, dataset."""
    terms: dict[tuple[str, str], Use] = {}
    labels: dict[tuple[str, str, str, str], int] = {}
    for artifact in find_datasets():
        name, taxon = name_of(artifact), organism_of(artifact)
        table = decisions_of(artifact.run_id, name)
        table = table[table["field"].isin(DECIDED_FIELDS) & (table["subject_label"] != "")]
        for row in table.to_dict("records"):
            key = (row["field"], taxon, name, row["subject_label"])
            labels[key] = labels.get(key, 0) + int(row["n_cells"])
            for term_id in filter(None, row["object_id"].split(JOINT)):
                use = terms.setdefault((row["field"], term_id), Use())
                use.n_cells += int(row["n_cells"])
                use.datasets.add(name)
                use.organisms.add(taxon)
    for row in current_memory().table.to_dict("records"):
        for term_id in row["term_id"].split(JOINT):
            if term_id != NO_TERM:
                use = terms.setdefault((row["field"], term_id), Use())
                use.decisions += 1
                use.organisms |= {row["organism"]} - {""}
    return terms, labels


def term_changes(
    uses: dict[tuple[str, str], Use], now: Snapshot, then: Snapshot
) -> Iterator[TermChange]:
    """Find the terms that are in use and would be something else.

    Parameters
    ----------
    uses
        By field and term id.
    now, then
        The ontologies of today, and the others.
    """
    for (name, term_id), use in uses.items():
        before = now.label(term_id)
        if before is None:  # a word such as unknown, or a term of an ontology that is not here
            continue
        found = _difference(name, term_id, before, use, now, then)
        if found is not None:
            kind, after = found
            yield TermChange(
                kind=kind,
                field=name,
                subject=term_id,
                before=before,
                after=after,
                n_cells=use.n_cells,
                datasets=tuple(sorted(use.datasets)),
                decisions=use.decisions,
            )


def _difference(
    name: str, term_id: str, before: str, use: Use, now: Snapshot, then: Snapshot
) -> tuple[str, str] | None:
    after = then.label(term_id)
    if after is None:
        return "gone", ""
    current = then.current(term_id)
    if current != term_id:
        if now.current(term_id) == current:
            return None
        label = then.label(current) if current else None
        return "deprecated", f"{current} {label}" if current else ""
    taxa: list[str | None] = [*sorted(use.organisms)]
    for taxon in taxa or [None]:
        if now.allows(name, taxon, term_id) and not then.allows(name, taxon, term_id):
            return "out of vocabulary", "" if taxon is None else taxon
    return ("renamed", after) if after != before else None


def label_changes(
    labels: dict[tuple[str, str, str, str], int],
    now: Snapshot,
    then: Snapshot,
    *,
    tissues: Mapping[str, Sequence[str]],
) -> Iterator[TermChange]:
    """Find the labels that would be mapped otherwise, by the same mapper and the same memory.

    Parameters
    ----------
    labels
        Cells by field, taxon id, dataset and label.
    now, then
        The ontologies of today, and the others.
    tissues
        Terms of the tissues of each dataset.
    """
    memory = current_memory().by_field()
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, taxon, dataset, label in labels:
        groups.setdefault((name, taxon, dataset), []).append(label)
    cells: Counter[tuple[str, str, str, str]] = Counter()
    datasets: dict[tuple[str, str, str, str], set[str]] = {}
    for (name, taxon, dataset), asked in groups.items():
        known = memory_of_dataset(memory, dataset=dataset, organism=taxon).get(name)
        where = tissue_context(tissues.get(dataset, ())) if name == "cell_type" else None
        before, after = (s.map(asked, name, taxon, where, known) for s in (now, then))
        for label in asked:
            if before[label] != after[label]:
                key = (name, label, before[label], after[label])
                cells[key] += labels[name, taxon, dataset, label]
                datasets.setdefault(key, set()).add(dataset)
    for key, n_cells in cells.items():
        name, label, was, would_be = key
        yield TermChange(
            kind="mapped otherwise",
            field=name,
            subject=label,
            before=was,
            after=would_be,
            n_cells=n_cells,
            datasets=tuple(sorted(datasets[key])),
            decisions=0,
        )
