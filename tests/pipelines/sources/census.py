"""The example Census, read by the package of its publisher."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from corpuscle.pipelines.examples._census import BUILD
from corpuscle.pipelines.sources import get_source
from corpuscle.pipelines.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpuscle.pipelines.sources import Source


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
