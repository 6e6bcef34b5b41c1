"""Environments of their own for peers whose dependencies do not fit ours, built on demand."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def python_of(name: str, requirements: Sequence[str]) -> Path:
    """Interpreter of the environment with these requirements; built the first time.

    Parameters
    ----------
    name
        For people.
    requirements
        What to install, pinned.
    """
    import platformdirs

    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    folder = Path(platformdirs.user_cache_dir("corpuscle")) / "benchmarks" / f"{name}-{digest}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        (folder / "ready").touch()
    return python


def measure(script: Path, *arguments: str, python: Path | None = None) -> dict[str, Any]:
    """Run a script in a process of its own; the last line it prints is its figures as JSON."""
    command = [str(python or sys.executable), str(script), *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
