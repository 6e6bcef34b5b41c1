"""Files a dataset can come from, read in chunks of rows."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from ..errors import CorpuscleError, NotFoundError, SchemaError
from ._guards import check_folder
from ._guards_stores import check_hdf5, check_zarr
from ._tenx import MATRICES, read_tenx_h5, read_tenx_mtx

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from ._facts import SourceFacts
    from ._matrix import Matrix

Format = Literal["h5ad", "zarr", "10x-h5", "10x-mtx", "parquet", "mtx"]
ZARR_MARKS = (".zgroup", "zarr.json")


@dataclass(slots=True, kw_only=True)
class SourceFile:
    """An open file. Close it, or use it as a context manager."""

    path: Path
    format: Format
    obs: pd.DataFrame
    """Cells as the author describes them. Column names are texts and unique."""
    matrices: dict[str, Matrix]
    """In order of trust: ``raw.X``, ``X``, then layers by name."""
    uns: dict[str, str] = field(default_factory=dict)
    """What is said of the whole file: its organism, title, schema and citation."""
    spatial: npt.NDArray[Any] | None = None
    """``obsm["spatial"]``, if it is a table of numbers with a row per cell."""
    left_out: tuple[str, ...] = ()
    """What the file also holds and nobody reads, such as ``obsm/X_umap``."""
    facts: SourceFacts | None = None
    """What is known of the dataset besides the file."""
    derived: frozenset[str] = frozenset()
    """Columns of obs that are not the author's words but made from them, and keep their names."""
    dropped: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    """Cells that the source itself says to leave out, by the name of the rule."""
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
        If the format is none of these, the file cannot be read as what it says it is, or it has
        no cells.
    """
    if not path.exists():
        msg = f"There is no file or folder {path}. Check the path."
        raise NotFoundError(msg, {"file": str(path)})
    if path.is_dir():
        check_folder(path)
    kind = detect_format(path)
    with contextlib.ExitStack() as on_error:
        stack = on_error.enter_context(contextlib.ExitStack())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old encodings and repeated names are handled
                source = _open(path, kind, genome, stack)
        except (CorpuscleError, MemoryError):
            raise
        except Exception as error:  # a damaged file raises what its library pleases
            raise _unreadable(path, kind, error) from error
        _check(source)
        source._stack = stack
        on_error.pop_all()
    return source


def _unreadable(path: Path, kind: str, error: Exception) -> SchemaError:
    msg = (
        f"{path} cannot be read as {kind}: {type(error).__name__}: {error}. "
        "Open it with anndata or scanpy to see what is wrong, and write it again."
    )
    return SchemaError(msg, {"file": str(path), "format": kind})


def detect_format(path: Path) -> Format:
    """Tell the format from the name and, for ``.h5`` files and folders, from what is inside.

    Raises
    ------
    SchemaError
        If it is none we read.
    """
    import h5py

    if path.is_dir():
        if any((path / name).exists() for name in ZARR_MARKS):
            return "zarr"
        if any((path / name).exists() for name in MATRICES):
            return "10x-mtx"
    elif path.suffix == ".h5ad":
        return "h5ad"
    elif path.suffix in {".h5", ".hdf5"}:
        try:
            with h5py.File(path) as file:
                return "h5ad" if {"obs", "var"} <= set(file) else "10x-h5"
        except OSError as error:
            raise _unreadable(path, "HDF5", error) from error
    msg = (
        f"{path} is neither .h5ad, .zarr, a 10x .h5 nor a folder with matrix.mtx. "
        "Convert it to .h5ad with anndata, then try again."
    )
    raise SchemaError(msg, {"file": str(path)})


def is_dataset_folder(path: Path) -> bool:
    """Tell a folder that is a dataset from one that holds datasets."""
    marks = (*ZARR_MARKS, *MATRICES)
    return path.suffix == ".zarr" or any((path / mark).exists() for mark in marks)


def _open(path: Path, kind: Format, genome: str | None, stack: contextlib.ExitStack) -> SourceFile:
    if kind == "10x-mtx":
        obs, matrix = read_tenx_mtx(path)
        return SourceFile(path=path, format=kind, obs=obs, matrices={"X": matrix})
    if kind == "zarr":
        import zarr

        group = zarr.open_group(path, mode="r")
        check_zarr(path, group)
        return _from_store(path, kind, group)
    import h5py

    file = stack.enter_context(h5py.File(path))
    check_hdf5(path, file)
    if kind == "10x-h5":
        obs, matrix = read_tenx_h5(path, file, genome)
        return SourceFile(path=path, format=kind, obs=obs, matrices={"X": matrix})
    return _from_store(path, kind, file)


def _from_store(path: Path, kind: Format, store: Any) -> SourceFile:
    from ._anndata_store import AnnDataStore, legacy_store

    if missing := [name for name in ("obs", "var") if name not in store]:
        msg = (
            f"{path} has no {' and no '.join(missing)}: it is not an AnnData file. "
            "Write it with AnnData.write_h5ad or write_zarr."
        )
        raise SchemaError(msg, {"file": str(path), "missing": missing})
    is_legacy = "encoding-type" not in store["obs"].attrs  # anndata < 0.7: small and rare
    found = legacy_store(path, kind) if is_legacy else AnnDataStore(path, store)
    obs = found.table("obs")
    return SourceFile(
        path=path,
        format=kind,
        obs=obs,
        matrices=found.matrices(),
        uns=found.uns(),
        spatial=found.spatial(len(obs)),
        left_out=found.left_out(),
    )


def _check(source: SourceFile) -> None:
    path, n_cells = source.path, len(source.obs)
    details = {"file": str(path)}
    if not source.matrices:
        msg = f"{path} has neither X, raw.X nor layers. Write it with its counts."
        raise SchemaError(msg, details)
    for matrix in source.matrices.values():
        expected = (n_cells, len(matrix.var))
        if matrix.shape != expected:
            msg = (
                f"{matrix.name} of {path} has shape {matrix.shape}, but its obs and var tables "
                f"have {expected} rows. The file is damaged or badly written: write it again."
            )
            raise SchemaError(msg, {**details, "matrix": matrix.name})
    if not n_cells or not any(matrix.shape[1] for matrix in source.matrices.values()):
        shape = next(iter(source.matrices.values())).shape
        msg = f"{path} has {shape[0]} cells and {shape[1]} features: leave it out."
        raise SchemaError(msg, details)
