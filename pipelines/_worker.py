"""A process of its own for what strangers' files may break."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from functools import cache
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any, NoReturn

from ..curation._threads import THREADS_VARIABLE, n_threads
from ..errors import CrashError
from ._memory_limit import memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

STALL_S = 600.0
"""Longest time without a sign of life: the slowest step without one takes a tenth of it."""
MEMORY_SHARE = 0.75
"""Of the machine's memory: the process is refused more before the system kills something else."""
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from corpuscle.pipelines._worker_process import serve; serve(*map(int, sys.argv[2:]))"
)
NEXT = "The file is damaged or hostile: fetch it again or leave it out."


class Worker:
    """A process that does one thing after another; a new one takes its place when it dies.

    It is started when there is something to do, ends with this process however that ends, and
    does not run this process's main module. (The pools at hand give either signs of life or
    survival of a crash, not both.)

    Parameters
    ----------
    stall_s
        Longest time without a sign of life, in seconds; then the process is ended.
    max_bytes
        Memory it may have for itself; by default `MEMORY_SHARE` of what there is.
    setup
        Called in the process before the first task, and again whenever it is another. Can be
        pickled.
    threads
        Threads that it may keep busy; by default as many as this process.
    """

    def __init__(
        self,
        *,
        stall_s: float = STALL_S,
        max_bytes: int | None = None,
        setup: Callable[[], None] | None = None,
        threads: int | None = None,
    ) -> None:
        self.stall_s, self.setup, self.threads = stall_s, setup, threads
        self.max_bytes = int(MEMORY_SHARE * memory_bytes()) if max_bytes is None else max_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        about: str | Path,
        on_progress: Callable[[int, int], None] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Let the process call a function.

        Parameters
        ----------
        function
            Of a module that can be imported. Gets `args`, `kwargs` and ``progress``.
        about
            The file it reads, for messages.
        on_progress
            Called here with what ``progress`` is called with there.

        Returns
        -------
        What the function returns, pickled and unpickled.

        Raises
        ------
        CrashError
            If the process dies, needs more than its memory, or gives no sign of life.
        Exception
            Whatever the function raises; not of our own errors, with its traceback as a note.
        """
        task = pickle.dumps((pickle.dumps(self.setup), function, args, kwargs))
        with self._lock:
            self._start()
            is_idle = False
            try:
                self._send(task, about)
                kind, content = self._answer(about, on_progress)
                is_idle = kind != "memory"
            finally:
                if not is_idle:
                    self._end()
        if kind == "memory":
            what = f"Reading {about} takes more memory than the {_size(self.max_bytes)} allowed"
            msg = f"{what}. Run on a larger machine, or leave the file out."
            raise CrashError(msg, {"file": str(about), "max_bytes": self.max_bytes})
        if kind == "error":
            raise content
        return content

    def close(self) -> None:
        """Let the process end, if there is one; it is started again when it is needed."""
        with self._lock:
            if self._process is not None and self._pid == os.getpid():
                self._connection.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=5)
            self._end()

    def kill(self) -> None:
        """End the process at once, whatever it does for whichever thread."""
        process = self._process
        if process is not None and self._pid == os.getpid():
            process.kill()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None and self._pid == os.getpid():
            return
        self._end()
        self._connection, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        fd = theirs.fileno()
        words = [json.dumps(sys.path), str(fd), str(os.getpid()), str(self.max_bytes)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, *words],
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=self._stderr,
            stderr=self._stderr,
            env={**os.environ, THREADS_VARIABLE: str(self.threads or n_threads())},
        )
        self._pid = os.getpid()
        theirs.close()

    def _send(self, task: bytes, about: str | Path) -> None:
        try:
            self._connection.send_bytes(task)
        except OSError:
            self._died(about)

    def _answer(
        self, about: str | Path, on_progress: Callable[[int, int], None] | None
    ) -> tuple[str, Any]:
        connection: Connection[Any, Any] = self._connection
        while True:
            if not connection.poll(self.stall_s):
                msg = f"Reading {about} gave no sign of life for {self.stall_s:g} seconds. {NEXT}"
                raise CrashError(msg, {"file": str(about), "stall_s": self.stall_s})
            try:
                kind, content = connection.recv()
            except (EOFError, OSError):
                self._died(about)
            if kind == "progress":
                if on_progress is not None:
                    on_progress(*content)
            elif kind != "alive":
                return kind, content

    def _died(self, about: str | Path) -> NoReturn:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"ended with code {code}"
        if code < 0:
            how = f"died of signal {-code} ({signal.Signals(-code).name})"
        hint = NEXT
        if code == -signal.SIGKILL:
            hint = "The system may have run out of memory: run it again by itself, or leave it out."
        self._stderr.seek(0)
        tail = self._stderr.read()[-4000:].decode("utf-8", "replace")
        msg = f"The process that read {about} {how}. {hint}"
        raise CrashError(msg, {"file": str(about), "code": code, "stderr": tail})

    def _end(self) -> None:
        if self._process is None:
            return
        self._connection.close()
        self._stderr.close()
        if self._pid == os.getpid():
            self._process.kill()
            self._process.wait()
        self._process = None


@cache
def file_reader() -> Worker:
    """Give the worker that reads the files of this process; it is ended at exit."""
    worker = Worker()
    atexit.register(worker.close)
    return worker


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
