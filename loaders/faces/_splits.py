"""Which cells of a corpus are for training, and which are kept from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, IntegrityError, SchemaError
from .._handles import open_local
from .._kept import excluded_rows
from ..corpus import Corpus, obs_column

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import numpy.typing as npt
    import pandas as pd

    from ..packed import PackedCorpus

    Column = tuple[npt.NDArray[np.int64], list[str]]

__all__ = ["read_splits"]

NEEDED = {"dataset_uid", "value", "split", "n_rows"}
WHOLE = ("dataset", "organism")
"""Splits that take datasets as wholes."""


def read_splits(
    corpus: Corpus | PackedCorpus, table: str | os.PathLike[str] | pd.DataFrame, *, by: str
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
        msg = (
            f"by is {by!r}. Choose what the recipe divided by: dataset, organism, donor or tissue."
        )
        raise InputError(msg, {"by": by})
    frame = table if isinstance(table, pd.DataFrame) else pd.read_parquet(table)
    if missing := sorted(NEEDED - set(frame.columns)):
        msg = f"The table of splits has no column {missing[0]!r}. Pass splits/NAME.parquet."
        raise SchemaError(msg, {"columns": missing})
    of_dataset = dict(iter(frame.groupby("dataset_uid", observed=True)))
    parts: dict[str, list[npt.NDArray[np.int64]]] = {
        str(name): [] for name in sorted(frame["split"].unique())
    }
    refs = corpus if isinstance(corpus, Corpus) else corpus.corpus
    read = None
    if by not in WHOLE:
        read = _columns(corpus, "donor_id" if by == "donor" else obs_column(by))
    for i, (ref, first) in enumerate(zip(refs.datasets, refs.offsets, strict=True)):
        own = of_dataset.get(ref.uid)
        if own is None:
            raise _other(refs, f"has no dataset {ref.uid} ({ref.key})", ref.uid)
        codes = np.zeros(ref.n_cells, dtype=np.int64)
        if read is not None:
            place = {str(value): code for code, value in enumerate(own["value"])}
            stored, values = read(i)
            codes = np.array([place.get(value, -1) for value in values], dtype=np.int64)[stored]
        n = np.bincount(codes + 1, minlength=len(own) + 1)
        if n[0] or (n[1:] > own["n_rows"]).any() or own["n_rows"].sum() != ref.n_rows:
            raise _other(refs, f"tells of other cells of dataset {ref.uid} ({ref.key})", ref.uid)
        names = own["split"].to_numpy()[codes]
        for name in set(names.tolist()):
            parts[name].append(np.flatnonzero(names == name) + first)
    return {
        name: np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
        for name, pieces in parts.items()
    }


def _columns(corpus: Corpus | PackedCorpus, name: str) -> Callable[[int], Column]:
    """Give a function that reads a column of a dataset's cells."""
    if isinstance(corpus, Corpus):
        excluded = excluded_rows(corpus)

        def of_file(i: int) -> Column:
            codes, values = _column_of_file(corpus.datasets[i].path, name)
            return np.delete(codes, excluded.get(i, [])), values

        return of_file
    from ..packed._columns import Codes, read_column

    shards = corpus.open_shards([f"obs/{name}"])

    def of_shards(i: int) -> Column:
        own = [s for s in shards if s.entry.dataset == corpus.corpus.datasets[i].uid]
        n = [shard.footer.n_cells for shard in own]
        places = np.concatenate([np.arange(size) for size in n])
        column = read_column(own, name)
        values = column.read(np.repeat(np.arange(len(own)), n), places)
        if isinstance(column, Codes):
            return values + 1, ["", *column.terms]
        return _factorize(values)

    return of_shards


def _column_of_file(path: str, name: str) -> Column:
    from anndata.io import read_elem

    _, store = open_local(path)
    try:
        if name not in store["obs"]:
            msg = f"{path} has no column {name!r} of obs, which the splits look at. Fetch it again."
            raise SchemaError(msg, {"path": path, "column": name})
        return _factorize(read_elem(store["obs"][name]))
    finally:
        if hasattr(store, "close"):
            store.close()


def _factorize(stored: Any) -> Column:
    """Number the values of a column as text, empty where there is none."""
    import pandas as pd

    codes, values = pd.factorize(pd.Series(stored).astype("object").fillna(""))
    return codes.astype(np.int64), [str(value) for value in values]


def _other(corpus: Corpus, problem: str, uid: str) -> IntegrityError:
    msg = (
        f"The table of splits {problem}, so it is not that of version {corpus.version} of "
        f"{corpus.name}. Pass the table that was made with this version."
    )
    return IntegrityError(msg, {"dataset": uid, "corpus": corpus.uid})
