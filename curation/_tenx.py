"""Matrices as Cell Ranger and STARsolo write them: ``.h5`` files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SchemaError
from ._matrix import Matrix, stored_sparse
from ._mtx import open_mtx
from ._mtx_text import MAX_LINE_BYTES, damaged, open_text

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

LEGACY = {"barcodes", "data", "genes", "gene_names", "indices", "indptr", "shape"}
"""What the group of each genome holds before version 3."""
BARCODES = ("barcodes.tsv.gz", "barcodes.tsv")
FEATURES = ("features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv")
MATRICES = ("matrix.mtx.gz", "matrix.mtx")


def read_tenx_h5(path: Path, file: Any, genome: str | None) -> tuple[pd.DataFrame, Matrix]:
    """Read a 10x file of any version.

    Parameters
    ----------
    path
        The file, for messages.
    file
        The same, open.
    genome
        The genome to read.

    Returns
    -------
    obs, and the matrix with symbols as index and ids in ``gene_ids``.

    Raises
    ------
    SchemaError
        If there is no such matrix, or several genomes and none was chosen.
    """
    if "matrix" in file:
        return _version_3(path, file["matrix"], genome)
    genomes = sorted(name for name in file if set(file[name]) >= LEGACY)
    if not genomes:
        msg = (
            f"{path} holds neither an AnnData nor a 10x matrix: it has {', '.join(file)}. "
            "Take the file that Cell Ranger calls filtered_feature_bc_matrix.h5."
        )
        raise SchemaError(msg, {"file": str(path), "groups": list(file)})
    chosen = genome if genome is not None or len(genomes) > 1 else genomes[0]
    if chosen not in genomes:
        raise _unknown_genome(path, genomes)
    group = file[chosen]
    return _tables(path, group, {"symbol": "gene_names", "gene_ids": "genes"}, None)


def _version_3(path: Path, group: Any, genome: str | None) -> tuple[pd.DataFrame, Matrix]:
    columns = {
        "symbol": "features/name",
        "gene_ids": "features/id",
        "feature_types": "features/feature_type",
        "genome": "features/genome",
    }
    if "features/gene_id" in group:  # probes: each has an id of its own besides
        columns |= {"gene_ids": "features/gene_id", "probe_ids": "features/id"}
    known = {
        name: key for name, key in columns.items() if key in group or name in {"symbol", "gene_ids"}
    }
    chosen = None
    if genome is not None and "genome" in known:
        genomes = _texts(group[known["genome"]])
        chosen = np.flatnonzero(genomes == genome)
        if not len(chosen):
            raise _unknown_genome(path, sorted(set(genomes) - {""}))
    return _tables(path, group, known, chosen)


def _unknown_genome(path: Path, genomes: list[str]) -> SchemaError:
    msg = (
        f"{path} holds several genomes: {', '.join(genomes)}. Choose one with --genome, and "
        "ingest the file again under another --name for each other one."
    )
    if len(genomes) < 2:
        msg = f"{path} holds the genome {', '.join(genomes)} only. Leave --genome out."
    return SchemaError(msg, {"file": str(path), "genomes": genomes})


def _tables(
    path: Path, group: Any, columns: dict[str, str], chosen: Any
) -> tuple[pd.DataFrame, Matrix]:
    import pandas as pd

    needed = {"barcodes", "data", "indices", "indptr", "shape"}
    if missing := sorted({*needed, columns["gene_ids"], columns["symbol"]} - _keys(group)):
        msg = f"{path} has no {' and no '.join(missing)} in {group.name}. Fetch it again."
        raise SchemaError(msg, {"file": str(path), "missing": missing})
    obs = pd.DataFrame(index=pd.Index(_texts(group["barcodes"]), dtype=object))
    var = pd.DataFrame({name: _texts(group[key]) for name, key in columns.items()})
    n_features, n_cells = (int(n) for n in group["shape"][...])
    if (len(obs), len(var)) != (n_cells, n_features):
        msg = (
            f"{path} has {len(obs):,} barcodes and {len(var):,} features for a matrix of "
            f"{n_cells:,} cells by {n_features:,} features. It is damaged: fetch it again."
        )
        raise SchemaError(msg, {"file": str(path)})
    rows = stored_sparse(group, (n_cells, n_features), columns=chosen)
    var = (var if chosen is None else var.iloc[chosen]).set_index("symbol")
    return obs, Matrix(
        path=path,
        name="X",
        shape=(n_cells, len(var)),
        dtype=group["data"].dtype,
        var=var,
        open=rows,
    )


def _keys(group: Any) -> set[str]:
    """Names of the arrays in a group, and in its group of features."""
    inner = group.get("features", {})
    return {*group, *(f"features/{name}" for name in inner)}


def _texts(values: Any) -> Any:
    return np.asarray([text.decode("utf-8", "replace") for text in values[...]], dtype=object)


def read_tenx_mtx(path: Path) -> tuple[pd.DataFrame, Matrix]:
    """Read a folder of ``matrix.mtx``, ``features.tsv`` or ``genes.tsv``, and ``barcodes.tsv``.

    Raises
    ------
    SchemaError
        If one of the files is not there, or their lengths contradict each other.
    """
    files = [_first(path, names) for names in (MATRICES, FEATURES, BARCODES)]
    shape, dtype, rows = open_mtx(files[0])
    var, barcodes = _table(files[1], shape[1]), _table(files[2], shape[0])
    obs = barcodes.iloc[:, 1:0].set_axis(barcodes[0].to_numpy(), axis=0)
    if shape != (len(obs), len(var)):
        msg = (
            f"{files[0]} is of {shape[1]:,} by {shape[0]:,}, but {files[1].name} has "
            f"{len(var):,} lines and {files[2].name} {len(obs):,}. Fetch the three again."
        )
        raise SchemaError(msg, {"file": str(path)})
    names = {0: "gene_ids", 1: "symbol", 2: "feature_types"}
    var = var.iloc[:, :3].rename(columns=names)
    var = var.set_index("symbol" if "symbol" in var else "gene_ids")
    return obs, Matrix(path=path, name="X", shape=shape, dtype=dtype, var=var, open=rows)


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    msg = f"{folder} has no {' nor '.join(names)}. Put it beside the others."
    raise SchemaError(msg, {"file": str(folder), "missing": list(names)})


def _table(path: Path, n_expected: int) -> pd.DataFrame:
    """Read a table without a header, unless it is far larger than one of that many lines."""
    import csv
    import io

    import pandas as pd

    most = MAX_LINE_BYTES * (n_expected + 100)
    with open_text(path) as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise damaged(path, f"is of over {most:,} bytes for {n_expected:,} lines")
    try:
        table = pd.read_csv(
            io.BytesIO(text),
            sep="\t",
            header=None,
            dtype=str,
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            comment=None,
        )
    except (ValueError, pd.errors.ParserError) as error:  # no lines, or more words than before
        raise damaged(path, f"is no table of {n_expected:,} lines: {error}") from error
    return table.astype(object)
