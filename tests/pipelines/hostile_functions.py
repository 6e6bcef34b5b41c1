"""What files of strangers do to the process that reads them."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from corpuscle.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress = Callable[[int, int], None]


def add(a: int, b: int, *, progress: Progress) -> tuple[int, int]:
    progress(1, 2)
    progress(2, 2)
    return a + b, os.getpid()


def die(how: int, *, progress: Progress) -> None:
    sys.stderr.write("about to die\n")
    sys.stderr.flush()
    os.kill(os.getpid(), how)


def leave(*, progress: Progress) -> None:
    sys.exit(7)


def loop(note: Path | None = None, *, progress: Progress) -> None:
    if note is not None:
        note.write_text(str(os.getpid()))
    while True:
        pass


def work(seconds: float, *, progress: Progress) -> str:
    from corpuscle.curation import sign_of_life

    for _ in range(20):
        time.sleep(seconds / 20)
        sign_of_life()
    return "done"


def grow(*, progress: Progress) -> int:
    held: list[bytearray] = []
    while True:
        held.append(bytearray(1 << 26))


def refuse(*, progress: Progress) -> None:
    msg = "a.h5ad has no obs. Write it again."
    raise SchemaError(msg, {"file": "a.h5ad"})


def fail(*, progress: Progress) -> float:
    return 1 / 0


class _Unpicklable(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a}{b}")


def fail_oddly(*, progress: Progress) -> None:
    raise _Unpicklable(1, 2)


def odd_result(*, progress: Progress) -> Any:
    return lambda: None


def state(*, progress: Progress) -> str | None:
    return os.environ.get("HOSTILE_STATE")


def set_state(value: str) -> None:
    os.environ["HOSTILE_STATE"] = value
