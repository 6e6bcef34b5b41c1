"""Conversions into the forms of peers, from the plain files, run in the peer's own environment."""

from __future__ import annotations

import json
import shutil
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._loaders_cells import LABELS, gene_names, n_genes_of, plates

if TYPE_CHECKING:
    from collections.abc import Callable


def annbatch(folder: Path, target: Path) -> None:
    """Shuffled zarr, all defaults."""
    import zarr

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    collection = import_module("annbatch").DatasetCollection(str(target))
    collection.add_adatas(adata_paths=[str(path) for path in plates(folder)], shuffle=True)


def scdl(folder: Path, target: Path) -> None:
    """Memory-mapped CSR."""
    module = import_module("bionemo.scdl.io.single_cell_collection")
    parts = target.with_name("scdl-parts")
    shutil.rmtree(parts, ignore_errors=True)
    collection = module.SingleCellCollection(str(parts))
    collection.load_h5ad_multi(str(folder / "plain"), max_workers=2, use_X_not_raw=True)
    collection.flatten(str(target), destroy_on_copy=True)
    shutil.rmtree(parts, ignore_errors=True)


def cellfm(folder: Path, target: Path) -> None:
    """Memory-mapped CSR by sample, of counts: its default is normalised ones."""
    convert = import_module("cellfm_dataset.convert").convert_h5ad_manifest
    target.mkdir()
    manifest, genes = target.with_name("cellfm.json"), target.with_name("cellfm-genes.txt")
    samples = [
        {"h5ad": str(path), "sample_id": path.stem, "obs_columns": list(LABELS.values())}
        for path in plates(folder)
    ]
    manifest.write_text(json.dumps(samples))
    genes.write_text("\n".join(gene_names(n_genes_of(folder))) + "\n")
    convert(
        manifest_json=str(manifest),
        output_dir=str(target),
        gene_vocab_path=str(genes),
        expression_transform="none",
        overwrite=True,
    )


def hf(folder: Path, target: Path) -> None:
    """Arrow files with a list of genes and one of counts for each cell."""
    import h5py
    import pyarrow as pa

    peer = import_module("datasets")
    for path in plates(folder):
        with h5py.File(path) as opened:
            file: Any = opened
            ends = pa.array(file["X/indptr"][:].astype("int32"))
            lists = {"genes": file["X/indices"][:], "counts": file["X/data"][:]}
            columns = {
                key: pa.ListArray.from_arrays(ends, pa.array(values))
                for key, values in lists.items()
            }
            for name, column in LABELS.items():
                group = file["obs"][column]
                numbers = [int(term[-7:].lstrip(b"plate")) for term in group["categories"][:]]
                columns[name] = pa.array(numbers, pa.int32()).take(pa.array(group["codes"][:]))
        peer.Dataset(pa.table(columns)).save_to_disk(str(target / path.stem))


FORMS: dict[str, Callable[[Path, Path], None]] = {
    "annbatch": annbatch,
    "scdl": scdl,
    "cellfm": cellfm,
    "hf": hf,
}


def convert(name: str, folder: Path) -> dict[str, Any]:
    """Convert, unless it was done; what it took."""
    target, said = folder / name, folder / f"{name}.converted.json"
    if not said.exists():
        shutil.rmtree(target, ignore_errors=True)
        start = time.perf_counter()
        FORMS[name](folder, target)
        said.write_text(json.dumps({"seconds": time.perf_counter() - start}))
    facts: dict[str, Any] = json.loads(said.read_text())
    return facts


if __name__ == "__main__":
    print(json.dumps(convert(sys.argv[1], Path(sys.argv[2]))))
