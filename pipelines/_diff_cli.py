"""``corpuscle diff``: what changed between two versions of a collection, and why."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures
from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from ._console import Json, show
from ._show import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ._diff import CollectionDiff, DatasetChange, LabelChange

SHOWN = 20
"""Datasets and labels that people get to see; ``--json`` has all."""


def diff(before: str, after: str, /, *, json: Json = False, home: Path | None = None) -> int:
    """Tell what changed between two versions of a collection, and why.

    Parameters
    ----------
    before
        NAME@VERSION, or NAME for the latest version.
    after
        Likewise.
    json
        Print it as JSON.
    home
        The workspace.
    """
    from ._diff import diff as compare
    from ._lamin import connect

    connect(home)
    found = compare(before, after)
    show(found.to_dict(), _view(found), as_json=json)
    return 0


def _view(found: CollectionDiff) -> RenderableType:
    old, new = found.cells
    parts: list[RenderableType] = [
        Text(f"{found.before} -> {found.after}: {old:,} -> {new:,} cells", style="bold")
    ]
    if found.duplicates[0] != found.duplicates[1]:
        parts.append(Text(f"policy for duplicates: {' -> '.join(found.duplicates)}"))
    for what, names in (("added", found.added), ("removed", found.removed)):
        if names:
            more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
            parts.append(Text(f"{what} ({len(names):,}): {', '.join(names[:SHOWN])}{more}"))
    if found.changed:
        rows = [_row(change) for change in found.changed[:SHOWN]]
        columns = ("dataset", "versions", "cells", "genes", "why")
        view = table("Changed", columns, rows)
        view.columns[-1].no_wrap = False
        parts += [view, *_labels(found), *_genes(found)]
    parts.append(Text(f"{found.unchanged:,} datasets are the same"))
    return Group(*parts)


def _row(change: DatasetChange) -> tuple[str, ...]:
    reasons = [f"{reason.what} {reason.before} -> {reason.after}" for reason in change.reasons]
    return (
        escape(change.dataset),
        f"{change.before} -> {change.after}",
        _pair(*change.cells),
        _pair(*change.genes),
        escape("; ".join(reasons)) or "curated again",
    )


def _labels(found: CollectionDiff) -> list[RenderableType]:
    every = [(change.dataset, label) for change in found.changed for label in change.labels]
    every.sort(key=lambda pair: -pair[1].n_cells)
    if not every:
        return []
    rows = [
        (
            escape(name),
            label.field,
            escape(label.label),
            _term(label),
            label.n_cells,
        )
        for name, label in every[:SHOWN]
    ]
    columns = ("dataset", "field", "label", "term", "cells")
    parts: list[RenderableType] = [table("Labels", columns, rows)]
    if len(every) > SHOWN:
        parts.append(Text(f"… and {len(every) - SHOWN:,} labels more, see --json"))
    return parts


def _term(label: LabelChange) -> str:
    if label.before == label.after:
        return f"{label.after} {escape(f'{label.before_name} -> {label.after_name}')}"
    return f"{label.before or 'none'} -> {label.after or 'none'}"


def _genes(found: CollectionDiff) -> list[RenderableType]:
    every = [(change.dataset, gene) for change in found.changed for gene in change.gene_changes]
    if not every:
        return []
    rows = [
        (escape(name), gene.gene, f"{gene.before or 'none'} -> {gene.after or 'none'}")
        for name, gene in every[:SHOWN]
    ]
    parts: list[RenderableType] = [table("Genes", ("dataset", "gene", "symbol"), rows)]
    if len(every) > SHOWN:
        parts.append(Text(f"… and {len(every) - SHOWN:,} genes more, see --json"))
    return parts


def _pair(before: int, after: int) -> str:
    return f"{before:,}" if before == after else f"{before:,} -> {after:,}"
