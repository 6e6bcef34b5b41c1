"""A corpus as Lightning wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import NotFoundError
from ._part import PartLoader

try:
    from lightning.pytorch import LightningDataModule
except ModuleNotFoundError as error:
    error.add_note("Lightning is not installed: pip install 'corpuscle[lightning]'.")
    raise

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ..corpus import Corpus
    from ..packed import PackedCorpus

__all__ = ["CorpusDataModule"]

SPLITS = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}
"""Names that a recipe may give to each of Lightning's splits."""


class CorpusDataModule(LightningDataModule):
    """Training, validation and test batches of a corpus, for ``trainer.fit(model, datamodule=...)``.

    A checkpoint of the trainer holds the position in the epoch: ``fit(ckpt_path=...)`` goes on
    with the batch after the last one that was trained on. Every process of a distributed training
    gets batches of its own.

    Parameters
    ----------
    corpus
        What to read: files as they are, or packed.
    batch_size
        Cells in a batch.
    splits
        Numbers of the cells of ``train``, ``val`` (or ``validation``) and ``test``, such as
        `read_splits` gives. None to train on all cells.
    seed
        Decides the order of training; the other splits are read in order.
    **options
        As of `CorpusLoader`: ``labels``, ``genes``, ``output``, ``threads`` and others.

    Raises
    ------
    NotFoundError
        If `splits` has no cells to train on.
    """

    def __init__(
        self,
        corpus: Corpus | PackedCorpus,
        batch_size: int = 256,
        *,
        splits: Mapping[str, npt.NDArray[np.int64]] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        self._source = corpus
        self.batch_size = batch_size
        self.seed = seed
        self.options = options
        self._cells = {
            stage: splits[name]
            for stage, names in SPLITS.items()
            for name in names
            if splits and name in splits
        }
        if splits is not None and not len(self._cells.get("train", ())):
            msg = (
                f"The splits have no cells to train on. They are: {', '.join(splits) or 'none'}; "
                "name one 'train'."
            )
            raise NotFoundError(msg, {"splits": list(splits)})
        self._loaders: dict[str, PartLoader] = {}
        self._loader("train")  # what does not fit is told here rather than when training begins

    @property
    def corpus(self) -> Corpus:
        """What is read."""
        return self._loaders["train"].corpus

    @property
    def genes(self) -> tuple[str, ...]:
        """Gene id of each column of X."""
        return self._loaders["train"].genes

    def train_dataloader(self) -> PartLoader:
        """Batches to train on: as many in each process."""
        return self._loader("train")

    def val_dataloader(self) -> PartLoader | list[Any]:
        """Batches to watch the training with; none if there is no such split."""
        return self._loader("val") if "val" in self._cells else []

    def test_dataloader(self) -> PartLoader | list[Any]:
        """Batches to judge the model with; none if there is no such split."""
        return self._loader("test") if "test" in self._cells else []

    def _loader(self, stage: str) -> PartLoader:
        training = stage == "train"
        if stage not in self._loaders:
            cells = self._cells.get(stage)
            self._loaders[stage] = self._make(cells=cells, shuffle=training, even=training)
        loader = self._loaders[stage]
        if self.trainer is not None:
            loader.rank, loader.world_size = self.trainer.global_rank, self.trainer.world_size
        return loader

    def _make(self, **options: Any) -> PartLoader:
        known = {"batch_size": self.batch_size, "seed": self.seed, **self.options}
        return PartLoader(self._source, **known | options)

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {len(cells):,}" for name, cells in self._cells.items())
        return (
            f"CorpusDataModule of {self.corpus.name!r} version {self.corpus.version!r}: "
            f"{len(self.genes):,} genes, batches of {self.batch_size:,}; "
            f"cells: {parts or f'train {self.corpus.n_cells:,}'}"
        )
