"""One loader in a process of its own, which measures when it is told to.

``python -m benchmarks._loaders_once JSON``, with the module, function, folder, batch and options.
Each line of standard input is a task, each line of output that begins with a tab its result.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._loaders_check import check

if TYPE_CHECKING:
    from ._loaders_adapter import Loader

PATIENCE = 8
"""How much longer than asked a loader may take for a whole fetch."""


def warm(paths: list[Path]) -> int:
    """Read files once, so that they are in the page cache; their bytes."""
    buffer, total = bytearray(2**24), 0
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while n := file.readinto(buffer):
                total += n
    return total


def cpu_seconds() -> float:
    """Of this process, its children that ended, and those that live."""
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end now
            for child in (task / "children").read_text().split():
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def rate(loader: Loader, *, seconds: float, bare: bool = False) -> dict[str, float]:
    """Take batches for so long and to the end of a fetch, from as many epochs as it needs.

    The time begins before the iterator is made; it does not include the end of worker processes,
    their CPU time does.
    """
    epoch, size, fetch = loader.batches, loader.size, loader.fetch
    if bare:
        assert loader.bare is not None
        epoch, size, fetch = loader.bare, len, 1
    gc.collect()
    n, first, enough = 0, 0.0, False
    batch: Any = None
    cpu, start = cpu_seconds(), time.perf_counter()
    now, iterator = start, iter(())
    while not enough:
        iterator = epoch()
        n_before = n
        for batch in iterator:
            n += size(batch)
            now = time.perf_counter()
            first = first or now - start
            late = now - start > seconds
            enough = late and (n % fetch == 0 or now - start > PATIENCE * seconds)
            if enough:
                break
        else:  # the end of an epoch is the end of a fetch
            enough = now - start > seconds
        if n == n_before:
            msg = "an epoch without cells"
            raise RuntimeError(msg)
    del iterator, batch
    gc.collect()
    return {"cells": n, "s": now - start, "CPU s": cpu_seconds() - cpu, "first batch, s": first}


def private_memory(loader: Loader, *, cells: list[int]) -> list[float]:
    """MiB that no file holds, after so many cells, over as many epochs as that takes."""
    n, found = 0, list[float]()
    while len(found) < len(cells):
        for batch in loader.batches():
            n += loader.size(batch)
            if n >= cells[len(found)]:
                lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
                (anonymous,) = (line.split()[1] for line in lines if line.startswith("Pss_Anon:"))
                found.append(int(anonymous) / 1024)
                if len(found) == len(cells):
                    break
    return found


def main() -> None:
    """Open the loader, say so, and do what is asked."""
    warnings.simplefilter("ignore")
    asked: dict[str, Any] = json.loads(sys.argv[1])
    folder, batch = Path(asked["folder"]), asked["batch"]
    with contextlib.suppress(ModuleNotFoundError):  # not all peers need it
        import_module("torch").set_num_threads(1)
    start = time.perf_counter()
    make = getattr(import_module(f"benchmarks.{asked['module']}"), asked["function"])
    loaded = time.perf_counter()
    loader: Loader = make(folder, batch, **asked["options"])
    opened = {"import, s": loaded - start, "open, s": time.perf_counter() - loaded}
    answer({**opened, "paths": [str(path) for path in loader.paths]})
    for line in sys.stdin:
        task = json.loads(line)
        if task["do"] == "warm":
            answer({"bytes": warm(loader.paths)})
        elif task["do"] == "rate":
            answer(rate(loader, seconds=task["seconds"], bare=task.get("bare", False)))
        elif task["do"] == "memory":
            answer({"MiB": private_memory(loader, cells=task["cells"])})
        else:
            answer(
                check(loader, folder, batch=batch, n_cells=task["cells"], seconds=task["seconds"])
            )


def answer(facts: dict[str, Any]) -> None:
    """Print a result."""
    print("\t" + json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
