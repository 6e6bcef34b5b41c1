"""Curate one file after another in one process: python _curation_once.py plain|structure OUT IN...

The figures are of the last file: what a process does once, it has done before.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from corpuscle.curation import CurationOptions, QualityRules, StructureOptions, curate


def main(way: str, out: str, *paths: str) -> dict[str, float]:
    """Curate each file with every measure of quality."""
    structure = StructureOptions() if way == "structure" else None
    options = CurationOptions(quality=QualityRules(), structure=structure)
    return [_curate(Path(path), Path(out), options) for path in paths][-1]


def _curate(path: Path, out: Path, options: CurationOptions) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = curate(path, out, dataset="one", source_hash="none", options=options)
    return {
        "cells": done.report.n_cells_in,
        "s": time.perf_counter() - wall,
        "CPU s": time.process_time() - cpu,
        "out, bytes": out.stat().st_size,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
