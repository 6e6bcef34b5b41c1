"""The loader as others want it: Lightning, Hugging Face, scvi-tools, AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from ._huggingface import CellDataset, cell_stream
    from ._lightning import CorpusDataModule
    from ._part import PartLoader
    from ._progress import progress
    from ._scvi import ScviDataModule
    from ._splits import read_splits

__all__ = [
    "CellDataset",
    "CorpusDataModule",
    "PartLoader",
    "ScviDataModule",
    "cell_stream",
    "progress",
    "read_splits",
]

_HOMES = {
    "CellDataset": "_huggingface",
    "CorpusDataModule": "_lightning",
    "PartLoader": "_part",
    "ScviDataModule": "_scvi",
    "cell_stream": "_huggingface",
    "progress": "_progress",
    "read_splits": "_splits",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
