from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from corpuscle.errors import NotFoundError
from corpuscle.pipelines.examples._cells import Truth, example_counts, example_genes
from corpuscle.pipelines.sources import Wanted

from .conformance import Conformance, serving

if TYPE_CHECKING:
    from pathlib import Path


def write_files(folder: Path) -> dict[str, Truth]:
    truths = {}
    for place, taxon in enumerate(("NCBITaxon:9606", "NCBITaxon:10090")):
        rng = np.random.default_rng(place)
        genes = example_genes(taxon, 300)
        kinds = np.array(["t", "b"] * 30)
        counts = sparse.csr_matrix(example_counts(kinds, len(genes), rng), dtype=np.float32)
        obs = pd.DataFrame(index=[f"cell {i}" for i in range(len(kinds))])
        var = pd.DataFrame(index=genes.index.astype(object))
        adata = anndata.AnnData(counts, obs=obs, var=var)
        adata.write_h5ad(folder / f"file{place}.h5ad")
        truths[f"file{place}"] = Truth(
            counts=counts, cells=tuple(adata.obs_names), genes=tuple(genes.index)
        )
    return truths


class TestLocal(Conformance):
    name = "local"
    versioned = False
    write = staticmethod(write_files)

    def test_over_http_it_is_the_same(
        self, example: tuple[Path, dict[str, Truth]], listed: object, tmp_path: Path
    ) -> None:
        """The files of a folder are not known over HTTP."""
        with serving(example[0]) as url, pytest.raises(NotFoundError, match="http"):
            list(self.make(url, tmp_path).datasets(Wanted()))
