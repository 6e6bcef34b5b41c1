"""One measurement of `benchmarks.labels`: python _labels_speed.py N_LABELS."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"


def main(n: int) -> None:
    """Map labels made of words of names, all distinct, on one core, and print the cost."""
    started = time.perf_counter()
    from corpuscle.ontologies import FIELDS, map_labels, ontology, ontology_versions, vocabulary

    for prefix in ontology_versions():
        ontology(prefix)
    for organism in ("human", "mouse", "zebrafish", "fruit fly", "roundworm", "maize"):
        for field in FIELDS:
            vocabulary(field, organism)
    figures = {
        "all terms and vocabularies, s": time.perf_counter() - started,
        "all terms and vocabularies, MiB": _peak(),
    }
    started = time.perf_counter()
    map_labels(["a first label"], field="cell_type", organism="human")
    figures["start, s"] = time.perf_counter() - started
    import numpy as np

    for field in ("cell_type", "tissue", "disease"):
        names = vocabulary(field, "human").labels.values()
        words = sorted({word for name in names for word in name.split()})
        n_asked = n if field == "cell_type" else n // 10
        picked = np.random.default_rng(0).integers(len(words), size=(n_asked, 3))
        labels = [
            f"{words[a]} {words[b]} {words[c]}s_{i % 40}" for i, (a, b, c) in enumerate(picked)
        ]
        map_labels(["a first label"], field=field, organism="human")
        started = time.perf_counter()
        map_labels(labels, field=field, organism="human")
        figures[f"100,000 labels of {field}, s"] = (
            (time.perf_counter() - started) * 100_000 / n_asked
        )
        figures[f"peak memory after {field}, MiB"] = _peak()
    print(json.dumps(figures))


def _peak() -> float:
    """Most memory this process has held, MiB; `resource` would count that of its parent too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


if __name__ == "__main__":
    main(int(sys.argv[1]))
