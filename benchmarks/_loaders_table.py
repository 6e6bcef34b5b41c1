"""The table and the plot of `benchmarks.loaders`."""

from __future__ import annotations

import csv
import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ._loaders_entries import Entry

OUTPUTS = ("csr", "ragged", "tokens", "dense")
OURS, OTHERS = "#0b6e99", "#b8b8b8"


def row_of(entry: Entry, facts: dict[str, Any], two: list[float]) -> dict[str, Any]:
    """One row of the table; `two` are the rates with two processes or threads."""
    check = facts["check"]
    return {
        "loader": entry.name,
        "ours": entry.environment is None,
        "output": entry.output,
        "labels": ", ".join(check["labels"]),
        "cells/s": statistics.median(facts["rates"]),
        "cells/CPU-s": statistics.median(facts["CPU rates"]),
        "cells/s, two": statistics.median(two) if two else None,
        "cells/s, cold": facts.get("cold rate"),
        "first batch, s": facts["first batch, s"],
        "open, s": facts["open, s"],
        "MB on disk": facts["bytes"] / 1e6,
        "peak PSS, MiB": facts["memory"]["PSS"],
        "peak private, MiB": facts["memory"]["private"],
        "entropy of plates": check["entropy of plate"],
        "of chance": check["chance of plate"],
        "entropy of types": check["entropy of cell_type"],
        "of chance, types": check["chance of cell_type"],
        "checked": check["checked"],
        "wrong": check["wrong"] + check["wrong labels"] + check["wrong rows"],
        "repeats": check["repeats"],
    }


def write_table(folder: Path, rows: list[dict[str, Any]], failed: dict[str, str]) -> None:
    """Write ``loaders.csv``, ``loaders.md`` and ``loaders.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(rows, key=lambda row: (OUTPUTS.index(row["output"]), -row["cells/s"]))
    with (folder / "loaders.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "loaders.md").write_text(markdown(rows, failed))
    plot(folder / "loaders.svg", rows)


def markdown(rows: list[dict[str, Any]], failed: dict[str, str]) -> str:
    """One table, ours in bold."""
    keys = [key for key in rows[0] if key != "ours"]
    lines = ["| " + " | ".join(keys) + " |", "| " + " | ".join("---" for _ in keys) + " |"]
    for row in rows:
        cells = [_text(row[key]) for key in keys]
        cells[0] = f"**{cells[0]}**" if row["ours"] else cells[0]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *(f"{name} was left out: {why}" for name, why in failed.items())]
    return "\n".join(lines).rstrip() + "\n"


def plot(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rates as bars, one panel for each form of the output."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = [o for o in OUTPUTS if any(row["output"] == o for row in rows)]
    heights = [sum(row["output"] == output for row in rows) for output in shown]
    figure = Figure(
        figsize=(7.5, 1.0 + 0.27 * sum(heights) + 0.3 * len(shown)), layout="constrained"
    )
    panels = figure.subplots(
        len(shown), 1, sharex=True, squeeze=False, height_ratios=[h + 0.6 for h in heights]
    )[:, 0]
    for panel, output in zip(panels, shown, strict=True):
        part = [row for row in rows if row["output"] == output][::-1]
        rates = [row["cells/s"] for row in part]
        bars = panel.barh(
            [row["loader"] for row in part],
            rates,
            color=[OURS if row["ours"] else OTHERS for row in part],
        )
        panel.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=3, fontsize=7)
        panel.set_title(output, fontsize=8, loc="left")
        panel.tick_params(labelsize=7)
        panel.set_xscale("log")
        panel.margins(x=0.12)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("cells a second, one process, warm cache", fontsize=8)
    with mpl.rc_context({"svg.hashsalt": "corpuscle", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
