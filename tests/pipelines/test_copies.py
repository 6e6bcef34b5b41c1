"""Cells found twice, against a dictionary of all cells."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.io import write_elem
from hypothesis import given, settings
from hypothesis import strategies as st

from corpuscle.errors import InputError, SchemaError
from corpuscle.pipelines import _copies
from corpuscle.pipelines._copy_links import Compared, keeping_order, targets_of
from corpuscle.pipelines._duplicates import POLICIES, Duplicates, Policy, find_duplicates
from corpuscle.pipelines._revisions import same_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell = tuple[int, bool | None]
"""Fingerprint, and what it says of being primary."""
FAR = 2**61
"""Makes small numbers fall into different partitions."""


def write_cells(path: Path, cells: Sequence[Cell], *, old: bool = False) -> Path:
    """Write what is read of a curated file."""
    obs = pd.DataFrame(index=[f"c{i}" for i in range(len(cells))])
    obs["is_primary_data"] = pd.array([primary for _, primary in cells], dtype="boolean")
    if not old:
        obs["fingerprint"] = np.array([f for f, _ in cells], dtype=np.uint64)
    with h5py.File(path, "w") as file:
        write_elem(file, "obs", obs)
    return path


def compared(path: Path, cells: Sequence[Cell], **declared: Any) -> Compared:
    write_cells(path, cells)
    return Compared(uid=path.stem, key=path.stem, path=path, n_cells=len(cells), **declared)


def find(
    datasets: Sequence[Compared], folder: Path, policy: Policy = "flag"
) -> tuple[Duplicates, pd.DataFrame]:
    out = folder / "out.parquet"
    found = find_duplicates(datasets, folder, policy=policy, out=out)
    return found, pd.read_parquet(out)


cells = st.tuples(st.integers(0, 7).map(lambda i: i * FAR), st.sampled_from([True, False, None]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(cells, min_size=1, max_size=9), min_size=1, max_size=5))
def test_pairs_shares_and_what_is_left_out_are_those_of_a_dictionary(
    given_: list[list[Cell]],
) -> None:
    names = [f"d{i}" for i in range(len(given_))]
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(_copies, "PARTITION", 4),
        patch.object(_copies, "CHUNK", 3),
    ):
        datasets = [
            compared(Path(folder) / f"{name}.h5ad", cells)
            for name, cells in zip(names, given_, strict=True)
        ]
        results: dict[Policy, tuple[Duplicates, pd.DataFrame]] = {
            policy: find(datasets, Path(folder), policy) for policy in POLICIES
        }
        for policy in POLICIES:
            found, table = results[policy]
            left_out = {(d, r) for d, r, kept in _columns(table, "kept") if not kept}
            assert left_out == _expected_left_out(names, given_, policy)
            assert [d.n_excluded for d in found.datasets] == [
                sum(d == name for d, _ in left_out) for name in names
            ]
    found, table = results["flag"]
    same = {(d, r): (e, s) for d, r, e, s in _columns(table, "same_as_dataset", "same_as_row")}
    assert same == _expected_first(names, given_)
    assert _symmetric(found) == _expected_pairs(names, given_)
    facts = [(d.n_shallow, d.n_non_primary, d.n_unmatched, d.n_repeated) for d in found.datasets]
    assert facts == _expected_facts(given_)


def _columns(table: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    text = {"dataset": str, "same_as_dataset": str}
    columns = [table[n].astype(text.get(n, int)).tolist() for n in ("dataset", "row", *names)]
    return list(zip(*columns, strict=True))


def _groups(names: list[str], given_: list[list[Cell]]) -> list[list[tuple[str, int, bool | None]]]:
    """Copies, the one to keep first."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for name, listed in zip(names, given_, strict=True):
        for row, (fingerprint, primary) in enumerate(listed):
            if fingerprint:
                by_word = [True, None, False].index(primary)
                groups[fingerprint].append(((by_word, -len(listed), name, row), primary))
    return [
        [(key[2], key[3], primary) for key, primary in sorted(group, key=lambda item: item[0])]
        for group in groups.values()
    ]


def _expected_left_out(
    names: list[str], given_: list[list[Cell]], policy: Policy
) -> set[tuple[str, int]]:
    again = [cell for group in _groups(names, given_) for cell in group[1:]]
    return {
        (name, row)
        for name, row, primary in again
        if policy == "drop" or (policy == "keep_primary" and primary is False)
    }


def _expected_first(names: list[str], given_: list[list[Cell]]) -> dict[Any, tuple[str, int]]:
    return {
        (name, row): group[0][:2] for group in _groups(names, given_) for name, row, _ in group[1:]
    }


def _symmetric(found: Duplicates) -> dict[tuple[str, str], tuple[int, float]]:
    assert {pair.how for pair in found.pairs} <= {"fingerprint"}
    there = {(pair.a, pair.b): (pair.n_a, pair.share_a) for pair in found.pairs}
    back = {(pair.b, pair.a): (pair.n_b, pair.share_b) for pair in found.pairs}
    assert not there.keys() & back.keys()
    return there | back


def _expected_pairs(
    names: list[str], given_: list[list[Cell]]
) -> dict[tuple[str, str], tuple[int, float]]:
    expected = {}
    for a, of_a in zip(names, given_, strict=True):
        told = [f for f, _ in of_a if f]
        for b, of_b in zip(names, given_, strict=True):
            n = sum(f in {g for g, _ in of_b} for f in told)
            if a != b and n:
                expected[a, b] = (n, n / len(told))
    return expected


def _expected_facts(given_: list[list[Cell]]) -> list[tuple[int, int, int, int]]:
    every = Counter(f for listed in given_ for f, _ in listed)
    return [
        (
            sum(not f for f, _ in listed),
            sum(primary is False for _, primary in listed),
            sum(primary is False and (not f or every[f] == 1) for f, primary in listed),
            sum(n - 1 for f, n in Counter(f for f, _ in listed).items() if f),
        )
        for listed in given_
    ]


ORIGINAL: list[Cell] = [(i, True) for i in range(1, 9)]


def test_a_declared_copy_of_other_counts_is_a_copy_as_a_whole(tmp_path: Path) -> None:
    original = compared(tmp_path / "original.h5ad", ORIGINAL, aliases=frozenset({"cxg:1"}))
    again = [(100, None), (0, None), (101, True), (102, False)]
    copy = compared(tmp_path / "copy.h5ad", again, links=frozenset({"cxg:1", "cxg:2"}))
    kept = {}
    for policy in POLICIES:
        found, table = find([copy, original], tmp_path, policy)
        kept[policy] = table.loc[table["kept"], "row"].tolist()
        assert set(table["same_as_dataset"]) == {"original"}
        assert table["same_as_row"].isna().all()
        assert found.datasets[0].n_excluded == 4 - len(kept[policy])
        (pair,) = found.pairs
        assert (pair.a, pair.b, pair.how, pair.n_a) == ("copy", "original", "declared", 0)
    assert kept == {"flag": [0, 1, 2, 3], "keep_primary": [2], "drop": []}


def test_a_declared_copy_of_the_same_counts_is_one_cell_by_cell(tmp_path: Path) -> None:
    original = compared(tmp_path / "original.h5ad", ORIGINAL[:2], aliases=frozenset({"cxg:1"}))
    links = frozenset({"cxg:1"})
    copy = compared(tmp_path / "copy.h5ad", [*ORIGINAL[:1], (99, None)] * 9, links=links)
    found, table = find([copy, original], tmp_path, "drop")
    (pair,) = found.pairs
    assert (pair.a, pair.how, pair.n_a, pair.n_b) == ("copy", "both", 9, 1)
    first = table[table["same_as_dataset"] == "original"]
    assert first["row"].tolist() == list(range(0, 18, 2))  # the larger one yields: it says so
    assert found.datasets[0].n_excluded == 9 + 8


def test_keep_primary_believes_a_link_where_cells_say_nothing(tmp_path: Path) -> None:
    silent = [(i, None) for i in range(1, 5)]
    a = compared(tmp_path / "a.h5ad", silent, aliases=frozenset({"x"}))
    b = compared(tmp_path / "b.h5ad", silent, links=frozenset({"x"}))
    c = compared(tmp_path / "c.h5ad", silent)
    found, _ = find([a, b, c], tmp_path, "keep_primary")
    assert [dataset.n_excluded for dataset in found.datasets] == [0, 4, 0]


@pytest.mark.parametrize(
    ("links", "order"),
    [
        ({}, "bca"),  # by size, then by name
        ({"b": "a"}, "abc"),
        ({"b": "c", "c": "a"}, "acb"),
        ({"b": "c", "c": "b"}, "bca"),  # they take each other back
        ({"b": "c", "c": "a", "a": "b"}, "acb"),
        ({"a": "a"}, "bca"),
    ],
)
def test_what_is_repeated_comes_before_what_repeats_it(
    tmp_path: Path, links: dict[str, str], order: str
) -> None:
    datasets = [
        Compared(
            uid=name,
            key=name,
            path=tmp_path,
            n_cells=n,
            aliases=frozenset({name}),
            links=frozenset(links.get(name, ())),
        )
        for name, n in (("a", 1), ("b", 2), ("c", 2))
    ]
    found = keeping_order(datasets, targets_of(datasets))
    assert "".join(datasets[i].key for i in found) == order


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    listed = [(i % 50 * FAR // 8 + 1, None) for i in range(200)]
    datasets = [compared(tmp_path / f"{name}.h5ad", listed) for name in "ab"]
    written = []
    for _ in range(2):
        find(datasets, tmp_path, "drop")
        written.append((tmp_path / "out.parquet").read_bytes())
    assert written[0] == written[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5ad", "b.h5ad", "out.parquet"]


def test_files_of_before_fingerprints_are_told_or_refused(tmp_path: Path) -> None:
    new = compared(tmp_path / "new.h5ad", ORIGINAL)
    old = compared(tmp_path / "old.h5ad", ORIGINAL)
    write_cells(old.path, ORIGINAL, old=True)
    found, _ = find([new, old], tmp_path)
    assert [dataset.compared for dataset in found.datasets] == [True, False]
    assert found.datasets[1].n_shallow == 0
    assert found.pairs == ()
    refusing: list[Policy] = ["drop", "keep_primary"]
    for policy in refusing:
        with pytest.raises(SchemaError, match=r"1 of 2 datasets .*'old'.* Ingest them again"):
            find([new, old], tmp_path, policy)


def test_an_unknown_policy_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'delete' is no policy.* flag, keep_primary, drop"):
        find_duplicates([], tmp_path, policy="delete")  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize(
    ("after", "shares"),
    [
        (ORIGINAL[::-1], (1.0, 1.0)),
        ([*ORIGINAL, (99, None)] * 2, (1.0, 8 / 9)),
        (ORIGINAL[:4], (0.5, 1.0)),
        ([(99, None)], (0.0, 0.0)),
    ],
)
def test_a_revision_of_words_only_has_all_cells_of_the_version_before(
    tmp_path: Path, after: list[Cell], shares: tuple[float, float]
) -> None:
    first = write_cells(tmp_path / "first.h5ad", ORIGINAL)
    pair = same_cells(first, write_cells(tmp_path / "second.h5ad", after), tmp_path)
    assert (pair.a, pair.b, pair.share_a, pair.share_b) == ("before", "after", *shares)
