"""Some cells of a packed corpus as AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .._form import Form
from ._columns import Codes, read_column, read_obsm

if TYPE_CHECKING:
    import numpy.typing as npt
    from anndata import AnnData

    from ._corpus import PackedCorpus

__all__ = ["to_anndata"]


def to_anndata(packed: PackedCorpus, cells: npt.NDArray[np.int64]) -> AnnData:
    """Give cells as a dataset; see `PackedCorpus.to_anndata`."""
    import anndata
    import pandas as pd
    from scipy import sparse

    shards = packed.open_shards()
    ends = np.cumsum([shard.footer.n_cells for shard in shards])
    at = np.searchsorted(ends, cells, side="right")
    places = cells - (ends[at] - np.array([shard.footer.n_cells for shard in shards])[at])
    batch = cast("dict[str, Any]", packed.reader(Form()).read(cells, seed=0, epoch=0))
    x = batch["X"]
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for shard in shards for name in shard.columns):
        column = read_column(shards, name)
        values: Any = column.read(at, places)
        if isinstance(column, Codes):
            values = pd.Categorical.from_codes(values, pd.Index(column.terms))
        columns[name] = values
    uids = [ref.uid for ref in packed.corpus.datasets]
    columns["dataset"] = pd.Categorical.from_codes(batch["dataset"].tolist(), pd.Index(uids))
    names = dict.fromkeys(name for shard in shards for name in shard.obsm)
    return anndata.AnnData(
        X=sparse.csr_matrix(
            (x.values().numpy(), x.col_indices().numpy(), x.crow_indices().numpy()), x.shape
        ),
        obs=pd.DataFrame(columns, index=[str(cell) for cell in cells]),
        var=pd.DataFrame(index=list(packed.genes)),
        obsm={name: read_obsm(shards, name).read(at, places) for name in names},
    )
