"""Our loaders and those of others over the same cells, each in a process and environment of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from . import _loaders_process as process
from ._loaders_cells import Size, make_cells
from ._loaders_entries import (
    BARE,
    COMPARISONS,
    CONVERTED,
    ENTRIES,
    ENVIRONMENTS,
    KERNEL,
    OURS,
    PEERS,
    STEADY,
)
from ._loaders_goals import figures_and_goals
from ._loaders_ours import pack
from ._loaders_process import LoaderError, Process
from ._loaders_table import row_of, write_table
from .environments import python_of
from .result import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._loaders_entries import Entry

TWO = " x 2"
BATCH = 256


def run(
    *,
    quick: bool,
    data: Path | None = None,
    envs: Path | None = None,
    cells: int | None = None,
    out: Path | None = None,
    only: str | None = None,
) -> Result:
    """Measure.

    Parameters
    ----------
    quick
        A thousand small cells, one short repetition, one process or thread.
    data
        Folder of the generated cells and their forms, kept and used again; None for a temporary
        one. The usual size takes 15 GB.
    envs
        Folder of the peers' environments, which are made where they are missing; None for no
        peers.
    cells
        How many, over eight plates.
    out
        Folder for the table (CSV, markdown) and the plot (SVG).
    only
        Parts of names, with commas: only these peers, what they are compared with, and such of ours
        are measured; None for all.
    """
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        size = Size(n_cells=150, n_genes=700, depth=400) if quick else Size()
        if cells is not None:
            size = Size(n_cells=-(-cells // size.n_plates), n_genes=size.n_genes, depth=size.depth)
        make_cells(folder, size)
        pack(folder)
        bench = Bench(folder=folder, quick=quick)
        bench.prepare(envs, only=only)
        for measure in (bench.measure_warm, bench.measure_cold):
            measure()
            if out is not None:
                write_table(out, bench.rows(), bench.failed)
    return bench.result(size)


class Bench:
    """What is measured where, and what came out."""

    def __init__(self, *, folder: Path, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        self.seconds, self.repeats = (0.3, 1) if quick else (5.0, 3)
        self.console = Console(stderr=True)
        self.pythons: dict[str | None, Path] = {None: Path(sys.executable)}
        self.failed: dict[str, str] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.ratios: dict[tuple[str, str], list[float]] = {}
        self.groups: list[list[str]] = []

    def prepare(self, envs: Path | None, *, only: str | None) -> None:
        """Make environments and forms; what cannot be made is a failure of its loaders."""
        parts = (only or "").split(",")

        def asked(name: str) -> bool:
            return any(part.strip() in name for part in parts)

        peers = [e for e in PEERS if envs is not None and asked(e.name)]
        for name in dict.fromkeys(entry.environment for entry in peers):
            assert name is not None
            environment = ENVIRONMENTS[name]
            try:
                with self.console.status(f"environment of {name}"):
                    python = python_of(
                        name, environment.requirements, folder=envs, version=environment.python
                    )
                    if name in CONVERTED:
                        self._convert(name, python)
                self.pythons[name] = python
            except (LookupError, subprocess.CalledProcessError) as error:
                said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
                self.failed |= {e.name: said[-1] for e in peers if e.environment == name}
        for peer in peers:
            if peer.name not in self.failed:
                ours = [c.ours for c in COMPARISONS if c.peer.removesuffix(TWO) == peer.name]
                two = [peer.name + TWO] if peer.two else []
                self.groups.append([*dict.fromkeys([*ours, peer.name, *two])])
        compared = {name for group in self.groups for name in group}
        twice = [] if self.quick else [e.name + TWO for e in OURS if e.two]
        rest = [*(e.name for e in OURS), *twice]
        if left := [n for n in rest if asked(n) and not {n} <= compared]:
            self.groups.append(left)

    def measure_warm(self) -> None:
        """Each peer and what is compared with it, in turn; each of them once before, unmeasured."""
        for group in self.groups:
            with contextlib.ExitStack() as stack:
                opened = self._open(group, stack)
                for _ in range(self.repeats):
                    rates = {}
                    for name in list(opened):
                        with self._may_fail(name, opened):
                            took = opened[name].ask("rate", seconds=self.seconds)
                            rates[name] = took["cells"] / took["s"]
                            facts = self.facts[name]
                            facts["rates"].append(rates[name])
                            facts["CPU rates"].append(took["cells"] / max(took["CPU s"], 1e-3))
                            facts["first batches"].append(took["first batch, s"])
                            if name in BARE:
                                bare = opened[name].ask("rate", seconds=self.seconds, bare=True)
                                ratio = rates[name] * bare["s"] / bare["cells"]
                                self.ratios.setdefault((name, KERNEL), []).append(ratio)
                    for c in COMPARISONS:
                        if c.ours in rates and c.peer in rates:
                            ratio = rates[c.ours] / rates[c.peer]
                            self.ratios.setdefault((c.ours, c.peer), []).append(ratio)

    def measure_cold(self) -> None:
        """Each loader in a new process, after its files were taken out of the page cache."""
        for name, facts in self.facts.items():
            if name.endswith(TWO) or not facts["rates"]:
                continue
            process.forget(facts["paths"])
            with self._may_fail(name, {}), self._process(name) as opened:
                took = opened.ask("rate", seconds=self.seconds)
                facts["cold rate"] = took["cells"] / took["s"]
                self.console.print(f"{name}, cold: {facts['cold rate']:,.0f} cells/s")

    def rows(self) -> list[dict[str, Any]]:
        """One row for each entry that was measured."""
        found = []
        for name, facts in self.facts.items():
            if name.endswith(TWO) or not facts["rates"]:
                continue
            two = self.facts.get(name + TWO, {})
            found.append(row_of(ENTRIES[name], facts, two.get("rates") or []))
        return found

    def result(self, size: Size) -> Result:
        """Figures and goals."""
        figures, goals = figures_and_goals(self.rows(), self.facts, self.ratios)
        failed = "".join(f" {name} was left out: {why}." for name, why in self.failed.items())
        return Result(
            benchmark="loaders",
            figures=figures,
            goals=goals,
            notes=(
                f"{asdict(size)}, batches of {BATCH} in random order with labels. Rates are medians "
                f"of {self.repeats} repetitions, ratios medians of the ratios within each, "
                f"both in turn.{failed}"
            ),
        )

    def _convert(self, name: str, python: Path) -> None:
        task = ["-m", "benchmarks._loaders_formats", name, str(self.folder.absolute())]
        subprocess.run(
            [str(python), *task],
            cwd=process.ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _open(self, group: Iterable[str], stack: contextlib.ExitStack) -> dict[str, Process]:
        opened: dict[str, Process] = {}
        for name in group:
            with self._may_fail(name, opened):
                one = stack.enter_context(self._process(name))
                size = one.ask("warm")["bytes"]
                with one.watched() as memory:
                    first = one.ask("rate", seconds=self.seconds)
                if name not in self.facts:
                    self.facts[name] = {
                        "rates": [],
                        "CPU rates": [],
                        "bytes": size,
                        "paths": one.paths,
                        "memory": memory,
                        "first batches": [],
                        "open, s": one.opened["open, s"],
                        "check": one.ask("check", cells=50_000, seconds=3 * self.seconds),
                    }
                    if name == STEADY:
                        cells = [100_000, 1_000_000]
                        self.facts[name]["MiB"] = one.ask("memory", cells=cells)["MiB"]
                    self.console.print(f"{name}: {first['cells'] / first['s']:,.0f} cells/s")
                opened[name] = one
        return opened

    def _process(self, name: str) -> Process:
        entry: Entry = ENTRIES[name.removesuffix(TWO)]
        more = entry.two if name.endswith(TWO) else None
        task = {
            "module": entry.module,
            "function": entry.function,
            "folder": str(self.folder.absolute()),
            "batch": BATCH,
            "options": {**entry.options, **(more or {})},
        }
        return Process(self.pythons[entry.environment], task)

    @contextlib.contextmanager
    def _may_fail(self, name: str, opened: dict[str, Process]) -> Any:
        try:
            yield
        except LoaderError as error:
            self.failed[name] = str(error)
            opened.pop(name, None)
            self.console.print(f"{name}: {error}")
