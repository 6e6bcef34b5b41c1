"""Peers that read a form of their own: one function each, run in the peer's environment.

Options: ``batch`` (cells), ``workers`` (processes of a DataLoader), and the peer's own. Labels are the
cell type and the plate of each cell, by the peer's own means where it has any.
"""

from __future__ import annotations

import itertools
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ._loaders_adapter import COLUMNS, Loader, codes_of, files_of, from_torch, shuffled
from ._loaders_cells import LABELS, n_genes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def annbatch(
    folder: Path, batch: int, chunk: int = 512, preload: int = 32, cores: int | None = None
) -> Loader:
    """Chunks of neighbours from zarr that was shuffled when it was written; sparse.

    It reads in threads: on all cores, or on the first so many.
    """
    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import anndata as ad
    import zarr

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    peer = import_module("annbatch")

    def load(group: Any) -> Any:
        obs: Any = ad.io.read_elem(group["obs"])
        return ad.AnnData(X=ad.io.sparse_dataset(group["X"]), obs=obs[COLUMNS])

    loader = peer.Loader(
        batch_size=batch,
        chunk_size=chunk,
        preload_nchunks=preload,
        shuffle=True,
        preload_to_gpu=False,
        to=None,
        drop_last=True,
    ).use_collection(peer.DatasetCollection(str(folder / "annbatch")), load_adata=load)
    return Loader(
        batches=lambda: iter(loader),
        size=lambda b: b["X"].shape[0],
        counts=lambda b: b["X"],
        labels=lambda b: {name: b["obs"][column] for name, column in LABELS.items()},
        paths=files_of(folder / "annbatch"),
        fetch=chunk * preload,
    )


def scdl(folder: Path, batch: int, workers: int = 0) -> Loader:
    """Memory-mapped CSR, one cell at a time; sparse. Labels are looked up by the row."""
    import torch

    module = import_module("bionemo.scdl.io.single_cell_memmap_dataset")
    collate = import_module("bionemo.scdl.util.torch_dataloader_utils").collate_sparse_matrix_batch
    cells = module.SingleCellMemMapDataset(str(folder / "scdl"))
    whole = cells.obs_features()[0 : len(cells)][0]
    known = {
        name: np.concatenate([codes_of(block[column]) for block in whole])
        for name, column in LABELS.items()
    }

    class Cells(torch.utils.data.Dataset[Any]):
        def __len__(self) -> int:
            return len(cells)

        def __getitem__(self, row: int) -> Any:
            return row, cells[row]

    def gather(items: list[Any]) -> Any:
        rows = np.array([row for row, _ in items])
        return collate([x for _, x in items]), {name: of[rows] for name, of in known.items()}

    return Loader(
        batches=shuffled(Cells(), batch, workers, gather),
        size=lambda b: b[0].shape[0],
        counts=lambda b: from_torch(b[0], n_genes_of(folder)),
        labels=lambda b: b[1],
        paths=files_of(folder / "scdl"),
    )


def cellfm(folder: Path, batch: int, workers: int = 0, *, mixed: bool = False) -> Loader:
    """Memory-mapped CSR by groups of cells of one file; sparse. ``mixed``: groups of one cell.

    Of the labels it gives the file; the cell type is looked up by the row.
    """
    import torch
    from scipy import sparse

    names = ("memmap", "sampling", "collate", "distributed")
    memmap, sampling, collate, distributed = (import_module(f"cellfm_dataset.{n}") for n in names)
    cells = memmap.MemmapDataset(str(folder / "cellfm"))
    types = {
        key: codes_of(sample.load_obs_frame()[LABELS["cell_type"]])
        for key, sample in cells.samples.items()
    }
    per_group = 1 if mixed else batch
    seeds = itertools.count()

    class Groups(torch.utils.data.IterableDataset[Any]):
        def __init__(self, seed: int) -> None:
            self.seed = seed

        def __iter__(self) -> Iterator[Any]:
            info, context = torch.utils.data.get_worker_info(), None
            if info is not None:
                whole = distributed.DistributedContext(rank=0, world_size=1)
                context = whole.with_worker(worker_id=info.id, num_workers=info.num_workers)
            sampler = sampling.RandomCellSampler(
                cells_per_group=per_group,
                num_groups=len(cells) // per_group,
                seed=self.seed,
                with_replacement=mixed,
            )
            for spec in sampler.iter_specs(cells, distributed_context=context):
                yield cells.build_group(
                    sample_id=spec.sample_id,
                    source_cell_indices=spec.source_cell_indices,
                    group_id=spec.group_id,
                    group_type=spec.group_type,
                    group_index=spec.group_index,
                    metadata=spec.metadata,
                )

    def gather(items: list[Any]) -> Any:
        made = collate.csr_region_collate(items)
        parts = zip(made["sample_id"], made["source_cell_indices"].numpy(), strict=True)
        made["cell_type"] = np.concatenate([types[key][rows] for key, rows in parts])
        return made

    def batches() -> Iterator[Any]:
        options: dict[str, Any] = {"prefetch_factor": 4} if workers else {}
        return iter(
            torch.utils.data.DataLoader(
                Groups(next(seeds)),
                batch_size=batch // per_group,
                collate_fn=gather,
                num_workers=workers,
                **options,
            )
        )

    def counts(made: Any) -> Any:
        lengths = np.diff(made["cell_ptr"].numpy(), axis=1).ravel()
        ends = np.append(0, np.cumsum(lengths))
        parts = (made["gene_values"].numpy(), made["gene_indices"].numpy(), ends)
        return sparse.csr_matrix(parts, (len(lengths), n_genes_of(folder)))

    return Loader(
        batches=batches,
        size=lambda b: len(b["cell_type"]),
        counts=counts,
        labels=lambda b: {
            "cell_type": b["cell_type"],
            "plate": np.repeat(codes_of(b["sample_id"]), b["cell_ptr"].shape[1] - 1),
        },
        paths=files_of(folder / "cellfm"),
    )


def hf(folder: Path, batch: int, workers: int = 0, buffer: int = 0) -> Loader:
    """Arrow lists, one cell at a time; sparse. ``buffer``: a stream shuffled in a buffer."""
    import torch

    peer = import_module("datasets")
    parts = [peer.load_from_disk(str(path)) for path in sorted((folder / "hf").iterdir())]
    cells = peer.concatenate_datasets(parts).with_format("numpy")
    n_genes, epochs = n_genes_of(folder), itertools.count()

    def gather(items: list[Any]) -> Any:
        ends = np.append(0, np.cumsum([len(item["genes"]) for item in items]))
        x = torch.sparse_csr_tensor(
            torch.from_numpy(ends),
            torch.from_numpy(np.concatenate([item["genes"] for item in items]).astype(np.int64)),
            torch.from_numpy(np.concatenate([item["counts"] for item in items])),
            size=(len(items), n_genes),
            check_invariants=False,
        )
        return x, {name: np.array([item[name] for item in items]) for name in LABELS}

    def stream() -> Iterator[Any]:
        source = cells.to_iterable_dataset(num_shards=64)
        source = source.shuffle(seed=next(epochs), buffer_size=buffer)
        loader = torch.utils.data.DataLoader(
            source, batch_size=batch, collate_fn=gather, num_workers=workers
        )
        return iter(loader)

    return Loader(
        batches=stream if buffer else shuffled(cells, batch, workers, gather),
        size=lambda b: b[0].shape[0],
        counts=lambda b: from_torch(b[0], n_genes),
        labels=lambda b: b[1],
        paths=files_of(folder / "hf"),
    )
