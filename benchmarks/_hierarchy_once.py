"""One measurement of `benchmarks.hierarchy`: python _hierarchy_once.py WAY N."""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from corpuscle.loaders import HierarchicalLoss
from corpuscle.ontologies import Hierarchy, label_hierarchy, ontology, vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH, N_LEAVES = 64, 600
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def main(way: str, n: int) -> None:
    """Print the figures."""
    figures = build(way, n) if way in FIELDS else steps(WAYS[way], n)
    print(json.dumps(figures))


def build(field: str, n_classes: int) -> dict[str, float]:
    """Build, save and load the hierarchy of this many terms of a field whose ontology is loaded."""
    terms = _sample(FIELDS[field](), n_classes)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        hierarchy = label_hierarchy(field, terms)
        built = time.perf_counter()
        place = hierarchy.save(Path(folder) / field)
        Hierarchy.load(place)
        loaded = time.perf_counter()
        size = sum(path.stat().st_size for path in place.iterdir())
    return {"build_s": built - started, "files_s": loaded - built, "mib": size / 2**20}


def steps(make: Callable[[HierarchicalLoss], Loss], repeats: int) -> dict[str, float]:
    """Time forward and backward on one core, and the memory they take at their peak."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours = HierarchicalLoss(label_hierarchy("cell_type", _sample(_leaves(), N_LEAVES)))
    loss = make(ours)
    logits = torch.randn(BATCH, N_LEAVES, requires_grad=True)
    labels = torch.randint(N_LEAVES, (BATCH,))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is in use
    before = _peak_mib()
    seconds, values = [], []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        value = loss(logits, labels)
        torch.autograd.backward(value)
        seconds.append(time.perf_counter() - started)
        values.append(value.item())
    return {
        "ms": 1e3 * statistics.median(seconds[2:]),
        "mib": _peak_mib() - before,
        "value": values[0],
        "n_parents": len(ours.members),
    }


def expanded(ours: HierarchicalLoss) -> Loss:
    """The same loss with batch x parents x leaves made real."""
    below = ours.members.bool()

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        parents = logits[:, None, :].masked_fill(~below, -torch.inf).logsumexp(dim=2)
        every = torch.cat([logits, parents], dim=1)
        chosen = every[:, [ours.everything]] - every.gather(1, ours.sets[labels])
        return (ours.weights[labels] * chosen).sum(dim=1).mean()

    return loss


def flat(_: HierarchicalLoss) -> Loss:
    """Cross-entropy, which knows no hierarchy."""
    return torch.nn.functional.cross_entropy


def _peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def _leaves() -> list[str]:
    store = ontology("CL")
    above = {a for _, term in store.current() for a in term["ancestors"]}
    return [term for term, _ in store.current() if term not in above]


def _sample(terms: Sequence[str], n: int) -> list[str]:
    return random.Random(0).sample(sorted(terms), n)


def _ids(prefix: str, field: str) -> Callable[[], list[str]]:
    return lambda: [term for term in vocabulary(field).labels if term.startswith(prefix)]


WAYS: dict[str, Callable[[HierarchicalLoss], Loss]] = {
    "ours": lambda ours: ours,
    "expanded": expanded,
    "flat": flat,
}
FIELDS = {
    "cell_type": _ids("CL:", "cell_type"),
    "disease": _ids("MONDO:", "disease"),
    "tissue": _ids("UBERON:", "tissue"),
    "assay": _ids("EFO:", "assay"),
}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
