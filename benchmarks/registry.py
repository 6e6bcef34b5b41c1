"""Registering curated datasets: our bulk path against LaminDB's way, one artifact at a time."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from .environments import measure
from .result import Goal, Result

WAYS = ("ours", "ours one by one", "plain in storage", "plain with labels")
SCRIPT = Path(__file__).with_name("_registry_once.py")


def run(*, quick: bool) -> Result:
    """Register the same files into fresh registries, in turn, and compare datasets per second."""
    n_files, repeats = (50, 1) if quick else (1000, 3)
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats):
            for way in WAYS:
                place = f"{folder}/{repeat}-{way.replace(' ', '-')}"
                figures = measure(SCRIPT, way, str(n_files), place)
                rates[way].append(figures["per_second"])
    median = {way: statistics.median(values) for way, values in rates.items()}
    pairs = {
        way: statistics.median(a / b for a, b in zip(rates["ours"], rates[way], strict=True))
        for way in WAYS[1:]
    }
    return Result(
        benchmark="registry",
        figures={
            **{f"{way}, datasets/s": rate for way, rate in median.items()},
            **{f"ours / {way}": ratio for way, ratio in pairs.items()},
        },
        goals=[
            Goal(name="ours / plain with labels", value=pairs["plain with labels"], goal=3.0),
            Goal(name="ours / plain in storage", value=pairs["plain in storage"], goal=3.0),
        ],
        notes=(
            f"{n_files:,} files, {repeats} runs of each in turn. 'ours' and 'plain with labels' do the "
            "same: run, key, size, hash, cells, eight label classes. 'plain in storage' is the least "
            "that LaminDB can do: no copy, no labels, one run for all."
        ),
    )
