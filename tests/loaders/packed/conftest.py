from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from corpuscle.loaders import Corpus, DatasetRef, PackedCorpus, PackOptions, obs_column, pack_corpus

if TYPE_CHECKING:
    from pathlib import Path

N_CELLS = 60
HUMAN = [f"ENSG{i:011d}" for i in range(400)]
MOUSE = [f"ENSMUSG{i:011d}" for i in range(300)]
TERMS = ("CL:0000084", "CL:0000236", "CL:0000540")


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """180 cells of two human datasets, of other genes in no order, and one of mouse."""
    folder, refs = tmp_path_factory.mktemp("mixed"), []
    lists = {"a": HUMAN[:300], "b": HUMAN[150:], "m": MOUSE}
    for k, (uid, genes) in enumerate(lists.items()):
        chance = np.random.default_rng(k)
        x: Any = sparse.random(N_CELLS, len(genes), 0.3, "csr", np.float32, chance)
        x.data[:] = np.minimum(chance.geometric(0.4, x.nnz) ** 3, 60_000)
        x.data[x.indptr[7] : x.indptr[8]] = 0
        x.eliminate_zeros()
        terms = pd.Categorical.from_codes(
            chance.integers(-1, 4, N_CELLS).tolist(), pd.Index([*TERMS, "unknown"])
        )
        organism = "NCBITaxon:10090" if uid == "m" else "NCBITaxon:9606"
        obs = pd.DataFrame(
            {
                obs_column("cell_type"): terms,
                obs_column("organism"): pd.Categorical([organism] * N_CELLS),
                "n_counts": np.asarray(x.sum(axis=1)).ravel(),
            },
            index=[f"{uid}{i}" for i in range(N_CELLS)],
        )
        data = ad.AnnData(x, obs=obs, var=pd.DataFrame(index=list(chance.permutation(genes))))
        data.obsm["spatial"] = chance.random((N_CELLS, 2))
        data.write_h5ad(folder / f"{uid}.h5ad")
        refs.append(
            DatasetRef(
                uid=uid,
                key=uid,
                path=str(folder / f"{uid}.h5ad"),
                n_cells=N_CELLS,
                organism=organism,
            )
        )
    return Corpus(
        name="mixed",
        version="1",
        uid="mixed001",
        datasets=tuple(refs),
        classes={"cell_type": TERMS[::-1], "organism": ("NCBITaxon:9606", "NCBITaxon:10090")},
    )


@pytest.fixture(scope="session", params=["plain", "zstd"])
def folder(
    mixed: Corpus, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The mixed corpus, packed."""
    rows = 7 if request.param == "zstd" else None
    options = PackOptions(
        codec=request.param,
        block_rows=rows,
        shard_cells=25,
        columns=(obs_column("cell_type"), obs_column("organism"), "n_counts"),
        obsm=("spatial",),
    )
    return pack_corpus(mixed, tmp_path_factory.mktemp(request.param), options=options)


@pytest.fixture(scope="session")
def packed(folder: Path) -> PackedCorpus:
    return PackedCorpus.open(folder)


@pytest.fixture(scope="session")
def counts(mixed: Corpus, packed: PackedCorpus) -> pd.DataFrame:
    """All counts: cells by genes, zeros for genes that were not measured."""
    parts = [ad.read_h5ad(ref.path).to_df() for ref in mixed.datasets]
    whole: pd.DataFrame = pd.concat(parts).reindex(columns=list(packed.genes)).fillna(0)
    return whole.set_axis(range(len(whole)))
