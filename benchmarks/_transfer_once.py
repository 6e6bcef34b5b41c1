"""One download in a process of its own: ``WAY URL FOLDER``; prints seconds and peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path


def ours(url: str, folder: Path) -> None:
    """Fetch into a cache: verified, hashed, resumable."""
    from corpuscle.pipelines.transfer import RemoteFile, Transfer

    with Transfer(cache=folder).fetch([RemoteFile(url=url)]):
        pass


def httpx(url: str, folder: Path) -> None:
    """Write what comes into a file."""
    import httpx

    with httpx.stream("GET", url) as answer, (folder / "file").open("wb") as file:
        for chunk in answer.iter_raw():
            file.write(chunk)


def curl(url: str, folder: Path) -> None:
    """Let curl do it."""
    subprocess.run(["curl", "-sfo", folder / "file", url], check=True)


way, url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if way == "ours":
    import corpuscle.pipelines.transfer  # noqa: F401 - not a part of the download
folder.mkdir(parents=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
{"ours": ours, "httpx": httpx, "curl": curl}[way](url, folder)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(
    json.dumps({"seconds": seconds, "peak_mib": peak / 1024, "grown_mib": (peak - before) / 1024})
)
