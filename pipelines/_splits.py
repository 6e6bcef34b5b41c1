"""Which cells of a collection are for training, and which are kept from it."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from blake3 import blake3

from ..curation import atomic_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

SPLITS = "splits/"
"""Prefix of the keys of the tables."""
COLUMNS = {"donor": "donor_id", "tissue": "tissue_ontology_term_id"}
"""Column of obs that a split looks at; the others hold for whole datasets."""
NOBODY = frozenset({"", "na", "nan", "unknown", "pooled"})
"""Donors that are no single donor: all of a dataset's stay together."""


def splits_key(name: str) -> str:
    """Name of a collection's splits in the registry."""
    return f"{SPLITS}{name}.parquet"


def split_of(unit: str, fractions: Mapping[str, float], seed: int) -> str:
    """Tell the split of a unit. It depends on nothing else: a larger corpus changes nothing.

    Examples
    --------
    >>> split_of("donor:B", {"train": 0.8, "test": 0.2}, 0)
    'train'
    """
    digest = blake3(f"{seed}\0{unit}".encode()).digest(length=8)
    share = int.from_bytes(digest) / 2**64
    names = sorted(fractions)
    ends = list(accumulate(fractions[name] for name in names))
    return names[min(bisect_right(ends, share), len(names) - 1)]


def split_table(artifacts: Sequence[Any], rule: Mapping[str, Any]) -> pd.DataFrame:
    """Divide the cells of curated datasets.

    Donors of the same name are in the same split, whatever their datasets. Cells whose donor is
    not told are divided as one by dataset.

    Parameters
    ----------
    artifacts
        Curated datasets.
    rule
        ``by``, ``fractions`` by name of the split, ``seed``.

    Returns
    -------
    ``dataset_uid``, ``dataset``, ``value`` (of the column in `COLUMNS`, else what divides),
    ``split`` and ``n_rows`` (of the file, copies that
    are left out among them); sorted by the first three.
    """
    import pandas as pd

    rows = [
        (artifact.uid, name, value, split_of(unit, rule["fractions"], rule["seed"]), n)
        for artifact in artifacts
        for name in [str(artifact.key).removeprefix("datasets/").removesuffix(".h5ad")]
        for value, unit, n in _units(artifact, name, rule["by"])
    ]
    table = pd.DataFrame(rows, columns=["dataset_uid", "dataset", "value", "split", "n_rows"])
    return table.sort_values(["dataset_uid", "value"], ignore_index=True)


def _units(artifact: Any, name: str, by: str) -> Iterator[tuple[str, str, int]]:
    """Give the values of a dataset, what each belongs to, and its cells."""
    if by == "dataset":
        yield name, f"dataset:{name}", artifact.n_observations
    elif by == "organism":
        (taxon,) = artifact.run.params["classes"]["organism"]
        yield taxon, f"organism:{taxon}", artifact.n_observations
    else:
        values, codes = _column(artifact.path, by)
        for value, n in zip(values, np.bincount(codes, minlength=len(values)), strict=True):
            is_nobody = by == "donor" and value.strip().lower() in NOBODY
            if n:
                yield value, f"dataset:{name}" if is_nobody else f"{by}:{value}", int(n)


def _column(path: Path, by: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Read a column of obs: its values, empty where there is none, and the value of each cell."""
    import h5py
    import pandas as pd
    from anndata.io import read_elem

    with h5py.File(path) as file:
        column = pd.Series(read_elem(file["obs"][COLUMNS[by]]))
    codes, values = pd.factorize(column.astype("object").fillna(""), sort=True)
    return [str(value) for value in values], codes


def write_splits(table: pd.DataFrame, path: Path) -> None:
    """Write a table of splits as Parquet."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def n_overlapping(
    artifacts: Sequence[Any], table: pd.DataFrame, rule: Mapping[str, Any], copies: Path
) -> int:
    """Count the cells of a collection that repeat a cell of another split.

    Parameters
    ----------
    artifacts
        Its datasets.
    table
        Their splits, see `split_table`.
    rule
        What they were made by.
    copies
        The collection's list of cells that are there twice, see `find_duplicates`.
    """
    import pyarrow.parquet as pq

    splits = {artifact.uid: _splits_of_cells(artifact, table, rule) for artifact in artifacts}
    n = 0
    for batch in pq.ParquetFile(copies).iter_batches():
        found = batch.to_pandas()
        found = found[found["kept"]]
        for (a, b), rows in found.groupby(["dataset", "same_as_dataset"], observed=True):
            here = splits[a](rows["row"].to_numpy())
            n += int((here != splits[b](rows["same_as_row"].to_numpy())).sum())
    return n


def _splits_of_cells(
    artifact: Any, table: pd.DataFrame, rule: Mapping[str, Any]
) -> Callable[[npt.NDArray[np.uint32]], npt.NDArray[np.int64]]:
    """Give a function from rows of a dataset to the numbers of their splits."""
    own = table[table["dataset_uid"] == artifact.uid]
    number = {name: place for place, name in enumerate(rule["fractions"])}
    by_value = {
        value: number[split] for value, split in zip(own["value"], own["split"], strict=True)
    }

    def look(rows: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        if rule["by"] not in COLUMNS:
            return np.full(len(rows), next(iter(by_value.values())), dtype=np.int64)
        values, codes = column()
        return np.array([by_value[value] for value in values], dtype=np.int64)[codes[rows]]

    @cache
    def column() -> tuple[list[str], npt.NDArray[np.int64]]:
        return _column(artifact.path, rule["by"])

    return look


def counts(table: pd.DataFrame, rule: Mapping[str, Any]) -> dict[str, int]:
    """Count the rows of each split: 0 where nothing fell."""
    found = {str(name): int(n) for name, n in table.groupby("split")["n_rows"].sum().items()}
    return {name: found.get(name, 0) for name in rule["fractions"]}
