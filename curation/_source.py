"""Files a dataset can come from, read in chunks of rows."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from ..errors import CorpuscleError, NotFoundError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix

Format = Literal["h5ad", "zarr", "10x-h5", "10x-mtx"]
CHUNK_VALUES = 16_000_000
"""Stored values (dense: entries) held in memory at a time: 128 MB as float32 and int32."""
UNS_KEYS = (
    "organism_ontology_term_id",
    "organism",
    "title",
    "schema_version",
    "citation",
)
"""The keys of `uns` that are read: the rest may be of any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """One matrix of a file, with the table of its features."""

    name: str
    """``raw.X``, ``X`` or ``layers/NAME``."""
    shape: tuple[int, int]
    """Cells and features."""
    var: pd.DataFrame = field(repr=False)
    """One row per feature, as in the file."""
    starts: np.ndarray[Any, np.dtype[np.int64]] = field(repr=False)
    """First row of each chunk, and the number of rows."""
    read: Callable[[int, int], Any] = field(repr=False)
    """Rows from start to stop, sparse or dense."""

    def chunks(self) -> Iterator[tuple[int, csr_matrix]]:
        """Iterate over ``(first row, rows)``, rows as CSR without stored zeros, indices sorted."""
        from scipy import sparse

        for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True):
            rows = sparse.csr_matrix(self.read(int(start), int(stop)))
            rows.sum_duplicates()
            rows.eliminate_zeros()
            yield int(start), rows


@dataclass(slots=True, kw_only=True)
class SourceFile:
    """An open file. Close it, or use it as a context manager."""

    path: Path
    format: Format
    obs: pd.DataFrame
    """Cells as the author describes them."""
    matrices: dict[str, Matrix]
    """In order of trust: ``raw.X``, ``X``, then layers by name."""
    uns: dict[str, Any]
    """Only `UNS_KEYS`."""
    spatial: np.ndarray[Any, Any] | None
    """``obsm["spatial"]``."""
    left_out: tuple[str, ...]
    """What the file also holds and nobody reads, such as ``obsm/X_umap``."""
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def open_source(path: Path, *, genome: str | None = None) -> SourceFile:
    """Open a single-cell file.

    Parameters
    ----------
    path
        An ``.h5ad`` file, a ``.zarr`` folder written by AnnData, a 10x ``.h5`` file or a folder
        with ``matrix.mtx``.
    genome
        Which genome of a 10x file of several to read.

    Raises
    ------
    NotFoundError
        If there is nothing at `path`.
    SchemaError
        If the format is none of these, or the file cannot be read as what it says it is.
    """
    if not path.exists():
        msg = f"There is no file or folder {path}. Check the path."
        raise NotFoundError(msg, {"file": str(path)})
    kind = detect_format(path)
    try:
        if kind == "10x-h5":
            return _from_anndata(path, kind, _read_10x_h5(path, genome))
        if kind == "10x-mtx":
            return _from_anndata(path, kind, _read_10x_mtx(path))
        return _open_store(path, kind)
    except CorpuscleError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        msg = (
            f"{path} cannot be read as {kind}: {type(error).__name__}: {error}. "
            "Open it with anndata or scanpy to see what is wrong, and write it again."
        )
        raise SchemaError(msg, {"file": str(path), "format": kind}) from error


def detect_format(path: Path) -> Format:
    """Tell the format from the name and, for ``.h5`` files and folders, from what is inside."""
    import h5py

    if path.is_dir():
        if any((path / name).exists() for name in (".zgroup", "zarr.json")):
            return "zarr"
        if any((path / name).exists() for name in ("matrix.mtx", "matrix.mtx.gz")):
            return "10x-mtx"
    elif path.suffix == ".h5ad":
        return "h5ad"
    elif path.suffix in {".h5", ".hdf5"} and h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return "h5ad" if {"obs", "var"} <= set(file) else "10x-h5"
    msg = (
        f"{path} is neither .h5ad, .zarr, a 10x .h5 nor a folder with matrix.mtx. "
        "Convert it to .h5ad with anndata, then try again."
    )
    raise SchemaError(msg, {"file": str(path)})


def _open_store(path: Path, kind: Format) -> SourceFile:
    import h5py
    import zarr

    stack = contextlib.ExitStack()
    store = (
        stack.enter_context(h5py.File(path)) if kind == "h5ad" else zarr.open_group(path, mode="r")
    )
    with contextlib.ExitStack() as on_error:
        on_error.push(stack)
        if missing := {"obs", "var", "X"} - set(store):
            msg = (
                f"{path} has no {', '.join(sorted(missing))}: it is not an AnnData file with data. "
                "Write it with AnnData.write_h5ad or write_zarr."
            )
            raise SchemaError(msg, {"file": str(path), "missing": sorted(missing)})
        if "encoding-type" not in store["obs"].attrs:  # written by anndata < 0.7: small and rare
            import anndata

            return _from_anndata(path, kind, _quietly(lambda: anndata.read_h5ad(path)))
        source = _from_store(path, kind, store)
        source._stack = stack
        on_error.pop_all()
        return source


def _from_store(path: Path, kind: Format, store: Any) -> SourceFile:
    from anndata.io import read_elem

    obs, var = read_elem(store["obs"]), read_elem(store["var"])
    matrices = {}
    if "raw" in store and "X" in store["raw"]:
        matrices["raw.X"] = _matrix("raw.X", store["raw"]["X"], read_elem(store["raw"]["var"]))
    matrices["X"] = _matrix("X", store["X"], var)
    for name in sorted(store.get("layers", {})):
        matrices[f"layers/{name}"] = _matrix(f"layers/{name}", store["layers"][name], var)
    uns = store.get("uns", {})
    obsm = store.get("obsm", {})
    return SourceFile(
        path=path,
        format=kind,
        obs=obs,
        matrices=_checked(path, matrices, len(obs)),
        uns={key: read_elem(uns[key]) for key in UNS_KEYS if key in uns},
        spatial=np.asarray(read_elem(obsm["spatial"])) if "spatial" in obsm else None,
        left_out=_left_out({group: list(store.get(group, {})) for group in _GROUPS}),
    )


def _from_anndata(path: Path, kind: Format, adata: AnnData) -> SourceFile:
    matrices = {}
    if adata.raw is not None:
        matrices["raw.X"] = _matrix("raw.X", adata.raw.X, adata.raw.var)
    matrices["X"] = _matrix("X", adata.X, adata.var)
    for name in sorted(adata.layers):
        matrices[f"layers/{name}"] = _matrix(f"layers/{name}", adata.layers[name], adata.var)
    return SourceFile(
        path=path,
        format=kind,
        obs=adata.obs,
        matrices=_checked(path, matrices, adata.n_obs),
        uns={key: adata.uns[key] for key in UNS_KEYS if key in adata.uns},
        spatial=np.asarray(adata.obsm["spatial"]) if "spatial" in adata.obsm else None,
        left_out=_left_out({group: list(getattr(adata, group)) for group in _GROUPS}),
    )


_GROUPS = ("obsm", "varm", "obsp", "varp", "uns")


def _left_out(names: dict[str, list[str]]) -> tuple[str, ...]:
    kept = {"obsm/spatial", *(f"uns/{key}" for key in UNS_KEYS)}
    every = (f"{group}/{name}" for group, members in names.items() for name in sorted(members))
    return tuple(name for name in every if name not in kept)


def _matrix(name: str, data: Any, var: pd.DataFrame) -> Matrix:
    """Wrap an in-memory or stored matrix. Stored CSC is transposed in memory."""
    from anndata.io import sparse_dataset
    from scipy import sparse

    indptr = None
    if getattr(data, "attrs", {}).get("encoding-type") in {"csr_matrix", "csc_matrix"}:
        data = sparse_dataset(data)
        if data.format == "csc":
            data = data.to_memory()
        else:
            indptr = data.group["indptr"][...]
    if sparse.issparse(data):
        data = data.tocsr()
        indptr = data.indptr
    shape = (int(data.shape[0]), int(data.shape[1]))
    if indptr is None:
        indptr = np.arange(shape[0] + 1, dtype=np.int64) * max(shape[1], 1)
    return Matrix(
        name=name,
        shape=shape,
        var=var,
        starts=_chunk_starts(indptr),
        read=lambda start, stop: data[start:stop],
    )


def _chunk_starts(indptr: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Cut rows into chunks of at most `CHUNK_VALUES` values, or one row."""
    n_rows = len(indptr) - 1
    starts = [0]
    while starts[-1] < n_rows:
        limit = int(indptr[starts[-1]]) + CHUNK_VALUES
        fit = int(np.searchsorted(indptr, limit, side="right")) - 1
        starts.append(min(max(fit, starts[-1] + 1), n_rows))
    return np.asarray(starts, dtype=np.int64)


def _checked(path: Path, matrices: dict[str, Matrix], n_cells: int) -> dict[str, Matrix]:
    for matrix in matrices.values():
        expected = (n_cells, len(matrix.var))
        if matrix.shape != expected:
            msg = (
                f"{matrix.name} of {path} has shape {matrix.shape}, but its obs and var tables have "
                f"{expected} rows. The file is damaged or badly written: write it again."
            )
            raise SchemaError(msg, {"file": str(path), "matrix": matrix.name})
    return matrices


def _read_10x_h5(path: Path, genome: str | None) -> AnnData:
    import h5py
    import scanpy

    with h5py.File(path) as file:
        genomes = sorted(set(file) - {"matrix"})
        several = "matrix" not in file and len(genomes) > 1
    if several and genome not in genomes:
        msg = (
            f"{path} holds several genomes: {', '.join(genomes)}. Choose one with --genome, and "
            "ingest the file again under another --name for each other one."
        )
        raise SchemaError(msg, {"file": str(path), "genomes": genomes})
    return _quietly(lambda: scanpy.read_10x_h5(path, genome=genome, gex_only=False))


def _read_10x_mtx(path: Path) -> AnnData:
    import scanpy

    return _quietly(lambda: scanpy.read_10x_mtx(path, var_names="gene_ids", gex_only=False))


def _quietly(read: Callable[[], AnnData]) -> AnnData:
    """Read without the warnings about what curation handles: repeated names, old encodings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read()
