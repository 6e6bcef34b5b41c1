"""Cells that are in several datasets: ours against pandas in memory and DuckDB on disk."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from .environments import measure, python_of
from .result import Goal, Result

WAYS = ("ours", "pandas", "duckdb")
SCRIPT = Path(__file__).with_name("_duplicates_once.py")
DUCKDB = ["duckdb==2.0.1", "h5py==3.16.0", "numpy==2.4.6", "pandas==2.3.3"]
PER_MILLION, CPU = "s per million cells", "CPU s per million cells"
PEAK, SCRATCH = "peak memory, MiB", "scratch, bytes per cell"


def run(*, quick: bool) -> Result:
    """Find the known duplicates among generated fingerprints, in processes of their own, in turn."""
    n_cells, repeats = (200_000, 1) if quick else (10_000_000, 3)
    ways = WAYS[:2] if quick else WAYS
    with tempfile.TemporaryDirectory() as folder:
        expected = measure(SCRIPT, "generate", folder, str(n_cells))["pairs"]
        runs = []
        for _ in range(repeats):
            found = {}
            for way in ways:
                python = python_of("duckdb", DUCKDB) if way == "duckdb" else None
                found[way] = measure(SCRIPT, way, folder, str(n_cells), python=python)
                if found[way].pop("pairs") != expected:
                    msg = f"{way} did not find the duplicates that were generated."
                    raise ValueError(msg)
            runs.append(found)
    figures = {
        f"{way}, {name}": statistics.median(r[way][name] for r in runs)
        for way in ways
        for name in (PER_MILLION, CPU, PEAK, SCRATCH)
        if runs[0][way].get(name)
    }
    figures |= {
        f"{way} / ours, CPU s": statistics.median(r[way][CPU] / r["ours"][CPU] for r in runs)
        for way in ways[1:]
    }
    return Result(
        benchmark="duplicates",
        figures=figures,
        goals=[
            Goal(
                name="ours, CPU s per million cells",
                value=figures[f"ours, {CPU}"],
                goal=0.75,
                at_most=True,
            ),
            Goal(name="ours, peak, MiB", value=figures[f"ours, {PEAK}"], goal=512, at_most=True),
            Goal(name="ours, scratch", value=figures[f"ours, {SCRATCH}"], goal=17, at_most=True),
        ],
        notes=(
            f"{n_cells:,} cells in ten files; a fifth of each is in the next file too, a hundredth "
            f"twice in its own. {repeats} runs of each in turn. All give the cells of each pair of "
            "files and the list of copies with the cell to keep; they agree. Peak: what the process "
            "takes beyond its imports. DuckDB may use 512 MB."
        ),
    )
