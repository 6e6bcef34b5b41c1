"""Open labels, decisions and what they touch, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ._show import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from ._apply import Applied
    from ._decision_lineage import DecisionLineage
    from ._memory import Change
    from ._review import OpenLabel
    from ._upgrade import Upgrade

LIKELY = 3
"""Candidates of a label that are listed."""
SHOWN = 40
"""Changes of an upgrade that are listed; ``--json`` has them all."""


def open_view(items: Sequence[OpenLabel], sheet: Path | None) -> RenderableType:
    """List open labels, and say how to decide them."""
    if not items:
        return Text("No label is open.")
    if sheet is not None:
        text = f"{len(items):,} open labels are in {sheet}\nfill in its column decision with a term id, "
        text += f"a term's name, none or skip; then: corpuscle review --apply {sheet}"
        return Text(text)
    view = Table(title="Open labels", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    view.add_column("cells", justify="right", no_wrap=True)
    view.add_column("datasets", justify="right", no_wrap=True)
    view.add_column("field", no_wrap=True)
    view.add_column("label", overflow="fold", ratio=2)
    view.add_column("likeliest terms", overflow="fold", ratio=3)
    for item in items:
        likely = item.candidates[:LIKELY] if item.outcome == "ambiguous" else ()
        terms = "\n".join(escape(f"{c.term_id} {c.label}") for c in likely) or "none is likely"
        datasets = f"{len(item.datasets):,}"
        view.add_row(f"{item.n_cells:,}", datasets, item.field, escape(item.label), terms)
    cells = sum(item.n_cells for item in items)
    note = (
        f"{len(items):,} labels of {cells:,} cells are open\n"
        "next: corpuscle review --interactive, or --out FILE to decide in a spreadsheet"
    )
    return Group(view, Text(note))


def applied_view(applied: Applied, *, dry_run: bool) -> RenderableType:
    """List what was decided, and what comes next."""
    recorded = applied.recorded
    state = "planned" if dry_run else "new" if recorded.new else "unchanged"
    parts: list[RenderableType] = []
    if recorded.changes:
        rows = [_change(change) for change in recorded.changes]
        columns = ("label", "field", "holds for", "before", "now")
        parts.append(table(f"Decisions@{recorded.version} ({state})", columns, rows))
    else:
        parts.append(Text("Nothing new was decided."))
    parts.append(
        Text(f"{recorded.unchanged:,} were decided so before, {applied.skipped:,} skipped")
    )
    parts += [Text(note) for note in applied.notes]
    if applied.datasets:
        parts.append(Text(f"datasets that this changes: {', '.join(applied.datasets)}"))
        parts += [Text(f"next: {command}", overflow="fold") for command in applied.commands]
    else:
        parts.append(Text("no dataset changes by it"))
    return Group(*parts)


def _change(change: Change) -> tuple[str, ...]:
    scope = change.dataset or change.organism or "all"
    now = f"{change.after} {change.term_label}".strip()
    return escape(change.label), change.field, scope, change.before or "open", escape(now)


def decision_view(found: DecisionLineage) -> RenderableType:
    """Show what was decided about a label, and everything it touches."""
    parts: list[RenderableType] = [Text(f"{found.field} {found.label!r}", style="bold")]
    parts += [
        Text(
            f"decisions@{entry['version']} by {entry['reviewer']}, {entry['date']}: "
            f"{entry['before'] or 'open'} -> {entry['after']}"
            f" (for {entry['dataset'] or entry['organism'] or 'all'})"
        )
        for entry in found.history
    ]
    rows = [
        (
            f"{use.dataset}@{use.version}",
            use.n_cells,
            use.term_id or use.outcome,
            use.method + (f"@{use.decided_in}" if use.decided_in else ""),
            "changes" if use.changes else "stays" if use.is_latest else "old version",
            ", ".join(use.collections),
            ", ".join(use.models),
        )
        for use in found.uses
    ]
    columns = ("dataset", "cells", "term", "by", "next ingest", "collections", "models")
    parts.append(table("Touches", columns, rows) if rows else Text("no dataset has this label"))
    return Group(*parts)


def upgrade_view(found: Upgrade, schema: str) -> RenderableType:
    """Count the changes of an upgrade, and list the worst."""
    releases = ", ".join(f"{n} {old} -> {new}" for n, (old, new) in found.releases.items())
    head = Text(
        f"schema {schema}: {releases or 'the same releases'}\n"
        f"{found.n_terms:,} terms and {found.n_labels:,} labels were looked at; nothing is changed"
    )
    if not found.changes:
        return Group(head, Text("Nothing would change."))
    counts = found.to_dict()["counts"]
    summary = [
        (kind, entry["changes"], entry["n_cells"])
        for kind, entry in counts.items()
        if entry["changes"]
    ]
    rows = [
        (
            escape(change.subject),
            change.field,
            change.kind,
            escape(change.before) or "open",
            escape(change.after) or "nothing",
            change.n_cells,
            change.decisions,
        )
        for change in found.changes[:SHOWN]
    ]
    columns = ("term or label", "field", "change", "today", "then", "cells", "decisions")
    parts: list[RenderableType] = [
        head,
        table("Would change", ("kind", "changes", "cells"), summary),
        table("The worst", columns, rows),
    ]
    if len(found.changes) > SHOWN:
        parts.append(Text(f"{len(found.changes) - SHOWN:,} more: --json lists them all"))
    return Group(*parts)
