"""One measurement of `benchmarks.structure`: python _structure_once.py WHAT PATH N_CELLS N_COUNTS."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import sparse

N_GENES, N_TYPES, CHUNK = 20_000, 40, 5_000


def types(n_cells: int) -> Any:
    """Type of each cell: some are fifty times as frequent as others."""
    frequency = np.geomspace(50, 1, N_TYPES)
    return np.random.default_rng(1).choice(N_TYPES, n_cells, p=frequency / frequency.sum())


def generate(path: Path, n_cells: int, n_counts: int) -> dict[str, float]:
    """Write counts as curation does: types differ in 300 genes, cells in depth."""
    from corpuscle.curation._counts_file import new_counts

    rng = np.random.default_rng(0)
    programs = np.tile(rng.lognormal(0, 2, N_GENES), (N_TYPES, 1))
    for program in programs:
        program[rng.choice(N_GENES, 300, replace=False)] *= rng.lognormal(0, 2, 300)
    ladders = np.cumsum(programs / programs.sum(axis=1, keepdims=True), axis=1)
    kind, depth = types(n_cells), rng.lognormal(np.log(n_counts), 0.4, n_cells).astype(np.int64) + 1
    with new_counts(path, (n_cells, N_GENES), np.dtype(np.float32)) as file:
        n_stored = 0
        for start in range(0, n_cells, CHUNK):
            cells = range(start, min(start + CHUNK, n_cells))
            genes = [np.searchsorted(ladders[kind[i]], rng.random(depth[i])) for i in cells]
            column = np.minimum(np.concatenate(genes), N_GENES - 1)
            row = np.repeat(np.arange(len(cells)), depth[cells.start : cells.stop])
            ones = np.ones(len(row), dtype=np.float32)
            counts = sparse.coo_matrix((ones, (row, column)), (len(cells), N_GENES)).tocsr()
            counts.sort_indices()
            file.append(counts)
            n_stored += counts.nnz
    return {"file, values per cell": n_stored / n_cells}


def find(path: Path, n_cells: int) -> dict[str, float]:
    """Measure each step, then check what came out."""
    import faiss
    import graspologic_native  # noqa: F401 - before it is measured
    import scipy.linalg  # noqa: F401
    from sklearn.metrics import adjusted_rand_score

    from corpuscle.curation import StructureOptions
    from corpuscle.curation._neighbors import nearest
    from corpuscle.curation._pca import principal_scores
    from corpuscle.curation._structure import leiden

    options = StructureOptions()
    figures: dict[str, float] = {}
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is in use
    before, clocks = peak_mib(), (time.perf_counter(), time.process_time())
    first = clocks

    def lap(name: str, since: tuple[float, float]) -> tuple[float, float]:
        now = (time.perf_counter(), time.process_time())
        figures[f"{name}, s"] = now[0] - since[0]
        figures[f"{name}, CPU s"] = now[1] - since[1]
        return now

    with h5py.File(path, "r") as file:
        scores, _ = principal_scores(file["X"], n_components=options.n_components)
    clocks = lap("components", clocks)
    found = nearest(scores, options.n_graph_neighbors, seed=options.seed)
    clocks = lap("neighbours", clocks)
    clusters = leiden(found.rows, options)
    lap("clusters", clocks)
    lap("all", first)
    figures["peak memory, MiB"] = peak_mib() - before
    exact = faiss.IndexFlatL2(scores.shape[1])
    exact.add(scores)
    sample = np.random.default_rng(2).choice(n_cells, 2_000, replace=False)
    wanted = exact.search(scores[sample], options.n_graph_neighbors + 1)[1]
    hits = [
        len({*rows} & ({*real} - {cell}))
        for cell, rows, real in zip(
            sample.tolist(), found.rows[sample].tolist(), wanted.tolist(), strict=True
        )
    ]
    figures["recall"] = float(np.mean(hits)) / options.n_graph_neighbors
    figures["recall, as reported"] = found.recall
    figures["clusters"] = int(clusters.max()) + 1
    figures["agreement"] = float(adjusted_rand_score(types(n_cells), clusters))
    return figures


def peak_mib() -> float:
    """Most memory the process had since the peak was reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    what, where, n_cells, n_counts = sys.argv[1:]
    if what == "generate":
        print(json.dumps(generate(Path(where), int(n_cells), int(n_counts))))
    else:
        print(json.dumps(find(Path(where), int(n_cells))))
