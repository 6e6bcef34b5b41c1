"""What runs inside the process of a `Worker`."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import resource
import signal
import traceback
from multiprocessing.connection import Connection
from typing import Any

from ..errors import CorpuscleError

PR_SET_PDEATHSIG = 1


def serve(fd: int, parent: int, max_bytes: int) -> None:
    """Do what comes through a connection until it is closed.

    Parameters
    ----------
    fd
        The connection.
    parent
        Process that we must not outlive.
    max_bytes
        Memory that we may have for ourselves; files that are mapped do not count.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked to be told
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and decides
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = max_bytes if hard == resource.RLIM_INFINITY else min(max_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    connection: Connection[Any, Any] = Connection(fd)
    ready = b""
    while True:
        try:
            task = connection.recv_bytes()
        except EOFError:
            return
        try:
            setup, function, args, kwargs = pickle.loads(task)
            if setup != ready:
                (pickle.loads(setup) or bool)()
                ready = setup
            answer = pickle.dumps(("done", _call(connection, function, args, kwargs)))
        except MemoryError:
            answer = pickle.dumps(("memory", None))
        except Exception as error:  # noqa: BLE001 - it is raised in the parent
            answer = pickle.dumps(("error", _portable(error)))
        connection.send_bytes(answer)


def _call(connection: Connection[Any, Any], function: Any, args: Any, kwargs: Any) -> Any:
    from ..curation import listening

    def progress(done: int, total: int) -> None:
        connection.send(("progress", (done, total)))

    with listening(lambda: connection.send(("alive", None))):
        return function(*args, progress=progress, **kwargs)


def _portable(error: Exception) -> Exception:
    """Keep the traceback of an error that nobody expected, as text."""
    if isinstance(error, CorpuscleError):
        return error
    note = "".join(traceback.format_exception(error)).rstrip()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - it is another library's
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In the process that did it:\n{note}")
    return error
