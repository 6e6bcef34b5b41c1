"""Benchmarks: ``python -m benchmarks NAME [--json] [--quick]``.

A benchmark is a module here with a function ``run(*, quick: bool) -> Result``. What it compares
runs in the same call, in turn, each measurement in a process of its own; medians are reported.
Peers that do not fit into our environment live in their own, see `benchmarks.environments`.
"""

from __future__ import annotations
