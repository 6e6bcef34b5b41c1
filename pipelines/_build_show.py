"""Plans and results of builds, for people."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from ._pack_show import packed_view, size
from ._show import STYLES, collect_view, ingest_view, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from ._build import Built

SHOWN = 40
"""Datasets of a plan that are named."""


def build_view(built: Built) -> RenderableType:
    """Say what became of each dataset, and of the collection."""
    parts = [ingest_view(built.outcomes)]
    if built.collection is None:
        parts.append(Text(f"no collection {built.recipe}: there is no dataset for it"))
        return Group(*parts)
    parts.append(collect_view(built.collection, dry_run=False))
    if (splits := built.collection.splits) is not None:
        said = ", ".join(f"{name} {n:,}" for name, n in splits["n_rows"].items())
        parts.append(Text(f"splits by {splits['rule']['by']}, rows: {said}"))
        if splits["n_overlapping"]:
            parts.append(
                Text(
                    f"{splits['n_overlapping']:,} cells repeat a cell of another split: "
                    "with `duplicates: drop` in the recipe none would",
                    style="yellow",
                )
            )
    if built.packed is not None:
        parts.append(packed_view(built.packed, dry_run=False))
    if any(outcome.status == "refused" for outcome in built.outcomes):
        parts.append(Text("what was refused is tried again with --retry-failed"))
    return Group(*parts)


def plan_view(plan: Mapping[str, Any]) -> RenderableType:
    """Say what a build would do, and how long it may take."""
    rows = [
        (
            escape(dataset["dataset"]),
            f"[{STYLES[dataset['status']]}]{dataset['status']}[/]",
            _told(dataset["n_cells"], f"{dataset['n_cells'] or 0:,}"),
            _told(dataset["size"], size(dataset["size"] or 0)),
        )
        for dataset in plan["datasets"]
        if dataset["status"] != "skipped"
    ]
    columns = ("dataset", "status", "cells", "size")
    view = table(f"Plan of {plan['recipe']}", columns, rows[:SHOWN], numeric=columns[2:])
    parts: list[RenderableType] = [view]
    if len(rows) > SHOWN:
        parts.append(Text(f"and {len(rows) - SHOWN:,} more; --json lists them all"))
    counts: dict[str, int] = {}
    for dataset in plan["datasets"]:
        counts[dataset["status"]] = counts.get(dataset["status"], 0) + 1
    parts.append(Text(", ".join(f"{n:,} {status}" for status, n in sorted(counts.items()))))
    refused = [dataset for dataset in plan["datasets"] if dataset["status"] == "refused"]
    parts += [
        Text(f"{dataset['dataset']}: {dataset['error']['message']}", style="red")
        for dataset in refused[:SHOWN]
    ]
    if refused:
        parts.append(Text("what failed before is tried again with --retry-failed"))
    parts.append(Text(_expected(plan["expected"])))
    if plan["job_script"]:
        parts += [Text("job script:"), Text(plan["job_script"])]
    return Group(*parts)


def _expected(found: Mapping[str, Any]) -> str:
    if not found["n_jobs"]:
        return "nothing to curate"
    time = datetime.timedelta(seconds=round(found["seconds"]))
    untold = f", and {found['n_untold']:,} datasets that do not tell" if found["n_untold"] else ""
    rates = f"{found['cells_per_s']:,.0f} cells/s and {size(found['bytes_per_s'])}/s a process"
    where = (
        f"as measured here on {found['measured_on']:,} datasets"
        if found["measured_on"]
        else "assumed: nothing was measured here yet"
    )
    return (
        f"to curate: {found['n_cells']:,} cells{untold}, {size(found['bytes'])}; "
        f"about {time} with {found['at_once']} at once ({rates}, {where})"
    )


def _told(value: int | None, text: str) -> str:
    return "not told" if value is None else text
