"""Run one benchmark and print its table."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
from pathlib import Path

from rich.console import Console

NOT_BENCHMARKS = {"__main__", "environments", "result"}


def names() -> list[str]:
    """Names of the benchmarks."""
    folder = Path(__file__).parent
    found = (module.name for module in pkgutil.iter_modules([str(folder)]))
    return sorted(name for name in found if name not in NOT_BENCHMARKS and name[0] != "_")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("--json", action="store_true", help="print the result as a last line")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    parser.add_argument("--data", type=Path, help="folder of real data, or of generated to keep")
    parser.add_argument("--envs", type=Path, help="folder of the environments of peers")
    parser.add_argument("--out", type=Path, help="folder for tables and plots")
    parser.add_argument("--cells", type=int, help="how many to generate")
    parser.add_argument("--only", help="parts of names, with commas: what is measured")
    arguments = parser.parse_args()
    module = importlib.import_module(f"benchmarks.{arguments.name}")
    asked = {key: getattr(arguments, key) for key in ("data", "envs", "out", "cells", "only")}
    options = {key: value for key, value in asked.items() if value is not None}
    result = module.run(quick=arguments.quick, **options)
    Console().print(result.view())
    if arguments.json:
        print(json.dumps(result.to_dict()))


if __name__ == "__main__":
    main()
