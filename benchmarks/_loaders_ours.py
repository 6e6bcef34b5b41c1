"""Our own loaders, and the kernel below them; see `_loaders_peers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._loaders_cells import LABELS, n_genes_of, plates, type_name
from ._loaders_peers import COLUMNS, Loader, codes_of, from_torch, shuffled

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.loaders import Corpus


def corpus_of(folder: Path, kind: str = "plain") -> Corpus:
    """A corpus of the generated files."""
    from corpuscle.loaders import Corpus, DatasetRef

    reference = np.load(folder / "reference.npz")
    paths = plates(folder, kind)
    sizes = np.bincount(reference["plate"]).tolist()
    return Corpus(
        name="benchmark",
        version="1",
        uid="benchmark0001",
        datasets=tuple(
            DatasetRef(
                uid=path.stem, key=path.name, path=str(path), n_cells=n, organism="NCBITaxon:9606"
            )
            for path, n in zip(paths, sizes, strict=True)
        ),
        classes={"cell_type": tuple(map(type_name, np.unique(reference["cell_type"]).tolist()))},
    )


def plain_files(
    folder: Path,
    batch: int,
    workers: int = 0,
    kind: str = "plain",
    output: Literal["csr", "dense"] = "csr",
) -> Loader:
    """Curated files as they are, by `Corpus.loader`."""
    corpus = corpus_of(folder, kind)
    loader = corpus.loader(batch, labels=["cell_type"], output=output)
    types, n_genes = codes_of(corpus.classes["cell_type"]), n_genes_of(folder)

    def batches() -> Any:
        if not workers:
            return iter(loader)
        from torch.utils.data import DataLoader

        options: Any = {"num_workers": workers, "prefetch_factor": 4}
        return iter(DataLoader(loader, batch_size=None, **options))

    return Loader(
        batches=batches,
        size=lambda b: len(b["row"]),
        counts=lambda b: from_torch(b["X"], n_genes) if output == "csr" else b["X"].numpy(),
        labels=lambda b: {"cell_type": types[b["cell_type"].numpy()], "plate": b["dataset"]},
        rows=lambda b: b["row"].numpy(),
        paths=plates(folder, kind),
    )


def mapped(folder: Path, batch: int, workers: int = 0, kind: str = "plain") -> Loader:
    """`Corpus.mapped` in torch's loader, as the peer is used; dense."""
    from torch.utils.data import default_collate

    corpus = corpus_of(folder, kind)
    cells = corpus.mapped(join="inner", layers_keys="X", obs_keys=COLUMNS)
    names = {
        name: np.array(sorted(cells.encoders[column], key=cells.encoders[column].get))
        for name, column in LABELS.items()
    }
    names["cell_type"] = np.array(corpus.classes["cell_type"])
    return Loader(
        batches=shuffled(cells, batch, workers, default_collate),
        size=lambda b: len(b["X"]),
        counts=lambda b: b["X"].numpy(),
        labels=lambda b: {name: names[name][b[column].numpy()] for name, column in LABELS.items()},
        paths=plates(folder, kind),
    )
