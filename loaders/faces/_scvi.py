"""A corpus as the models of scvi-tools want it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ._lightning import CorpusDataModule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from ..corpus import Corpus
    from ..packed import PackedCorpus
    from ._part import PartLoader

__all__ = ["ScviDataModule"]


class ScviDataModule(CorpusDataModule):
    """Feeds `scvi.model.SCVI` and its like from a corpus, without an AnnData in memory.

    ``model = SCVI(registry=data.registry)``, ``model.train(max_epochs=10, datamodule=data)``,
    ``model.get_latent_representation(dataloader=data.inference_dataloader())``. X travels to the
    device sparse and is made dense there.

    Parameters
    ----------
    corpus, batch_size, splits, seed
        See `CorpusDataModule`.
    batch_key
        What the model calls a batch: ``dataset``, or a field of the corpus's classes such as ``assay``.
    labels_key
        Field whose terms are the model's labels. None for no labels.
    unlabeled_category
        Name of the batch and of the label of cells that have none; the last of its kind.
    threads
        See `CorpusLoader`.
    genes
        The model's variables. None for the sorted union of the files' genes, which is more than
        most models want.

    Raises
    ------
    InputError
        If the corpus has no classes of a key.
    """

    def __init__(
        self,
        corpus: Corpus | PackedCorpus,
        batch_size: int = 128,
        *,
        batch_key: str = "dataset",
        labels_key: str | None = None,
        unlabeled_category: str = "unknown",
        splits: Mapping[str, npt.NDArray[np.int64]] | None = None,
        seed: int = 0,
        genes: Sequence[str] | None = None,
        threads: int = 0,
    ) -> None:
        self.batch_key = batch_key
        self.labels_key = labels_key
        self.unlabeled_category = unlabeled_category
        fields = {batch_key, labels_key} - {"dataset", None}
        super().__init__(
            corpus,
            batch_size,
            splits=splits,
            seed=seed,
            labels=sorted(filter(None, fields)),
            genes=genes,
            threads=threads,
        )

    @property
    def batch_labels(self) -> list[str]:
        """Name of each batch."""
        return self._names(self.batch_key)

    @property
    def label_keys(self) -> list[str]:
        """Name of each label."""
        return self._names(self.labels_key)

    @property
    def n_batch(self) -> int:
        """Batches that the model knows."""
        return len(self.batch_labels)

    @property
    def n_labels(self) -> int:
        """Labels that the model knows."""
        return len(self.label_keys)

    @property
    def n_vars(self) -> int:
        """Genes."""
        return len(self.genes)

    @property
    def n_obs(self) -> int:
        """Cells of an epoch."""
        return self._loaders["train"].n_cells

    n_train = n_obs
    n_samples = 0

    @property
    def n_val(self) -> int:
        """Cells that the training is watched with."""
        return len(self._cells.get("val", ()))

    @property
    def registry(self) -> dict[str, Any]:
        """What ``setup_anndata`` would have noted of an AnnData."""
        from importlib.metadata import version

        def field(
            place: dict[str, Any] | None = None, state: dict[str, Any] | None = None, **numbers: int
        ) -> dict[str, Any]:
            return {
                "data_registry": place or {},
                "state_registry": state or {},
                "summary_stats": numbers,
            }

        def categories(name: str, key: str | None, names: list[str]) -> dict[str, Any]:
            state = {
                "categorical_mapping": names,
                "original_key": key,
                "unlabeled_category": self.unlabeled_category,
            }
            place = {"attr_name": "obs", "attr_key": f"_scvi_{name}"}
            return field(place, state, **{f"n_{name}": len(names)})

        genes = {"n_obs": self.n_obs, "n_vars": self.n_vars, "column_names": list(self.genes)}
        return {
            "scvi_version": version("scvi-tools"),
            "model_name": "SCVI",
            "setup_method_name": "setup_datamodule",
            "setup_args": {
                "layer": None,
                "batch_key": self.batch_key,
                "labels_key": self.labels_key,
                "size_factor_key": None,
                "categorical_covariate_keys": None,
                "continuous_covariate_keys": None,
            },
            "field_registries": {
                "X": field(
                    {"attr_name": "X", "attr_key": None},
                    genes,
                    n_vars=self.n_vars,
                    n_cells=self.n_obs,
                ),
                "batch": categories("batch", self.batch_key, self.batch_labels),
                "labels": categories("labels", self.labels_key, self.label_keys),
                "size_factor": field(),
                "extra_categorical_covs": field(n_extra_categorical_covs=0),
                "extra_continuous_covs": field(n_extra_continuous_covs=0),
            },
        }

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> dict[str, Any]:
        """Name what is in a batch as scvi-tools does."""
        del dataloader_idx
        return {
            "X": batch["X"],
            "batch": self._codes(batch, self.batch_key),
            "labels": self._codes(batch, self.labels_key),
            "extra_categorical_covs": None,
            "extra_continuous_covs": None,
        }

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Make X dense, where the batch is by now."""
        del dataloader_idx
        return {**batch, "X": batch["X"].to_dense()}

    def inference_dataloader(
        self, cells: npt.NDArray[np.int64] | None = None, *, batch_size: int | None = None
    ) -> Inference:
        """Batches in the order of the cells, for ``get_latent_representation(dataloader=...)``.

        Parameters
        ----------
        cells
            Numbers of the cells. None for all of the corpus.
        batch_size
            Cells in a batch; as in training by default.
        """
        loader = self._make(cells=cells, batch_size=batch_size or self.batch_size, shuffle=False)
        return Inference(self, loader)

    def _names(self, key: str | None) -> list[str]:
        if key == "dataset":
            return [ref.uid for ref in self.corpus.datasets]
        return [*(self.corpus.classes[key] if key else ()), self.unlabeled_category]

    def _codes(self, batch: Any, key: str | None) -> torch.Tensor:
        if key is None:
            return torch.zeros((len(batch["row"]), 1), dtype=torch.int64)
        codes: torch.Tensor = batch[key]
        return torch.where(codes < 0, len(self._names(key)) - 1, codes)[:, None]


class Inference:
    """Batches as scvi-tools reads them outside of a trainer; can be read several times."""

    def __init__(self, data: ScviDataModule, loader: PartLoader) -> None:
        self._data = data
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self._loader:
            named = self._data.on_before_batch_transfer(batch, 0)
            yield self._data.on_after_batch_transfer(named, 0)
