"""LaminDB's mapped collection, read by whole batches."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from lamindb.core import MappedCollection
from lamindb.core.storage._anndata_accessor import ArrayTypes, registry
from upath import UPath

from ..errors import InputError
from ._handles import Handles
from ._rows import ColumnCache, FileRows, gather_csr, group_by_file, read_block, read_csr_block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt
    from scipy import sparse

__all__ = ["MappedCorpus"]

_ARRAYS: tuple[Any, ...] = tuple(ArrayTypes)


class MappedCorpus(MappedCollection):  # type: ignore[misc]  # lamindb is not typed
    """A `lamindb.core.MappedCollection` that reads whole batches at once.

    All that the base class offers stays as it is. New are `__getitems__`, which torch's
    ``DataLoader`` calls by itself, and `read_csr`. The samples of a batch equal those that the base
    reads one by one, bit for bit.

    Files are opened when needed, by the process that reads them, at most 128 at once or a quarter of
    what the process may open. So the object may be handed to DataLoader workers under any start method, with ``parallel`` or without.

    Reading a cell by itself asks for a batch of one.
    """

    storages: Handles
    no_label: int | None = None
    """What encoded labels are where there is none, or where a file lacks the column; other labels
    are ``nan`` there. None for what the base class does: ``nan``, and no entry in the sample."""

    def _make_connections(self, path_list: list[Any], parallel: bool) -> None:  # noqa: FBT001 - the base's
        del parallel  # handles belong to one process in any case
        self.storages = Handles([UPath(path) for path in path_list], opener=_open_any)
        self.conns: list[Any] = []
        self._columns = ColumnCache()
        self._classes: dict[tuple[int, str], npt.NDArray[np.int64]] = {}

    def __getitem__(self, idx: int) -> dict[str, Any]:
        return self.__getitems__([idx])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Read many cells.

        Parameters
        ----------
        indices
            Cells, in any order; repeats and negative numbers are allowed.

        Returns
        -------
        One sample per index, in the order asked; no two share memory.

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        files, rows = self._locate(indices)
        samples: list[dict[str, Any]] = [{"_store_idx": file} for file in files]
        for part in group_by_file(files, rows):
            self._fill(samples, part)
        return samples

    def read_csr(self, indices: Sequence[int]) -> sparse.csr_matrix:
        """Read X of many cells without making it dense.

        Parameters
        ----------
        indices
            Cells, in any order; repeats and negative numbers are allowed.

        Returns
        -------
        Shape ``(n_indices, n_vars)``, columns as in `var_joint` and ascending within each row.

        Raises
        ------
        IndexError
            If an index is out of range.
        InputError
            If the files have different genes and there is no join.
        """
        if self.var_joint is None:
            self._read_vars()
            if self.check_vars_non_aligned(self.var_list[0]):
                msg = (
                    f"The {len(self.storages)} files have different genes, so their rows make no "
                    "matrix under join=None. Pass join='outer' or join='inner'."
                )
                raise InputError(msg)
        if not hasattr(self, "_out_columns"):
            self._out_columns = [self._columns_of(i) for i in range(len(self.storages))]
        files, rows = self._locate(indices)
        return gather_csr(
            self.storages,
            files,
            rows,
            columns=self._out_columns,
            n_columns=len(self.var_list[0]) if self.var_joint is None else len(self.var_joint),
            dtype=self._dtype,
            cache=self._columns,
        )

    def read_batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """Read X, without making it dense, and labels of many cells.

        Parameters
        ----------
        indices
            Cells, in any order; repeats and negative numbers are allowed.

        Returns
        -------
        ``X`` as of `read_csr`, ``_store_idx`` (int64), and each of the obs keys: numbers, encoded
        labels (int64, -1 for none) or objects. Each has one entry per index.

        Raises
        ------
        IndexError
            If an index is out of range.
        InputError
            If the files have different genes and there is no join.
        """
        files, rows = self._locate(indices)
        batch: dict[str, Any] = {"X": self.read_csr(indices), "_store_idx": files}
        for key in self.obs_keys or ():
            parts = [(part, self._label_array(key, part)) for part in group_by_file(files, rows)]
            dtype = np.result_type(*(values.dtype for _, values in parts)) if parts else np.int64
            batch[key] = np.empty(len(rows), dtype=dtype)
            for part, values in parts:
                batch[key][part.places] = values[part.source]
        return batch

    def get_merged_labels(self, label_key: str) -> npt.NDArray[Any]:
        """Labels of all cells; with `no_label`, ``nan`` for those of files without the column."""
        has = [label_key in keys for keys in self._cache_obs_keys]
        if self.no_label is None or all(has):
            return super().get_merged_labels(label_key)  # type: ignore[no-any-return]
        merged = np.full(len(self), np.nan, dtype=object)
        if any(has):
            merged[np.array(has)[self.storage_idx]] = super().get_merged_labels(label_key)
        return merged

    def leave_out(self, excluded: Mapping[int, npt.NDArray[np.uint32]]) -> None:
        """Leave out rows, beside those that an ``obs_filter`` leaves out.

        Parameters
        ----------
        excluded
            Rows by number of the file.
        """
        self.filtered = True
        for file, rows in excluded.items():
            self.indices_list[file] = np.setdiff1d(self.indices_list[file], rows)
            self.n_obs_list[file] = len(self.indices_list[file])
        self.n_obs = sum(self.n_obs_list)
        self.indices = np.hstack(self.indices_list)
        self.storage_idx = np.repeat(np.arange(len(self.storages)), self.n_obs_list)

    def close(self) -> None:
        """Close the files. With ``parallel=True`` they are opened again when needed."""
        if self.parallel:
            self.storages.release()
        else:
            self.storages.close()
        self._closed = True

    def _get_categories(self, storage: Any, label_key: str) -> Any:
        found = super()._get_categories(storage, label_key)
        # the base class asks for length and single values, which zarr's arrays do not have
        return found[...] if isinstance(found, _ARRAYS) else found

    def _locate(
        self, indices: Sequence[int]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        asked = np.asarray(indices, dtype=np.int64).reshape(-1)
        return self.storage_idx[asked], self.indices[asked]

    def _columns_of(self, file: int) -> npt.NDArray[np.int64] | None:
        if self.var_indices is None:
            return None
        if self.join_vars == "outer":
            return np.asarray(self.var_indices[file], dtype=np.int64)
        columns = np.full(len(self.var_list[file]), -1, dtype=np.int64)
        columns[self.var_indices[file]] = np.arange(len(self.var_joint))
        return columns

    def _fill(self, samples: list[dict[str, Any]], part: FileRows) -> None:
        store = self.storages[part.file]
        places = list(zip(part.places.tolist(), part.source.tolist(), strict=True))
        for key in self.layers_keys:
            stored = self._get_lazy_data(store, key, part.file)
            if stored is not None:
                join = None if key == "raw.X" else self.join_vars
                row_of = self._matrix_rows(stored, key, part, join)
                for place, i in places:
                    samples[place][key] = row_of(i)
        for key in self.obsm_keys or ():
            if key in self._cache_obsm_keys[part.file]:
                row_of = self._matrix_rows(store["obsm"][key], f"obsm/{key}", part, None)
                for place, i in places:
                    samples[place][f"obsm_{key}"] = row_of(i)
        for key in self.obs_keys or ():
            if key in self._cache_obs_keys[part.file]:
                values = self._labels(store, key, part)
                for place, i in places:
                    samples[place][key] = values[i]
            elif self.no_label is not None:
                for place, _ in places:
                    samples[place][key] = self.no_label if key in self.encoders else np.nan

    def _matrix_rows(
        self, stored: Any, key: str, part: FileRows, join: Literal["inner", "outer"] | None
    ) -> Callable[[int], Any]:
        """Read rows; the function that is returned makes one of them a dense row of its own."""
        to = None if self.var_indices is None else self.var_indices[part.file]
        if isinstance(stored, _ARRAYS):
            layout = self._columns.layout((part.file, key), stored)
            block = read_block(stored, part.rows, layout)
            return lambda i: self._join_dense(block[i], to, join)
        data, indices, indptr = read_csr_block(
            stored, part.rows, cache=self._columns, key=(part.file, key)
        )
        dtype = data.dtype if self._dtype is None else self._dtype
        n_columns = self.n_vars if join == "outer" else stored.attrs["shape"][1]
        columns = to[indices] if join == "outer" and to is not None else indices

        def row_of(i: int) -> npt.NDArray[Any]:
            span = slice(indptr[i], indptr[i + 1])
            row = np.zeros(n_columns, dtype=dtype)
            row[columns[span]] = data[span]
            return row[to] if join == "inner" else row

        return row_of

    def _join_dense(
        self, row: Any, to: npt.NDArray[np.int64] | None, join: Literal["inner", "outer"] | None
    ) -> Any:
        if join == "outer":
            joined = np.zeros(self.n_vars, dtype=self._dtype or row.dtype)
            joined[to] = row
            return joined
        row = row.copy() if join is None else row[to]
        return row if self._dtype is None else row.astype(self._dtype, copy=False)

    def _labels(self, store: Any, key: str, part: FileRows) -> list[Any]:
        """Labels of a part's rows, encoded where asked; ``nan`` where there is none."""
        categories = None
        if key in self._cache_cats:
            held = self._cache_cats[key][part.file]
            categories = [] if held is None else held
        if isinstance(store["obs"], _ARRAYS):  # files of before AnnData 0.7
            labels = [self._get_obs_idx(store, row, key, categories) for row in part.rows]
        else:
            if categories is None:
                categories = self._get_categories(store, key)
            labels = self._read_labels(store["obs"][key], key, part, categories)
        encoder = self.encoders.get(key)
        if encoder is None:
            return labels
        none = np.nan if self.no_label is None else self.no_label
        return [none if label is np.nan else encoder[label] for label in labels]

    def _label_array(self, key: str, part: FileRows) -> npt.NDArray[Any]:
        """Labels of a part's rows; encoded ones as integers, -1 for none. Shape ``(n_rows,)``."""
        encoder, store = self.encoders.get(key), self.storages[part.file]
        if key not in self._cache_obs_keys[part.file]:
            return np.full(len(part.rows), np.nan if encoder is None else -1)
        if encoder is None:
            labels = self._labels(store, key, part)
            texts = any(isinstance(label, str) for label in labels)
            return np.array(labels, dtype=object if texts else None)
        categories = self._cache_cats.get(key, {part.file: None})[part.file]
        stored = store["obs"] if isinstance(store["obs"], _ARRAYS) else store["obs"][key]
        if categories is None or isinstance(stored, _ARRAYS):
            labels = self._labels(store, key, part)
            return np.array([-1 if label is np.nan else label for label in labels])
        if (part.file, key) not in self._classes:
            known = [encoder.get(name, -1) for name in categories]  # a class without cells is -1
            self._classes[part.file, key] = np.array([*known, -1], dtype=np.int64)
        codes = self._columns.take((part.file, "obs", key, "codes"), stored["codes"], part.rows)
        classes: npt.NDArray[np.int64] = self._classes[part.file, key][codes]
        return classes

    def _read_labels(self, stored: Any, key: str, part: FileRows, categories: Any) -> list[Any]:
        def take(name: str, array: Any) -> npt.NDArray[Any]:
            return self._columns.take((part.file, "obs", key, name), array, part.rows)

        missing = np.zeros(len(part.rows), dtype=bool)
        if isinstance(stored, _ARRAYS):
            values = take("", stored)
        elif "codes" in stored:
            values = take("codes", stored["codes"])
            missing = values == -1
        else:
            values = take("values", stored["values"])
            missing = take("mask", stored["mask"])
        if categories is not None and len(categories) > 0:
            labels = [categories[code] for code in values]
        else:
            labels = list(values)
        labels = [label.decode() if isinstance(label, bytes) else label for label in labels]
        return [np.nan if gone else v for v, gone in zip(labels, missing, strict=True)]


def numeric_columns(paths: Sequence[str], keys: Sequence[str]) -> set[str]:
    """Those of the obs `keys` that hold numbers, or true and false, in every file that has them."""
    kinds: dict[str, set[bool]] = {key: set() for key in keys}
    with contextlib.closing(Handles([UPath(path) for path in paths], opener=_open_any)) as stores:
        for store in stores:
            obs = store["obs"]
            for key in () if isinstance(obs, _ARRAYS) else kinds:
                if key in obs:
                    kinds[key].add(_is_numeric(obs[key]))
    return {key for key, kind in kinds.items() if kind == {True}}


def _is_numeric(column: Any) -> bool:
    if not isinstance(column, _ARRAYS):
        return "values" in column and _is_numeric(column["values"])
    return column.dtype.kind in "biuf" and "categories" not in column.attrs


def _open_any(path: Any) -> tuple[Any, Any]:
    """Open a path, local or remote, the way the base class does."""
    if path.exists() and path.is_file():
        return registry.open("h5py", path, compression=None)  # type: ignore[no-any-return, unused-ignore]
    return registry.open("zarr", path)  # type: ignore[no-any-return, unused-ignore]
