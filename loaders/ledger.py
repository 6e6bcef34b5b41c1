"""What was really served to a training run."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConflictError, InputError, IntegrityError, SchemaError
from ..ontologies import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pandas as pd

    from ._batch import Batch
    from .corpus import Corpus

__all__ = ["ExposureLedger"]

FORMAT = 1


class ExposureLedger:
    """Counts cells and exposures, per dataset and per class.

    An exposure is one cell in one batch. Which cells were seen is kept as one bit per cell, so
    that ledgers of several ranks or restarts merge exactly.

    Parameters
    ----------
    corpus
        What the batches are made of.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.n_batches = 0
        self._exposures = np.zeros(len(corpus.datasets), dtype=np.int64)
        self._labels: dict[str, npt.NDArray[np.int64]] = {}
        self._seen = np.zeros((corpus.n_cells + 7) // 8, dtype=np.uint8)

    @property
    def exposures(self) -> npt.NDArray[np.int64]:
        """Cells served of each dataset, repeats counted. Shape ``(n_datasets,)``."""
        return self._exposures.copy()

    @property
    def cells(self) -> npt.NDArray[np.int64]:
        """Distinct cells served of each dataset. Shape ``(n_datasets,)``."""
        starts = self.corpus.offsets
        return np.array(
            [
                self._count(start, start + ref.n_cells)
                for start, ref in zip(starts.tolist(), self.corpus.datasets, strict=True)
            ],
            dtype=np.int64,
        )

    @property
    def class_exposures(self) -> dict[str, dict[str, int]]:
        """Cells served by field and term id, repeats counted; ``"unknown"`` for cells without."""
        named = {}
        for field, counts in self._labels.items():
            terms = ("unknown", *self.corpus.classes[field])
            named[field] = {t: int(n) for t, n in zip(terms, counts, strict=True) if n}
        return named

    def add(self, batch: Batch) -> None:
        """Count a batch.

        Raises
        ------
        InputError
            If the batch holds a cell, dataset or class that the corpus does not have.
        """
        datasets, rows = np.asarray(batch["dataset"]), np.asarray(batch["row"])
        _check_range(rows, 0, self.corpus.n_cells, what="row")
        if not np.array_equal(datasets, self._dataset_of(rows)):
            msg = (
                f"The batch's datasets are not those of its rows in corpus {self.corpus.uid}. "
                "Count batches that a loader of this very corpus made."
            )
            raise InputError(msg)
        counts = {}
        for field in FIELDS:
            if field in batch:
                codes = np.asarray(batch[field])  # type: ignore[literal-required]
                n_classes = len(self.corpus.classes.get(field, ()))
                _check_range(codes, -1, n_classes, what=field)
                counts[field] = np.bincount(codes + 1, minlength=n_classes + 1)
        self._exposures += np.bincount(datasets, minlength=len(self._exposures))
        np.bitwise_or.at(self._seen, rows >> 3, np.left_shift(1, rows & 7).astype(np.uint8))
        self._add_labels(counts)
        self.n_batches += 1

    def merge(self, other: ExposureLedger) -> None:
        """Add what another ledger of the same corpus has counted.

        Raises
        ------
        ConflictError
            If the other ledger is of another corpus.
        """
        if _identity(self.corpus) != _identity(other.corpus):
            msg = (
                f"A ledger of corpus {other.corpus.uid} cannot be merged into one of "
                f"{self.corpus.uid}: their cells differ. Keep one ledger per corpus version."
            )
            raise ConflictError(msg)
        self._exposures += other._exposures
        self._seen |= other._seen
        self._add_labels(other._labels)
        self.n_batches += other.n_batches

    def summary(self) -> dict[str, Any]:
        """The counts, small and JSON-serialisable."""
        cells = self.cells.tolist()
        return {
            "format": FORMAT,
            "corpus": self.corpus.uid,
            "n_batches": self.n_batches,
            "datasets": [
                {"uid": ref.uid, "n_cells": ref.n_cells, "cells": n, "exposures": m}
                for ref, n, m in zip(
                    self.corpus.datasets, cells, self._exposures.tolist(), strict=True
                )
            ],
            "classes": self.class_exposures,
        }

    def to_dict(self) -> dict[str, Any]:
        """The counts and which cells were seen, JSON-serialisable; at most 1/6 byte per cell."""
        packed = base64.b64encode(zlib.compress(self._seen.tobytes())).decode()
        return self.summary() | {"seen": packed}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], corpus: Corpus) -> ExposureLedger:
        """Make the ledger again that `to_dict` was called on.

        Raises
        ------
        SchemaError
            If the state has another format.
        ConflictError
            If it is of another corpus.
        IntegrityError
            If it contradicts itself.
        """
        if state.get("format") != FORMAT or "seen" not in state:
            msg = (
                f"The ledger has format {state.get('format')!r} and {'a' if 'seen' in state else 'no'} "
                f"record of cells; format {FORMAT} with the record is needed. Write it with `to_dict`."
            )
            raise SchemaError(msg, {"format": state.get("format")})
        sizes = [(entry["uid"], entry["n_cells"]) for entry in state["datasets"]]
        if (state["corpus"], sizes) != _identity(corpus):
            msg = (
                f"The ledger is of corpus {state['corpus']}, not of {corpus.uid}, or its datasets "
                "differ. Pass the corpus version that it was made with."
            )
            raise ConflictError(msg)
        ledger = cls(corpus)
        ledger.n_batches = int(state["n_batches"])
        ledger._exposures[:] = [entry["exposures"] for entry in state["datasets"]]
        ledger._seen = _unpack(state["seen"], len(ledger._seen))
        for field, counts in state["classes"].items():
            terms = ("unknown", *corpus.classes[field])
            ledger._labels[field] = np.array([counts.get(t, 0) for t in terms], dtype=np.int64)
        if ledger.summary() != {k: v for k, v in state.items() if k != "seen"}:
            msg = (
                f"The ledger of corpus {corpus.uid} contradicts itself: its counts are not those of "
                "its record of cells. Take the copy of the training run that wrote it."
            )
            raise IntegrityError(msg)
        return ledger

    def table(self) -> pd.DataFrame:
        """One line per dataset: ``uid, key, n_cells, cells, exposures``."""
        import pandas as pd

        refs = self.corpus.datasets
        return pd.DataFrame(
            {
                "uid": [ref.uid for ref in refs],
                "key": [ref.key for ref in refs],
                "n_cells": np.array([ref.n_cells for ref in refs], dtype=np.int64),
                "cells": self.cells,
                "exposures": self.exposures,
            }
        )

    def _add_labels(self, counts: Mapping[str, npt.NDArray[np.int64]]) -> None:
        for field, added in counts.items():
            self._labels[field] = self._labels.get(field, 0) + added

    def _dataset_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.searchsorted(self.corpus.offsets, rows, side="right") - 1

    def _count(self, start: int, stop: int) -> int:
        """Bits set from `start` to before `stop`."""
        first = start // 8
        bits = self._seen[first : (stop + 7) // 8].copy()
        if stop > start:
            bits[0] &= 0xFF << (start % 8) & 0xFF
            bits[-1] &= 0xFF >> (-stop % 8)
        return int(np.bitwise_count(bits).sum()) if stop > start else 0


def _identity(corpus: Corpus) -> tuple[str, list[tuple[str, int]]]:
    return corpus.uid, [(ref.uid, ref.n_cells) for ref in corpus.datasets]


def _check_range(values: npt.NDArray[np.int64], low: int, stop: int, *, what: str) -> None:
    bad = values[(values < low) | (values >= stop)]
    if len(bad):
        msg = (
            f"{len(bad):,} of {len(values):,} entries of {what!r} are not of this corpus "
            f"(first: {int(bad[0])}, allowed: {low} to {stop - 1}). Count batches of one corpus version."
        )
        raise InputError(msg, {"what": what})


def _unpack(packed: str, n_bytes: int) -> npt.NDArray[np.uint8]:
    try:
        raw = zlib.decompress(base64.b64decode(packed, validate=True))
    except (ValueError, zlib.error) as error:
        msg = f"The ledger's record of cells cannot be unpacked: {error}. Take another copy."
        raise IntegrityError(msg) from error
    if len(raw) != n_bytes:
        msg = f"The ledger's record has {len(raw):,} bytes, not {n_bytes:,}. Take another copy."
        raise IntegrityError(msg)
    return np.frombuffer(raw, dtype=np.uint8).copy()
