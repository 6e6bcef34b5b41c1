"""Train SCVI on a corpus; run by test_scvi.py where scvi-tools is."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

from corpuscle.loaders import Corpus
from corpuscle.loaders.faces import ScviDataModule


def main(corpus_file: str, batch_key: str, folder: str, out: str) -> None:
    scvi = import_module("scvi")  # not there where the other tests run
    import_module("scvi.model")
    manifest, paths = json.loads(Path(corpus_file).read_text())
    corpus = Corpus.from_manifest(manifest, paths)
    splits = {"train": np.arange(12), "val": np.arange(12, 16)}
    data = ScviDataModule(
        corpus, 4, batch_key=batch_key, labels_key="cell_type", splits=splits, seed=1
    )
    scvi.settings.seed = 0
    model = scvi.model.SCVI(registry=data.registry, n_hidden=8, n_latent=3)
    model.train(max_epochs=20, datamodule=data, accelerator="cpu", check_val_every_n_epoch=1)
    inference = data.inference_dataloader(batch_size=5)
    latent = model.get_latent_representation(dataloader=inference)
    model.save(folder, datamodule=data)
    again = scvi.model.SCVI.load(folder, accelerator="cpu")
    result = {
        "steps": model.trainer.global_step,
        "history": [float(loss) for loss in model.history["elbo_train"].iloc[:, 0]],
        "validated": len(model.history["elbo_validation"]),
        "latent": latent.shape,
        "finite": bool(np.isfinite(latent).all()),
        "same_after_loading": bool(
            np.allclose(latent, again.get_latent_representation(dataloader=inference))
        ),
        "n": [data.n_obs, data.n_vars, data.n_batch, data.n_labels],
        "X": sum(float(batch["X"].sum()) for batch in inference),
        "batches": [int(code) for batch in inference for code in batch["batch"]],
        "labels": [int(code) for batch in inference for code in batch["labels"]],
    }
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
