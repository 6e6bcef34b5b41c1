"""Peers that read h5ad files as they are; see `_loaders_peers`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ._loaders_adapter import COLUMNS, Loader, shuffled
from ._loaders_cells import LABELS, gene_names, n_genes_of, plates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _collection(paths: list[Path], *, strict: bool = False) -> Any:
    """Backed files as one; not strict: counts come in the order of the files, labels as asked."""
    import anndata as ad
    from anndata.experimental import AnnCollection

    files = [ad.read_h5ad(path, backed="r") for path in paths]
    return AnnCollection(files, join_vars="inner", indices_strict=strict)


def annloader(folder: Path, batch: int, kind: str = "plain") -> Loader:
    """AnnData's own loader over backed files; dense."""
    from anndata.experimental import AnnLoader

    paths = plates(folder, kind)
    cells = _collection(paths, strict=True)

    def batches() -> Iterator[Any]:
        for part in AnnLoader(cells, batch_size=batch, shuffle=True):
            yield part.X.to_dense(), {name: part.obs[column] for name, column in LABELS.items()}

    return Loader(
        batches=batches,
        size=lambda b: len(b[0]),
        counts=lambda b: b[0].numpy(),
        labels=lambda b: b[1],
        paths=paths,
    )


def mapped(folder: Path, batch: int, workers: int = 0, kind: str = "plain") -> Loader:
    """LaminDB's mapped collection, one cell at a time; dense."""
    from torch.utils.data import default_collate

    paths = plates(folder, kind)
    collection = import_module("lamindb.core._mapped_collection").MappedCollection
    cells = collection(
        [str(path) for path in paths],
        layers_keys="X",
        obs_keys=COLUMNS,
        join="inner",
        parallel=workers > 0,
    )
    options = {"worker_init_fn": cells.torch_worker_init_fn} if workers else {}
    names = {
        name: np.array(sorted(cells.encoders[column], key=cells.encoders[column].get))
        for name, column in LABELS.items()
    }
    return Loader(
        batches=shuffled(cells, batch, workers, default_collate, **options),
        size=lambda b: len(b["X"]),
        counts=lambda b: b["X"].numpy(),
        labels=lambda b: {name: names[name][b[column].numpy()] for name, column in LABELS.items()},
        paths=paths,
    )


def scdataset(
    folder: Path,
    batch: int,
    workers: int = 0,
    kind: str = "plain",
    block: int = 16,
    fetch: int = 16_384,
    *,
    dense: bool = False,
) -> Loader:
    """Blocks of neighbours, many at once, from backed files; sparse, or dense by its own means."""
    peer = import_module("scdataset")
    columns = import_module("scdataset.transforms").adata_to_mindex
    paths = plates(folder, kind)

    def dense_parts(part: Any) -> Any:
        return columns(part, columns=COLUMNS)

    def sparse_parts(part: Any) -> Any:
        data = part.to_adata()
        return {"X": data.X.tocsr(), **{column: data.obs[column].to_numpy() for column in COLUMNS}}

    def rows_of(parts: Any, rows: Any) -> Any:
        return {key: values[rows] for key, values in parts.items()}

    cells = peer.scDataset(
        _collection(paths),
        peer.BlockShuffling(block_size=block),
        batch_size=batch,
        fetch_factor=max(1, fetch // batch),
        fetch_transform=dense_parts if dense else sparse_parts,
        batch_callback=None if dense else rows_of,
        seed=0,
    )

    def batches() -> Iterator[Any]:
        if not workers:
            return iter(cells)
        from torch.utils.data import DataLoader

        return iter(DataLoader(cells, batch_size=None, num_workers=workers, prefetch_factor=4))

    return Loader(
        batches=batches,
        size=lambda b: b["X"].shape[0],
        counts=lambda b: b["X"],
        labels=lambda b: {name: b[column] for name, column in LABELS.items()},
        paths=paths,
        fetch=max(1, fetch // batch) * batch * max(1, workers),
    )


def scdataloader(folder: Path, batch: int, workers: int = 0, n_tokens: int = 2_048) -> Loader:
    """Its mapped collection and collator: random expressed genes as tokens.

    The collator gives the cell type; the file of origin is lost in it.
    """
    import pandas as pd

    human, column = "NCBITaxon:9606", LABELS["cell_type"]
    organism = "organism_ontology_term_id"
    genes = gene_names(n_genes_of(folder))
    paths = plates(folder)
    cells = import_module("scdataloader.mapped").MappedCollection(
        [str(path) for path in paths],
        obs_keys=[column, organism],
        join=None,
        encode_labels=[column],
        parallel=workers > 0,
    )
    collate = import_module("scdataloader").Collator(
        organisms=[human],
        how="random expr",
        max_len=n_tokens,
        organism_name=organism,
        class_names=[column],
        genedf=pd.DataFrame({"organism": human}, index=genes),
        valid_genes=genes,
    )
    collate.organism_ids = {human}  # 2.1.3 sets it only without `genedf`
    options = {"worker_init_fn": cells.torch_worker_init_fn} if workers else {}
    names = np.array(sorted(cells.encoders[column], key=cells.encoders[column].get))

    def tokens(made: Any) -> Any:
        counts = made["x"].numpy()
        genes = made["genes"].numpy().astype(np.int64)  # zeros: genes that are not expressed
        return genes, counts, counts > 0, made["depth"].numpy()

    return Loader(
        batches=shuffled(cells, batch, workers, collate, **options),
        size=lambda b: len(b["x"]),
        counts=tokens,
        labels=lambda b: {"cell_type": names[b["class"][:, 0].numpy().astype(np.int64)]},
        paths=paths,
    )
