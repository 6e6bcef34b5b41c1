"""What a corpus is made of, as one YAML file."""

from __future__ import annotations

from ._load import load_recipe
from ._model import DaskEngine, LocalEngine, Recipe, Slurm, SourceEntry, SplitRule

__all__ = [
    "DaskEngine",
    "LocalEngine",
    "Recipe",
    "Slurm",
    "SourceEntry",
    "SplitRule",
    "load_recipe",
]
