"""Fetching one large file from a local web server: ours, plain httpx, curl."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from .environments import measure
from .result import Goal, Result

SCRIPT = Path(__file__).with_name("_transfer_once.py")
SERVER = """
import functools, http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass
handler = functools.partial(Quiet, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
CHUNK = 2**20


def run(*, quick: bool) -> Result:
    """Fetch the same file in turn, each time in a new process and into a new folder."""
    mib, repeats = (64, 1) if quick else (1024, 3)
    ways = ["ours", "httpx", *(["curl"] if shutil.which("curl") else [])]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    memory: dict[str, list[float]] = {"peak_mib": [], "grown_mib": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "web").mkdir()
        with (folder / "web" / "file").open("wb") as file:
            for number in range(mib):
                file.write(number.to_bytes(4, "little") * (CHUNK // 4))
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder / "web")], stdout=subprocess.PIPE, text=True
        )
        with server:
            try:
                assert server.stdout is not None
                url = f"http://127.0.0.1:{int(server.stdout.readline())}/file"
                for _ in range(repeats):
                    for way in ways:
                        figures = measure(SCRIPT, way, url, str(folder / way))
                        seconds[way].append(figures["seconds"])
                        if way == "ours":
                            for kind, values in memory.items():
                                values.append(figures[kind])
                        shutil.rmtree(folder / way)
            finally:
                server.terminate()
    ratio = statistics.median(a / b for a, b in zip(seconds["httpx"], seconds["ours"], strict=True))
    grown = statistics.median(memory["grown_mib"])
    return Result(
        benchmark="transfer",
        figures={
            **{f"{way}, MiB/s": mib / statistics.median(s) for way, s in seconds.items()},
            "ours / httpx": ratio,
            "ours, peak memory, MiB": statistics.median(memory["peak_mib"]),
            "ours, memory grown by, MiB": grown,
        },
        goals=[
            Goal(name="ours / httpx", value=ratio, goal=0.7),
            Goal(name="ours, memory grown by, MiB", value=grown, goal=64, at_most=True),
        ],
        notes=(
            f"{mib:,} MiB, {repeats} runs of each in turn. 'ours' also hashes (BLAKE3), brings the "
            "file to the disk (fsync) and registers it; the others only write it."
        ),
    )
