"""A mirror of CELLxGENE that tests change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anndata

from corpuscle.curation import CurationOptions, curate
from corpuscle.pipelines.examples._cellxgene import example_id
from corpuscle.pipelines.sources import Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.curation import Curated
    from corpuscle.pipelines.sources import Source, SourceDataset


class Mirror:
    """A folder of documents and files; datasets go by the names of the example's recipes."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder, cache

    def source(self, at: str | None = None, **options: str) -> Source:
        transfer = Transfer(cache=self.cache)
        return get_source("cellxgene")(transfer, at=at or str(self.folder), options=options)

    def datasets(self, **options: str) -> list[SourceDataset]:
        return list(self.source(**options).datasets(Wanted()))

    def dataset(self, name: str, **options: str) -> SourceDataset:
        return next(d for d in self.datasets(**options) if d.id == example_id(name))

    def record(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads((self.folder / "datasets.json").read_text())
        return next(record for record in found if record["dataset_id"] == example_id(name))

    def write(self, endpoint: str, document: Any) -> None:
        path = self.folder / f"{endpoint}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))

    def change_record(self, name: str, **changes: Any) -> None:
        found = json.loads((self.folder / "datasets.json").read_text())
        for record in found:
            if record["dataset_id"] == example_id(name):
                record |= changes
        self.write("datasets", found)

    def path(self, name: str) -> Path:
        return self.folder / "files" / f"{self.record(name)['dataset_version_id']}.h5ad"

    def change_file(self, name: str, change: Callable[[Any], Any]) -> None:
        """Let `change` alter the AnnData, or give another, and write it in place."""
        adata: Any = anndata.read_h5ad(self.path(name))
        changed = change(adata)
        (adata if changed is None else changed).write_h5ad(self.path(name))
        self.resize(name)

    def resize(self, name: str) -> None:
        """State the size that the file has now."""
        assets = self.record(name)["assets"]
        for asset in assets:
            if asset["filetype"] == "H5AD":
                asset["filesize"] = self.path(name).stat().st_size
        self.change_record(name, assets=assets)

    def curate(
        self, name: str, version: SourceDataset | None = None, **options: Any
    ) -> tuple[Any, Curated]:
        """List, fetch, open and curate one dataset."""
        dataset = version or self.dataset(name)
        assert not dataset.skip, dataset.skip
        source, out = self.source(), self.cache.parent / f"{dataset.version}.h5ad"
        with source.fetch(dataset) as fetched:
            curated = curate(
                source.open(dataset, [file.path for file in fetched]),
                out,
                dataset=dataset.key,
                source_hash="",
                options=CurationOptions(**options),
            )
        return anndata.read_h5ad(out), curated


def decision(curated: Curated, field: str, label: str) -> dict[str, Any]:
    """The decision about a label."""
    table = curated.decisions
    found = table[(table["field"] == field) & (table["subject_label"] == label)]
    assert len(found) == 1, table[table["field"] == field].to_string()
    return {str(name): value for name, value in found.iloc[0].items()}
