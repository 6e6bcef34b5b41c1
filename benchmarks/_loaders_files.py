"""Our loaders over curated files as they are; see `_loaders_peers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._loaders_adapter import COLUMNS, Loader
from ._loaders_cells import LABELS, plates
from ._loaders_ours import corpus_of

if TYPE_CHECKING:
    from pathlib import Path


def blocks(
    folder: Path, batch: int, kind: str = "plain", block: int = 64, fetch: int = 4_096
) -> Loader:
    """`Corpus.mapped` read by `BlockLoader`; sparse, with the labels of the mapped collection."""
    from corpuscle.loaders import BlockLoader

    corpus = corpus_of(folder, kind)
    cells = corpus.mapped(join="inner", obs_keys=COLUMNS)
    loader = BlockLoader(
        cells,
        batch,
        block_size=block,
        fetch_factor=max(1, fetch // batch),
        fetch_callback=lambda collection, rows: collection.read_batch(rows),
    )
    names = {
        name: np.array(sorted(cells.encoders[column], key=cells.encoders[column].__getitem__))
        for name, column in LABELS.items()
    }
    names["cell_type"] = np.array(corpus.classes["cell_type"])
    return Loader(
        batches=lambda: iter(loader),
        size=lambda b: b["X"].shape[0],
        counts=lambda b: b["X"],
        labels=lambda b: {name: names[name][b[column]] for name, column in LABELS.items()},
        paths=plates(folder, kind),
        fetch=max(1, fetch // batch) * batch,
    )
