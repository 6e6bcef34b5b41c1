"""Curated files read as they are: ours, LaminDB's mapped collection and scDataset, in turn."""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from ._loaders_cells import Size, make_cells
from ._loaders_entries import ENVIRONMENTS
from ._loaders_process import Process
from .environments import python_of
from .result import Goal, Result

BATCH = 256
KINDS = ("plain", "gzip")
COMPARED: dict[str, tuple[float, tuple[str, str], tuple[str, str], dict[str, Any]]] = {
    "cell by cell, dense": (2.5, ("_loaders_ours", "mapped"), ("lamindb", "mapped"), {}),
    "random, CSR": (
        2,
        ("_loaders_files", "blocks"),
        ("scdataset", "scdataset"),
        {"block": 1, "fetch": 4_096},
    ),
    "blocks of 64, CSR": (
        2,
        ("_loaders_files", "blocks"),
        ("scdataset", "scdataset"),
        {"block": 64, "fetch": 4_096},
    ),
}
"""Least ratio; module and function of ours; environment and function of the peer; options of both."""


def run(*, quick: bool, data: Path | None = None, envs: Path | None = None, **_: Any) -> Result:
    """Measure.

    Parameters
    ----------
    quick
        A few thousand small cells, and one short repetition.
    data
        Folder of the generated cells, kept and used again; None for a temporary one.
    envs
        Folder of the peers' environments, which are made where they are missing; None for no
        peers.
    """
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    seconds, repeats = (0.3, 1) if quick else (3.0, 3)
    with tempfile.TemporaryDirectory() as temporary:
        folder = data or Path(temporary)
        make_cells(folder, Size(n_cells=600, n_genes=700, depth=400) if quick else Size())
        for kind in KINDS:
            for name, (goal, ours, peer, options) in COMPARED.items():
                task = {
                    "folder": str(folder.absolute()),
                    "batch": BATCH,
                    "options": {"kind": kind, **options},
                }
                mine = {**task, "module": ours[0], "function": ours[1]}
                tasks = {"ours": (Path(sys.executable), mine)}
                if envs is not None:
                    wanted = ENVIRONMENTS[peer[0]]
                    python = python_of(
                        peer[0], wanted.requirements, folder=envs, version=wanted.python
                    )
                    other = {**task, "module": "_loaders_anndata", "function": peer[1]}
                    tasks[peer[0]] = (python, other)
                found = compare(tasks, seconds=seconds, repeats=repeats)
                title = f"{name}, {kind}"
                for who, value in found.items():
                    figures[f"{title}: {who}"] = value
                if "ratio" in found:
                    goals.append(Goal(name=f"{title}, ratio", value=found["ratio"], goal=goal))
    return Result(
        benchmark="loaders_files",
        figures=figures,
        goals=goals,
        notes=f"Batches of {BATCH} with labels; medians of {repeats} repetitions in turn.",
    )


def compare(
    tasks: dict[str, tuple[Path, dict[str, Any]]], *, seconds: float, repeats: int
) -> dict[str, float]:
    """Rates of ours and of a peer, by time and by CPU time, and the medians of their ratios.

    Raises
    ------
    RuntimeError
        If a loader gives a cell or a label that is not of the files.
    """
    rates: dict[str, list[tuple[float, float]]] = {who: [] for who in tasks}
    with contextlib.ExitStack() as stack:
        running = {}
        for who, (python, task) in tasks.items():
            one = running[who] = stack.enter_context(Process(python, task))
            one.ask("warm")
            facts = one.ask("check", cells=4_096, seconds=10 * seconds)
            if facts["wrong"] or facts["wrong labels"] or facts["wrong rows"]:
                msg = f"{who} gives wrong cells: {facts}"
                raise RuntimeError(msg)
        for _ in range(repeats):
            for who, one in running.items():
                took = one.ask("rate", seconds=seconds)
                rates[who].append(
                    (took["cells"] / took["s"], took["cells"] / max(took["CPU s"], 1e-3))
                )
    found = {
        f"{who}, cells/{unit}": statistics.median(pair[i] for pair in values)
        for who, values in rates.items()
        for i, unit in enumerate(("s", "CPU s"))
    }
    if len(rates) == 2:
        ours, theirs = rates.values()
        for i, name in enumerate(("ratio", "ratio of CPU time")):
            ratios = [a[i] / b[i] for a, b in zip(ours, theirs, strict=True)]
            found[name] = statistics.median(ratios)
    Console(stderr=True).print(found)
    return found
