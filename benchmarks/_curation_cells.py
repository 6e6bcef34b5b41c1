"""Generate a file as publishers have them: python _curation_cells.py PATH N_CELLS N_DRAWS."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    import numpy.typing as npt

N_GENES, N_TYPES, CHUNK = 20_000, 40, 5_000
STEPS = 2**18
"""Entries of the table from which a gene is drawn: no gene is rarer than one of them."""
TYPES = ("CL:0000084", "CL:0000236", "CL:0000576", "CL:0000623", "CL:0000057", "CL:0000115")
SAME = {
    "organism_ontology_term_id": "NCBITaxon:9606",
    "assay_ontology_term_id": "EFO:0009922",
    "disease_ontology_term_id": "PATO:0000461",
    "tissue_ontology_term_id": "UBERON:0002048",
    "tissue_type": "tissue",
    "self_reported_ethnicity_ontology_term_id": "unknown",
    "suspension_type": "cell",
}
"""Columns that say one thing of all cells."""


def write(path: Path, n_cells: int, n_draws: int) -> dict[str, float]:
    """Write float32 counts in CSR, packed as CELLxGENE packs them, and CELLxGENE's columns.

    Cells of 40 types, whose genes differ in 300; some types are fifty times as frequent as
    others.
    """
    from anndata.io import write_elem

    rng = np.random.default_rng(0)
    frequency = np.geomspace(50, 1, N_TYPES)
    kind = rng.choice(N_TYPES, n_cells, p=frequency / frequency.sum())
    depth = rng.lognormal(np.log(n_draws), 0.4, n_cells).astype(np.int64) + 1
    tables = _tables(rng)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.asarray((n_cells, N_GENES), dtype=np.int64)
        stored = {
            name: group.create_dataset(
                name, (0,), dtype, maxshape=(None,), chunks=(50_000,), compression="gzip"
            )
            for name, dtype in (("data", np.float32), ("indices", np.int32))
        }
        lengths = [np.zeros(1, dtype=np.int64)]
        for start in range(0, n_cells, CHUNK):
            cells = slice(start, min(start + CHUNK, n_cells))
            counts = _draw(rng, tables, kind[cells], depth[cells])
            lengths.append(np.diff(counts.indptr).astype(np.int64))
            for name, dataset in stored.items():
                n = len(dataset)
                dataset.resize(n + counts.nnz, axis=0)
                dataset[n:] = getattr(counts, name)
        indptr = np.cumsum(np.concatenate(lengths))
        group.create_dataset("indptr", data=indptr)
        write_elem(file, "obs", _cells(rng, kind))
        write_elem(file, "var", _genes())
    size = path.stat().st_size / n_cells
    return {"values per cell": int(indptr[-1]) / n_cells, "bytes per cell": size}


def _tables(rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Genes of each type, each as often as it is drawn. Shape ``(N_TYPES, STEPS)``."""
    common = rng.lognormal(0, 2, N_GENES)
    result = np.empty((N_TYPES, STEPS), dtype=np.uint16)
    for table in result:
        program = common.copy()
        program[rng.choice(N_GENES, 300, replace=False)] *= rng.lognormal(0, 2, 300)
        ladder = np.cumsum(program) / program.sum()
        table[:] = np.searchsorted(ladder, (np.arange(STEPS) + 0.5) / STEPS)
    return result


def _draw(
    rng: np.random.Generator,
    tables: npt.NDArray[np.uint16],
    kind: npt.NDArray[Any],
    depth: npt.NDArray[np.int64],
) -> sparse.csr_matrix:
    place = rng.integers(0, STEPS, int(depth.sum()), dtype=np.int32)
    genes = tables[np.repeat(kind, depth), place]
    indptr = np.concatenate([[0], np.cumsum(depth)])
    ones = np.ones(len(genes), dtype=np.float32)
    counts = sparse.csr_matrix((ones, genes.astype(np.int32), indptr), (len(depth), N_GENES))
    counts.sum_duplicates()
    return counts


def _cells(rng: np.random.Generator, kind: npt.NDArray[Any]) -> pd.DataFrame:
    n = len(kind)
    named = {
        "cell_type_ontology_term_id": np.asarray(TYPES)[kind % len(TYPES)],
        "sex_ontology_term_id": np.asarray(["PATO:0000383", "PATO:0000384"])[rng.integers(0, 2, n)],
        "development_stage_ontology_term_id": np.asarray(["HsapDv:0000237", "HsapDv:0000238"])[
            rng.integers(0, 2, n)
        ],
        "donor_id": np.char.add("donor", rng.integers(0, 50, n).astype(str)),
    }
    columns: dict[str, Any] = {name: pd.Categorical(values) for name, values in named.items()}
    for name, value in SAME.items():
        columns[name] = pd.Categorical([value]).take(np.zeros(n, dtype=np.intp))
    columns["is_primary_data"] = np.ones(n, dtype=np.bool_)
    letters = rng.choice(np.frombuffer(b"ACGT", dtype=np.uint8), (n, 16))
    barcodes = letters.view("S16").ravel().astype(str).tolist()
    names = [f"{barcode}-{number}" for number, barcode in enumerate(barcodes)]
    return pd.DataFrame(columns, index=pd.Index(names, dtype=object))


def _genes() -> pd.DataFrame:
    """The first genes of the human table that code for proteins, and mitochondrial ones."""
    from corpuscle.ontologies import gene_table

    table: Any = gene_table("human")
    coding = table[(table["biotype"] == "protein_coding").fillna(value=False)]
    others = table[~table.index.isin(coding.index)]
    chosen = pd.concat([coding, others]).iloc[:N_GENES].sort_index()
    names = chosen["symbol"].astype(object).where(chosen["symbol"].notna(), chosen.index)
    return pd.DataFrame({"feature_name": pd.Categorical(names)}, index=chosen.index.astype(object))


if __name__ == "__main__":
    where, n_cells, n_draws = sys.argv[1:]
    print(json.dumps(write(Path(where), int(n_cells), int(n_draws))))
