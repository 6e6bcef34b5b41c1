"""Batches of cells read from curated files as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import torch

from ..errors import InputError
from ._batch import Batch, sparse_tensor
from ._curated import read_layout
from ._form import Form
from ._freed import keep_freed_memory
from ._handles import Handles
from ._kept import KeptRows
from ._rows import ColumnCache, gather_csr, group_by_file, read_together
from .corpus import obs_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from scipy import sparse

    from .corpus import Corpus

__all__ = ["FilesReader", "Reader"]


class Reader(Protocol):
    """What a loader reads from."""

    genes: tuple[str, ...]
    """Gene of each column of X, or of each id."""
    n_threads: int
    """Threads that may read at once."""

    def read(self, cells: npt.NDArray[np.int64], *, seed: int, epoch: int) -> Batch:
        """Read cells, in the order given; chance depends on `seed`, `epoch` and the cell."""
        raise NotImplementedError

    def locate(
        self, cells: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the place of the dataset, and the row of its file."""
        raise NotImplementedError

    def release(self) -> None:
        """Close what is open; it is opened again when needed."""
        raise NotImplementedError


class FilesReader:
    """Reads h5ad and zarr.

    Raises
    ------
    InputError
        If the form can only be had from a packed corpus.
    """

    n_threads = 1
    """Threads that may read at once."""

    def __init__(self, corpus: Corpus, form: Form) -> None:
        plain = Form(output=form.output, labels=form.labels, genes=form.genes, check=form.check)
        if form != plain or form.output not in ("csr", "dense"):
            asked = [repr(form.output)] if form.output not in ("csr", "dense") else []
            asked += [
                name
                for name in ("renamed", "scaling", "obs", "obsm", "measured")
                if getattr(form, name) != getattr(plain, name)
            ]
            msg = (
                f"{', '.join(asked) or 'tokens'} cannot be had from the files of corpus {corpus.uid} as they are. "
                "Pack it: `corpuscle pack`, then `PackedCorpus.open`."
            )
            raise InputError(msg, {"asked": asked})
        self._form = form
        self._kept = KeptRows(corpus)
        self._stores = Handles([ref.path for ref in corpus.datasets])
        self._cache = ColumnCache()
        self._layout = read_layout(corpus, self._stores, labels=form.labels, genes=form.genes)
        self._stores.release()
        self.genes = self._layout.genes

    def read(self, cells: npt.NDArray[np.int64], *, seed: int, epoch: int) -> Batch:
        """Read cells, in the order given."""
        del seed, epoch
        return self._batch(*self._gather(cells))

    def read_each(self, wanted: Sequence[npt.NDArray[np.int64]]) -> Iterator[Batch]:
        """Read the cells of several batches at once, in the order of the files; give each batch."""
        return read_together(wanted, read=self._gather, take=self._take)

    def _gather(
        self, cells: npt.NDArray[np.int64]
    ) -> tuple[sparse.csr_matrix, dict[str, npt.NDArray[np.int64]]]:
        """Read X, and what else is known of each cell."""
        keep_freed_memory()
        datasets, rows = self._kept.locate(cells)
        x = gather_csr(
            self._stores,
            datasets,
            rows,
            columns=self._layout.columns,
            n_columns=len(self.genes),
            dtype=np.float32,
            cache=self._cache,
        )
        labels = {field: self._read_label(field, datasets, rows) for field in self._form.labels}
        return x, {"dataset": datasets, "row": cells.copy(), **labels}

    def _take(
        self,
        gathered: tuple[sparse.csr_matrix, dict[str, npt.NDArray[np.int64]]],
        places: npt.NDArray[np.int64],
    ) -> Batch:
        x, columns = gathered
        return self._batch(x[places], {key: values[places] for key, values in columns.items()})

    def _batch(self, x: sparse.csr_matrix, columns: dict[str, npt.NDArray[np.int64]]) -> Batch:
        is_sparse = self._form.output == "csr"
        batch = {"X": sparse_tensor(x) if is_sparse else torch.from_numpy(x.toarray())}
        batch |= {name: torch.from_numpy(values) for name, values in columns.items()}
        return cast("Batch", batch)  # labels are checked by the loader

    def locate(
        self, cells: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the place of the dataset, and the row of its file."""
        return self._kept.locate(cells)

    def release(self) -> None:
        """Close the files."""
        self._stores.release()

    def _read_label(
        self, field: str, datasets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        labels = np.empty(len(rows), dtype=np.int64)
        column = obs_column(field)
        for part in group_by_file(datasets, rows):
            stored = self._stores.part(part.file, f"obs/{column}/codes")
            codes = self._cache.take((part.file, field), stored, part.rows)
            # a cell without a category has code -1, and the last entry answers for it
            labels[part.places] = self._layout.class_of[part.file][field][codes][part.source]
        return labels
