"""Counts that were read to be checked, kept in little memory until they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOST_BYTES = 2**28
"""What is kept of one matrix: about its first 67 million counts."""
SMALL = np.iinfo(np.uint16).max


class Kept:
    """Chunks of tidy rows by their first row. Each is given back once."""

    def __init__(self) -> None:
        self._chunks: dict[int, tuple[Any, ...]] = {}
        self._n_bytes = 0

    def keep(self, start: int, rows: csr_matrix, largest: float) -> None:
        """Keep whole counts up to `largest`, if all fit into 16 bits and there is room."""
        n_bytes = 4 * rows.nnz + rows.indptr.nbytes
        if max(largest, rows.shape[1] - 1) > SMALL or self._n_bytes + n_bytes > MOST_BYTES:
            return
        self._n_bytes += n_bytes
        small = (array.astype(np.uint16) for array in (rows.data, rows.indices))
        types = rows.data.dtype, rows.indices.dtype
        self._chunks[start] = (rows.shape, *types, rows.indptr, *small)

    def take(self, start: int) -> csr_matrix | None:
        """Give back the rows from `start` on as they were, if they were kept."""
        from scipy import sparse

        if start not in self._chunks:
            return None
        shape, of_data, of_indices, indptr, data, indices = self._chunks.pop(start)
        arrays = data.astype(of_data), indices.astype(of_indices), indptr
        rows = sparse.csr_matrix(arrays, shape)
        rows.has_canonical_format = True
        return rows

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._n_bytes = 0
