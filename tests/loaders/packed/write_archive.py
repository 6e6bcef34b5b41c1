"""Writes ``archive-1``, the files of format 1 that every later version must read.

``python -m tests.loaders.packed.write_archive FOLDER`` makes it anew. What is committed is never
replaced: another format gets a folder of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3
from scipy import sparse

from corpuscle.loaders import Corpus, DatasetRef, DuplicatesFile, PackOptions, pack_corpus

CELL_TYPE = "cell_type_ontology_term_id"
HUMAN, MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"
TERMS = ("CL:0000084", "CL:0000236")
OPTIONS = {
    "plain": PackOptions(codec="plain", shard_cells=6),
    "zstd": PackOptions(codec="zstd", shard_cells=6, block_rows=4),
}
OUT = [2, 3, 9]
"""Rows of the first dataset that are left out."""


def dataset(name: str) -> Any:
    """12 or 5 cells: counts that say where they are, ids far apart, values of every encoding."""
    is_human = name == "human"
    n, genes = (12, [f"ENSG{i:03}" for i in range(0, 900, 3)]) if is_human else (5, ["ENSMUSG1"])
    x = np.zeros((n, len(genes)), dtype=np.float32)
    for row in range(n):
        for gene in range(row, len(genes), 1 + 40 * row):
            x[row, gene] = 1 + (7 * row + 3 * gene) % 40
    if is_human:
        x[4] = 0
        x[5, 290], x[6, 1], x[7, 2] = 65_535, 70_000, 0.25
    labels = [(*TERMS, None)[row % 3] for row in range(n)]
    obs = pd.DataFrame(
        {
            CELL_TYPE: pd.Categorical(labels),
            "n_counts": x.sum(axis=1, dtype=np.float64),
            "is_primary_data": pd.array([(True, None)[row % 2] for row in range(n)], "boolean"),
            "donor_id": pd.Categorical(["dön"] * n),
        },
        index=[f"{name}{row}" for row in range(n)],
    )
    data = ad.AnnData(sparse.csr_matrix(x), obs=obs, var=pd.DataFrame(index=genes))
    nearest = np.stack([np.arange(1, n + 1) % n, np.full(n, -1)], axis=1)
    data.obsm["neighbors"] = nearest.astype(np.int32)
    return data


def corpus_in(folder: Path) -> Corpus:
    """Write curated files and the list of cells that are left out."""
    refs = []
    for name, organism in (("human", HUMAN), ("mouse", MOUSE)):
        data, path = dataset(name), folder / f"{name}.h5ad"
        data.write_h5ad(path)
        n_out = len(OUT) if name == "human" else 0
        refs.append(
            DatasetRef(
                uid=f"{name}uid",
                key=name,
                path=str(path),
                n_cells=data.n_obs - n_out,
                organism=organism,
                n_excluded=n_out,
            )
        )
    listed = folder / "duplicates.parquet"
    names = pa.array(["humanuid"] * len(OUT)).dictionary_encode()
    columns = {"dataset": names, "row": pa.array(OUT, pa.uint32()), "kept": [False] * len(OUT)}
    pq.write_table(pa.table(columns), listed)
    return Corpus(
        name="archive",
        version="1",
        uid="archive0001",
        datasets=tuple(refs),
        classes={"cell_type": TERMS},
        duplicates=DuplicatesFile(
            policy="drop",
            key="duplicates/archive.parquet",
            hash=blake3(listed.read_bytes()).hexdigest(),
            path=str(listed),
        ),
    )


def expected() -> dict[str, Any]:
    """What the cells of the archive hold."""
    cells = []
    for name in ("human", "mouse"):
        data = dataset(name)
        kept = [row for row in range(data.n_obs) if name != "human" or row not in OUT]
        for row in kept:
            values = data.X[row].toarray().ravel()
            near = int(data.obsm["neighbors"][row, 0])
            label = data.obs[CELL_TYPE].iloc[row]
            primary = data.obs["is_primary_data"].iloc[row]
            cells.append(
                {
                    "dataset": name,
                    "row_of_file": row,
                    "counts": {data.var_names[i]: float(values[i]) for i in np.flatnonzero(values)},
                    "cell_type": TERMS.index(label) if label in TERMS else -1,
                    "is_primary_data": None if primary is pd.NA else bool(primary),
                    "neighbor": kept.index(near) if near in kept else -1,
                }
            )
    return {"classes": {"cell_type": TERMS}, "cells": cells}


def write(folder: Path) -> None:
    """Write both codecs, and what they hold."""
    with tempfile.TemporaryDirectory() as curated:
        corpus = corpus_in(Path(curated))
        for codec, options in OPTIONS.items():
            pack_corpus(corpus, folder / codec, options=options)
    (folder / "expected.json").write_text(json.dumps(expected(), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
