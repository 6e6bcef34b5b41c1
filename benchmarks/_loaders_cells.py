"""Cells for `benchmarks.loaders`: generated once, as curated files, with what identifies each of them."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

N_TYPES, N_DRAWS, CHUNK = 48, 2**24, 1_600
LABELS = {"cell_type": "cell_type_ontology_term_id", "plate": "plate"}
"""Name in the benchmark and column of obs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is to read."""

    n_plates: int = 8
    n_cells: int = 25_600
    """Of each plate."""
    n_genes: int = 20_000
    depth: int = 3_300
    """Median of the counts of a cell."""


def type_name(code: int) -> str:
    """Term of a cell type."""
    return f"CL:{code:07d}"


def gene_names(n_genes: int) -> list[str]:
    """Stable ids."""
    return [f"ENSG{i:011d}" for i in range(n_genes)]


def weights(n_genes: int) -> Any:
    """What each count of a gene adds to the fingerprint of a cell. Shape ``(n_genes,)``, float64.

    Sums of whole numbers below 2**53, so they are exact in any order.
    """
    drawn = np.random.default_rng(7).integers(1, 2**30, n_genes)
    return drawn.astype(np.float64)


def plates(folder: Path, kind: str = "plain") -> list[Path]:
    """Files of the cells: ``plain`` or ``gzip``."""
    return sorted((folder / kind).glob("*.h5ad"))


def n_genes_of(folder: Path) -> int:
    """Genes of the generated cells."""
    return int(json.loads((folder / "size.json").read_text())["n_genes"])


def make_cells(folder: Path, size: Size) -> None:
    """Write plates and ``reference.npz``, unless they are there.

    Cells of a plate are sorted by tissue and type, as authors often have them: neighbours share
    their labels. The reference holds of each cell its fingerprint, plate, type and depth.
    """
    done = folder / "size.json"
    if done.exists() and json.loads(done.read_text()) == asdict(size):
        return
    done.unlink(missing_ok=True)
    for kind in ("plain", "gzip"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for old in plates(folder, kind):
            old.unlink()
    n_workers = min(len(os.sched_getaffinity(0)), size.n_plates)
    with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
        made = list(
            pool.map(
                _make_plate, [folder] * size.n_plates, range(size.n_plates), [size] * size.n_plates
            )
        )
    reference = {key: np.concatenate([plate[key] for plate in made]) for key in made[0]}
    assert len(np.unique(reference["fingerprint"])) == size.n_plates * size.n_cells
    np.savez(folder / "reference.npz", allow_pickle=False, **reference)
    done.write_text(json.dumps(asdict(size)))


def _make_plate(folder: Path, plate: int, size: Size) -> dict[str, Any]:
    import anndata as ad
    import pandas as pd
    from scipy import sparse

    rng = np.random.default_rng([plate, 1])
    tissue = rng.integers(0, 2, size.n_cells) + 2 * plate
    kind = (rng.zipf(1.4, size.n_cells) % 6 + 3 * tissue) % N_TYPES
    order = np.lexsort((kind, tissue))
    tissue, kind = tissue[order], kind[order]
    drawn_depth = rng.lognormal(np.log(size.depth), 0.75, size.n_cells)
    depth = np.clip(drawn_depth, size.depth / 11, 60_000).astype(np.int64)
    ladders = {code: _ladder(code, size.n_genes) for code in np.unique(kind).tolist()}
    parts = []
    for start in range(0, size.n_cells, CHUNK):
        cells = np.arange(start, min(start + CHUNK, size.n_cells))
        drawn = [
            ladders[code][rng.integers(0, N_DRAWS, n)]
            for code, n in zip(kind[cells].tolist(), depth[cells].tolist(), strict=True)
        ]
        rows = np.repeat(np.arange(len(cells), dtype=np.int64), depth[cells])
        keys, counts = np.unique(rows * size.n_genes + np.concatenate(drawn), return_counts=True)
        rows, genes = np.divmod(keys, size.n_genes)
        ends = np.append(0, np.cumsum(np.bincount(rows, minlength=len(cells))))
        parts.append(
            sparse.csr_matrix((counts.astype(np.float32), genes, ends), (len(cells), size.n_genes))
        )
    x = sparse.csr_matrix(sparse.vstack(parts, format="csr"))
    x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)
    everywhere = {
        "organism_ontology_term_id": "NCBITaxon:9606",
        "assay_ontology_term_id": "EFO:0009922",
        "disease_ontology_term_id": "PATO:0000461",
        "development_stage_ontology_term_id": "HsapDv:0000087",
        "self_reported_ethnicity_ontology_term_id": "unknown",
        "sex_ontology_term_id": "PATO:0000383",
        "tissue_type": "tissue",
        "plate": f"plate{plate}",
    }
    obs = pd.DataFrame(
        {
            "cell_type_ontology_term_id": pd.Categorical([type_name(code) for code in kind]),
            "tissue_ontology_term_id": pd.Categorical([f"UBERON:{code:07d}" for code in tissue]),
            **{key: pd.Categorical([value] * size.n_cells) for key, value in everywhere.items()},
        },
        index=[f"plate{plate}:{row}" for row in range(size.n_cells)],
    )
    data = ad.AnnData(X=x, obs=obs, var=pd.DataFrame(index=gene_names(size.n_genes)))
    data.write_h5ad(folder / "plain" / f"plate{plate}.h5ad")
    data.write_h5ad(folder / "gzip" / f"plate{plate}.h5ad", compression="gzip")
    return {
        "fingerprint": (x @ weights(size.n_genes)).astype(np.int64),
        "plate": np.full(size.n_cells, plate),
        "cell_type": kind,
        "depth": depth,
        "n_values": np.diff(x.indptr),
    }


def _ladder(code: int, n_genes: int) -> Any:
    """Genes, as often as a type expresses them. Shape ``(N_DRAWS,)``, uint16."""
    base = np.random.default_rng(0).normal(0, 2, n_genes)
    own = np.random.default_rng([code, 2]).normal(0, 0.9, n_genes)
    share = np.cumsum(np.exp(base + own))
    ends = np.round(share / share[-1] * N_DRAWS).astype(np.int64)
    return np.repeat(np.arange(n_genes, dtype=np.uint16), np.diff(ends, prepend=0))
