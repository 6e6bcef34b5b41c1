"""The training side: a corpus as files, batches of cells, and what was really served."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._batch import Batch
    from ._mapped import MappedCorpus
    from .corpus import Corpus, DatasetRef, obs_column
    from .ledger import ExposureLedger
    from .loader import CorpusLoader
    from .recording import Recording

__all__ = [
    "Batch",
    "Corpus",
    "CorpusLoader",
    "DatasetRef",
    "ExposureLedger",
    "MappedCorpus",
    "Recording",
    "obs_column",
]

_HOMES = {
    "Batch": "_batch",
    "Corpus": "corpus",
    "CorpusLoader": "loader",
    "DatasetRef": "corpus",
    "ExposureLedger": "ledger",
    "MappedCorpus": "_mapped",
    "Recording": "recording",
    "obs_column": "corpus",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: torch and lamindb take seconds."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
