"""Files of a small Tahoe-100M, with something changed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpuscle.curation import curate
from corpuscle.pipelines.examples._tahoe import PLATE_FILE, SHARDS, write_tahoe
from corpuscle.pipelines.sources import SourceDataset, get_source
from corpuscle.pipelines.sources._tahoe_tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from anndata import AnnData

    from corpuscle.curation import Curated, SourceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A small Tahoe-100M, and a folder for changed copies."""

    folder: Path
    copies: Path

    @classmethod
    def write(cls, folder: Path, copies: Path) -> Files:
        write_tahoe(folder)
        return cls(folder=folder, copies=copies)

    @property
    def metadata(self) -> Path:
        return self.folder / "2025-02-25" / "metadata"

    def plate(self, change: Callable[[AnnData], None] | None = None) -> Path:
        """Give the first plate, or a copy that `change` works on."""
        import anndata

        path = self.folder / "2025-02-25" / "h5ad" / PLATE_FILE.format(number=1)
        if change is None:
            return path
        adata = anndata.read_h5ad(path)
        change(adata)
        out = self.copies / path.name
        adata.write_h5ad(out)
        return out

    def shard(self, change: Callable[[pa.Table], pa.Table] | None = None, **options: Any) -> Path:
        """Give the first shard, or a copy that `change` makes."""
        import pyarrow.parquet as pq

        path = self.folder / SHARDS / "data" / "train-00000-of-00002.parquet"
        if change is None:
            return path
        out = self.copies / path.name
        pq.write_table(change(pq.read_table(path)), out, **options)
        return out

    def table(self, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
        """Give a folder of tables with one changed."""
        import pandas as pd

        folder = self.copies / "metadata"
        shutil.copytree(self.metadata, folder, dirs_exist_ok=True)
        path = folder / f"{name}.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)
        return folder

    def open(self, path: Path, *, metadata: Path | None = None, cells: str = "all") -> SourceFile:
        """Open a plate or a shard as the source does."""
        form = "h5ad" if path.suffix == ".h5ad" else "parquet"
        dataset = SourceDataset(
            source="tahoe",
            id=path.stem,
            key=f"tahoe/{path.stem}",
            version="1",
            title="",
            files=(),
            licence="",
            citation="",
            extra={"form": form, "cells": cells, "release": "2025-02-25"},
        )
        tables = [(metadata or self.metadata) / f"{name}.parquet" for name in TABLES]
        return get_source("tahoe").open(dataset, [path, *tables])

    def curate(self, path: Path, **options: Any) -> Curated:
        """Open and curate."""
        return curate(
            self.open(path, **options),
            self.copies / "curated.h5ad",
            dataset="tahoe/x",
            source_hash="",
        )
