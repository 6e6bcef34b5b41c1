"""Whether the cells that a loader gives are cells of the files, with their labels, and how mixed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ._loaders_adapter import codes_of
from ._loaders_cells import LABELS, n_genes_of, plates, weights

if TYPE_CHECKING:
    from pathlib import Path

    from ._loaders_adapter import Loader


class Reference:
    """Who a cell is, from its counts."""

    def __init__(self, folder: Path) -> None:
        stored = np.load(folder / "reference.npz")
        self.of: dict[str, Any] = {key: stored[key] for key in stored.files}
        self.folder = folder
        self.order = np.argsort(self.of["fingerprint"])
        self.sorted = self.of["fingerprint"][self.order]
        self.weights = weights(n_genes_of(folder))
        self._files: dict[int, Any] = {}

    def find(self, sums: Any) -> Any:
        """Number of the cell with each fingerprint, or -1. Shape ``(n,)``."""
        exact = np.round(sums).astype(np.int64)
        place = np.minimum(np.searchsorted(self.sorted, exact), len(self.sorted) - 1)
        return np.where(self.sorted[place] == exact, self.order[place], -1)

    def find_tokens(self, genes: Any, counts: Any, mask: Any, *, depth: Any, rows: Any) -> Any:
        """Number of the cell of each row of tokens, or -1. Shape ``(n,)``.

        A row that is not full holds the whole cell. Of a full one, each token must be of one cell:
        the one that the loader names, or else any with that depth.
        """
        counts = np.where(mask, counts, 0).astype(np.float64)
        found = self.find((counts * self.weights[np.where(mask, genes, 0)]).sum(axis=1))
        for i in np.flatnonzero((found < 0) & mask.all(axis=1)).tolist():
            same = [rows[i]] if rows is not None else np.flatnonzero(self.of["depth"] == depth[i])
            held = (cell for cell in same if self._holds(int(cell), genes[i], counts[i]))
            found[i] = next(held, -1)
        return found

    def entropy_of_chance(self, name: str, batch: int) -> float:
        """Mean entropy of a label over batches of a truly random order, in bits."""
        order = np.random.default_rng(0).permutation(len(self.order))[: 400 * batch]
        parts = [order[i : i + batch] for i in range(0, len(order) - batch + 1, batch)]
        return float(np.mean([entropy(self.of[name][part]) for part in parts]))

    def _holds(self, cell: int, genes: Any, counts: Any) -> bool:
        import h5py

        if len(np.unique(genes)) < len(genes):
            return False
        plate = int(self.of["plate"][cell])
        if plate not in self._files:
            file: Any = h5py.File(plates(self.folder)[plate])
            self._files[plate] = (file["X/indptr"][:], file["X/indices"], file["X/data"])
        ends, indices, data = self._files[plate]
        row = cell - int(np.searchsorted(self.of["plate"], plate))
        stored = np.zeros(len(self.weights))
        stored[indices[ends[row] : ends[row + 1]]] = data[ends[row] : ends[row + 1]]
        return bool((stored[genes] == counts).all())


def entropy(codes: Any) -> float:
    """Shannon entropy in bits."""
    share = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(-(share * np.log2(share)).sum())


def check(loader: Loader, folder: Path, *, batch: int, n_cells: int, seconds: float) -> Any:
    """Look at every cell of an epoch's first `n_cells`, or of what comes in so many seconds.

    Returns
    -------
    How many were checked, were not cells of the files, came twice, had a wrong label of those that
    the loader gives; and of full batches the entropy in bits and what chance would give.
    """
    reference, seen = Reference(folder), []
    facts: dict[str, Any] = {"checked": 0, "wrong": 0, "wrong labels": 0, "wrong rows": 0}
    mixed: dict[str, list[float]] = {name: [] for name in LABELS}
    given: set[str] = set()
    start = time.perf_counter()
    for part in loader.batches():
        counts, rows = loader.counts(part), loader.rows and loader.rows(part)
        if isinstance(counts, tuple):
            genes, values, mask, depth = counts
            found = reference.find_tokens(genes, values, mask, depth=depth, rows=rows)
        else:
            found = reference.find(np.asarray(counts.astype(np.float64) @ reference.weights))
        labels = {name: codes_of(values) for name, values in loader.labels(part).items()}
        given |= set(labels)
        known = found >= 0
        cells = found[known]
        facts["checked"] += len(found)
        facts["wrong"] += int((~known).sum()) + abs(len(found) - loader.size(part))
        for name, codes in labels.items():
            facts["wrong labels"] += int((codes[known] != reference.of[name][cells]).sum())
        if rows is not None:
            facts["wrong rows"] += int((rows[known] != cells).sum())
        if len(cells) == batch:
            for name, values in mixed.items():
                values.append(entropy(reference.of[name][cells]))
        seen.append(cells)
        if facts["checked"] >= n_cells or time.perf_counter() - start > seconds:
            break
    every = np.concatenate(seen)
    facts["repeats"] = len(every) - len(np.unique(every))
    for name, values in mixed.items():
        facts[f"entropy of {name}"] = float(np.mean(values)) if values else 0.0
        facts[f"chance of {name}"] = reference.entropy_of_chance(name, batch)
    return {**facts, "labels": sorted(given)}
