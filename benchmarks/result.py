"""What a benchmark says."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure to reach."""

    name: str
    value: float
    """What was measured."""
    goal: float
    """What was aimed at."""
    at_most: bool = False
    """Whether smaller is better."""

    @property
    def holds(self) -> bool:
        """Whether the figure is reached."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures and goals of one benchmark in one run."""

    benchmark: str
    figures: dict[str, float]
    """Medians by name; the unit is part of the name."""
    goals: list[Goal] = field(default_factory=list)
    notes: str = ""
    """How to read it."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "benchmark": self.benchmark,
            "machine": machine(),
            "figures": self.figures,
            "goals": [
                {"name": g.name, "value": g.value, "goal": g.goal, "holds": g.holds}
                for g in self.goals
            ],
        }

    def view(self) -> RenderableType:
        """Table for people."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"{self.benchmark} on {machine()['description']}", title_justify="left")
        table.add_column("figure")
        table.add_column("median", justify="right")
        for name, value in self.figures.items():
            table.add_row(name, f"{value:,.2f}")
        goals = Table(title="goals", title_justify="left")
        for column in ("goal", "measured", "aimed at", "holds"):
            goals.add_column(column)
        for g in self.goals:
            sign = "at most" if g.at_most else "at least"
            goals.add_row(
                g.name, f"{g.value:,.2f}", f"{sign} {g.goal:g}", "yes" if g.holds else "NO"
            )
        return Group(table, goals, Text(self.notes))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return {
        "cores": cores,
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
        "load": round(load, 2),
        "description": (
            f"{cores} {platform.machine()} cores, {memory:.0f} GiB, "
            f"Python {platform.python_version()}, load {load:.1f}"
        ),
    }
