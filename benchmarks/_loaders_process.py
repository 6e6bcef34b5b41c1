"""Processes of loaders: asked for rates in turn, watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300
"""Seconds for one answer."""


class LoaderError(Exception):
    """A loader ended, or did not answer."""


class Process:
    """One loader at work, see `_loaders_once`.

    Raises
    ------
    LoaderError
        If it ends or does not answer in time; with the last line it wrote.
    """

    def __init__(self, python: Path, task: dict[str, Any]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        threads = ("OMP", "MKL", "OPENBLAS")
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks._loaders_once", json.dumps(task)],
            cwd=ROOT,
            env={**os.environ, **{f"{kind}_NUM_THREADS": "1" for kind in threads}},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,  # `select` must see what is left to read
            start_new_session=True,
        )
        try:
            self.opened = self._answer()
        except LoaderError:
            self.close()
            raise
        self.paths = [Path(path) for path in self.opened["paths"]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, do: str, **options: float | list[int]) -> dict[str, Any]:
        """Let it do something."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer, which says why
            self._process.stdin.write(json.dumps({"do": do, **options}).encode() + b"\n")
            self._process.stdin.flush()
        return self._answer()

    @contextlib.contextmanager
    def watched(self, every: float = 0.25) -> Iterator[dict[str, float]]:
        """Highest memory of the process and its children while this lasts, in MiB."""
        peaks = {"PSS": 0.0, "private": 0.0}
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(every):
                now = memory(self._process.pid)
                peaks.update({key: max(peaks[key], value) for key, value in now.items()})

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield peaks
        finally:
            stop.set()
            thread.join()

    def close(self) -> None:
        """End it and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._process.stdout], [], [], left)[0]:
                break
            line = self._process.stdout.readline()
            if not line:
                raise LoaderError(self._last_words())
            if line.startswith(b"\t"):  # peers print, too
                facts: dict[str, Any] = json.loads(line)
                return facts
        msg = f"no answer in {PATIENCE} s"
        raise LoaderError(msg)

    def _last_words(self) -> str:
        if (code := self._process.wait()) < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        self._errors.seek(0)
        lines = [line for line in self._errors.read().decode().splitlines() if line.strip()]
        return lines[-1] if lines else "it ended without a word"


def memory(pid: int) -> dict[str, float]:
    """Of a process and its descendants, in MiB: its share of all pages, and what no file holds."""
    total = {"PSS": 0.0, "private": 0.0}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            key, size, _ = line.split()
            name = {"Pss:": "PSS", "Pss_Anon:": "private"}.get(key)
            if name:
                total[name] += int(size) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                total = {key: total[key] + value for key, value in memory(int(child)).items()}
    return total


def forget(paths: Iterable[Path]) -> None:
    """Take files out of the page cache, as far as this process may."""
    os.sync()  # what is not written yet stays
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
