"""Files of the mouse prenatal atlas, small, in all the forms in which it is published."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ontologies import gene_table
from ._cells import Truth, atlas_cells

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from scipy.sparse import csr_matrix

    from ._cells import AtlasCells

WORDS = {
    "gaba": ("CNS_neurons", "GABAergic neurons (after E13.0)"),
    "erythroid": ("Definitive_erythroid", "Definitive early erythroblasts (CD36-)"),
    "mesoderm": ("Mesoderm", "NMPs and spinal cord progenitors"),
    "epi": ("Epithelium", "Epithelial cells"),
}
"""The authors' words for the programs: major trajectory and cell type."""
EMBRYOS = {
    "run_4": (
        ("E8.0-E8.5", "0 somites", "F"),
        ("E8.0-E8.5", "3 somites", "M"),
        ("E8.0-E8.5", "6 somites", "F"),
        ("E8.0-E8.5", "12 somites", "M"),
    ),
    "run_20": (
        ("E8.75", "14 somites", "F"),
        ("E14.333", None, "M"),
        ("E15.5", None, "F"),
        ("P0", None, "M"),
    ),
}
"""Day, somites and sex of the embryos of each run, the same number of nuclei each."""
N_H5AD = 4
N_REMOVED = 20
"""Nuclei of the earlier set that its authors removed later."""


def write_devatlas(folder: Path, *, seed: int = 0, form: str = "h5ad") -> dict[str, Truth]:
    """Write all forms below one folder: ``adata``, ``mtx`` and the series of GEO.

    Parameters
    ----------
    folder
        Where.
    seed
        Of the counts.
    form
        The form to tell about.

    Returns
    -------
    What the datasets of `form` hold, by their ids.
    """
    cells = atlas_cells(seed)
    obs, genes = _cells(cells), _genes(cells)
    counts = _with_more_genes(cells, len(genes) - len(cells.genes), seed)
    return {
        "h5ad": _write_h5ad(folder / "adata", cells, obs, genes),
        **dict.fromkeys(("mtx", "geo"), _write_runs(folder, counts, obs, genes)),
        "gse186069": _write_earlier(folder, counts, obs, genes, seed),
    }[form]


def _cells(cells: AtlasCells) -> pd.DataFrame:
    import pandas as pd

    n = len(cells.names)
    runs = [name.rsplit("_", 1)[0] for name in cells.names]
    places = {run: [i for i, other in enumerate(runs) if other == run] for run in EMBRYOS}
    rows: list[dict[str, Any]] = [{} for _ in range(n)]
    number = 0
    for run, embryos in EMBRYOS.items():
        for place, rank in zip(places[run], range(n), strict=False):
            which = rank * len(embryos) // len(places[run])
            day, somites, sex = embryos[which]
            rows[place] = {
                "cell_id": cells.names[place],
                "day": day,
                "somite_count": somites,
                "embryo_id": f"embryo_{number + which + 1}",
                "embryo_sex": sex,
                "experimental_batch": run,
            }
        number += len(embryos)
    obs = pd.DataFrame(rows)
    totals = np.asarray(cells.counts.sum(axis=1)).ravel()
    obs["log2_umi"] = np.log2(totals).round(4)
    obs["G2M.Score"] = np.round(np.sin(np.arange(n)), 3)
    words = [WORDS[kind] for kind in cells.kinds]
    obs["major_trajectory"] = [trajectory for trajectory, _ in words]
    return obs.assign(celltype_update=[cell_type for _, cell_type in words])


def _genes(cells: AtlasCells) -> pd.DataFrame:
    """Describe genes; two pairs have one symbol each, as in the real table."""
    import pandas as pd

    known = cells.genes
    table = gene_table("NCBITaxon:10090")
    named = table[table["symbol"].notna() & (table["biotype"] == "protein_coding")]
    shared = named[named["symbol"].duplicated(keep=False) & (named["status"] == "current")]
    more = shared[shared["symbol"].isin(sorted(set(shared["symbol"]))[:2])]
    every = pd.concat([known, more])
    places = np.arange(len(every))
    return pd.DataFrame(
        {
            "gene_ID": every.index,
            "gene_short_name": every["symbol"].to_numpy(),
            "chr": [f"chr{place % 19 + 1}" for place in places],
            "start": places * 10_000 + 1,
            "end": places * 10_000 + 5_000,
            "strand": np.where(places % 2, "-", "+"),
            "gene_type": "protein_coding",
        }
    )


def _with_more_genes(cells: AtlasCells, n_more: int, seed: int) -> csr_matrix:
    from scipy import sparse

    rng = np.random.default_rng([seed, *b"more genes"])
    more = sparse.csr_matrix(rng.poisson(0.5, size=(len(cells.names), n_more)))
    return sparse.csr_matrix(sparse.hstack([cells.counts, more]))


def _write_h5ad(
    folder: Path, cells: AtlasCells, obs: pd.DataFrame, genes: pd.DataFrame
) -> dict[str, Truth]:
    """Write four files of the genes of the analysis, with names that one more suffix follows."""
    from anndata import AnnData

    folder.mkdir(parents=True, exist_ok=True)
    var = genes.iloc[: len(cells.genes)].rename(columns={"gene_ID": "gene_id"})
    var = var[["gene_id", "gene_short_name", "gene_type", "chr"]].set_index("gene_id", drop=False)
    var.index.name = None
    truths, names = {}, []
    for k, rows in enumerate(np.array_split(np.arange(len(obs)), N_H5AD)):
        here = [f"{cell}-{k}" for cell in obs["cell_id"].iloc[rows]]
        names += [f"{name}-{k}" for name in here]
        few = obs[["cell_id", "day", "embryo_id", "experimental_batch"]].iloc[rows]
        few = few.set_axis(here, axis=0).astype(
            dict.fromkeys(("day", "embryo_id", "experimental_batch"), "category")
        )
        counts = cells.counts[rows]
        AnnData(counts.astype(np.float32), obs=few, var=var).write_h5ad(
            folder / f"adata_JAX_dataset_{k + 1}.h5ad"
        )
        truths[f"JAX_dataset_{k + 1}"] = _truth(counts, here, var["gene_id"])
    table = obs.drop(columns=["celltype_update"]).set_axis(names, axis=0)
    table.to_csv(folder / "df_cell.csv")
    var.to_csv(folder / "df_gene.csv")
    return truths


def _write_runs(
    folder: Path, counts: csr_matrix, obs: pd.DataFrame, genes: pd.DataFrame
) -> dict[str, Truth]:
    """Write each run as the laboratory and as GEO have it; one table has a typing mistake."""
    lab, geo = folder / "mtx", folder / "GSE228nnn" / "GSE228590" / "suppl"
    truths, files = {}, {"gene_annotation.csv.gz": _table(genes)}
    for run in EMBRYOS:
        rows = np.flatnonzero(obs["experimental_batch"] == run)
        table = obs.iloc[rows]
        if run == "run_20":
            table = table.rename(columns={"celltype_update": "celltype_udpate"})
        files[f"gene_count.{run}.mtx.gz"] = _matrix(counts[rows])
        files[f"cell_annotation.{run}.csv.gz"] = _table(table)
        truths[run] = _truth(counts[rows], table["cell_id"], genes["gene_ID"])
    _put(lab, files)
    _put(geo, {f"GSE228590_{name}": content for name, content in files.items()})
    return truths


def _write_earlier(
    folder: Path, counts: csr_matrix, obs: pd.DataFrame, genes: pd.DataFrame, seed: int
) -> dict[str, Truth]:
    """Write run 4 as it was published first, with nuclei that were removed later."""
    import pandas as pd
    from scipy import sparse

    rng = np.random.default_rng([seed, *b"earlier"])
    rows = np.flatnonzero(obs["experimental_batch"] == "run_4")
    junk = sparse.csr_matrix(rng.poisson(0.05, size=(N_REMOVED, counts.shape[1])))
    every = sparse.csr_matrix(sparse.vstack([junk, counts[rows]]))
    kept = obs.iloc[rows]
    barcodes = ["".join(letters) for letters in rng.choice(list("ACGT"), size=(N_REMOVED, 20))]
    somites = [int(text.split()[0]) for text in kept["somite_count"]]
    table = pd.DataFrame(
        {
            "sample": [f"P2-01A.{barcode}" for barcode in barcodes]
            + [name.removeprefix("run_4_") for name in kept["cell_id"]],
            "UMI_count": np.asarray(every.sum(axis=1)).ravel(),
            "gene_count": np.diff(every.indptr),
            "unmatched_rate": rng.uniform(0.05, 0.3, size=every.shape[0]).round(4),
            "doublet_score": rng.uniform(0, 0.2, size=every.shape[0]).round(4),
            "somite_number": [12] * N_REMOVED + somites,
            "embryo_sex": ["F"] * N_REMOVED + list(kept["embryo_sex"]),
            "development_stage": "8.5",
            "celltype": [None] * N_REMOVED + list(kept["celltype_update"]),
            "removed_by_low_quality_or_doublets": ["Yes"] * N_REMOVED + ["No"] * len(kept),
            "RT_group": "E8.5_test2-1",
        }
    )
    files = {
        "GSE186069_gene_count.mtx.gz": _matrix(every),
        "GSE186069_cell_annotate.csv.gz": _table(table),
        "GSE186069_gene_annotate.csv.gz": _table(genes),
    }
    _put(folder / "GSE186nnn" / "GSE186069" / "suppl", files)
    return {"GSE186069": _truth(every, table["sample"], genes["gene_ID"])}


def _truth(counts: csr_matrix, cells: Any, genes: Any) -> Truth:
    return Truth(counts=counts, cells=tuple(cells), genes=tuple(genes))


def _matrix(counts: csr_matrix) -> bytes:
    """Write genes by cells, column after column, as R does."""
    genes_by_cells = counts.T.tocsc()
    rows, columns = genes_by_cells.indices + 1, np.diff(genes_by_cells.indptr)
    entries = np.column_stack([rows, np.repeat(np.arange(1, len(columns) + 1), columns)])
    text = io.StringIO()
    text.write("%%MatrixMarket matrix coordinate integer general\n")
    text.write(f"{genes_by_cells.shape[0]} {genes_by_cells.shape[1]} {len(entries)}\n")
    lines = zip(*entries.T.tolist(), genes_by_cells.data.tolist(), strict=True)
    text.writelines(f"{row} {column} {value}\n" for row, column, value in lines)
    return gzip.compress(text.getvalue().encode(), compresslevel=1, mtime=0)


def _table(table: pd.DataFrame) -> bytes:
    return gzip.compress(table.to_csv(index=False, na_rep="NA").encode(), mtime=0)


def _put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
