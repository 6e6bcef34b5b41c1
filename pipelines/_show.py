"""Results as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..ontologies import get_organism

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from ._collect import Collected
    from ._lineage import Lineage
    from ._outcome import Outcome
    from ._setup import Setup
    from ._workspace import Workspace

STYLES = {
    "new": "green",
    "revised": "green",
    "unchanged": "dim",
    "refused": "red",
    "planned": "cyan",
    "skipped": "yellow",
}
NAMED = 3
"""Datasets that are named where something holds for several."""


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numeric: Sequence[str] = (),
) -> Table:
    """Make a table; numbers, and columns named as `numeric`, are aligned to the right."""
    view = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, column in enumerate(columns):
        right = column in numeric or any(isinstance(row[place], int | float) for row in rows)
        view.add_column(
            column,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=place > 0,  # the name gives way on a narrow terminal
        )
    for row in rows:
        view.add_row(*(f"{c:,}" if isinstance(c, int | float) else str(c) for c in row))
    return view


def setup_view(setup: Setup) -> RenderableType:
    """Say where the workspace is and what comes next."""
    folder = setup.workspace.folder
    what = "made" if setup.created else "was there already: nothing changed"
    return Text(f"workspace {folder} {what}\nnext: corpuscle ingest PATH... --home {folder}")


def ingest_view(outcomes: Sequence[Outcome]) -> RenderableType:
    """Summarise what became of each file, then what is open and how to decide it."""
    rows = []
    for outcome in outcomes:
        if outcome.status == "skipped":
            continue
        report = outcome.report
        status = f"[{STYLES[outcome.status]}]{outcome.status}[/]"
        version = outcome.version and f"@{outcome.version}"
        if report is None:
            rows.append((escape(outcome.dataset), status, *[""] * 4))
            continue
        labels = report["labels"].values()
        rows.append(
            (
                escape(outcome.dataset) + version,
                status,
                get_organism(report["organism"]["taxon_id"]).common,
                f"{report['n_cells']:,}",
                " / ".join(f"{report['genes'][k]:,}" for k in ("resolved", "ambiguous", "unknown")),
                " / ".join(
                    f"{sum(f[k] for f in labels):,}" for k in ("mapped", "ambiguous", "unmapped")
                ),
            )
        )
    columns = ("dataset", "status", "organism", "cells", "genes", "labels")
    summary = table("Datasets", columns, rows, numeric=columns[3:])
    summary.caption = "genes: resolved / ambiguous / unknown; labels: mapped / ambiguous / unmapped"
    summary.caption_justify = "left"
    notes = _joined(note for outcome in outcomes for note in notes_on(outcome))
    done = sum(outcome.status not in {"refused", "skipped"} for outcome in outcomes)
    total = Text(f"{done} of {len(outcomes)} datasets are registered or planned")
    return Group(summary, *notes, total)


def _joined(notes: Iterable[tuple[str, str]]) -> Iterator[Text]:
    """Say once what holds for several datasets."""
    names: dict[str, list[str]] = {}
    for name, text in notes:
        names.setdefault(text, []).append(name)
    for text, about in names.items():
        more = f" and {len(about) - NAMED:,} more" if len(about) > NAMED else ""
        yield Text.assemble((f"{', '.join(about[:NAMED])}{more} ", "bold"), text)


def notes_on(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Say what was refused, skipped, decided, dropped or left open in one dataset.

    Yields
    ------
    Name of the dataset, and what there is to say.
    """
    name = outcome.dataset
    if outcome.error is not None:
        kind = "" if outcome.status == "skipped" else f" ({outcome.error['kind']})"
        yield name, f"{outcome.status}{kind}: {outcome.error['message']}"
    report = outcome.report
    if report is None or outcome.status == "unchanged":
        return
    organism = report["organism"]
    if organism["method"] == "genes":
        yield name, f"organism {organism['name']} decided by genes: {organism['reason']}"
    if report["counts_from"] != "X":
        yield name, f"raw counts taken from {report['counts_from']}"
    for rule, n in report["dropped"].items():
        why = f": {organism['reason']}" if rule == "other_organism" else ""
        yield name, f"{n:,} cells dropped by rule {rule}{why}"
    for field, labels in report["labels"].items():
        if labels["open"]:
            said = ", ".join(
                f"{e['label']!r} ({e['outcome']}, {e['n_cells']:,} cells)" for e in labels["open"]
            )
            yield name, f"{field} open: {said}"
        if labels["suggested_columns"]:
            column = labels["suggested_columns"][0]
            yield name, f"{field} not given; if {column} holds it: --column {field}={column}"


def collect_view(collected: Collected, *, dry_run: bool) -> RenderableType:
    """List the datasets of a version."""
    from ._duplicates_show import duplicates_view

    state = "planned" if dry_run else "new" if collected.new else "unchanged"
    rows = [(ref.key, ref.organism, ref.n_cells) for ref in collected.datasets]
    title = f"{collected.name}@{collected.version} ({state})"
    view = table(title, ("dataset", "organism", "cells"), rows)
    return (
        view if collected.duplicates is None else Group(view, duplicates_view(collected.duplicates))
    )


def status_view(workspace: Workspace, found: dict[str, Any]) -> RenderableType:
    """List datasets, collections and models, and what is going on or failed."""
    parts: list[RenderableType] = [Text(f"workspace {workspace.folder}")]
    columns = {
        "datasets": ("name", "version", "organism", "n_cells", "n_genes", "labels_open"),
        "collections": ("name", "version", "n_datasets", "n_cells"),
        "models": ("name", "version", "bytes", "run", "status"),
    }
    for kind, names in columns.items():
        if not found[kind]:
            parts.append(Text(f"{kind}: none yet"))
            continue
        rows = [[entry[name] for name in names] for entry in found[kind]]
        if kind == "datasets":
            rows = [[*row[:2], get_organism(row[2]).common, *row[3:]] for row in rows]
        parts.append(table(kind, [name.replace("_", " ") for name in names], rows))
    for build in found["builds"]:
        text = f"build of {build['recipe']} ({build['state']}) since {build['started']}: "
        text += f"{build['done']:,} done, {build['refused']:,} failed of {build['planned']:,}"
        at_work = ", ".join(build["running"][:NAMED])
        more = len(build["running"]) - NAMED
        at_work += f" and {more:,} more" if more > 0 else ""
        parts.append(Text(f"{text}; at work: {at_work}" if at_work else text))
    for failure in found["failed"]:
        said = f" failed ({failure['kind']}): {failure['message']}"
        parts.append(Text.assemble((failure["dataset"], "bold red"), said))
    return Group(*parts)


def lineage_view(found: Lineage) -> RenderableType:
    """Show the datasets of a model, or the models of a dataset."""
    return _model_view(found) if found.kind == "model" else _dataset_view(found)


def _model_view(found: Lineage) -> RenderableType:
    run = found.run or {}
    title = f"Model {found.key}@{found.version} was fed by {len(found.rows)} datasets"
    rows = [
        (row.dataset, row.dataset_version, row.organism, row.n_cells, row.cells, row.exposures)
        for row in found.rows
    ]
    columns = ("dataset", "version", "organism", "cells", "cells seen", "exposures")
    total = sum(row.exposures for row in found.rows)
    note = (
        f"{total:,} exposures from {run['corpus']}; run {run['uid']} ({run['status']}), "
        f"code {run['code_version']}, params {run['params']}"
    )
    return Group(table(title, columns, rows), Text(note))


def _dataset_view(found: Lineage) -> RenderableType:
    title = f"Dataset {found.key} ({found.version}) fed {len(found.rows)} versions of models"
    rows = [
        (
            f"{row.model}@{row.model_version}",
            row.dataset_version,
            row.corpus,
            row.cells,
            row.exposures,
        )
        for row in found.rows
    ]
    columns = ("model", "dataset version", "corpus", "cells seen", "exposures")
    return table(title, columns, rows)
