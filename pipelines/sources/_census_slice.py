"""Cells of the Census that fit a filter, written into one file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SchemaError
from ._census_soma import check_columns, open_census, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from ._census_release import Release

VALUES = 2_000_000
"""Counts that are read at a time: 40 MB, and as much again while they are sorted."""
PER_CELL = 4_000
"""Counts of a cell, where a release does not tell them."""
STORED_CHUNK = 65_536
"""Values that HDF5 compresses together."""
PIECE = 16 * STORED_CHUNK
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Which cells, and what is said of them."""

    release: Release
    organism: str
    """Name of the experiment."""
    value_filter: str
    n_cells: int
    uns: Mapping[str, str]
    """Title, citation and organism, for the file."""


def write_slice(
    path: Path, wanted: Slice, *, on_progress: Callable[[int, int | None], None] | None = None
) -> None:
    """Write the cells of a slice as ``.h5ad``: the same bytes each time.

    Cells are in the order of the Census and called ``DATASET_ID:OBSERVATION_JOINID``. Genes that
    no dataset of the slice has a count of are left out: whether they were measured is not known.
    How many datasets measured each of the others is in ``var["n_datasets"]``.

    Parameters
    ----------
    path
        A new file.
    wanted
        The slice.
    on_progress
        Called with the bytes written so far.

    Raises
    ------
    SchemaError
        If tables of the Census contradict each other.
    NotFoundError, TransferError
        If the store cannot be read.
    """
    import h5py
    from anndata.io import write_elem

    with open_census(wanted.release) as census, h5py.File(path, "w") as file:
        experiment = census["census_data"][wanted.organism]
        obs = _obs(experiment.obs, wanted)
        var, columns = _var(census, experiment.ms["RNA"], obs)
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        _write_counts(file, experiment.ms["RNA"].X["raw"], obs, columns, on_progress)
        write_elem(file, "obs", obs)
        write_elem(file, "var", var)
        write_elem(file, "uns", {**wanted.uns, "value_filter": wanted.value_filter})
        for group in ("layers", "obsm", "varm", "obsp", "varp"):
            write_elem(file, group, {})
    logger.info(
        "step=census_slice release=%s organism=%s cells=%d genes=%d unmeasured=%d",
        *(wanted.release.build, wanted.organism, len(obs), len(var), (columns < 0).sum()),
    )


def _obs(stored: Any, wanted: Slice) -> pd.DataFrame:
    import pandas as pd

    found = stored.read(value_filter=wanted.value_filter or None).concat().to_pandas()
    obs: pd.DataFrame = found.sort_values("soma_joinid", ignore_index=True)
    if len(obs) != wanted.n_cells or obs["soma_joinid"].duplicated().any():
        msg = (
            f"{stored.uri} has {len(obs):,} cells where {wanted.value_filter or 'any'}, but had "
            f"{wanted.n_cells:,} when it was listed. List the source again."
        )
        raise SchemaError(msg, {"file": stored.uri, "n_cells": len(obs)})
    for name in obs.columns:
        if isinstance(obs[name].dtype, pd.CategoricalDtype):
            words = obs[name].cat.remove_unused_categories()
            order = sorted(words.cat.categories)
            obs[name] = words.cat.set_categories(pd.Index(order, dtype=object))
    own = "observation_joinid" if "observation_joinid" in obs else "soma_joinid"
    names = obs["dataset_id"].astype(object) + ":" + obs[own].astype(str)
    return obs.set_index(pd.Index(names.to_numpy(dtype=object), dtype=object))


def _var(census: Any, rna: Any, obs: pd.DataFrame) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Read the genes that datasets of the slice measured, and the place of each join id."""
    import pandas as pd

    check_columns(rna.var, ["feature_id"])
    var: pd.DataFrame = rna.var.read().concat().to_pandas().sort_values("soma_joinid")
    datasets = table(census, "datasets", ["dataset_id"])
    rows = datasets.loc[datasets["dataset_id"].isin(set(obs["dataset_id"])), "soma_joinid"]
    columns = np.full(int(var["soma_joinid"].max()) + 1, -1, dtype=np.int64)
    n_datasets = np.zeros(len(columns), dtype=np.int64)
    presence = rna["feature_dataset_presence_matrix"]
    for chunk in presence.read((rows.to_numpy(np.int64), slice(None))).tables():
        is_measured = chunk["soma_data"].to_numpy()
        n_datasets += np.bincount(
            chunk["soma_dim_1"].to_numpy()[is_measured], minlength=len(columns)
        )
    var = var.assign(n_datasets=n_datasets[var["soma_joinid"]])
    measured = var[var["n_datasets"] > 0]
    columns[measured["soma_joinid"]] = np.arange(len(measured))
    ids = pd.Index(measured["feature_id"].to_numpy(dtype=object), dtype=object)
    return measured.set_index(ids), columns


def _write_counts(
    file: Any,
    stored: Any,
    obs: pd.DataFrame,
    columns: npt.NDArray[np.int64],
    on_progress: Callable[[int, int | None], None] | None,
) -> None:
    """Read blocks of rows, sort each, and append it.

    The store would give them in order too, at ten times the cost.
    """
    from scipy import sparse

    joinids, n_genes = obs["soma_joinid"].to_numpy(np.int64), int((columns >= 0).sum())
    group = file.create_group("X")
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = np.asarray([len(joinids), n_genes], dtype=np.int64)
    values = _Growing(group, {"data": "f4", "indices": "i4"})
    n_values = np.zeros(len(joinids), dtype=np.int64)
    for start, stop in _blocks(obs):
        found = stored.read((joinids[start:stop], slice(None))).tables().concat()
        places = columns[found["soma_dim_1"].to_numpy()]
        if n_unmeasured := int((places < 0).sum()):
            msg = (
                f"{stored.uri} has {n_unmeasured:,} values of genes that no dataset of the cells "
                "measured, as feature_dataset_presence_matrix says. Use another release or mirror."
            )
            raise SchemaError(msg, {"file": stored.uri, "values": n_unmeasured})
        rows = np.searchsorted(joinids[start:stop], found["soma_dim_0"].to_numpy())
        counts = found["soma_data"].to_numpy()
        block = sparse.csr_matrix((counts, (rows, places)), shape=(stop - start, n_genes))
        n_values[start:stop] = np.diff(block.indptr)
        n_bytes = values.add({"data": block.data, "indices": block.indices})
        if on_progress is not None:
            on_progress(n_bytes, None)
    values.add({}, last=True)
    if "nnz" in obs and (wrong := np.flatnonzero(n_values != obs["nnz"])).size:
        msg = (
            f"{stored.uri} has {n_values[wrong[0]]:,} values of cell {obs.index[wrong[0]]}, but "
            f"nnz of obs says {obs['nnz'].iloc[wrong[0]]:,} (and {wrong.size - 1:,} cells more). "
            "Use another release or mirror."
        )
        raise SchemaError(msg, {"file": stored.uri, "cells": int(wrong.size)})
    group["indptr"] = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(n_values)])


def _blocks(obs: pd.DataFrame) -> list[tuple[int, int]]:
    """Cut the cells into blocks of about `VALUES` values, which ``nnz`` tells beforehand."""
    per_cell = obs["nnz"].to_numpy(np.int64) if "nnz" in obs else np.full(len(obs), PER_CELL)
    starts = np.flatnonzero(np.diff(np.cumsum(per_cell) // VALUES, prepend=-1))
    edges = [*starts.tolist(), len(obs)]
    return list(pairwise(edges))


class _Growing:
    """Arrays that grow by pieces of one size, so that bytes do not depend on how values come."""

    def __init__(self, group: Any, types: Mapping[str, str]) -> None:
        self.pending = {name: np.zeros(0, dtype=kind) for name, kind in types.items()}
        self.stored = {
            name: group.create_dataset(
                name,
                shape=(0,),
                maxshape=(None,),
                dtype=kind,
                chunks=(STORED_CHUNK,),
                compression="lzf",
                shuffle=True,
            )
            for name, kind in types.items()
        }

    def add(self, values: Mapping[str, npt.NDArray[Any]], *, last: bool = False) -> int:
        """Append values to each array, and give the bytes that are stored."""
        for name, new in values.items():
            kind = self.pending[name].dtype
            self.pending[name] = np.concatenate([self.pending[name], new.astype(kind)])
        n = min(map(len, self.pending.values()))
        n = n if last else n // PIECE * PIECE
        for start in range(0, n, PIECE):
            for name, stored in self.stored.items():
                piece = self.pending[name][start : min(start + PIECE, n)]
                stored.resize(len(stored) + len(piece), axis=0)
                stored[-len(piece) :] = piece
        self.pending = {name: rest[n:] for name, rest in self.pending.items()}
        return sum(stored.id.get_storage_size() for stored in self.stored.values())
