"""One measurement of `benchmarks.registry`: python _registry_once.py WAY N_FILES FOLDER."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

TERMS = {
    "cell_type": ["CL:0000084", "CL:0000236", "CL:0000576"],
    "tissue": ["UBERON:0000178"],
    "disease": ["MONDO:0100096"],
    "assay": ["EFO:0009899"],
    "development_stage": ["HsapDv:0000258"],
    "self_reported_ethnicity": ["HANCESTRO:0590"],
    "sex": ["PATO:0000383"],
    "organism": ["NCBITaxon:9606"],
}


def main(way: str, n_files: int, folder: Path) -> None:
    """Make a registry and files, then register them and print the rate."""
    from corpuscle.pipelines import init

    init(folder)
    from corpuscle.pipelines._staging import storage_root

    staged = storage_root() / "files"
    staged.mkdir()
    files = _write_files(staged, n_files)
    seconds = WAYS[way](files)
    import lamindb as ln

    n_registered = ln.Artifact.objects.filter(suffix=".h5ad").count()
    if n_registered != n_files:
        sys.exit(f"{n_registered} of {n_files} are registered")
    print(json.dumps({"per_second": n_files / seconds}))


def _write_files(folder: Path, n_files: int) -> list[Path]:
    """Write small curated datasets that differ in one value."""
    import anndata
    import h5py
    import numpy as np
    from scipy import sparse

    counts = np.random.default_rng(0).poisson(0.1, size=(100, 200)).astype(np.float32)
    first = folder / "0.h5ad"
    anndata.AnnData(sparse.csr_matrix(counts)).write_h5ad(first)
    paths = [first]
    for i in range(1, n_files):
        path = folder / f"{i}.h5ad"
        shutil.copyfile(first, path)
        with h5py.File(path, "r+") as file:
            data: Any = file["X/data"]
            data[0] = i + 1
        paths.append(path)
    return paths


def ours(files: list[Path], *, size: int = 100) -> float:
    """Register in bulk, `size` datasets at a time."""
    from corpuscle.pipelines import NewFile, NewRun, register

    started = time.perf_counter()
    runs = [
        NewRun(
            step="benchmark",
            params={"source": str(path)},
            outputs=[
                NewFile(
                    key=f"datasets/{path.name}",
                    staged=path,
                    suffix=".h5ad",
                    description="benchmark",
                    kind="dataset",
                    otype="AnnData",
                    n_observations=100,
                    terms=TERMS,
                )
            ],
        )
        for path in files
    ]
    for start in range(0, len(runs), size):
        register(runs[start : start + size])
    return time.perf_counter() - started


def plain_in_storage(files: list[Path]) -> float:
    """Save one artifact after the other, from files that are in the storage already."""
    import lamindb as ln

    transform = ln.Transform(key="benchmark", kind="pipeline").save()
    run = ln.Run(transform).save()
    started = time.perf_counter()
    for path in files:
        ln.Artifact(path, description="benchmark", kind="dataset", run=run).save()
    return time.perf_counter() - started


def plain_with_labels(files: list[Path]) -> float:
    """Do what `ours` does, with the interface of LaminDB."""
    import bionty as bt
    import lamindb as ln

    transform = ln.Transform(key="benchmark", kind="pipeline").save()
    labels: list[tuple[str, list[Any]]] = [
        ("cell_types", list(bt.CellType.filter(ontology_id__in=TERMS["cell_type"]))),
        ("tissues", list(bt.Tissue.filter(ontology_id__in=TERMS["tissue"]))),
        ("diseases", list(bt.Disease.filter(ontology_id__in=TERMS["disease"]))),
        (
            "experimental_factors",
            list(bt.ExperimentalFactor.filter(ontology_id__in=TERMS["assay"])),
        ),
        (
            "developmental_stages",
            list(bt.DevelopmentalStage.filter(ontology_id__in=TERMS["development_stage"])),
        ),
        (
            "ethnicities",
            list(bt.Ethnicity.filter(ontology_id__in=TERMS["self_reported_ethnicity"])),
        ),
        ("phenotypes", list(bt.Phenotype.filter(ontology_id__in=TERMS["sex"]))),
        ("organisms", list(bt.Organism.filter(ontology_id__in=TERMS["organism"]))),
    ]
    started = time.perf_counter()
    for path in files:
        run = ln.Run(transform, params={"source": str(path)}).save()
        artifact = ln.Artifact.from_anndata(path, description="benchmark", run=run)
        artifact.n_observations = 100
        artifact.save()
        for name, records in labels:
            getattr(artifact, name).add(*records)
    return time.perf_counter() - started


WAYS = {
    "ours": ours,
    "ours one by one": lambda files: ours(files, size=1),
    "plain in storage": plain_in_storage,
    "plain with labels": plain_with_labels,
}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
