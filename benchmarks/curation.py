"""Curation of one dataset: its memory as the dataset grows, its speed beside scDataLoader's."""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from . import structure
from ._curation_build import build
from .environments import measure
from .result import Goal, Result

CELLS, ONCE, PEER = (
    Path(__file__).with_name(f"_curation_{name}.py") for name in ("cells", "once", "peer")
)
VARIABLE = "CORPUSCLE_BENCHMARK_SCDATALOADER"
"""Environment variable: the Python of an environment with scdataloader==2.1.3, pyarrow<20
and scikit-learn<1.8, which scanpy 1.11 needs."""
N_DRAWS = 1_300
"""Molecules per cell, of 890 genes."""
WAYS = {"plain": ("plain", 5.0), "same": ("structure", 2.0), "whole": ("structure", 2.0)}
"""What scDataLoader does, what we do beside it, and how many times as fast we aim to be."""


def run(*, quick: bool) -> Result:
    """Measure builds of a small and a large dataset, then both tools in turn."""
    sizes = (2_000, 5_000) if quick else (100_000, 1_000_000)
    python = os.environ.get(VARIABLE)
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n_cells in sizes:
            _memory(folder, n_cells, figures)
        small, large = (figures[f"{n:,} cells, peak memory, MiB"] for n in sizes)
        goals.append(Goal(name="peak memory, MiB", value=large, goal=2048, at_most=True))
        goals.append(Goal(name="small / large", value=small / large, goal=1.2, at_most=True))
        if python:
            goals += _speed(folder, Path(python), figures, quick=quick)
    beside = (
        "ours and scDataLoader's Preprocessor read, curate and write the same file in turn, each "
        "in a process that did a small one before; 'same' is its own steps with neighbours and "
        "one Leiden clustering, 'whole' with all of its additional_postprocess."
        if python
        else f"scDataLoader was left out: {VARIABLE} does not name a Python that has it."
    )
    if not quick:
        found = structure.run(quick=False)
        figures |= {f"structure, {name}": value for name, value in found.figures.items()}
        goals += [g for g in found.goals if g.name in {"all, s", "recall"}]
    return Result(
        benchmark="curation",
        figures=figures,
        goals=goals,
        notes=f"`corpuscle build` of one h5ad of 20,000 genes: memory of all processes; {beside}",
    )


def _memory(folder: Path, n_cells: int, figures: dict[str, float]) -> None:
    cells = folder / "cells.h5ad"
    about = measure(CELLS, str(cells), str(n_cells), str(N_DRAWS))
    figures |= {f"{n_cells:,} cells, {name}": value for name, value in about.items()}
    with tempfile.TemporaryDirectory(dir=folder) as name:
        found = build(Path(name), cells, structure=False)
    figures |= {
        f"{n_cells:,} cells, {name}": value
        for name, value in found.items()
        if not name.endswith("bytes")
    }
    for name in ("read", "written"):
        figures[f"{n_cells:,} cells, bytes {name} per cell"] = found[f"{name}, bytes"] / n_cells


def _speed(folder: Path, python: Path, figures: dict[str, float], *, quick: bool) -> list[Goal]:
    n_cells, repeats = (3_000, 1) if quick else (50_000, 3)
    small, cells, out = (str(folder / f"{name}.h5ad") for name in ("warm", "timed", "out"))
    # so many that scanpy compiles all that it will need
    measure(CELLS, small, "5000", str(N_DRAWS))
    measure(CELLS, cells, str(n_cells), str(N_DRAWS))
    home = folder / "scdataloader"
    home.mkdir()
    _genes(home / "genes.tsv")
    measure(PEER, "setup", str(home), str(home / "genes.tsv"), python=python)
    goals = []
    for way, (ours, goal) in WAYS.items():
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "scDataLoader": []}
        for _ in range(repeats):
            found["ours"].append(measure(ONCE, ours, out, small, cells))
            found["scDataLoader"].append(
                measure(PEER, way, str(home), out, small, cells, python=python)
            )
        for who, results in found.items():
            seconds, cpu = (statistics.median(r[key] for r in results) for key in ("s", "CPU s"))
            figures[f"{way}, {who}, cells/s"] = n_cells / seconds
            figures[f"{way}, {who}, CPU ms per cell"] = 1_000 * cpu / n_cells
        pairs = list(zip(found["ours"], found["scDataLoader"], strict=True))
        ratios = {
            key: statistics.median(b[key] / a[key] for a, b in pairs) for key in ("s", "CPU s")
        }
        figures[f"{way}, scDataLoader / ours, CPU s"] = ratios["CPU s"]
        goals.append(Goal(name=f"{way}, times as fast", value=ratios["s"], goal=goal))
    return goals


def _genes(path: Path) -> None:
    """Write the genes that scDataLoader's registry is to know."""
    from corpuscle.ontologies import gene_table

    table: Any = gene_table("human")
    table = table[table.index.str.startswith("ENSG")].rename_axis("ensembl_gene_id")
    table[["symbol", "biotype"]].astype(object).to_csv(path, sep="\t")
