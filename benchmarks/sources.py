"""Reading the forms that sources publish: ours, and what most people would write."""

from __future__ import annotations

import gzip
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .environments import measure
from .result import Goal, Result

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SCRIPT = Path(__file__).with_name("_sources_once.py")
FORMS = {"h5ad": "cells.h5ad", "parquet": "cells.parquet", "mtx": "cells.mtx.gz"}


def run(*, quick: bool) -> Result:
    """Read the same cells in each form, in turn, each time in a new process."""
    n_cells, repeats = (2_000, 1) if quick else (30_000, 3)
    figures: dict[str, float] = {}
    goals = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts = _write(folder, n_cells)
        for form, file in FORMS.items():
            found: dict[str, list[dict[str, Any]]] = {"ours": [], "usual": []}
            for _ in range(repeats):
                for way, results in found.items():
                    results.append(measure(SCRIPT, form, way, str(folder / file)))
            for way, results in found.items():
                assert {(r["rows"], r["total"]) for r in results} == {
                    (n_cells, float(counts.sum(dtype=float)))
                }
                seconds = statistics.median(r["seconds"] for r in results)
                figures[f"{form}, {way}, cells/s"] = n_cells / seconds
                peak = statistics.median(r["peak_mib"] for r in results)
                figures[f"{form}, {way}, peak memory, MiB"] = peak
            ratio = statistics.median(
                b["seconds"] / a["seconds"]
                for a, b in zip(found["ours"], found["usual"], strict=True)
            )
            figures[f"{form}, ours / usual"] = ratio
            goals.append(Goal(name=f"{form}, ours / usual", value=ratio, goal=0.5))
    return Result(
        benchmark="sources",
        figures=figures,
        goals=goals,
        notes=f"{n_cells:,} cells of about 1,500 counts. Ours streams and checks every value; "
        "usual is anndata in backed mode, pyarrow's whole table, scipy's mmread.",
    )


def _write(folder: Path, n_cells: int, n_genes: int = 20_000, n_values: int = 1_500) -> csr_matrix:
    import anndata
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from scipy import sparse
    from scipy.io import mmwrite

    rng = np.random.default_rng(0)
    indices = np.sort(rng.integers(0, n_genes, (n_cells, n_values)), axis=1).ravel()
    data = rng.geometric(0.4, len(indices)).astype(np.float32)
    indptr = np.arange(n_cells + 1) * n_values
    counts = sparse.csr_matrix((data, indices, indptr), (n_cells, n_genes))
    counts.sum_duplicates()
    names = [f"cell{i}" for i in range(n_cells)]
    obs = pd.DataFrame(index=names)
    var = pd.DataFrame(index=[f"ENSG{i:011d}" for i in range(n_genes)])
    anndata.AnnData(counts, obs=obs, var=var).write_h5ad(folder / FORMS["h5ad"], compression="lzf")
    starts = counts.indptr[:-1]
    offsets = pa.array((counts.indptr + np.arange(n_cells + 1)).astype(np.int32))
    tokens = pa.array(np.insert(counts.indices.astype(np.int64) + 3, starts, 1))
    values = pa.array(np.insert(counts.data, starts, np.float32(-2)))
    text = [
        "sample",
        "drug",
        "cell_line_id",
        "moa-fine",
        "canonical_smiles",
        "pubchem_cid",
        "plate",
    ]
    columns: dict[str, Any] = {
        "genes": pa.ListArray.from_arrays(offsets, tokens),
        "expressions": pa.ListArray.from_arrays(offsets, values),
        "BARCODE_SUB_LIB_ID": names,
        **{column: ["same"] * n_cells for column in text},
    }
    pq.write_table(pa.table(columns), folder / FORMS["parquet"], row_group_size=5_000)
    (folder / FORMS["parquet"]).with_suffix(".genes").write_text(str(n_genes))
    with gzip.open(folder / FORMS["mtx"], "wb", compresslevel=1) as file:
        mmwrite(file, counts.T.astype(np.int64))  # type: ignore[arg-type]  # any binary file will do
    return counts
