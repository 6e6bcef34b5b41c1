"""Which rows of the files are cells of the corpus, when copies are left out."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import IntegrityError, NotFoundError

if TYPE_CHECKING:
    import numpy.typing as npt

    from .corpus import Corpus

__all__ = ["KeptRows", "excluded_rows"]


class KeptRows:
    """Finds the file and row of a cell; costs nothing but an offset where nothing is left out.

    Parameters
    ----------
    corpus
        Its exclusions are read once: 4 bytes of memory for each row that is left out of a file of
        which others stay.

    Raises
    ------
    NotFoundError, IntegrityError
        See `excluded_rows`.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._offsets = corpus.offsets
        # how many rows stay before each row that is left out
        self._before = {
            i: rows - np.arange(len(rows), dtype=np.uint32)
            for i, rows in excluded_rows(corpus).items()
            if corpus.datasets[i].n_cells
        }

    def locate(
        self, cells: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the place of the dataset, and the row of its file. Each of shape ``(n,)``."""
        datasets = np.searchsorted(self._offsets, cells, side="right") - 1
        rows = cells - self._offsets[datasets]
        if self._before:
            for i in np.unique(datasets).tolist():
                if (before := self._before.get(i)) is not None:
                    at = datasets == i
                    rows[at] += np.searchsorted(before, rows[at].astype(np.uint32), side="right")
        return datasets, rows


def excluded_rows(corpus: Corpus) -> dict[int, npt.NDArray[np.uint32]]:
    """Read the rows that are left out, ascending, by place of the dataset.

    Raises
    ------
    NotFoundError
        If the file that lists them is not there.
    IntegrityError
        If it is not the file of this version of the corpus.
    """
    excluded = {i: ref.n_excluded for i, ref in enumerate(corpus.datasets) if ref.n_excluded}
    listed = corpus.duplicates
    if not excluded or listed is None:
        return {}
    path = Path(listed.path)
    if not path.is_file():
        msg = (
            f"There is no file {listed.path!r} that lists the {sum(excluded.values()):,} cells that corpus "
            f"{corpus.uid} leaves out. Fetch {listed.key}, and pass its path to `Corpus.from_manifest`."
        )
        raise NotFoundError(msg, {"path": str(path)})
    found = _read(path, corpus) if _hash(path) == listed.hash else {}
    ok = found.keys() == excluded.keys() and all(
        len(rows) == excluded[i]
        and (np.diff(rows.astype(np.int64)) > 0).all()
        and rows[-1] < corpus.datasets[i].n_rows
        for i, rows in found.items()
    )
    if not ok:
        msg = (
            f"{path} is not the list of cells that corpus {corpus.uid} leaves out. Fetch "
            f"{listed.key} of this version of the corpus."
        )
        raise IntegrityError(msg, {"path": str(path), "corpus": corpus.uid})
    return found


def _hash(path: Path) -> str:
    from blake3 import blake3

    return blake3().update_mmap(path).hexdigest()


def _read(path: Path, corpus: Corpus) -> dict[int, npt.NDArray[np.uint32]]:
    import pyarrow.parquet as pq

    place = {ref.uid: i for i, ref in enumerate(corpus.datasets)}
    parts: dict[int, list[Any]] = defaultdict(list)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=2**20, columns=["dataset", "row", "kept"]):
            out = ~batch["kept"].to_numpy(zero_copy_only=False)
            column = batch["dataset"]
            codes = column.indices.to_numpy()[out]
            rows = batch["row"].to_numpy()[out][np.argsort(codes, kind="stable")]
            names = column.dictionary.to_pylist()
            ends = np.cumsum(np.bincount(codes, minlength=len(names)))
            for name, own in zip(names, np.split(rows, ends[:-1]), strict=True):
                if len(own):
                    parts[place[name]].append(own)
    return {i: np.sort(np.concatenate(pieces)) for i, pieces in sorted(parts.items())}
