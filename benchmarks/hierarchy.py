"""The hierarchical loss against its expanded form, and what the hierarchies cost to make."""

from __future__ import annotations

import statistics
from pathlib import Path

from .environments import measure
from .result import Goal, Result

WAYS = ("ours", "expanded", "flat")
CLASSES = {"cell_type": 600, "disease": 400, "tissue": 400, "assay": 40}
SCRIPT = Path(__file__).with_name("_hierarchy_once.py")


def run(*, quick: bool) -> Result:
    """Measure in processes of their own, in turn."""
    repeats, n_steps = (1, 3) if quick else (5, 20)
    runs = [{way: measure(SCRIPT, way, str(n_steps)) for way in WAYS} for _ in range(repeats)]
    ours, other = runs[0]["ours"], runs[0]["expanded"]
    if abs(ours["value"] - other["value"]) > 1e-4 * other["value"]:
        msg = f"The two forms differ: {ours['value']} and {other['value']}."
        raise ValueError(msg)
    figures = {
        f"{way}, forward and backward, ms": statistics.median(r[way]["ms"] for r in runs)
        for way in WAYS
    }
    figures |= {
        f"{way}, peak memory, MiB": statistics.median(r[way]["mib"] for r in runs)
        for way in ("ours", "expanded")
    }
    ratio = statistics.median(r["expanded"]["ms"] / r["ours"]["ms"] for r in runs)
    figures["expanded / ours"] = ratio
    for field, n_classes in CLASSES.items():
        n = n_classes // 10 if quick else n_classes
        made = [measure(SCRIPT, field, str(n)) for _ in range(repeats)]
        for key, unit in (("build_s", "build, s"), ("files_s", "save and load, s"), ("mib", "MiB")):
            figures[f"{field}, {unit}"] = statistics.median(m[key] for m in made)
    return Result(
        benchmark="hierarchy",
        figures=figures,
        goals=[Goal(name="expanded / ours", value=ratio, goal=50.0)],
        notes=(
            f"Losses: batch of 64, 600 leaves of CL under {ours['n_parents']:.0f} parents with "
            f"different leaves, one core, {repeats} processes of each in turn; 'expanded' computes the "
            "same loss over batch x parents x leaves, 'flat' is cross-entropy. Hierarchies: "
            + ", ".join(f"{n} classes of {field}" for field, n in CLASSES.items())
            + (", a tenth of them here." if quick else ".")
            + " The ontologies are loaded before."
        ),
    )
