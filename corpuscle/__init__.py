"""Curated corpora for single-cell foundation models, with their lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import lazy_names

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

_HOMES = {
    "Corpus": "loaders",
    "CorpusLoader": "loaders",
    **dict.fromkeys(("TrainingRun", "connect", "init", "open_corpus", "training_run"), "pipelines"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
