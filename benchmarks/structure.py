"""Components, neighbours and clusters of a large dataset: time, recall and memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .environments import measure
from .result import Goal, Result

SCRIPT = Path(__file__).with_name("_structure_once.py")
PEAK = "peak memory, MiB"


def run(*, quick: bool) -> Result:
    """Find the structure of generated cells, in a process of its own."""
    n_cells = 55_000 if quick else 200_000  # the quick one is approximate too
    n_counts = 300 if quick else 2_000
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "cells.h5ad")
        size = measure(SCRIPT, "generate", path, str(n_cells), str(n_counts))
        figures: dict[str, float] = measure(SCRIPT, "find", path, str(n_cells), str(n_counts))
    figures = {**size, **figures}
    return Result(
        benchmark="structure",
        figures=figures,
        goals=[
            Goal(name="all, s", value=figures["all, s"], goal=300, at_most=True),
            Goal(name="recall", value=figures["recall"], goal=0.95),
            Goal(name="agreement", value=figures["agreement"], goal=0.9),
            Goal(name=PEAK, value=figures[PEAK], goal=2048, at_most=True),
        ],
        notes=(
            f"{n_cells:,} cells of 40 types in 20,000 genes, 50 components, 15 neighbours. Recall: "
            "the share of the 15 exact neighbours that were found, of 2,000 other cells than those "
            "by which the index sets itself. Agreement: adjusted Rand index of clusters and types. "
            "Peak: what the process takes beyond its imports."
        ),
    )
