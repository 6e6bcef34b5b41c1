"""How long one waits before anything happens: imports, help, a new workspace."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .result import Goal, Result

CORPUSCLE = str(Path(sys.executable).with_name("corpuscle"))


def run(*, quick: bool) -> Result:
    """Time whole processes, in turn."""
    repeats = 2 if quick else 7
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats):
            cache = f"{folder}/cache-{repeat}"
            commands: dict[str, list[str]] = {
                "python -c pass, s": [sys.executable, "-c", "pass"],
                "import corpuscle, s": [sys.executable, "-c", "import corpuscle"],
                "corpuscle --help, s": [CORPUSCLE, "--help"],
                "init, first time, s": [CORPUSCLE, "init", f"{folder}/a{repeat}"],
                "init, from cached seed, s": [CORPUSCLE, "init", f"{folder}/b{repeat}"],
                "init, there already, s": [CORPUSCLE, "init", f"{folder}/b{repeat}"],
            }
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(
                    command,
                    check=True,
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, "CORPUSCLE_CACHE": cache},
                )
                seconds.setdefault(name, []).append(time.perf_counter() - started)
    figures = {name: statistics.median(values) for name, values in seconds.items()}
    goals = {
        "import corpuscle, s": 0.3,
        "corpuscle --help, s": 0.3,
        "init, first time, s": 90.0,
        "init, from cached seed, s": 5.0,
    }
    return Result(
        benchmark="startup",
        figures=figures,
        goals=[
            Goal(name=name, value=figures[name], goal=goal, at_most=True)
            for name, goal in goals.items()
        ],
        notes=f"Whole processes, {repeats} runs of each in turn.",
    )
