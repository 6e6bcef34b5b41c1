"""The example of scBaseCount as its tests use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata

from corpuscle.curation import Curated, SourceFile, curate
from corpuscle.pipelines.sources import SourceDataset, Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

VELOCYTO: dict[str, Any] = {"release": "2025-02-25", "feature": "Velocyto"}


def listed(
    folder: Path, release: str = "2026-01-12", wanted: Wanted | None = None, **options: str
) -> dict[str, SourceDataset]:
    source = get_source("scbasecount")(
        Transfer(cache=folder / "cache"), release=release, at=str(folder), options=options
    )
    return {dataset.id: dataset for dataset in source.datasets(wanted or Wanted())}


class Mirror:
    """The example, its samples, and what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, accession: str, *, release: str = "2026-01-12", **options: str) -> SourceDataset:
        source = get_source("scbasecount")(
            Transfer(cache=self.folder / "cache"),
            release=release,
            at=str(self.folder),
            options=options,
        )
        (dataset,) = source.datasets(Wanted(ids=(accession,)))
        return dataset

    def open(self, accession: str, path: Path | None = None, **options: Any) -> SourceFile:
        dataset = self.find(accession, **options)
        place = Path(dataset.files[0].url)
        return get_source("scbasecount").open(dataset, [path or place])

    def curate(
        self, accession: str, out: Path, path: Path | None = None, **options: Any
    ) -> tuple[Any, Curated]:
        opened = self.open(accession, path, **options)
        target = out / "curated.h5ad"
        curated = curate(opened, target, dataset=f"scbasecount/{accession}", source_hash="")
        return anndata.read_h5ad(target), curated


def changed(
    mirror: Mirror,
    folder: Path,
    change: Callable[[Any], Any],
    *,
    accession: str = "SRX99000101",
    **options: str,
) -> Path:
    """Write the file of a sample after a change."""
    adata = anndata.read_h5ad(mirror.find(accession, **options).files[0].url)
    path = folder / f"{accession}.h5ad"
    (change(adata) or adata).write_h5ad(path)
    return path
