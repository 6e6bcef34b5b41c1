from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from corpuscle.errors import InputError, IntegrityError, SchemaError
from corpuscle.loaders import Corpus, DuplicatesFile
from corpuscle.loaders.faces import read_splits
from corpuscle.loaders.packed import PackedCorpus
from corpuscle.loaders.packed._pack import pack_corpus

from ..conftest import PARTS, annotated, corpus_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DONORS: dict[str, list[str | None]] = {  # of 7, 5 and 4 cells
    "human-a": ["x", "x", "y", "y", "y", "x", "z"],
    "human-b": ["z", "z", "x", None, "x"],
    "mouse": ["m"] * 4,
}
SPLIT = {"x": "train", "y": "val", "z": "train", "m": "test", "": "val"}


@pytest.fixture(scope="module")
def donors(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("donors")
    for part in PARTS:
        data = annotated(part)
        data.obs["donor_id"] = pd.Categorical(DONORS[part.uid])
        data.write_h5ad(folder / f"{part.uid}.h5ad")
    return corpus_of(PARTS, [str(folder / f"{part.uid}.h5ad") for part in PARTS])


def table() -> pd.DataFrame:
    rows = [
        (uid, uid, value, SPLIT[value], n)
        for uid, donors in DONORS.items()
        for value, n in sorted(Counter(donor or "" for donor in donors).items())
    ]
    return pd.DataFrame(rows, columns=["dataset_uid", "dataset", "value", "split", "n_rows"])


@pytest.mark.parametrize("form", ["files", "packed"])
def test_every_cell_is_in_the_split_of_its_donor(donors: Corpus, tmp_path: Path, form: str) -> None:
    table().to_parquet(tmp_path / "splits.parquet")
    source: Corpus | PackedCorpus = donors
    if form == "packed":
        pack_corpus(donors, tmp_path / "packed")
        source = PackedCorpus.open(tmp_path / "packed")
    cells = read_splits(source, tmp_path / "splits.parquet", by="donor")
    assert {name: found.tolist() for name, found in cells.items()} == {
        "train": [0, 1, 5, 6, 7, 8, 9, 11],
        "val": [2, 3, 4, 10],
        "test": [12, 13, 14, 15],
    }


def test_a_split_by_dataset_reads_no_file(corpus: Corpus) -> None:
    refs = [dataclasses.replace(ref, path="nowhere") for ref in corpus.datasets]
    whole = pd.DataFrame(
        {
            "dataset_uid": [ref.uid for ref in refs],
            "dataset": "name",
            "value": "name",
            "split": ["train", "test", "train"],
            "n_rows": [ref.n_rows for ref in refs],
        }
    )
    cells = read_splits(dataclasses.replace(corpus, datasets=tuple(refs)), whole, by="dataset")
    assert cells["train"].tolist() == [*range(7), *range(12, 16)]
    assert cells["test"].tolist() == [*range(7, 12)]


def test_copies_that_are_left_out_have_no_number(donors: Corpus, tmp_path: Path) -> None:
    listed = tmp_path / "duplicates.parquet"
    pd.DataFrame(
        {
            "dataset": pd.Categorical(["human-a"] * 2),
            "row": np.array([1, 2], dtype=np.uint32),
            "kept": [False] * 2,
        }
    ).to_parquet(listed)
    from blake3 import blake3

    first, *others = donors.datasets
    fewer = dataclasses.replace(
        donors,
        datasets=(dataclasses.replace(first, n_cells=5, n_excluded=2), *others),
        duplicates=DuplicatesFile(
            policy="drop", key="d", hash=blake3(listed.read_bytes()).hexdigest(), path=str(listed)
        ),
    )
    cells = read_splits(fewer, table(), by="donor")
    assert cells["val"].tolist() == [1, 2, 8]
    assert sum(map(len, cells.values())) == fewer.n_cells


@pytest.mark.parametrize(
    ("change", "by", "error", "said"),
    [
        (lambda t: t, "cell", InputError, "by is 'cell'"),
        (lambda t: t.drop(columns="split"), "donor", SchemaError, "no column 'split'"),
        (lambda t: t[t["dataset_uid"] != "mouse"], "donor", IntegrityError, "no dataset mouse"),
        (lambda t: t.assign(n_rows=t["n_rows"] + 1), "donor", IntegrityError, "other cells"),
        (lambda t: t.assign(value="x"), "donor", IntegrityError, "other cells"),
        (lambda t: t, "tissue", SchemaError, "no column 'tissue_ontology_term_id'"),
    ],
    ids=["unit", "column", "dataset", "number", "value", "column of a file"],
)
def test_a_table_that_does_not_fit_the_corpus_is_refused(
    donors: Corpus,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    by: str,
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        read_splits(donors, change(table()), by=by)
