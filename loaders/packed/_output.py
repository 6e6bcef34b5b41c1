"""The compiled functions, with the memory that they need."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...errors import InputError
from .._batch import csr_tensor
from . import _batches, _row, _tokens
from ._buffers import Buffers
from ._decode import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._form import Form
    from ._genes import Renaming

__all__ = ["Failure", "RowWriter"]

_CHOICES = {
    "top": _tokens.TOP,
    "random": _tokens.RANDOM,
    "random+unexpressed": _tokens.RANDOM_AND_ZEROS,
}
_LIMIT = 2**31


class Failure(Exception):
    """A row of the batch, by its number, that is not what it should be."""

    def __init__(self, at: int, *, differs: bool) -> None:
        super().__init__(at, differs)
        self.at = at
        self.differs = differs


class RowWriter:
    """Writes rows in one form. Many threads may do so at once.

    Parameters
    ----------
    form, renaming
        What is asked for.
    small
        Whether every count and every id fits 16 bits, without a sign.
    whole
        Whether every count is a whole number below 2**31.
    """

    def __init__(self, form: Form, renaming: Renaming, *, small: bool, whole: bool) -> None:
        self._form = form
        self._renaming = renaming
        scaling = form.scaling
        self._scale = np.array([scaling.total or 0, scaling.log1p, scaling.n_bins or 0], np.float64)
        ids, counts = (np.uint16, np.uint16) if small else (np.int32, np.int32)
        self._ragged = ids, np.float32 if scaling or not whole else counts
        self._listed = np.zeros(form.tokens.length, np.int32)
        self._choose = _tokens.ALL_OF_LIST
        if isinstance(form.tokens.choose, str):
            self._choose = _CHOICES[form.tokens.choose]
        elif form.output == "tokens":
            self._listed = self._places_of(form.tokens.choose)
        self._buffers = Buffers()
        self._local = threading.local()

    def write(
        self,
        rows: npt.NDArray[np.int64],
        n_values: int,
        cells: npt.NDArray[np.int64],
        *,
        seed: int,
        epoch: int,
    ) -> dict[str, torch.Tensor]:
        """Give X, or ids and counts, and the depth of each cell.

        `n_values` is how many all rows have; the order of tokens depends on cells, seed and epoch.

        Raises
        ------
        Failure
            If a row differs from its hash, or cannot be decoded.
        """
        depth = np.empty(len(rows), np.float64)
        if self._form.output in ("csr", "ragged"):
            batch = self._write_rows(rows, n_values, depth)
        elif self._form.output == "dense":
            batch = self._write_dense(rows, depth)
        else:
            batch = self._write_tokens(rows, cells, np.array([seed, epoch], np.uint64), depth)
        batch["depth"] = torch.from_numpy(depth)
        return batch

    def _write_rows(
        self, rows: npt.NDArray[np.int64], n: int, depth: npt.NDArray[np.float64]
    ) -> dict[str, torch.Tensor]:
        sparse = self._form.output == "csr"
        if n >= _LIMIT:
            msg = f"A batch of {len(rows):,} cells has {n:,} values. Use a smaller batch_size."
            raise InputError(msg, {"n_values": n})
        kinds: tuple[Any, Any] = (np.int32, np.float32) if sparse else self._ragged
        ids, values = self._buffers.empty(n, kinds[0]), self._buffers.empty(n, kinds[1])
        indptr = np.empty(len(rows) + 1, np.int32)
        _see(_batches.fill_rows(rows, *self._common(), indptr, ids, values, depth))
        if indptr[-1] < n:
            ids, values = ids[: indptr[-1]], values[: indptr[-1]]
        if sparse:
            return {"X": csr_tensor(indptr, ids, values, len(self._renaming.genes))}
        return {
            "indptr": torch.from_numpy(indptr),
            "ids": torch.from_numpy(ids),
            "counts": torch.from_numpy(values),
        }

    def _write_dense(
        self, rows: npt.NDArray[np.int64], depth: npt.NDArray[np.float64]
    ) -> dict[str, torch.Tensor]:
        out = self._buffers.empty((len(rows), len(self._renaming.genes)), np.float32)
        _see(_batches.fill_dense(rows, *self._common(), *self._one_row(rows), out, depth))
        return {"X": torch.from_numpy(out)}

    def _write_tokens(
        self,
        rows: npt.NDArray[np.int64],
        cells: npt.NDArray[np.int64],
        draws: npt.NDArray[np.uint64],
        depth: npt.NDArray[np.float64],
    ) -> dict[str, torch.Tensor]:
        shape = len(rows), len(self._listed)
        ids = self._buffers.empty(shape, np.int32)
        counts = self._buffers.empty(shape, np.float32)
        mask = self._buffers.empty(shape, np.bool_)
        n_zeros = self._form.tokens.n_unexpressed
        how = self._renaming.bits, self._choose, n_zeros, self._listed, draws, cells
        room = self._one_row(rows)
        _see(_tokens.fill_tokens(rows, *self._common(), *how, *room, ids, counts, mask, depth))
        return {
            "ids": torch.from_numpy(ids),
            "counts": torch.from_numpy(counts),
            "mask": torch.from_numpy(mask),
        }

    def _common(self) -> tuple[Any, ...]:
        """Arguments of all: how to rename and scale, and memory of this thread."""
        work = getattr(self._local, "work", None)
        if work is None:
            n_words = self._renaming.bits.shape[1]
            sums, marks = np.zeros(64 * n_words), np.zeros(n_words, np.uint64)
            work = self._local.work = (np.zeros(SCRATCH, np.uint16), sums, marks)
        names = self._renaming
        return names.places, names.starts, names.kinds, self._scale, work

    def _one_row(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Memory of this thread for the longest of the rows."""
        n = int(rows[:, _row.N_VALUES].max(initial=0))
        room = getattr(self._local, "room", None)
        if room is None or len(room[0]) < n:
            room = self._local.room = np.empty(2 * n, np.int32), np.empty(2 * n, np.float32)
        return room

    def _places_of(self, genes: Sequence[str]) -> npt.NDArray[np.int32]:
        place = {gene: i for i, gene in enumerate(self._renaming.genes)}
        if missing := [gene for gene in genes if gene not in place]:
            msg = (
                f"{len(missing):,} of the {len(genes):,} genes listed for tokens are not in the vocabulary of "
                f"{len(place):,} (first: {missing[0]!r}). Leave them out, or add them to `genes`."
            )
            raise InputError(msg, {"genes": missing})
        return np.array([place[gene] for gene in genes], np.int32)


def _see(result: tuple[int, int]) -> None:
    what, at = result
    if what:
        raise Failure(int(at), differs=what == _row.ROW_DIFFERS)
