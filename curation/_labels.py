"""The nine label classes of a dataset: found in obs, mapped to terms, the author's words kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ontologies import FIELDS, map_labels
from ._categories import constant, text_categories
from ._columns import find_columns, suggest_columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from ..ontologies import Organism
    from ._options import CurationOptions

TISSUE_FIELDS = {
    "primary cell culture": "primary_cell_culture_tissue",
    "cell line": "cell_line_tissue",
}
"""Vocabulary of the tissue column for each tissue type that is not a tissue."""
UNKNOWN = "unknown"
NOT_APPLICABLE = "na"
"""Ethnicity of what is not human, by the schema of CELLxGENE."""


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
    import pandas as pd

    names = [name for name in FIELDS if name != "organism"]
    results: dict[str, FieldLabels] = {}
    kinds: pd.Categorical | None = None
    for name in sorted(names, key=lambda n: n != "tissue_type"):  # tissue depends on its type
        given = kinds if name == "tissue" else None
        results[name] = _curate_field(path, obs, name, given, organism, options, memory.get(name))
        if name == "tissue_type":
            kinds = pd.Categorical(results[name].obs[name])
    return [results[name] for name in names]


def _curate_field(
    path: Path,
    obs: pd.DataFrame,
    name: str,
    kinds: pd.Categorical | None,
    organism: Organism,
    options: CurationOptions,
    memory: Mapping[str, str] | None,
) -> FieldLabels:
    import pandas as pd

    fallback = UNKNOWN
    if name == "self_reported_ethnicity" and organism.common != "human":
        fallback = NOT_APPLICABLE
    columns = find_columns(path, obs, name, options)
    keys = _label_columns(obs, name, columns, options)
    if not keys:
        nothing = constant(fallback, len(obs))
        return FieldLabels(
            name=name,
            columns=(),
            decisions=map_labels([], field=name, organism=organism.taxon_id).assign(n_cells=0),
            obs=_curated_columns(name, nothing, nothing, []),
            suggestions=suggest_columns(obs, name),
        )
    codes, decisions = _map_field(keys, name, kinds, organism, memory)
    mapped = decisions["outcome"] == "mapped"
    terms, words = (
        pd.Categorical(decisions[column].where(mapped, fallback)).take(codes)
        for column in ("term_id", "term_label")
    )
    return FieldLabels(
        name=name,
        columns=columns,
        decisions=_per_label(decisions),
        obs=_curated_columns(name, terms, words, keys if columns else []),
    )


def _label_columns(
    obs: pd.DataFrame, name: str, columns: tuple[str, ...], options: CurationOptions
) -> list[pd.Categorical]:
    """Read the labels as categories of text, one column per source of them."""
    if name in options.constants:
        return [constant(options.constants[name], len(obs))]
    return [text_categories(obs[column]) for column in columns]


def _map_field(
    keys: list[pd.Categorical],
    name: str,
    kinds: pd.Categorical | None,
    organism: Organism,
    memory: Mapping[str, str] | None,
) -> tuple[npt.NDArray[np.intp], pd.DataFrame]:
    """Map each distinct combination of labels: by its id if that is valid, else by its words.

    Returns
    -------
    The combination of each cell, shape ``(n_cells,)``, and one decision per combination.
    """
    context = [*keys, kinds] if kinds is not None else keys
    codes, first = _combinations([column.codes for column in context])
    types = list(kinds[first]) if kinds is not None else [""] * len(first)
    fields = [TISSUE_FIELDS.get(kind, name) for kind in types]
    decisions = _lookup(list(keys[0][first]), fields, organism, memory)
    for key in keys[1:]:
        second = _lookup(list(key[first]), fields, organism, memory)
        decisions = decisions.where(_rank(decisions) >= _rank(second), second)
    decisions["n_cells"] = np.bincount(codes, minlength=len(first))
    return codes, decisions


def _combinations(
    columns: list[npt.NDArray[Any]],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Number the distinct rows of some columns of codes, in order of first appearance.

    Returns
    -------
    The number of each row, and the first row of each number.
    """
    joint = np.zeros(len(columns[0]), dtype=np.int64)
    for codes in columns:
        shifted = codes.astype(np.int64) + 1
        _, joint = np.unique(
            joint * (int(shifted.max(initial=0)) + 1) + shifted, return_inverse=True
        )
    _, first, found = np.unique(joint, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return place[found], first[order]


def _rank(decisions: pd.DataFrame) -> pd.Series[int]:
    """Order decisions by how much they say: mapped, ambiguous, unmapped, and nothing at all."""
    ranks = {"mapped": 3, "ambiguous": 2, "unmapped": 1}
    return decisions["outcome"].map(ranks).where(decisions["method"] != "missing", 0)


def _per_label(decisions: pd.DataFrame) -> pd.DataFrame:
    """Join the decisions of combinations that differ in what did not matter."""
    what = ["source_label", "term_id", "outcome", "method"]
    n_cells = decisions.groupby(what, dropna=False, sort=False)["n_cells"].transform("sum")
    return decisions.assign(n_cells=n_cells).drop_duplicates(what, ignore_index=True)


def _lookup(
    words: list[Any], fields: list[str], organism: Organism, memory: Mapping[str, str] | None
) -> pd.DataFrame:
    """Run `map_labels` in the vocabulary of each label; one row per entry of `words`."""
    import pandas as pd

    texts = [None if pd.isna(word) else str(word) for word in words]
    parts = []
    for name in dict.fromkeys(fields):
        places = [i for i, other in enumerate(fields) if other == name]
        asked = [texts[i] for i in places]
        table = map_labels(asked, field=name, organism=organism.taxon_id, memory=memory)
        row_of = {label: row for row, label in enumerate(table["source_label"])}
        parts.append(table.iloc[[row_of[text] for text in asked]].set_axis(places, axis=0))
    return pd.concat(parts).sort_index().assign(n_cells=0)


def _curated_columns(
    name: str, terms: pd.Categorical, words: pd.Categorical, author: list[pd.Categorical]
) -> pd.DataFrame:
    """Term, label and the author's words of each cell."""
    import pandas as pd

    columns = {} if name == "tissue_type" else {f"{name}_ontology_term_id": terms}
    columns[name] = words
    if author:
        columns[f"author_{name}"] = author[-1]
    if len(author) > 1:
        columns[f"author_{name}_ontology_term_id"] = author[0]
    return pd.DataFrame(columns)
