"""Small samples laid out as scBaseCount publishes them, with all that is odd about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._cells import Truth, example_counts, example_genes
from ._scbasecount_samples import TREE, Sample

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix

OLD_BUCKET = "gs://arc-ctc-scbasecamp"
BUCKET = "gs://arc-institute-virtual-cell-atlas/scbasecount"
RETIRED = "ENSG00000017621"
"""A gene of the publisher's reference that there is no more."""
N_CELLS = 48
_TAXA = {"Homo_sapiens": "NCBITaxon:9606", "Mus_musculus": "NCBITaxon:10090"}
_TYPES = {
    "t": ("T cell", "CL:0000084"),
    "b": ("B cell", "CL:0000236"),
    "mono": ("classical monocyte", "CL:0000860"),
    "nk": ("", ""),
    "neuron": ("glutamatergic neuron", "CL:0000679"),
    "gaba": ("GABAergic neuron", "CL:0000617"),
    "astro": ("astrocyte", "CL:0000127"),
    "oligo": ("", ""),
    "root": ("", ""),
}
_KINDS = {
    "Homo_sapiens": ("t", "b", "mono", "nk"),
    "Mus_musculus": ("neuron", "gaba", "astro", "oligo"),
}


def write_scbasecount(
    folder: Path,
    *,
    seed: int = 0,
    release: str = "2026-01-12",
    feature: str = "GeneFull_Ex50pAS",
) -> dict[str, Truth]:
    """Write both releases.

    Parameters
    ----------
    folder
        Where to put the folders of the releases.
    seed
        Seed of the counts.
    release, feature
        Of which samples to tell the truth.

    Returns
    -------
    What each sample of that release and feature type holds, by accession; only those whose genes
    are known here and whose library reads the expression of genes.
    """
    truths = {}
    genes = {name: example_genes(taxon) for name, taxon in _TAXA.items()}
    for (its_release, its_feature), samples in TREE.items():
        root = folder / its_release
        for organism in dict.fromkeys(sample.folder for sample in samples):
            chosen = [sample for sample in samples if sample.folder == organism]
            obs = []
            for sample in (s for s in chosen if s.has_file and s.tech not in {"atac", "vdj"}):
                counts, adata = _file(sample, its_release, its_feature, genes.get(organism), seed)
                path = root / "h5ad" / its_feature / organism / f"{sample.accession}.h5ad"
                path.parent.mkdir(parents=True, exist_ok=True)
                adata.write_h5ad(path, compression="gzip")
                obs.append(adata.obs)
                if (its_release, its_feature) == (release, feature) and organism in _TAXA:
                    truths[sample.accession] = Truth(
                        counts=counts, cells=tuple(adata.obs_names), genes=_ids(adata)
                    )
            _tables(root, its_release, its_feature, chosen, obs)
    return truths


def _file(
    sample: Sample, release: str, feature: str, genes: pd.DataFrame | None, seed: int
) -> tuple[csr_matrix, AnnData]:
    """Make a file, and the counts that are to be found in it."""
    from anndata import AnnData
    from scipy import sparse

    rng = np.random.default_rng([seed, sample.seed])
    kinds = rng.choice(_KINDS.get(sample.folder, ("root",)), size=N_CELLS)
    var = _var(genes, feature)
    dense = example_counts(kinds, len(var), rng).astype(np.float32)
    dense[:, (var.index == RETIRED) | (var.get("gene_ids", var.index) == RETIRED)] = 0
    counts = sparse.csr_matrix(dense)
    adata = AnnData(counts, obs=_obs(sample, release, counts, kinds), var=var)
    if feature == "Velocyto":
        adata.layers["spliced"] = counts
        for name, rate in (("unspliced", 0.6), ("ambiguous", 0.1)):
            adata.layers[name] = sparse.csr_matrix(rng.poisson(rate * dense), dtype=np.float32)
    elif release != "2025-02-25":
        for name in ("UniqueAndMult-EM", "UniqueAndMult-Uniform"):
            shared = counts.copy()
            shared.data += rng.choice([0, 0.25, 1 / 3], size=shared.nnz).astype(np.float32)
            adata.layers[name] = shared
        if sample.folder == "Mus_musculus":
            adata.X = sparse.csc_matrix(counts)
    return counts, adata


def _var(genes: pd.DataFrame | None, feature: str) -> pd.DataFrame:
    """Genes of the publisher's reference; the symbols of Velocyto files were made unique."""
    import pandas as pd

    if genes is None:
        ids = [f"AT{1 + i % 5}G{1010 + 10 * i:05d}" for i in range(300)]
        return _features(ids, ids)
    ids, symbols = list(genes.index), list(genes["symbol"].astype(object))
    if ids[0].startswith("ENSG"):
        ids, symbols = [*ids, RETIRED], [*symbols, "MAGIX"]
    if feature != "Velocyto":
        return _features(ids, symbols)
    symbols[1] = f"{symbols[0]}-1"
    var = _features(ids, symbols).set_index("gene_symbols")
    var.insert(0, "gene_ids", pd.Index(ids, dtype=object))
    return var.rename_axis(None)


def _features(ids: list[str], symbols: list[str]) -> pd.DataFrame:
    import pandas as pd

    kinds = pd.Categorical(["Gene Expression"] * len(ids))
    return pd.DataFrame({"gene_symbols": symbols, "feature_types": kinds}, index=ids, dtype=object)


def _obs(sample: Sample, release: str, counts: csr_matrix, kinds: npt.NDArray[Any]) -> pd.DataFrame:
    """Cells with bare barcodes, the same ones in every sample."""
    import pandas as pd

    digits = np.base_repr(4**8 + 977, 4)  # a fixed beginning, then the number of the cell
    codes = [(digits + np.base_repr(i, 4).zfill(16 - len(digits))) for i in range(N_CELLS)]
    index = pd.Index(["".join("ACGT"[int(c)] for c in code) for code in codes], dtype=object)
    n_genes = np.diff(counts.indptr)
    n_umis = np.asarray(counts.sum(axis=1)).ravel()
    if release == "2025-02-25":
        obs = pd.DataFrame({"gene_count": n_genes, "umi_count": n_umis}, index=index)
        return obs.assign(SRX_accession=sample.accession)
    columns: dict[str, Any] = {}
    for name, factor in (("Unique", 1), ("UniqueAndMult-EM", 1.1), ("UniqueAndMult-Uniform", 1.1)):
        columns[f"gene_count_{name}"] = n_genes
        columns[f"umi_count_{name}"] = n_umis * np.float32(factor)
    obs = pd.DataFrame(columns, index=index).assign(SRX_accession=sample.accession)
    annotated = sample.accession != "ERX99000202"
    for place, column in enumerate(("cell_type", "cell_ontology_term_id")):
        obs[column] = [_TYPES[str(kind)][place] if annotated else "" for kind in kinds]
    return obs


def _ids(adata: AnnData) -> tuple[str, ...]:
    return tuple(adata.var.get("gene_ids", adata.var_names))


def _tables(
    root: Path, release: str, feature: str, samples: list[Sample], obs: list[pd.DataFrame]
) -> None:
    """Write the tables of samples and of cells."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = _old_row if release == "2025-02-25" else _new_row
    rows = [row(sample, feature, number) for number, sample in enumerate(samples)]
    folder = root / "metadata" / feature / samples[0].folder
    folder.mkdir(parents=True, exist_ok=True)
    if release == "2025-02-25" and len(rows) > 1:  # merged tables have row numbers that repeat
        rows = [{**row, "__index_level_0__": number % 2} for number, row in enumerate(rows)]
        rows.append({**rows[0], "__index_level_0__": 7})  # and perhaps a row twice
    pq.write_table(pa.Table.from_pylist(rows), folder / "sample_metadata.parquet")
    if obs:
        cells = pd.concat(obs).rename_axis("cell_barcode").reset_index()
        pq.write_table(
            pa.Table.from_pandas(cells, preserve_index=False), folder / "obs_metadata.parquet"
        )


def _old_row(sample: Sample, feature: str, number: int) -> dict[str, Any]:
    path = f"{OLD_BUCKET}/2025-02-25/h5ad/{feature}/{sample.folder}/{sample.accession}.h5ad"
    return {
        "entrez_id": 26_000_000 + number,
        "srx_accession": sample.accession,
        "feature_type": feature,
        "file_path": path,
        "obs_count": N_CELLS,
        "lib_prep": "10x_Genomics",
        "tech_10x": sample.tech,
        "cell_prep": sample.prep,
        "organism": sample.folder.replace("_", " "),
        "tissue": sample.tissue,
        "disease": sample.disease,
        "perturbation": sample.perturbation,
        "cell_line": sample.cell_line,
        "czi_collection_id": sample.collection,
        "czi_collection_name": sample.collection and "A collection",
    }


def _new_row(sample: Sample, feature: str, number: int) -> dict[str, Any]:
    old = _old_row(sample, feature, number)
    del old["feature_type"]
    place = f"2026-01-12/h5ad/{feature}/{sample.folder}/{sample.accession}.h5ad"
    return {
        **old,
        "file_path": f"{BUCKET}/{place}",
        "tissue_ontology_term_id": sample.tissue_id,
        "disease_ontology_term_id": sample.disease_id,
        "antibody_derived_tag": "no",
    }
