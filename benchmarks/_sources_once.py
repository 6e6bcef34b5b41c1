"""One file read whole in a process of its own: ``FORM WAY PATH``; prints figures.

Every way ends with rows of counts in memory, chunk by chunk where it can.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def ours(form: str, path: Path) -> tuple[int, float]:
    """Read as the adapters do: streamed, every value checked."""
    from corpuscle.curation import Matrix, open_mtx, open_source

    if form == "mtx":
        shape, dtype, rows = open_mtx(path)
        var: Any = None
        matrix = Matrix(path=path, name="X", shape=shape, dtype=dtype, var=var, open=rows)
    elif form == "parquet":
        import pandas as pd

        from corpuscle.pipelines.sources._tahoe_parquet import open_shard

        n_genes = int(path.with_suffix(".genes").read_text())
        ids = [f"ENSG{i:011d}" for i in range(n_genes)]
        genes = pd.DataFrame({"ensembl_id": ids, "token_id": range(3, n_genes + 3)}, index=ids)
        matrix = open_shard(path, genes).matrices["X"]
    else:
        matrix = open_source(path).matrices["X"]
    n, total = 0, 0.0
    for _, chunk in matrix.chunks():
        n, total = n + chunk.shape[0], total + float(chunk.data.sum(dtype=float))
    return n, total


def usual(form: str, path: Path) -> tuple[int, float]:
    """Read as most people would: anndata in backed mode, scipy, pyarrow."""
    if form == "mtx":
        from scipy.io import mmread

        rows: Any = mmread(path)
        rows = rows.T.tocsr()
        return rows.shape[0], float(rows.data.sum(dtype=float))
    if form == "parquet":
        import numpy as np
        import pyarrow.parquet as pq

        table = pq.read_table(path, columns=["genes", "expressions"])
        values = table.column("expressions").combine_chunks()
        flat = np.asarray(values.values)
        return len(table), float(
            flat.sum(dtype=float) - flat[np.asarray(values.offsets)[:-1]].sum()
        )

    n, total = 0, 0.0
    chunk: Any
    for chunk, _, _ in anndata.read_h5ad(path, backed="r").chunked_X(10_000):
        n, total = n + chunk.shape[0], total + float(chunk.sum(dtype=float))
    return n, total


form, way, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if way == "ours":
    import corpuscle.curation
    import corpuscle.pipelines.sources._tahoe_parquet  # noqa: F401 - not a part of the reading
import anndata  # noqa: E402
import pyarrow.parquet  # noqa: E402, F401
import scipy.io  # noqa: E402, F401

started = time.perf_counter()
n_rows, total = {"ours": ours, "usual": usual}[way](form, path)
seconds = time.perf_counter() - started
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0]) / 1024  # of this process alone, not of what started it
print(json.dumps({"seconds": seconds, "rows": n_rows, "total": total, "peak_mib": peak}))
