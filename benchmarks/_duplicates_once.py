"""One measurement of `benchmarks.duplicates`: python _duplicates_once.py WAY FOLDER N_CELLS."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

N_FILES = 10
Pairs = dict[str, int]
"""Cells of one file with a copy in another, by ``A B``."""


def main(way: str, folder: Path, n_cells: int) -> None:
    """Print the figures."""
    if way == "generate":
        print(json.dumps({"pairs": generate(folder, n_cells)}))
        return
    find = WAYS[way]()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is in use
    before = peak_mib()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        started, used = time.perf_counter(), time.process_time()
        pairs, n_bytes = find(sorted(folder.glob("*.h5ad")), Path(scratch))
        seconds, used = time.perf_counter() - started, time.process_time() - used
    figures = {
        "pairs": pairs,
        "s per million cells": seconds / n_cells * 1e6,
        "CPU s per million cells": used / n_cells * 1e6,
        "peak memory, MiB": peak_mib() - before,
        "scratch, bytes per cell": n_bytes / n_cells,
    }
    print(json.dumps(figures))


def peak_mib() -> float:
    """Most memory the process had since the peak was reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def generate(folder: Path, n_cells: int) -> Pairs:
    """Write the columns that are read of curated files, and count what they have in common."""
    n = n_cells // N_FILES
    rng = np.random.default_rng(0)
    own = [rng.integers(1, 2**64, size=n, dtype=np.uint64) for _ in range(N_FILES)]
    for number in range(1, N_FILES):
        own[number][: n // 5] = own[number - 1][-n // 5 :]
        own[number][n // 2 : n // 2 + n // 100] = own[number][n // 4 : n // 4 + n // 100]
    pairs = {}
    for number, values in enumerate(own):
        with h5py.File(folder / f"{number}.h5ad", "w") as file:
            obs = file.create_group("obs")
            obs.attrs["_index"] = "_index"
            obs["_index"] = np.zeros(n, dtype=np.uint8)
            obs["fingerprint"] = rng.permutation(values)
        for other in {max(number - 1, 0), min(number + 1, N_FILES - 1)} - {number}:
            pairs[f"{number} {other}"] = int(np.isin(values, own[other]).sum())
    return dict(sorted(pairs.items()))


def ours() -> Callable[[list[Path], Path], tuple[Pairs, int]]:
    """Compare on disk."""
    import pyarrow.parquet  # noqa: F401 - before it is measured
    import scipy.sparse  # noqa: F401

    from corpuscle.pipelines._copy_links import Compared
    from corpuscle.pipelines._duplicates import find_duplicates

    def find(paths: list[Path], scratch: Path) -> tuple[Pairs, int]:
        sizes = [0]

        def look(*_: object) -> None:
            sizes.append(sum(path.stat().st_size for path in scratch.glob("*.cells")))

        datasets = [
            Compared(uid=path.stem, key=path.stem, path=path, n_cells=len(read(path)))
            for path in paths
        ]
        out = scratch / "out.parquet"
        found = find_duplicates(datasets, scratch, policy="drop", out=out, progress=look)
        pairs = {f"{p.a} {p.b}": p.n_a for p in found.pairs}
        pairs |= {f"{p.b} {p.a}": p.n_b for p in found.pairs}
        return dict(sorted(pairs.items())), max(sizes)

    return find


def read(path: Path) -> npt.NDArray[np.uint64]:
    """Read all fingerprints of a file."""
    with h5py.File(path, "r") as file:
        stored: Any = file["obs/fingerprint"]
        return np.asarray(stored[...])


def in_pandas() -> Callable[[list[Path], Path], tuple[Pairs, int]]:
    """Put all into one table, keep what is duplicated, and join it with itself."""
    import pandas as pd

    def find(paths: list[Path], scratch: Path) -> tuple[Pairs, int]:
        parts = []
        for number, path in enumerate(paths):
            values = read(path)
            rows = np.arange(len(values), dtype=np.uint32)
            parts.append(pd.DataFrame({"f": values, "d": np.uint32(number), "row": rows}))
        cells = pd.concat(parts, ignore_index=True)
        copies = cells[cells["f"].duplicated(keep=False)]
        first = copies.drop_duplicates("f")
        copies.merge(first, on="f").to_parquet(scratch / "out.parquet")
        files = copies[["f", "d"]].drop_duplicates()
        both = copies[["f", "d"]].merge(files, on="f")
        counts = both[both["d_x"] != both["d_y"]].groupby(["d_x", "d_y"]).size()
        codes = counts.index.to_frame().to_numpy().tolist()
        return {f"{a} {b}": n for (a, b), n in zip(codes, counts.tolist(), strict=True)}, 0

    return find


def in_duckdb() -> Callable[[list[Path], Path], tuple[Pairs, int]]:
    """Do the same in SQL, with a database on disk and 512 MB."""
    import pandas as pd

    duckdb: Any = import_module("duckdb")  # in an environment of its own

    def find(paths: list[Path], scratch: Path) -> tuple[Pairs, int]:
        base = duckdb.connect(str(scratch / "cells.db"))
        base.execute("SET memory_limit = '512MB'")
        base.execute(f"SET temp_directory = '{scratch}/temp'")
        base.execute("CREATE TABLE cells (f UBIGINT, d UINTEGER, row UINTEGER)")
        for number, path in enumerate(paths):
            values = read(path)
            rows = np.arange(len(values), dtype=np.uint32)
            part = pd.DataFrame({"f": values, "d": np.uint32(number), "row": rows})
            base.execute("INSERT INTO cells SELECT * FROM part")
            del part
        base.execute(
            "CREATE TABLE copies AS SELECT * FROM cells SEMI JOIN "
            "(SELECT f FROM cells GROUP BY f HAVING count(*) > 1) again USING (f)"
        )
        base.execute(
            "COPY (SELECT *, first_value(d) OVER w AS same_d, first_value(row) OVER w AS same_row "
            f"FROM copies WINDOW w AS (PARTITION BY f ORDER BY d, row)) TO '{scratch}/out.parquet'"
        )
        counts = base.execute(
            "SELECT a.d, b.d, count(*) FROM copies a JOIN (SELECT DISTINCT f, d FROM copies) b "
            "ON a.f = b.f AND a.d != b.d GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        base.execute("CHECKPOINT")
        size = sum(path.stat().st_size for path in scratch.glob("cells.db*"))
        return {f"{a} {b}": n for a, b, n in counts}, size

    return find


WAYS = {"ours": ours, "pandas": in_pandas, "duckdb": in_duckdb}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
