"""Environments of their own for peers whose dependencies do not fit ours, built on demand."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def python_of(
    name: str,
    requirements: Sequence[str],
    *,
    folder: Path | None = None,
    version: str | None = None,
) -> Path:
    """Interpreter of the environment with these requirements; built the first time.

    Parameters
    ----------
    name
        For people.
    requirements
        What to install, pinned.
    folder
        Where environments live; None for the user's cache.
    version
        Version of Python, such as ``3.12``; None for the one that runs this.

    Raises
    ------
    LookupError
        If there is no such Python on this machine.
    subprocess.CalledProcessError
        If the environment cannot be made; `stderr` says why.
    """
    import platformdirs

    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    cache = Path(platformdirs.user_cache_dir("corpuscle")) / "benchmarks"
    home = ((folder or cache) / f"{name}-{digest}").absolute()
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        for command in (
            [_interpreter(version), "-m", "venv", "--clear", str(home)],
            [str(python), "-m", "pip", "install", "--quiet", *requirements],
        ):
            subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)
        (home / "ready").touch()
    return python


def measure(script: Path, *arguments: str, python: Path | None = None) -> dict[str, Any]:
    """Run a script in a process of its own; the last line it prints is its figures as JSON."""
    command = [str(python or sys.executable), str(script), *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _interpreter(version: str | None) -> str:
    if version is None:
        return sys.executable
    installed = Path.home().glob(f".pyenv/versions/{version}*/bin/python")
    for python in [shutil.which(f"python{version}"), *map(str, installed)]:
        with contextlib.suppress(subprocess.CalledProcessError):
            if python is not None:
                subprocess.run([python, "-c", ""], check=True, stderr=subprocess.DEVNULL)
                return python
    msg = f"no Python {version} on this machine"
    raise LookupError(msg)
