"""Splits of a collection as numbers of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import NotFoundError
from ..loaders.faces import read_splits
from ._answers import made_by
from ._collect import find_collection, open_corpus
from ._splits import splits_key

if TYPE_CHECKING:
    import os

    import numpy.typing as npt


def open_splits(
    name: str, version: str | int | None = None, *, folder: str | os.PathLike[str] | None = None
) -> dict[str, npt.NDArray[np.int64]]:
    """Number the cells of each split that the recipe of a collection asked for.

    Parameters
    ----------
    name, version, folder
        See `open_corpus`.

    Returns
    -------
    See `read_splits`; empty where nothing fell.

    Raises
    ------
    NotFoundError
        If there is no such workspace, collection or version, or it has no splits.
    """
    corpus = open_corpus(name, version, folder=folder)
    run = find_collection(name, corpus.version).run
    if (splits := run.params.get("splits")) is None:
        msg = (
            f"Version {corpus.version} of {name!r} has no splits. Build it from a recipe with "
            "`splits`: `corpuscle build`."
        )
        raise NotFoundError(msg, {"collection": name, "version": corpus.version})
    rule, table = splits["rule"], made_by(run.id, splits_key(name)).path
    found = read_splits(corpus, table, by=rule["by"])
    return {split: found.get(split, np.empty(0, np.int64)) for split in rule["fractions"]}
