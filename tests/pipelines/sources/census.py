"""The example Census, read by the package of its publisher."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np

from corpuscle.pipelines.examples._census_recipes import BUILD
from corpuscle.pipelines.sources import Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpuscle.pipelines.sources import Source, SourceDataset


def store(folder: Path) -> Path:
    """Where the SOMA store of the example is."""
    return folder / "cell-census" / BUILD / "soma"


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Any]:
    """Open the store."""
    import cellxgene_census

    with cellxgene_census.open_soma(uri=str(store(folder))) as census:
        yield census


def read(folder: Path, organism: str, value_filter: str | None) -> Any:
    """Let the package read cells."""
    import cellxgene_census

    with opened(folder) as census, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Transforming to str index")  # the package's names
        return cellxgene_census.get_anndata(census, organism, obs_value_filter=value_filter)


def source(
    folder: Path | str, cache: Path, *, release: str | None = None, **options: str
) -> Source:
    """Make the source."""
    found = get_source("cellxgene-census")
    return found(Transfer(cache=cache), at=str(folder), release=release, options=options)


def slices(folder: Path, cache: Path, wanted: Wanted | None = None, **options: str) -> Any:
    made = source(folder, cache, form="slice", **options)
    return made, list(made.datasets(wanted or Wanted()))


def sliced(folder: Path, cache: Path, wanted: Wanted | None = None, **options: str) -> Any:
    """Fetch the one slice that fits, and read its file."""
    made, (dataset,) = slices(folder, cache, wanted, **options)
    return fetched(made, dataset)


def fetched(made: Source, dataset: SourceDataset) -> Any:
    with made.fetch(dataset) as (file,):
        return anndata.read_h5ad(file.path)


def same_counts(found: Any, expected: Any) -> bool:
    """Compare with what the package reads: genes that our slice leaves out have no count."""
    places = found.var["soma_joinid"].to_numpy()
    left_out = np.setdiff1d(np.arange(expected.n_vars), places)
    return (
        list(found.obs["soma_joinid"]) == list(expected.obs["soma_joinid"])
        and (expected.X[:, places] != found.X).nnz == 0
        and expected.X[:, left_out].nnz == 0
    )
