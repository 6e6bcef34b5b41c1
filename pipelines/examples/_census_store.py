"""A SOMA store laid out as that of the CELLxGENE Census."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusOrganism:
    """What the Census holds of an organism."""

    obs: pd.DataFrame
    var: pd.DataFrame
    counts: csr_matrix
    """Cells by genes, in the order of obs and var."""
    presence: csr_matrix
    """Datasets, by their ``soma_joinid``, by genes: whether a dataset has any count of a gene."""


def write_store(
    folder: Path, info: Mapping[str, pd.DataFrame], organisms: Mapping[str, CensusOrganism]
) -> None:
    """Write a store.

    Collections and arrays are made first and filled after all of them are closed: the dictionary
    of a column is lost when it is written in the session that makes the collection above it.

    Parameters
    ----------
    folder
        Where to write; made here.
    info
        Tables of ``census_info``, by name.
    organisms
        By the path of the experiment: ``census_data/homo_sapiens``.
    """
    import pyarrow as pa
    import tiledbsoma

    tables = {f"census_info/{name}": _arrow(table) for name, table in info.items()}
    arrays: dict[str, csr_matrix] = {}
    for path, organism in organisms.items():
        tables[f"{path}/obs"] = _arrow(organism.obs)
        tables[f"{path}/ms/RNA/var"] = _arrow(organism.var)
        arrays[f"{path}/ms/RNA/X/raw"] = organism.counts
        arrays[f"{path}/ms/RNA/X/normalized"] = _normalized(organism.counts)
        arrays[f"{path}/ms/RNA/feature_dataset_presence_matrix"] = organism.presence
    root: Any = tiledbsoma.Collection.create(str(folder))
    with root as census:
        for name in ("census_info", "census_data", "census_spatial_sequencing"):
            census.add_new_collection(name)
        for path in organisms:
            parent, _, name = path.partition("/")
            experiment = census[parent].add_new_collection(name, tiledbsoma.Experiment)
            measurements = experiment.add_new_collection("ms")
            measurements.add_new_collection("RNA", tiledbsoma.Measurement).add_new_collection("X")
        for path, table in tables.items():
            parent, _, name = path.rpartition("/")
            _at(census, parent).add_new_dataframe(
                name,
                schema=table.schema,
                index_column_names=["soma_joinid"],
                domain=[(0, len(table) - 1)],
            )
        for path, values in arrays.items():
            parent, _, name = path.rpartition("/")
            kind = pa.from_numpy_dtype(values.dtype)
            _at(census, parent).add_new_sparse_ndarray(name, type=kind, shape=values.shape)
    for path, table in tables.items():
        with tiledbsoma.DataFrame.open(str(folder / path), "w") as stored:
            stored.write(table)
    for path, values in arrays.items():
        with tiledbsoma.SparseNDArray.open(str(folder / path), "w") as stored:
            stored.write(_coordinates(values))


def _at(census: Any, path: str) -> Any:
    return reduce(getitem, path.split("/"), census)


def _arrow(table: pd.DataFrame) -> pa.Table:
    """Number the rows; categories become dictionaries of large strings."""
    import pandas as pd
    import pyarrow as pa

    columns: dict[str, Any] = {"soma_joinid": pa.array(np.arange(len(table)), pa.int64())}
    for name, values in table.items():
        if isinstance(values.dtype, pd.CategoricalDtype):
            words = pa.array(list(values.cat.categories), pa.large_string())
            codes = pa.array(values.cat.codes.to_numpy(np.int32), pa.int32())
            columns[str(name)] = pa.DictionaryArray.from_arrays(codes, words)
        elif values.dtype == object:
            columns[str(name)] = pa.array(list(values), pa.large_string())
        else:
            columns[str(name)] = pa.array(values.to_numpy())
    return pa.table(columns)


def _coordinates(values: csr_matrix) -> Any:
    import pyarrow as pa

    found = values.tocoo()
    return pa.table(
        {
            "soma_dim_0": found.row.astype(np.int64),
            "soma_dim_1": found.col.astype(np.int64),
            "soma_data": pa.array(found.data),
        }
    )


def _normalized(counts: csr_matrix) -> csr_matrix:
    """Shares of each cell's counts."""
    from scipy import sparse

    sums = np.asarray(counts.sum(axis=1)).ravel()
    scale = sparse.diags(1 / np.maximum(sums, 1)).astype(np.float32)
    return sparse.csr_matrix(scale @ counts, dtype=np.float32)
