"""The nine label classes of a dataset: found in obs, mapped to terms, the author's words kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ontologies import FIELDS, map_labels
from ._categories import constant, text_categories
from ._columns import find_columns, suggest_columns
from ._memory import memory_of_dataset

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from ..ontologies import Organism
    from ._facts import SourceFacts
    from ._memory import Memory
    from ._options import CurationOptions

TISSUE_FIELDS = {
    "primary cell culture": "primary_cell_culture_tissue",
    "cell line": "cell_line_tissue",
}
"""Vocabulary of the tissue column for each tissue type that is not a tissue."""
MAX_TISSUES = 5
"""Most tissues of a dataset that are context for its cell types."""
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
    overruled: pd.DataFrame | None = field(default=None, repr=False)
    """Rows likewise for labels that decided about no cell, since another column did."""
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
    memory: Memory,
    *,
    dataset: str = "",
    facts: SourceFacts | None = None,
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
        Decisions of curators, by field.
    dataset
        Name of the dataset: some decisions hold for one only.
    facts
        What the source says of the dataset; options and memory come before it.

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
    known = memory_of_dataset(memory, dataset=dataset, organism=organism.taxon_id)
    where: str | None = None
    first = ("tissue_type", "tissue")  # tissue depends on its type, and cell types on the tissue
    for name in (*first, *(name for name in names if name not in first)):
        given = kinds if name == "tissue" else None
        place = where if name == "cell_type" else None
        results[name] = _curate_field(
            path, obs, name, given, organism, options, known.get(name), place, facts
        )
        if name == "tissue_type":
            kinds = pd.Categorical(results[name].obs[name])
        if name == "tissue":
            terms = pd.Categorical(results[name].obs["tissue_ontology_term_id"])
            where = tissue_context(str(term) for term in terms.categories)
    return [results[name] for name in names]


def tissue_context(terms: Iterable[str]) -> str | None:
    """Say where the cells of a dataset are from, the way `map_labels` takes it.

    Parameters
    ----------
    terms
        Terms of their tissues; words such as ``unknown`` are passed over.

    Returns
    -------
    Terms of UBERON joined by ``|``; None if there is none, or more than `MAX_TISSUES`: cells from
    everywhere have no context.
    """
    places = sorted(term for term in terms if term.startswith("UBERON:"))
    return "|".join(places) if 0 < len(places) <= MAX_TISSUES else None


def _curate_field(
    path: Path,
    obs: pd.DataFrame,
    name: str,
    kinds: pd.Categorical | None,
    organism: Organism,
    options: CurationOptions,
    memory: pd.DataFrame | None,
    tissue: str | None,
    facts: SourceFacts | None,
) -> FieldLabels:
    import pandas as pd

    decided, remembered = options, memory
    if facts is not None:
        options, memory = facts.complete(options), facts.remember(name, memory)
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
            decisions=_lookup([None], [name], organism, None).iloc[:0],
            obs=_curated_columns(name, nothing, nothing, []),
            suggestions=suggest_columns(obs, name),
        )
    codes, decisions, overruled = _map_field(keys, name, kinds, organism, memory, tissue)
    if facts is not None:
        decisions, overruled = (
            facts.attribute(table, name, decided, remembered) for table in (decisions, overruled)
        )
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
        overruled=overruled,
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
    memory: pd.DataFrame | None,
    tissue: str | None,
) -> tuple[npt.NDArray[np.intp], pd.DataFrame, pd.DataFrame]:
    """Map each distinct combination of labels: by its id if that is valid, else by its words.

    Returns
    -------
    The combination of each cell, shape ``(n_cells,)``, one decision per combination, and what was
    found for labels that decided nothing.
    """
    import pandas as pd

    context = [*keys, kinds] if kinds is not None else keys
    codes, first = _combinations([column.codes for column in context])
    types = list(kinds[first]) if kinds is not None else [""] * len(first)
    fields = [TISSUE_FIELDS.get(kind, name) for kind in types]
    found = [_lookup(list(key[first]), fields, organism, memory, tissue) for key in keys]
    decisions = found[0]
    for second in found[1:]:
        decisions = decisions.where(_rank(decisions) >= _rank(second), second)
    decisions["n_cells"] = np.bincount(codes, minlength=len(first))
    every = pd.concat(found, ignore_index=True).dropna(subset="source_label")
    overruled = every[~every["source_label"].isin(set(decisions["source_label"]))]
    return codes, decisions, overruled.drop_duplicates("source_label", ignore_index=True)


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
    """Order decisions by how much they say.

    Mapped, decided to have no term, ambiguous, unmapped, and nothing at all.
    """
    ranks = {"mapped": 4, "ambiguous": 2, "unmapped": 1}
    rank = decisions["outcome"].map(ranks).where(decisions["method"] != "missing", 0)
    return rank.mask((decisions["method"] == "memory") & (rank < 3), 3)


def _per_label(decisions: pd.DataFrame) -> pd.DataFrame:
    """Join the decisions of combinations that differ in what did not matter."""
    what = ["source_label", "term_id", "outcome", "method"]
    n_cells = decisions.groupby(what, dropna=False, sort=False)["n_cells"].transform("sum")
    return decisions.assign(n_cells=n_cells).drop_duplicates(what, ignore_index=True)


def _lookup(
    words: list[Any],
    fields: list[str],
    organism: Organism,
    memory: pd.DataFrame | None,
    tissue: str | None = None,
) -> pd.DataFrame:
    """Run `map_labels` in the vocabulary of each label; one row per entry of `words`."""
    import pandas as pd

    texts = [None if pd.isna(word) else str(word) for word in words]
    parts = []
    for name in dict.fromkeys(fields):
        places = [i for i, other in enumerate(fields) if other == name]
        asked = [texts[i] for i in places]
        table = map_labels(
            asked, field=name, organism=organism.taxon_id, tissue=tissue, memory=memory
        )
        table = _decided_by(table, memory)
        row_of = {label: row for row, label in enumerate(table["source_label"])}
        parts.append(table.iloc[[row_of[text] for text in asked]].set_axis(places, axis=0))
    return pd.concat(parts).sort_index().assign(n_cells=0)


def _decided_by(mapped: pd.DataFrame, memory: pd.DataFrame | None) -> pd.DataFrame:
    """Say who made the decisions that were used, and in which version of the memory."""
    if memory is None:
        return mapped.assign(reviewer="", decided_in="")
    rows = memory[memory["scope"] == "global"].set_index("source_label")
    by_memory = mapped["source_label"].where(mapped["method"] == "memory")
    who, when = dict(rows["reviewer"]), dict(rows["version"])
    return mapped.assign(
        reviewer=[who.get(label, "") for label in by_memory],
        decided_in=[when.get(label, "") for label in by_memory],
    )


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
