"""How much memory there is for this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = Path("/sys/fs/cgroup")
LIMITS = {"": (GROUPS, "memory.max"), "memory": (GROUPS / "memory", "memory.limit_in_bytes")}
"""Where each version of Linux's control groups keeps limits, by the name of the hierarchy."""


def memory_bytes() -> int:
    """Memory of this machine, or of the container or job of this process if that has less."""
    import psutil

    asked = os.environ.get("SLURM_MEM_PER_NODE", "")  # MiB; 0 is for all there is
    jobs = [int(asked) * 2**20] if asked.isdecimal() and int(asked) else []
    return min(int(psutil.virtual_memory().total), *jobs, *_limits_of_groups())


def _limits_of_groups() -> Iterator[int]:
    """Limits of the control groups of this process and of those around them."""
    own = Path("/proc/self/cgroup")
    for line in own.read_text().splitlines() if own.exists() else ():
        _, controllers, place = line.split(":", 2)
        hierarchy = "memory" if "memory" in controllers.split(",") else controllers
        if hierarchy not in LIMITS:
            continue
        root, name = LIMITS[hierarchy]
        group = Path(place.lstrip("/"))
        for around in (group, *group.parents):
            limit = root / around / name
            text = limit.read_text().strip() if limit.exists() else "max"
            if text.isdecimal():
                yield int(text)
