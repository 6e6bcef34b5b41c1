"""Publishers of datasets: what they offer, how their files are read, what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from ._interface import Source, SourceDataset
    from ._registry import SOURCES, get_source
    from ._wanted import Wanted

_HOMES = {
    "SOURCES": "_registry",
    "Source": "_interface",
    "SourceDataset": "_interface",
    "Wanted": "_wanted",
    "get_source": "_registry",
}

__all__ = ["SOURCES", "Source", "SourceDataset", "Wanted", "get_source"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
