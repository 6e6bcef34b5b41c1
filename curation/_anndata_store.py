"""AnnData as HDF5 or zarr, read element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SchemaError
from ._guards import MAX_TEXT_BYTES, check_sparse, check_table, is_short, refuse
from ._matrix import Matrix, dense, in_memory, stored_csc, stored_sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from anndata import AnnData

    from ._matrix import Rows

UNS_KEYS = (
    "organism_ontology_term_id",
    "organism",
    "title",
    "schema_version",
    "citation",
)
"""The keys of `uns` that are read: the rest may be of any size."""
MAX_AXES = 100
"""Columns of coordinates: two or three, and room for those who keep more beside them."""
GROUPS = ("obsm", "varm", "obsp", "varp", "uns")
"""Groups that are named in the report and not read."""


class AnnDataStore:
    """An AnnData object in groups.

    Parameters
    ----------
    path
        Where it is, for messages.
    store
        The open group.
    """

    def __init__(self, path: Path, store: Any) -> None:
        self.path, self.store = path, store
        self.var = self.table("var")

    def table(self, name: str) -> pd.DataFrame:
        """Read obs or var of the file or of ``raw``."""
        if name not in self.store:
            raise refuse(
                self.path, f"there is no table {name}", "Write the file again.", table=name
            )
        check_table(self.path, name, self.store[name])
        try:
            found = _read(self.store[name])
        except MemoryError:
            raise
        except Exception as error:  # a damaged file raises what its library pleases
            where = " ".join(getattr(error, "__notes__", ()))
            what = f"{name} cannot be read: {type(error).__name__}: {error} {where}".strip()
            raise refuse(self.path, what, "Write the file again.", table=name) from error
        return _table(self.path, name, found)

    def matrices(self) -> dict[str, Matrix]:
        """Every matrix of cells by features, in order of trust."""
        found: dict[str, Matrix] = {}
        if "raw" in self.store and "X" in self.store["raw"]:
            found |= self._matrix("raw.X", self.store["raw"]["X"], self.table("raw/var"))
        if "X" in self.store:
            found |= self._matrix("X", self.store["X"], self.var)
        for name, layer in _walk("layers", self.store.get("layers", {})):
            found |= self._matrix(name, layer, self.var)
        return found

    def _matrix(self, name: str, stored: Any, var: pd.DataFrame) -> dict[str, Matrix]:
        """Wrap a stored matrix; nothing if it is none, such as a null."""
        encoding = _encoding(stored)
        rows: Callable[[], Rows]
        if encoding in {"csr_matrix", "csc_matrix"}:
            check_sparse(self.path, name, stored)
            shape = (int(stored.attrs["shape"][0]), int(stored.attrs["shape"][1]))
            dtype = stored["data"].dtype
            reader = stored_sparse if encoding == "csr_matrix" else stored_csc
            rows = reader(stored, shape)
        elif len(getattr(stored, "shape", ())) == 2:
            shape = (int(stored.shape[0]), int(stored.shape[1]))
            dtype, rows = stored.dtype, dense(stored)
        elif name in {"X", "raw.X"} and encoding != "null":
            what = f"{name} is no matrix of cells by features, but {encoding or 'something else'}"
            hint = "Write it as an array, CSR or CSC."
            raise refuse(self.path, what, hint, matrix=name)
        else:
            return {}
        matrix = Matrix(
            path=self.path, name=name, shape=shape, dtype=np.dtype(dtype), var=var, open=rows
        )
        return {name: matrix}

    def uns(self) -> dict[str, str]:
        """Texts of `UNS_KEYS`."""
        stored = self.store.get("uns", {})
        found = {key: stored[key] for key in UNS_KEYS if key in stored}
        for key, value in found.items():
            if not is_short(value):
                what, hint = f"uns/{key} is too long for a text", "Shorten or remove it."
                raise refuse(self.path, what, hint, name=f"uns/{key}")
        return _texts({key: _read(value) for key, value in found.items()})

    def spatial(self, n_cells: int) -> npt.NDArray[Any] | None:
        """Coordinates, if they are any."""
        stored = self.store.get("obsm", {}).get("spatial")
        if _encoding(stored) == "dataframe" and check_table(self.path, "obsm/spatial", stored):
            return _coordinates(_read(stored), n_cells)
        is_table = len(getattr(stored, "shape", ())) == 2 and stored.shape[1] <= MAX_AXES
        return _coordinates(stored[...], n_cells) if is_table and len(stored) == n_cells else None

    def left_out(self) -> tuple[str, ...]:
        """Names of what is not read."""
        return _left_out({group: list(self.store.get(group, {})) for group in GROUPS})


class LegacyStore:
    """An AnnData object that only anndata itself can read, in memory.

    Parameters
    ----------
    path
        Where it came from, for messages.
    adata
        The object.
    """

    def __init__(self, path: Path, adata: AnnData) -> None:
        self.path, self.adata = path, adata

    def table(self, name: str) -> pd.DataFrame:
        """Give obs or var."""
        return _table(self.path, name, getattr(self.adata, name))

    def matrices(self) -> dict[str, Matrix]:
        """Every matrix of cells by features, in order of trust."""
        var = self.table("var")
        found: dict[str, tuple[Any, pd.DataFrame]] = {}
        if self.adata.raw is not None:
            raw: Any = self.adata.raw
            found["raw.X"] = raw.X, _table(self.path, "raw/var", raw.var)
        found["X"] = self.adata.X, var
        for name in sorted(self.adata.layers):
            found[f"layers/{name}"] = self.adata.layers[name], var
        return {
            name: Matrix(
                path=self.path,
                name=name,
                shape=(int(values.shape[0]), int(values.shape[1])),
                dtype=values.dtype,
                var=its_var,
                open=in_memory(values),
            )
            for name, (values, its_var) in found.items()
            if values is not None
        }

    def uns(self) -> dict[str, str]:
        """Texts of `UNS_KEYS`."""
        return _texts({key: self.adata.uns[key] for key in UNS_KEYS if key in self.adata.uns})

    def spatial(self, n_cells: int) -> npt.NDArray[Any] | None:
        """Coordinates, if they are any."""
        obsm = self.adata.obsm
        return _coordinates(obsm["spatial"], n_cells) if "spatial" in obsm else None

    def left_out(self) -> tuple[str, ...]:
        """Names of what is not read."""
        return _left_out({group: list(getattr(self.adata, group)) for group in GROUPS})


def legacy_store(path: Path, kind: str) -> LegacyStore:
    """Let anndata read a file of before its version 0.7."""
    import anndata

    read = anndata.read_zarr if kind == "zarr" else anndata.read_h5ad
    return LegacyStore(path, read(path))


def _read(stored: Any) -> Any:
    from anndata.io import read_elem

    return read_elem(stored)


def _encoding(stored: Any) -> str:
    return str(getattr(stored, "attrs", {}).get("encoding-type", ""))


def _walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Find the matrices of a group: a layer called ``a/b`` is ``b`` in a group ``a``."""
    for name in sorted(group):
        member = group[name]
        is_group = not hasattr(member, "shape") and _encoding(member) in {"", "dict"}
        if is_group:
            yield from _walk(f"{prefix}/{name}", member)
        else:
            yield f"{prefix}/{name}", member


def _table(path: Path, name: str, table: Any) -> pd.DataFrame:
    """Make the names of columns texts, each once: of two alike the store has but one."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        msg = f"{name} of {path} is a {type(table).__name__}, not a table. Write the file again."
        raise SchemaError(msg, {"file": str(path), "table": name})
    named: pd.DataFrame = table.set_axis([str(column) for column in table.columns], axis=1)
    return named.loc[:, ~named.columns.duplicated()]


def _texts(values: dict[str, Any]) -> dict[str, str]:
    """Take values apart that are arrays of one; leave empty ones out."""
    texts = {}
    for key, value in values.items():
        parts = np.asarray(list(value) if isinstance(value, dict) else value, dtype=object).ravel()
        words = [p.decode("utf-8", "replace") if isinstance(p, bytes) else str(p) for p in parts]
        texts[key] = ", ".join(word.strip() for word in words)[:MAX_TEXT_BYTES]
    return {key: text for key, text in texts.items() if text}


def _coordinates(values: Any, n_cells: int) -> npt.NDArray[Any] | None:
    array = np.asarray(values)
    fits = array.ndim == 2 and len(array) == n_cells and array.dtype.kind in "biuf"
    return array if fits else None


def _left_out(names: dict[str, list[str]]) -> tuple[str, ...]:
    kept = {"obsm/spatial", *(f"uns/{key}" for key in UNS_KEYS)}
    every = (f"{group}/{name}" for group, members in names.items() for name in sorted(members))
    return tuple(name for name in every if name not in kept)
