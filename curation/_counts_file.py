"""The matrix of a curated file, written as rows come and shortened afterwards."""

from __future__ import annotations

import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from zlib_ng import zlib_ng

from ..errors import IntegrityError
from ._alive import sign_of_life
from ._files import atomic_path
from ._matrix import row_bounds
from ._threads import n_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    import numpy.typing as npt
    from scipy.sparse import csr_matrix

STORED_CHUNK = 65_536
"""Values that HDF5 compresses together."""
AT_ONCE = 32
"""Chunks of each that may wait to be written while others are read."""


class CountsFile:
    """X of an open file. Neither its bytes nor its values depend on how rows are cut.

    Values and indices are written in turns, one stored chunk at a time: what is in the way of
    the next whole chunk waits in memory.

    Parameters
    ----------
    group
        The new group ``X``.
    dtype
        Type of the values.
    """

    def __init__(self, group: Any, dtype: np.dtype[Any]) -> None:
        types = {"data": dtype, "indices": np.dtype(np.int32)}
        self._group = group
        self._stored = {name: _extendable(group, name, kind) for name, kind in types.items()}
        self._waiting = {name: np.empty(0, dtype=kind) for name, kind in types.items()}
        self._n_values = [np.zeros(1, dtype=np.int64)]
        self._n_stored = 0
        self._pool = ThreadPoolExecutor(n_threads())
        self._packing: deque[list[Future[bytes]]] = deque()

    def append(self, rows: csr_matrix) -> None:
        """Write rows with sorted indices and without stored zeros."""
        self._n_values.append(np.diff(rows.indptr).astype(np.int64))
        gap = STORED_CHUNK - len(self._waiting["data"])
        chunks: dict[str, list[npt.NDArray[Any]]] = {}
        for name, waiting in self._waiting.items():
            new = getattr(rows, name).astype(waiting.dtype, copy=False)
            first = np.concatenate([waiting, new[:gap]])
            rest = [new[i : i + STORED_CHUNK] for i in range(gap, len(new), STORED_CHUNK)]
            chunks[name] = [first, *rest]
            is_short = len(chunks[name][-1]) < STORED_CHUNK
            self._waiting[name] = (chunks[name].pop() if is_short else first[:0]).copy()
        for pair in zip(*chunks.values(), strict=True):
            self._packing.append([self._pool.submit(_packed, chunk) for chunk in pair])
        self._write(most=AT_ONCE)

    def finish(self) -> int:
        """Write what waits and where rows begin; give the number of rows."""
        self._write(most=0)
        self._pool.shutdown()
        for name, stored in self._stored.items():
            stored.resize(self._n_stored + len(self._waiting[name]), axis=0)
            stored[self._n_stored :] = self._waiting[name]
        indptr = np.cumsum(np.concatenate(self._n_values))
        self._group.create_dataset("indptr", data=indptr)
        return len(indptr) - 1

    def _write(self, *, most: int) -> None:
        """Write what is packed, in its order, until no more than so many pairs of chunks wait."""
        n = len(self._packing) - most
        if n <= 0:
            return
        for stored in self._stored.values():
            stored.resize(self._n_stored + n * STORED_CHUNK, axis=0)
        for _ in range(n):
            for stored, packed in zip(self._stored.values(), self._packing.popleft(), strict=True):
                stored.id.write_direct_chunk((self._n_stored,), packed.result())
            self._n_stored += STORED_CHUNK


def _packed(values: npt.NDArray[Any]) -> bytes:
    """Do what HDF5's filters shuffle and deflate do, in less time and space.

    Runs of equal bytes are all that is looked for: there are hardly other repeats in counts. So the
    bytes are those of zlib itself, on every processor, in less than half its time.
    """
    from ._kernels import byte_planes

    planes = byte_planes(values.view(f"<u{values.dtype.itemsize}"))
    packer = zlib_ng.compressobj(1, zlib_ng.DEFLATED, zlib_ng.MAX_WBITS, 9, zlib_ng.Z_RLE)
    return packer.compress(planes.data) + packer.flush()


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


@contextlib.contextmanager
def new_counts(path: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> Iterator[CountsFile]:
    """Write X of a new AnnData file.

    Raises
    ------
    IntegrityError
        If in the end there are not as many rows as `shape` says.
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.asarray(shape, dtype=np.int64)
        counts = CountsFile(group, dtype)
        yield counts
        n_rows = counts.finish()
    if n_rows != shape[0]:
        msg = (
            f"{n_rows:,} of {shape[0]:,} cells came out of the matrix: cells would be lost. "
            "See that the matrix has a row for every cell, and curate the file again."
        )
        raise IntegrityError(msg, {"n_rows": n_rows, "n_cells": shape[0]})


def keep_rows(path: Path, stays: npt.NDArray[np.bool_]) -> None:
    """Take the other rows out of a file that has nothing but X.

    The file is written again in chunks of rows, as if only these had been written at first.

    Parameters
    ----------
    path
        A file of `new_counts`.
    stays
        The rows to keep. Shape ``(n_rows,)``.
    """
    import h5py
    from scipy import sparse

    with atomic_path(path) as shorter, h5py.File(path) as file:
        group: Any = file["X"]
        n_columns = int(group.attrs["shape"][1])
        indptr = group["indptr"][...]
        with new_counts(shorter, (int(stays.sum()), n_columns), group["data"].dtype) as counts:
            for start, stop in row_bounds(indptr):
                sign_of_life()
                span = slice(int(indptr[start]), int(indptr[stop]))
                parts = group["data"][span], group["indices"][span], indptr[start : stop + 1]
                values, indices, offsets = parts
                rows = sparse.csr_matrix(
                    (values, indices, offsets - span.start), (stop - start, n_columns)
                )
                counts.append(sparse.csr_matrix(rows[stays[start:stop]]))
