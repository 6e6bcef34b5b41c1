"""Figures and goals of `benchmarks.loaders`."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from ._loaders_entries import COMPARISONS, DISK, MOST_GROWTH, MOST_PRIVATE
from .result import Goal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def figures_and_goals(
    rows: Sequence[dict[str, Any]],
    facts_of: Mapping[str, dict[str, Any]],
    ratios_of: Mapping[tuple[str, str], list[float]],
) -> tuple[dict[str, float], list[Goal]]:
    """Give rates and ratios, and what was aimed at.

    Parameters
    ----------
    rows
        Of the table.
    facts_of
        What was measured of each loader, by name.
    ratios_of
        Of each pair in each repetition.
    """
    figures: dict[str, float] = {}
    goals: list[Goal] = []

    def add(name: str, value: float, goal: float | None, *, at_most: bool = False) -> None:
        if goal is not None:
            goals.append(Goal(name=name, value=value, goal=goal, at_most=at_most))

    for row in rows:
        name = row["loader"]
        figures[f"{name}, cells/s"] = row["cells/s"]
        add(f"{name}, wrong", row["wrong"], 0, at_most=True)
        if row["ours"] and "blocks" not in name:
            lost = row["of chance"] - row["entropy of plates"]
            add(f"{name}, bits of plates lost", lost, 0.02, at_most=True)
    for c in COMPARISONS:
        if (ratios := ratios_of.get((c.ours, c.peer))) is not None:
            name = f"{c.ours} / {c.peer}"
            figures[name] = statistics.median(ratios)
            add(name, figures[name], c.goal)
    for name, most in DISK.items():
        if "annbatch" in facts_of and name in facts_of:
            share = facts_of[name]["bytes"] / facts_of["annbatch"]["bytes"]
            add(f"{name}, bytes / annbatch's", share, most, at_most=True)
    for name, facts in facts_of.items():
        if "MiB" in facts:
            first, last = facts["MiB"]
            add(f"{name}, private MiB", last, MOST_PRIVATE, at_most=True)
            add(f"{name}, growth, MiB", last - first, MOST_GROWTH, at_most=True)
    return figures, goals
