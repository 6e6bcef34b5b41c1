"""The curated file, written chunk by chunk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SchemaError
from ._counts_file import new_counts
from ._fingerprints import fingerprints
from ._quality import cell_quality
from ._threads import ahead, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

    from ._genes import GeneMap
    from ._matrix import Matrix
    from ._report import CurationReport


def write_counts(
    path: Path,
    matrix: Matrix,
    genes: GeneMap,
    kept: npt.NDArray[np.int64],
    *,
    hashes: npt.NDArray[np.uint64],
    dtype: np.dtype[Any],
    top_genes: bool,
    progress: Callable[[int, int], None] | None,
) -> pd.DataFrame:
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
    top_genes
        Whether the share of the 20 most expressed genes is measured.
    progress
        Called with rows done and rows in all.

    Returns
    -------
    One row per cell: its quality, `fingerprint`, and ``counts_in``, the sum of its counts in the
    file.

    Raises
    ------
    SchemaError
        If the matrix cannot be read.
    IntegrityError
        If it does not have a row for every cell.
    """
    import pandas as pd

    from ._kernels import row_sums

    def measure(chunk: tuple[int, csr_matrix]) -> tuple[int, csr_matrix, pd.DataFrame]:
        """Give the row after the chunk, its rows in terms of genes, and what is known of each."""
        start, rows = chunk
        inside = kept[(kept >= start) & (kept < start + rows.shape[0])] - start
        chosen = rows if len(inside) == rows.shape[0] else rows[inside]
        if chosen.dtype != np.float32 or genes.max_per_gene > 1:
            chosen = chosen.astype(np.float64)
        mapped = genes.apply(chosen)
        measures = cell_quality(mapped, genes.var, top_genes=top_genes).assign(
            fingerprint=fingerprints(mapped, hashes),
            counts_in=row_sums(chosen.indptr, chosen.data),
        )
        return start + rows.shape[0], mapped, measures

    parts = []
    with new_counts(path, (len(kept), len(genes.var)), dtype) as counts:
        for done, mapped, measures in in_order(measure, ahead(matrix.chunks())):
            counts.append(mapped)
            parts.append(measures)
            if progress is not None:
                progress(done, matrix.shape[0])
    return pd.concat(parts, ignore_index=True)


def write_tables(
    path: Path,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    *,
    obsm: Mapping[str, npt.NDArray[Any]],
    report: CurationReport,
    uns: Mapping[str, str],
    source: Path,
) -> None:
    """Write everything else into a file that has X.

    Of `uns`, what the source says of itself, the organism gives way to the one that was decided.
    `source` is for messages.

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
    told = dict(uns)
    if (schema := told.pop("schema_version", None)) is not None:
        own["source_schema_version"] = schema  # of this file it would be false
    told["organism_ontology_term_id"] = report.organism["taxon_id"]
    told["organism"] = report.organism["name"]
    with h5py.File(path, "r+") as file:
        try:
            write_elem(file, "obs", obs)
            write_elem(file, "var", var)
            write_elem(file, "uns", {**told, "corpuscle": own})
        except (TypeError, ValueError, KeyError) as error:
            where = " ".join(getattr(error, "__notes__", []))
            msg = (
                f"A table of {source} cannot be stored: {error} {where} "
                "Correct the column it names."
            )
            raise SchemaError(msg, {"file": str(source)}) from error
        write_elem(file, "obsm", dict(obsm))
        for group in ("layers", "varm", "obsp", "varp"):
            write_elem(file, group, {})
