from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from lightning import pytorch as lightning
from lightning.pytorch.callbacks import ModelCheckpoint

from corpuscle.errors import NotFoundError
from corpuscle.loaders.faces import CorpusDataModule

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.loaders import Batch, Corpus
    from corpuscle.loaders.packed import PackedCorpus

pytestmark = [  # what Lightning says of its own use of torch, and of small examples
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists:UserWarning"),
]
SPLITS = {"train": np.arange(0, 13), "val": np.arange(13, 16), "test": np.array([], dtype=np.int64)}


class Classifier(lightning.LightningModule):
    """Learns cell types; keeps the cells that it saw."""

    def __init__(self, n_genes: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(n_genes, 3)
        self.seen: dict[str, list[list[int]]] = {"train": [], "val": [], "test": []}

    def _loss(self, batch: Batch) -> torch.Tensor:
        scores = self.layer(batch["X"].to_dense().log1p())
        return torch.nn.functional.cross_entropy(scores, batch["cell_type"].clamp(min=0))

    def training_step(self, batch: Batch) -> torch.Tensor:
        self.seen["train"].append(batch["row"].tolist())
        return self._loss(batch)

    def validation_step(self, batch: Batch) -> None:
        self.seen["val"].append(batch["row"].tolist())
        self.log("loss", self._loss(batch), batch_size=len(batch["row"]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def trainer(folder: Path, **options: Any) -> Any:
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
    }
    return lightning.Trainer(**quiet | options)


def module(source: Corpus | PackedCorpus, **options: Any) -> CorpusDataModule:
    return CorpusDataModule(source, 4, **{"labels": ["cell_type"], "splits": SPLITS} | options)


def fit(
    source: Corpus | PackedCorpus, folder: Path, ckpt: Path | None = None, **options: Any
) -> Classifier:
    data = module(source)
    model = Classifier(len(data.genes))
    trainer(folder, **options).fit(model, datamodule=data, ckpt_path=ckpt)
    return model


def test_each_epoch_trains_on_every_cell_of_the_split_in_another_order(
    source: Corpus | PackedCorpus, tmp_path: Path
) -> None:
    seen = fit(source, tmp_path, max_epochs=2).seen
    assert [len(batch) for batch in seen["train"]] == [4, 4, 4, 1] * 2
    first, second = ([cell for batch in seen["train"][i : i + 4] for cell in batch] for i in (0, 4))
    assert sorted(first) == sorted(second) == list(range(13))
    assert first != second
    assert seen["val"] == [[13, 14, 15]] * 2


@pytest.mark.parametrize("step", [1, 3, 4, 7, 8, 11])
def test_training_goes_on_with_the_batch_after_the_checkpoint(
    source: Corpus | PackedCorpus, tmp_path: Path, step: int
) -> None:
    def keep() -> dict[str, Any]:
        each = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
        return {"max_epochs": 3, "enable_checkpointing": True, "callbacks": [each]}

    whole = fit(source, tmp_path, **keep())
    rest = fit(source, tmp_path, tmp_path / f"step={step}.ckpt", **keep())
    assert rest.seen["train"] == whole.seen["train"][step:]
    assert torch.equal(rest.layer.weight, whole.layer.weight)


def test_splits_without_training_cells_are_refused(source: Corpus | PackedCorpus) -> None:
    with pytest.raises(NotFoundError, match=r"no cells to train on\. They are: held_out"):
        module(source, splits={"held_out": np.arange(3)})
