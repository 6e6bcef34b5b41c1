"""Curated corpora for single-cell foundation models, with their lineage."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .loaders import Corpus, CorpusLoader
    from .pipelines import TrainingRun, connect, init, open_corpus, training_run

__all__ = [
    "Corpus",
    "CorpusLoader",
    "TrainingRun",
    "connect",
    "init",
    "open_corpus",
    "training_run",
]

_FOLDERS = {"Corpus": "loaders", "CorpusLoader": "loaders"}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `import corpuscle` costs nothing."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    folder = importlib.import_module(f".{_FOLDERS.get(name, 'pipelines')}", __name__)
    return getattr(folder, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
