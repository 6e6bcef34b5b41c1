"""The curated file, written chunk by chunk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SchemaError
from ._fingerprints import fingerprints
from ._quality import cell_quality

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from ._genes import GeneMap
    from ._matrix import Matrix
    from ._report import CurationReport

STORED_CHUNK = 65_536
"""Values that HDF5 compresses together."""


def write_counts(
    path: Path,
    matrix: Matrix,
    genes: GeneMap,
    kept: npt.NDArray[np.int64],
    *,
    hashes: npt.NDArray[np.uint64],
    dtype: np.dtype[Any],
    progress: Callable[[int, int], None] | None,
) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Write X.

    Parameters
    ----------
    path
        A new file.
    matrix
        Raw counts of the file.
    genes
        What to make of its features.
    kept
        Rows to write, ascending.
    hashes
        Of the genes, for fingerprints: see `gene_hashes`.
    dtype
        Type of the values in the new file.
    progress
        Called with rows done and rows in all.

    Returns
    -------
    The quality and `fingerprint` of the cells, and the sums of their counts before and after.

    Raises
    ------
    SchemaError
        If the matrix cannot be read.
    """
    import h5py
    import pandas as pd

    parts, n_values = [], [np.zeros(1, dtype=np.int64)]
    before = after = 0.0
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.asarray([len(kept), len(genes.var)], dtype=np.int64)
        stored = {
            "data": _extendable(group, "data", dtype),
            "indices": _extendable(group, "indices", np.dtype(np.int32)),
        }
        for start, rows in matrix.chunks():
            inside = kept[(kept >= start) & (kept < start + rows.shape[0])] - start
            chosen = rows[inside].astype(np.float64)
            mapped = genes.apply(chosen)
            before += float(chosen.data.sum())
            after += float(mapped.data.sum())
            quality = cell_quality(mapped, genes.var)
            parts.append(quality.assign(fingerprint=fingerprints(mapped, hashes)))
            n_values.append(np.diff(mapped.indptr).astype(np.int64))
            _extend(stored["data"], mapped.data)
            _extend(stored["indices"], mapped.indices)
            if progress is not None:
                progress(start + rows.shape[0], matrix.shape[0])

        group.create_dataset("indptr", data=np.cumsum(np.concatenate(n_values)))
    return pd.concat(parts, ignore_index=True), (before, after)


def _extendable(group: Any, name: str, dtype: np.dtype[Any]) -> Any:
    return group.create_dataset(
        name,
        shape=(0,),
        maxshape=(None,),
        dtype=dtype,
        chunks=(STORED_CHUNK,),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )


def _extend(stored: Any, values: npt.NDArray[Any]) -> None:
    n = len(stored)
    stored.resize(n + len(values), axis=0)
    stored[n:] = values


def write_tables(
    path: Path,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    *,
    obsm: Mapping[str, npt.NDArray[Any]],
    report: CurationReport,
    uns: Mapping[str, str],
) -> None:
    """Write everything else into a file that has X.

    Raises
    ------
    SchemaError
        If a column of the author's cannot be stored.
    """
    import h5py
    from anndata.io import write_elem

    own = {
        "report": json.dumps(report.to_dict(), sort_keys=True),
        "source": report.source,
        "source_hash": report.source_hash,
        "versions": report.versions,
    }
    with h5py.File(path, "r+") as file:
        try:
            write_elem(file, "obs", obs)
            write_elem(file, "var", var)
            write_elem(file, "uns", {**uns, "corpuscle": own})
        except (TypeError, ValueError, KeyError) as error:
            where = " ".join(getattr(error, "__notes__", []))
            msg = (
                f"A table of {report.source} cannot be stored: {error} {where} "
                "Correct the column it names."
            )
            raise SchemaError(msg, {"file": report.source}) from error
        write_elem(file, "obsm", dict(obsm))
        for group in ("layers", "varm", "obsp", "varp"):
            write_elem(file, group, {})
