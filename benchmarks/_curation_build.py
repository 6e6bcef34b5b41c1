"""A whole `corpuscle build` of one file, watched from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

CORPUSCLE = (sys.executable, "-c", "from corpuscle.pipelines.cli import main; main()")
EVERY_S = 0.2
"""Between two looks at the memory."""


def build(folder: Path, cells: Path, *, structure: bool) -> dict[str, float]:
    """Build a collection of one file in a new workspace.

    Returns
    -------
    Seconds, CPU seconds, most memory (proportional set size) of all processes together, and what
    they read and wrote.
    """
    home, recipe = folder / "workspace", folder / "recipe.yaml"
    names = ("quality", "structure") if structure else ("quality",)
    parts: dict[str, dict[str, object]] = {name: {} for name in names}
    source = {"source": "local", "paths": [str(cells)]}
    recipe.write_text(json.dumps({"name": "benchmark", "sources": [source], **parts}))
    subprocess.run([*CORPUSCLE, "init", str(home)], check=True, stdout=subprocess.DEVNULL)
    io: dict[int, tuple[int, int]] = {}
    started, peak = time.perf_counter(), 0
    with (folder / "built.json").open("w") as told:
        command = [*CORPUSCLE, "build", str(recipe), "--home", str(home), "--json"]
        parent = psutil.Popen(command, stdout=told)
        while True:
            pid, code, used = os.wait4(parent.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, _look(parent, io))
            time.sleep(EVERY_S)
    if code:
        msg = f"The build of {cells} ended with status {code}."
        raise SystemExit(msg)
    read, written = (sum(counts) for counts in zip(*io.values(), strict=True))
    return {
        "s": time.perf_counter() - started,
        "CPU s": used.ru_utime + used.ru_stime,
        "peak memory, MiB": peak / 2**20,
        "read, bytes": read,
        "written, bytes": written,
    }


def _look(parent: psutil.Process, io: dict[int, tuple[int, int]]) -> int:
    """Sum the memory of a process and those it started, and note what each read and wrote."""
    memory = 0
    for process in [parent, *parent.children(recursive=True)]:
        try:
            memory += process.memory_full_info().pss
            counts = process.io_counters()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        io[process.pid] = (counts.read_chars, counts.write_chars)
    return memory
