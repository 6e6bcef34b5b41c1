"""Processes that are killed, interrupted, or after the same file."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from corpuscle.pipelines.transfer import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from corpuscle.pipelines.transfer import Transfer

    from .servers import Page, Server

ROOT = Path(__file__).resolve().parents[3]
CONTENT = np.random.default_rng(0).bytes(6 * 2**20)
CODE = """
import sys
from pathlib import Path
from corpuscle.pipelines.transfer import RemoteFile, Transfer
with Transfer(cache=Path(sys.argv[1])).fetch([RemoteFile(url=u) for u in sys.argv[2:]]) as found:
    for f in found:
        print(f.hash, f.path)
"""


def start(cache: Path, *urls: str, code: str = CODE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(cache), *urls],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def part_size(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.glob("parts/*.part"))


def test_a_download_goes_on_where_a_killed_process_was(
    web: Server, transfer: Transfer, cache: Path
) -> None:
    page = web.put("a.bin", CONTENT, pause_s=0.005)
    child = start(cache, f"{web.url}/a.bin")
    wait_for(lambda: part_size(cache) > 2**20)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    child.communicate()
    here = part_size(cache)
    page.pause_s = 0.0
    with transfer.fetch([RemoteFile(url=f"{web.url}/a.bin")]) as (fetched,):
        assert fetched.path.read_bytes() == CONTENT
    assert page.gets[-1]["Range"] == f"bytes={here}-"


def test_what_a_killed_process_left_of_an_older_version_is_not_used(
    web: Server, transfer: Transfer, cache: Path
) -> None:
    page = web.put("a.bin", CONTENT, pause_s=0.005)
    child = start(cache, f"{web.url}/a.bin")
    wait_for(lambda: part_size(cache) > 2**20)
    child.kill()
    child.communicate()
    page.content, page.etag, page.pause_s = CONTENT[::-1], '"v2"', 0.0
    with transfer.fetch([RemoteFile(url=f"{web.url}/a.bin")]) as (fetched,):
        assert fetched.path.read_bytes() == CONTENT[::-1]


def test_two_processes_after_one_file_fetch_it_once(web: Server, cache: Path) -> None:
    page = web.put("a.bin", CONTENT, pause_s=0.002)
    children = [start(cache, f"{web.url}/a.bin") for _ in range(3)]
    answers = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert len(page.gets) == 1


@pytest.mark.slow
def test_many_processes_share_a_cache_that_is_too_small(web: Server, cache: Path) -> None:
    for number in range(8):
        web.put(f"{number}.bin", bytes([number]) * 100_000)
    code = """
    import sys
    from pathlib import Path
    from corpuscle.curation import content_hash
    from corpuscle.pipelines.transfer import RemoteFile, Transfer
    transfer = Transfer(cache=Path(sys.argv[1]), cache_bytes=250_000)
    for url in sys.argv[2:] * 2:
        with transfer.fetch([RemoteFile(url=url)]) as (f,):
            assert content_hash(f.path) == f.hash
            assert f.path.read_bytes() == bytes([int(f.path.stem)]) * 100_000
    """
    urls = [f"{web.url}/{number}.bin" for number in range(8)]
    children = [start(cache, *urls[n:], *urls[:n], code=code) for n in (0, 1, 4)]
    errors = [child.communicate()[1] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], errors
    assert sum(path.stat().st_size for path in cache.glob("entries/*/*")) <= 250_000


def test_pins_of_a_dead_process_hold_nothing(
    web: Server, make: Callable[..., Transfer], cache: Path
) -> None:
    for name in "ab":
        web.put(name, CONTENT)
    code = CODE + "    import os; os._exit(0)"  # it goes without a word, with the file in use
    child = start(cache, f"{web.url}/a", code=code)
    child.communicate()
    assert child.returncode == 0
    assert [path.name for path in cache.glob("entries/*/*")] == ["a"]
    with make(cache_bytes=len(CONTENT)).fetch([RemoteFile(url=f"{web.url}/b")]):
        assert [path.name for path in cache.glob("entries/*/*")] == ["b"]
    assert list((cache / "pins").iterdir()) == []


def test_an_interrupt_stops_at_once_and_leaves_what_came(
    web: Server, transfer: Transfer, cache: Path
) -> None:
    urls = [f"{web.url}/{number}.bin" for number in range(3)]
    pages = [web.put(f"{number}.bin", CONTENT, pause_s=0.01) for number in range(3)]
    silent = web.put("silent.bin", CONTENT, before=lambda page: time.sleep(30))
    child = start(cache, *urls, f"{web.url}/silent.bin")
    wait_for(lambda: part_size(cache) > 2**20 and silent.gets)
    child.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, errors = child.communicate()
    assert time.monotonic() - started < 10
    assert "KeyboardInterrupt" in errors
    assert len(list(cache.glob("parts/*.json"))) == 3
    for page in pages:
        page.pause_s = 0.0
    with transfer.fetch([RemoteFile(url=url) for url in urls]) as found:
        assert [f.path.read_bytes() == CONTENT for f in found] == [True] * 3
    assert all("Range" in page.gets[-1] for page in pages)


def test_files_come_in_order_with_one_progress(web: Server, make: Callable[..., Transfer]) -> None:
    sizes = [300_000, 10, 200_000, 0, 100_000]
    files = []
    for number, size in enumerate(sizes):
        web.put(f"{number}.bin", b"x" * size, pause_s=0.01)
        files.append(RemoteFile(url=f"{web.url}/{number}.bin"))
    seen: list[tuple[int, int | None]] = []
    threads: set[int] = set()

    def look(done: int, total: int | None) -> None:
        seen.append((done, total))
        threads.add(threading.get_ident())

    with make(jobs=3).fetch(files, on_progress=look) as found:
        assert [f.size for f in found] == sizes
        assert [f.file for f in found] == files
    assert seen[-1] == (sum(sizes), sum(sizes))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 2
    assert threads == {threading.get_ident()}


def test_as_many_downloads_run_at_once_as_there_are_jobs(
    web: Server, make: Callable[..., Transfer]
) -> None:
    running, most, lock = set(), [0], threading.Lock()

    def count(page: Page) -> None:
        with lock:
            running.add(id(page))
            most[0] = max(most[0], len(running))
        time.sleep(0.1)
        with lock:
            running.discard(id(page))

    files = [RemoteFile(url=f"{web.url}/{number}") for number in range(9)]
    for number in range(9):
        web.put(str(number), b"x", before=count)
    with make(jobs=3).fetch(files):
        pass
    assert most == [3]


def test_memory_does_not_grow_with_the_file(web: Server, cache: Path) -> None:
    code = """
    import resource, sys
    from pathlib import Path
    from corpuscle.pipelines.transfer import RemoteFile, Transfer
    transfer = Transfer(cache=Path(sys.argv[1]))
    peaks = []
    for url in sys.argv[2:]:
        with transfer.fetch([RemoteFile(url=url)]):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(peaks[1] - peaks[0])
    """
    web.put("small.bin", b"x" * 2**20)
    web.put("large.bin", b"x" * 2**27)
    child = start(cache, f"{web.url}/small.bin", f"{web.url}/large.bin", code=code)
    out, errors = child.communicate()
    assert child.returncode == 0, errors
    assert int(out) < 16 * 1024  # KiB


def test_a_failed_file_stops_the_others(web: Server, make: Callable[..., Transfer]) -> None:
    slow = web.put("slow.bin", CONTENT, pause_s=0.05)
    files = [RemoteFile(url=f"{web.url}/{name}") for name in ("slow.bin", "none")]
    started = time.monotonic()
    with pytest.raises(KeyError, match="There is no"), make().fetch(files):
        pass
    assert time.monotonic() - started < 10
    assert slow.sent < len(CONTENT)
