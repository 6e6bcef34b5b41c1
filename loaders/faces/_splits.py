"""Which cells of a corpus are for training, and which are kept from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, IntegrityError, SchemaError
from .._handles import open_local
from .._kept import excluded_rows
from ..corpus import obs_column

if TYPE_CHECKING:
    import os

    import numpy.typing as npt
    import pandas as pd

    from ..corpus import Corpus

__all__ = ["read_splits"]

NEEDED = {"dataset_uid", "value", "split", "n_rows"}
WHOLE = ("dataset", "organism")
"""Splits that take datasets as wholes."""


def read_splits(
    corpus: Corpus, table: str | os.PathLike[str] | pd.DataFrame, *, by: str
) -> dict[str, npt.NDArray[np.int64]]:
    """Number the cells of each split of a corpus.

    Parameters
    ----------
    corpus
        A version of a collection that a recipe with splits made.
    table
        Its table of splits, ``splits/NAME.parquet`` in the registry.
    by
        What the recipe divided by: ``dataset``, ``organism``, ``donor`` or ``tissue``.

    Returns
    -------
    Numbers of cells as in ``batch["row"]``, ascending, by name of the split. Each of shape ``(n,)``.

    Raises
    ------
    InputError
        If `by` is something else.
    SchemaError
        If the table or a file lacks a column.
    IntegrityError
        If the table is not of this version of the corpus.
    """
    import pandas as pd

    if by not in (*WHOLE, "donor", "tissue"):
        msg = f"by is {by!r}. Choose what the recipe divided by: dataset, organism, donor or tissue."
        raise InputError(msg, {"by": by})
    frame = table if isinstance(table, pd.DataFrame) else pd.read_parquet(table)
    if missing := sorted(NEEDED - set(frame.columns)):
        msg = f"The table of splits has no column {missing[0]!r}. Pass splits/{corpus.name}.parquet."
        raise SchemaError(msg, {"columns": missing})
    own = dict(iter(frame.groupby("dataset_uid", observed=True)))
    excluded = excluded_rows(corpus)
    parts: dict[str, list[npt.NDArray[np.int64]]] = {
        str(name): [] for name in sorted(frame["split"].unique())
    }
    for i, (ref, first) in enumerate(zip(corpus.datasets, corpus.offsets, strict=True)):
        if (part := own.get(ref.uid)) is None:
            _refuse(corpus, f"has no dataset {ref.uid} ({ref.key})", ref.uid)
        values = [str(value) for value in part["value"]]
        if by in WHOLE:
            codes = np.zeros(ref.n_rows, dtype=np.int64)
        else:
            codes = _codes(ref.path, "donor_id" if by == "donor" else obs_column(by), values)
        if np.bincount(codes + 1, minlength=len(part) + 1).tolist() != [0, *part["n_rows"]]:
            _refuse(corpus, f"has other cells of dataset {ref.uid} ({ref.path}) by {by}", ref.uid)
        codes = np.delete(codes, excluded.get(i, []))
        names = part["split"].to_numpy()[codes]
        for name in set(names.tolist()):
            parts[name].append(np.flatnonzero(names == name) + first)
    return {
        name: np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
        for name, pieces in parts.items()
    }


def _codes(path: str, column: str, values: list[str]) -> npt.NDArray[np.int64]:
    """Find each row's value of a column among `values`: -1 for others. Shape ``(n_rows,)``."""
    import pandas as pd
    from anndata.io import read_elem

    _, store = open_local(path)
    try:
        if column not in store["obs"]:
            msg = f"{path} has no column {column!r} in obs, which the splits look at. Fetch it again."
            raise SchemaError(msg, {"path": path, "column": column})
        stored: Any = pd.Series(read_elem(store["obs"][column]))
    finally:
        if hasattr(store, "close"):
            store.close()
    codes, found = pd.factorize(stored.astype("object").fillna(""))
    place = {value: i for i, value in enumerate(values)}
    return np.array([place.get(str(value), -1) for value in found], dtype=np.int64)[codes]


def _refuse(corpus: Corpus, problem: str, uid: str) -> None:
    msg = (
        f"The table of splits {problem}, so it is not that of version {corpus.version} of "
        f"{corpus.name}. Pass the table that was made with this version."
    )
    raise IntegrityError(msg, {"dataset": uid, "corpus": corpus.uid})
