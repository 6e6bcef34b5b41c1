"""The compiled functions of packed corpora by themselves: no plan, checks, labels or new memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corpuscle.loaders.packed._reader import PackedReader


def bare_kernel(
    reader: PackedReader, output: str, *, batch: int, n_cells: int, n_genes: int
) -> Callable[[], Iterator[Any]]:
    """Epochs in which batches are found and written over each other; of each its cells."""
    from corpuscle.loaders.packed import _batches, _row, _tokens

    own = reader._open()
    writer, seen = own.writer, np.zeros(1, np.uint8)
    shards, places = np.empty(batch, np.int64), np.empty(batch, np.int64)
    rows = np.zeros((batch, _row.N_FACTS), np.int64)
    depth, indptr = np.empty(batch), np.empty(batch + 1, np.int32)
    kinds = writer._ragged if output == "ragged" else (np.int32, np.float32)
    shape = batch, len(writer._listed)
    draws = np.zeros(2, np.uint64)
    out = np.empty((batch, n_genes if output == "dense" else 0), np.float32)
    tokens = np.empty(shape, np.int32), np.empty(shape, np.float32), np.empty(shape, np.bool_)
    how = writer._renaming.bits, writer._choose, 0, writer._listed, draws

    def batches() -> Iterator[Any]:
        ids, values = np.empty(0, kinds[0]), np.empty(0, kinds[1])
        order = np.random.default_rng().permutation(n_cells)
        for start in range(0, n_cells - batch + 1, batch):
            cells = order[start : start + batch]
            found = own.firsts, own.table, 0, seen, shards, places, rows
            common, n = writer._common(), _batches.find_rows(cells, *found)
            if output == "dense":
                _batches.fill_dense(rows, *common, *writer._one_row(rows), out, depth)
            elif output == "tokens":
                work = writer._one_row(rows)
                _tokens.fill_tokens(rows, *common, *how, cells, *work, *tokens, depth)
            else:
                if len(ids) < n:
                    ids, values = np.empty(2 * n, kinds[0]), np.empty(2 * n, kinds[1])
                _batches.fill_rows(rows, *common, indptr, ids, values, depth)
            yield cells

    return batches
