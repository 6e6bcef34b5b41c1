"""The nine label classes of a dataset: found in obs, mapped to terms, the author's words kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import LabelMappingError
from ..ontologies import FIELDS, map_labels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from ..ontologies import Organism
    from ._options import CurationOptions

ALIASES = {"self_reported_ethnicity": ("ethnicity",), "cell_type": ("cell_ontology",)}
"""What older schemas and other sources call a field."""
HINTS = {"development_stage": ("stage", "age"), "sex": ("gender",), "disease": ("condition",)}
"""Words in the name of a column that may hold a field."""
TISSUE_FIELDS = {
    "primary cell culture": "primary_cell_culture_tissue",
    "cell line": "cell_line_tissue",
}
"""Vocabulary of the tissue column for each tissue type that is not a tissue."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLabels:
    """One field of a dataset, mapped."""

    name: str
    """The field."""
    columns: tuple[str, ...]
    """Columns of obs it was read from; empty where the file has none."""
    decisions: pd.DataFrame = field(repr=False)
    """Rows of `map_labels` with `n_cells`; one per distinct label."""
    obs: pd.DataFrame = field(repr=False)
    """Curated columns: the term, its label, the author's words."""
    suggestions: tuple[str, ...] = ()
    """Columns of obs that look like this field, when it has none."""

    def counts(self) -> dict[str, int]:
        """Distinct labels by outcome, and cells with a term; a missing label is no label."""
        rows = self.decisions[self.decisions["method"] != "missing"]
        mapped = rows["outcome"] == "mapped"
        return {
            "mapped": int(mapped.sum()),
            "ambiguous": int((rows["outcome"] == "ambiguous").sum()),
            "unmapped": int((rows["outcome"] == "unmapped").sum()),
            "cells_mapped": int(rows.loc[mapped, "n_cells"].sum()),
        }


def curate_labels(
    path: Path,
    obs: pd.DataFrame,
    organism: Organism,
    options: CurationOptions,
    memory: Mapping[str, Mapping[str, str]],
) -> list[FieldLabels]:
    """Map the label classes of every cell, except the organism, which is decided by itself.

    Parameters
    ----------
    path
        The file, for messages.
    obs
        Its cells.
    organism
        Whose cells they are.
    options
        Columns and constants that the curator named.
    memory
        Confirmed mappings by field: label to term id.

    Returns
    -------
    One `FieldLabels` per field, in the order of `FIELDS`.

    Raises
    ------
    LabelMappingError
        If a column that the curator named does not exist.
    """
    names = [name for name in FIELDS if name != "organism"]
    results: dict[str, FieldLabels] = {}
    for name in sorted(names, key=lambda n: n != "tissue_type"):  # tissue depends on its type
        columns = find_columns(path, obs, name, options)
        keys = _label_columns(obs, name, columns, options)
        kinds = results["tissue_type"].obs["tissue_type"] if name == "tissue" else None
        codes, decisions = _map_field(keys, name, kinds, organism, memory.get(name))
        fallback = UNKNOWN
        if name == "self_reported_ethnicity" and not columns and organism.common != "human":
            fallback = "na"  # CELLxGENE schema: does not apply to animals
        results[name] = FieldLabels(
            name=name,
            columns=columns,
            decisions=decisions,
            obs=_curated_columns(name, keys, codes, decisions, fallback),
            suggestions=() if len(keys.columns) else suggest_columns(obs, name),
        )
    return [results[name] for name in names]


def find_columns(
    path: Path, obs: pd.DataFrame, name: str, options: CurationOptions
) -> tuple[str, ...]:
    """Find the columns of obs that hold a field: the one of ids, then the one of words.

    Only the names of the CELLxGENE schema and its predecessors count, without regard to case and
    separators; anything else must be named by the curator.
    """
    if name in options.constants:
        return ()
    if name in options.columns:
        column = options.columns[name]
        if column not in obs:
            msg = (
                f"obs of {path} has no column {column!r} (--column {name}={column}). "
                f"It has {', '.join(map(str, obs.columns))}."
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


def _label_columns(
    obs: pd.DataFrame, name: str, columns: tuple[str, ...], options: CurationOptions
) -> pd.DataFrame:
    """Read the labels as categories of text, one column per source of them."""
    import pandas as pd

    if name in options.constants:
        constant = pd.Categorical.from_codes([0] * len(obs), categories=[options.constants[name]])
        return pd.DataFrame({"constant": constant})
    texts = {column: _text_category(obs[column]) for column in columns}
    return pd.DataFrame(texts, index=range(len(obs)))


def _text_category(values: pd.Series[Any]) -> pd.Categorical:
    """Turn a column of any type into categories of text; missing stays missing."""
    import numpy as np
    import pandas as pd

    codes, names = pd.factorize(values.astype(object), sort=False)
    place, texts = pd.factorize(np.asarray([str(name) for name in names], dtype=object))
    merged = np.append(place, -1)[codes]
    return pd.Categorical.from_codes(merged, categories=pd.Index(texts, dtype=object))


def _map_field(
    keys: pd.DataFrame,
    name: str,
    kinds: pd.Series[Any] | None,
    organism: Organism,
    memory: Mapping[str, str] | None,
) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    """Map each distinct combination of labels: by its id if that is valid, else by its words.

    Returns
    -------
    The combination of each cell, shape ``(n_cells,)``, and one decision per combination.
    """
    import numpy as np

    if not len(keys.columns):
        return np.zeros(len(keys), dtype=np.int64), _lookup([], [], organism, memory)
    context = keys.assign(kind="" if kinds is None else kinds.astype(object).to_numpy())
    groups = context.groupby(list(context.columns), dropna=False, sort=False, observed=True)
    codes = groups.ngroup().to_numpy(dtype=np.int64)
    first = np.unique(codes, return_index=True)[1]
    rows = context.iloc[first].astype(object)
    fields = [TISSUE_FIELDS.get(kind, name) for kind in rows["kind"]]
    decisions = _lookup(list(rows[keys.columns[0]]), fields, organism, memory)
    for column in keys.columns[1:]:
        second = _lookup(list(rows[column]), fields, organism, memory)
        better = (decisions["outcome"] != "mapped") & (second["outcome"] == "mapped")
        decisions = decisions.where(~better, second)
    decisions["n_cells"] = np.bincount(codes, minlength=len(rows))
    return codes, decisions


def _lookup(
    words: list[Any], fields: list[str], organism: Organism, memory: Mapping[str, str] | None
) -> pd.DataFrame:
    """Run `map_labels` in the vocabulary of each label; one row per entry of `words`."""
    import pandas as pd

    parts = []
    for name in dict.fromkeys(fields or ["cell_type"]):
        places = [i for i, other in enumerate(fields) if other == name]
        texts = [None if pd.isna(words[i]) else words[i] for i in places]
        table = map_labels(texts, field=name, organism=organism.taxon_id, memory=memory)
        row_of = {label: row for row, label in enumerate(table["source_label"])}
        parts.append(table.iloc[[row_of[text] for text in texts]].set_axis(places, axis=0))
    return pd.concat(parts).sort_index().assign(n_cells=0)


def _curated_columns(
    name: str,
    keys: pd.DataFrame,
    codes: npt.NDArray[np.int64],
    decisions: pd.DataFrame,
    fallback: str,
) -> pd.DataFrame:
    """Term, label and the author's words of each cell."""
    import pandas as pd

    mapped = decisions["outcome"] == "mapped"
    ids = decisions["term_id"].where(mapped, fallback).tolist() or [fallback]
    words = decisions["term_label"].where(mapped, fallback).tolist() or [fallback]
    columns: dict[str, Any] = {}
    if name != "tissue_type":
        columns[f"{name}_ontology_term_id"] = pd.Categorical(ids)[codes]
    columns[name] = pd.Categorical(words)[codes]
    if len(keys.columns):
        columns[f"author_{name}"] = keys.iloc[:, -1].array
    if len(keys.columns) > 1:
        columns[f"author_{name}_ontology_term_id"] = keys.iloc[:, 0].array
    return pd.DataFrame(columns)
