"""Which columns of obs hold a field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import LabelMappingError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ._options import CurationOptions

ALIASES = {"self_reported_ethnicity": ("ethnicity",), "cell_type": ("cell_ontology",)}
"""What older schemas and other sources call a field."""
HINTS = {"development_stage": ("stage", "age"), "sex": ("gender",), "disease": ("condition",)}
"""Words in the name of a column that may hold a field."""


def find_columns(
    path: Path, obs: pd.DataFrame, name: str, options: CurationOptions
) -> tuple[str, ...]:
    """Find the columns of obs that hold a field: the one of ids, then the one of words.

    Only the names of the CELLxGENE schema and its predecessors count, without regard to case and
    separators; anything else must be named by the curator.

    Raises
    ------
    LabelMappingError
        If a column that the curator named does not exist.
    """
    if name in options.constants:
        return ()
    if name in options.columns:
        column = options.columns[name]
        if column not in obs:
            msg = (
                f"obs of {path} has no column {column!r} (--column {name}={column}). "
                f"It has {', '.join(map(str, obs.columns))}: name one of them."
            )
            raise LabelMappingError(msg, {"file": str(path), "column": column})
        return (column,)
    by_folded = {_fold(str(column)): str(column) for column in reversed(obs.columns)}
    stems = (name, *ALIASES.get(name, ()))
    ids = [_fold(f"{stem}_ontology_term_id") for stem in stems]
    words = [_fold(stem) for stem in stems]
    found = [[by_folded[key] for key in keys if key in by_folded][:1] for keys in (ids, words)]
    return (*found[0], *found[1])


def suggest_columns(obs: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Columns whose name contains the field's words, for the curator to confirm."""
    words = (name, *ALIASES.get(name, ()), *HINTS.get(name, ()))
    shapes = {f"_{word}_" for word in words} | {f"_{word.replace('_', '')}_" for word in words}
    return tuple(
        str(column)
        for column in obs.columns
        if any(shape in f"_{_words(str(column))}_" for shape in shapes)
    )


def _words(text: str) -> str:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower())


def _fold(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
