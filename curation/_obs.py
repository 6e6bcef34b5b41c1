"""The cells of a curated dataset: columns of the contract, then the author's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._categories import constant, text_categories

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from ..ontologies import Organism
    from ._labels import FieldLabels

PASSED_THROUGH = ("donor_id", "suspension_type", "is_primary_data")
"""Columns of the contract that are taken as the author gives them."""
TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
"""How `is_primary_data` is written."""


def curated_obs(
    given: pd.DataFrame,
    source_rows: npt.NDArray[np.int64],
    organism: Organism,
    labels: list[FieldLabels],
    dataset: str,
    *,
    derived: frozenset[str] = frozenset(),
) -> tuple[pd.DataFrame, int]:
    """Describe the cells.

    Parameters
    ----------
    given
        obs of the file, rows that are kept.
    source_rows
        Where they are in the file. Shape ``(n_cells,)``.
    organism
        Whose cells they are.
    labels
        The other fields.
    dataset
        Key of the dataset.
    derived
        Columns that are not the author's words and keep their names.

    Returns
    -------
    Columns of the contract, then the author's other columns as ``author_NAME``; and how many
    cells were renamed.
    """
    import pandas as pd

    n = len(given)
    columns: dict[str, Any] = {}
    for result in labels:
        columns.update({str(name): result.obs[name].array for name in result.obs})
    columns["organism_ontology_term_id"] = constant(organism.taxon_id, n)
    columns["organism"] = constant(organism.name, n)
    columns["donor_id"] = _stated(given, "donor_id")
    columns["suspension_type"] = _stated(given, "suspension_type")
    columns["is_primary_data"], is_read = _truth(given, "is_primary_data")
    columns["dataset_id"] = constant(dataset, n)
    columns["source_row"] = source_rows
    used = {*PASSED_THROUGH, *(column for result in labels for column in result.columns)}
    used -= set() if is_read else {"is_primary_data"}
    for name in given.columns:
        if name not in used:
            kept = str(name) if name in derived else _author_name(str(name), columns)
            columns[kept] = storable(given[name])
    names, n_renamed = _unique_names(given.index, source_rows)
    obs = pd.DataFrame(columns, index=pd.Index(names, dtype=object, name=None))
    for column in obs.select_dtypes("category").columns:
        obs[column] = obs[column].cat.remove_unused_categories()
    return obs, n_renamed


def with_quality(obs: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Put the measures of cells before the author's columns."""
    import pandas as pd

    front = pd.concat([obs, quality.set_axis(obs.index, axis=0)], axis=1)
    author = [name for name in front if str(name).startswith("author_")]
    return front[[name for name in front if name not in author] + author]


def not_primary(obs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which cells say that they are not primary data. Shape ``(n_cells,)``."""
    import pandas as pd

    stated, _ = _truth(obs, "is_primary_data")
    return np.asarray(~pd.array(stated, dtype="boolean").fillna(value=True), dtype=np.bool_)


def storable(values: pd.Series[Any]) -> Any:
    """Make a column of any kind one that AnnData can write: objects become text categories."""
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        names = [str(name) for name in values.cat.categories]
        if len(set(names)) == len(names) and "\0" not in "".join(names):
            categories = pd.Index(names, dtype=object)
            return pd.Categorical.from_codes(
                values.cat.codes.tolist(), categories=categories, ordered=values.cat.ordered
            )
    elif values.dtype.kind in "biu" and values.isna().any():
        return values.array  # nullable
    elif values.dtype.kind in "biuf":
        kinds = {"b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64}
        own = values.dtype if isinstance(values.dtype, np.dtype) else kinds[values.dtype.kind]
        return values.to_numpy(dtype=own)
    return text_categories(values)


def _stated(obs: pd.DataFrame, name: str) -> pd.Categorical:
    """Take texts as given; what is not given is unknown."""
    import pandas as pd

    if name not in obs:
        return constant("unknown", len(obs))
    labels = text_categories(obs[name])
    texts = [str(text) if str(text).strip() else "unknown" for text in labels.categories]
    return pd.Categorical(np.asarray([*texts, "unknown"], dtype=object)[labels.codes])


def _truth(obs: pd.DataFrame, name: str) -> tuple[Any, bool]:
    """Read a column of truth values, and tell whether every text in it was one.

    What is not given is missing, not assumed: then the column is nullable.
    """
    import pandas as pd

    if name not in obs:
        return pd.array([pd.NA] * len(obs), dtype="boolean"), True
    labels = text_categories(obs[name])
    values = [TRUTH.get(str(text).strip().lower()) for text in labels.categories]
    every = pd.array(np.asarray([*values, None], dtype=object)[labels.codes], dtype="boolean")
    return every if every.isna().any() else every.to_numpy(np.bool_), None not in values


def _author_name(name: str, taken: dict[str, Any]) -> str:
    """Name an author's column: a slash would be a folder in HDF5, and no name may be lost."""
    base = f"author_{name}".replace("/", "_")
    number, unique = 1, base
    while unique in taken:
        number += 1
        unique = f"{base}_{number}"
    return unique


def _unique_names(
    index: pd.Index[Any], source_rows: npt.NDArray[np.int64]
) -> tuple[list[str], int]:
    """Append the row number to names that repeat, until none does."""
    import pandas as pd

    names = np.asarray([str(name) for name in index], dtype=object)
    renamed = np.zeros(len(names), dtype=np.bool_)
    while (repeated := pd.Index(names).duplicated(keep=False)).any():
        renamed |= repeated
        names[repeated] = [
            f"{name}-row{row}"
            for name, row in zip(names[repeated], source_rows[repeated], strict=True)
        ]
    return names.tolist(), int(renamed.sum())
