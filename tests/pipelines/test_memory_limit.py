"""How much memory there is, in jobs and control groups of a real system."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB = 2**30
ASK = "from corpuscle.pipelines._memory_limit import memory_bytes; print(memory_bytes())"
ROOT = Path("/sys/fs/cgroup")


@pytest.mark.parametrize(
    ("asked", "expected"), [("1024", GIB), ("0", None), ("", None), ("99999999", None)]
)
def test_memory_of_a_slurm_job(
    monkeypatch: pytest.MonkeyPatch, asked: str, expected: int | None
) -> None:
    from corpuscle.pipelines._memory_limit import memory_bytes

    monkeypatch.delenv("SLURM_MEM_PER_NODE", raising=False)
    without = memory_bytes()
    assert 0 < without <= psutil.virtual_memory().total
    monkeypatch.setenv("SLURM_MEM_PER_NODE", asked)
    assert memory_bytes() == (expected or without)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of one GiB."""
    places = [(ROOT / "memory", "memory.limit_in_bytes"), (ROOT, "memory.max")]
    for root, name in places:
        made = root / "corpuscle-test"
        try:
            made.mkdir()
        except OSError:
            continue
        try:
            (made / name).write_text(str(GIB))
        except OSError:
            made.rmdir()
            continue
        yield made
        with contextlib.suppress(OSError):
            made.rmdir()
        return
    pytest.skip("no control group can be made here")


def test_memory_of_a_control_group_and_of_one_within(group: Path) -> None:
    inner = group / "inner"
    inner.mkdir()
    try:
        for place in (group, inner):
            shell = f"echo $$ > {place}/cgroup.procs && exec {sys.executable} -c '{ASK}'"
            done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout.strip()) == (0, str(GIB)), done.stderr
    finally:
        inner.rmdir()
