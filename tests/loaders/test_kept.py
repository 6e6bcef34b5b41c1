"""Corpora that leave rows of their files out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpuscle.errors import ConflictError, InputError, IntegrityError, NotFoundError
from corpuscle.loaders import Corpus, DuplicatesFile, ExposureLedger
from corpuscle.loaders._kept import KeptRows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

OUT = {"human-a": [0, 1, 6], "human-b": [0, 1, 2, 3, 4], "mouse": [2]}
"""Rows to leave out; of human-b nothing stays."""
KEPT = [2, 3, 4, 5, 12, 13, 15]
"""Numbers that the cells that stay would have if nothing was left out."""


def leave_out(corpus: Corpus, path: Path, out: Mapping[str, Sequence[int]]) -> Corpus:
    """Make the corpus without some rows, and the file that lists them."""
    listed = [(uid, row) for uid, rows in out.items() for row in rows][::-1]
    others = [(ref.uid, row) for ref in corpus.datasets for row in range(ref.n_cells)]
    rows = [(*cell, False) for cell in listed]
    rows += [(*cell, True) for cell in others if cell not in listed][:3]  # flagged copies
    table = pa.table(
        {
            "dataset": pa.array([uid for uid, _, _ in rows], pa.string()).dictionary_encode(),
            "row": pa.array([row for _, row, _ in rows], pa.uint32()),
            "kept": pa.array([kept for _, _, kept in rows], pa.bool_()),
        }
    )
    pq.write_table(table, path, row_group_size=4)
    return replace(
        corpus,
        datasets=tuple(
            replace(ref, n_cells=ref.n_cells - n, n_excluded=n)
            for ref in corpus.datasets
            for n in [len(out.get(ref.uid, ()))]
        ),
        duplicates=DuplicatesFile(
            policy="drop",
            key="duplicates/test.parquet",
            hash=blake3(path.read_bytes()).hexdigest(),
            path=str(path),
        ),
    )


@pytest.fixture
def fewer(corpus: Corpus, tmp_path: Path) -> Corpus:
    return leave_out(corpus, tmp_path / "duplicates.parquet", OUT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(0, 15), unique=True))
def test_cells_are_found_in_their_files(corpus: Corpus, tmp_path: Path, out: list[int]) -> None:
    located = [(i, row) for i, ref in enumerate(corpus.datasets) for row in range(ref.n_cells)]
    by_uid: dict[str, list[int]] = {}
    for cell in sorted(out):
        by_uid.setdefault(corpus.datasets[located[cell][0]].uid, []).append(located[cell][1])
    kept = KeptRows(leave_out(corpus, tmp_path / "duplicates.parquet", by_uid))
    datasets, rows = kept.locate(np.arange(16 - len(out)))
    expected = [place for cell, place in enumerate(located) if cell not in out]
    assert list(zip(datasets.tolist(), rows.tolist(), strict=True)) == expected


def test_an_epoch_serves_what_is_kept_once(
    fewer: Corpus,
    expected_x: Callable[[Sequence[int], Sequence[str]], npt.NDArray[np.float32]],
    expected_labels: Callable[[Sequence[int]], list[int]],
) -> None:
    loader = fewer.loader(3, labels=["cell_type"], output="dense", seed=4)
    batches = list(loader)
    cells = torch.cat([batch["row"] for batch in batches])
    assert sorted(cells.tolist()) == list(range(7))
    files = [KEPT[cell] for cell in cells.tolist()]
    x = torch.cat([batch["X"] for batch in batches])
    assert np.array_equal(x.numpy(), expected_x(files, loader.genes))
    assert torch.cat([batch["cell_type"] for batch in batches]).tolist() == expected_labels(files)
    datasets, rows = loader.locate(cells)
    assert (np.array([0, 7, 12])[datasets] + rows).tolist() == files
    assert datasets.tolist() == torch.cat([batch["dataset"] for batch in batches]).tolist()


def test_resuming_in_the_middle_gives_the_exact_rest(fewer: Corpus) -> None:
    loader = fewer.loader(2, seed=1)
    batches = iter(loader)
    next(batches)
    state = json.loads(json.dumps(loader.state_dict()))
    rest = [batch["row"].tolist() for batch in batches]
    resumed = fewer.loader(2, seed=1)
    resumed.load_state_dict(state)
    assert [batch["row"].tolist() for batch in resumed] == rest
    assert len(rest) == 3


def test_a_state_of_other_exclusions_is_refused(
    corpus: Corpus, fewer: Corpus, tmp_path: Path
) -> None:
    state = fewer.loader(2).state_dict()
    other = leave_out(corpus, tmp_path / "other.parquet", OUT | {"mouse": [3]})
    with pytest.raises(ConflictError, match="cells="):
        other.loader(2).load_state_dict(state)


def test_a_state_of_before_there_were_exclusions_goes_on(corpus: Corpus) -> None:
    flagged = replace(
        corpus, duplicates=DuplicatesFile(policy="flag", key="duplicates/test.parquet", hash="00")
    )
    state = corpus.loader(2).state_dict()
    flagged.loader(2).load_state_dict(state)
    assert flagged.loader(2).state_dict() == state


def test_the_ledger_counts_cells_that_are_kept(fewer: Corpus) -> None:
    ledger = ExposureLedger(fewer)
    for batch in fewer.loader(2, seed=1):
        ledger.add(batch)
    assert (ledger.cells.tolist(), ledger.exposures.tolist()) == ([4, 0, 3], [4, 0, 3])
    again = ExposureLedger.from_dict(json.loads(json.dumps(ledger.to_dict())), fewer)
    assert again.summary() == ledger.summary()


@pytest.mark.parametrize("options", [{}, {"obs_filter": {"is_primary_data": [True]}}])
def test_mapped_leaves_the_same_rows_out(fewer: Corpus, options: dict[str, Any]) -> None:
    mapped = fewer.mapped(obs_keys=["barcode"], encode_labels=False, **options)
    found = [mapped[i]["barcode"] for i in range(len(mapped))]
    names = [f"human-a:{row}" for row in (2, 3, 4, 5)] + [f"mouse:{row}" for row in (0, 1, 3)]
    wanted = [name for name in names if not options or int(name[-1]) % 2 == 0]
    assert found == wanted
    assert list(mapped.get_merged_labels("barcode")) == wanted
    mapped.close()


def test_a_manifest_keeps_what_is_left_out(fewer: Corpus) -> None:
    manifest = json.loads(json.dumps(fewer.to_manifest()))
    assert manifest["format"] == 2
    assert fewer.duplicates is not None
    paths = {ref.uid: ref.path for ref in fewer.datasets}
    again = Corpus.from_manifest(manifest, paths | {fewer.duplicates.key: fewer.duplicates.path})
    assert again == fewer
    bare = Corpus.from_manifest(manifest, paths)
    with pytest.raises(NotFoundError, match=r"lists the 9 cells .* Fetch duplicates/test.parquet"):
        bare.loader()


def test_a_manifest_that_leaves_nothing_out_is_read_by_older_versions(corpus: Corpus) -> None:
    assert corpus.to_manifest()["format"] == 1
    assert {"n_excluded", "duplicates"}.isdisjoint({**corpus.to_manifest()["datasets"][0]})


def test_the_list_of_another_version_is_noticed(fewer: Corpus) -> None:
    assert fewer.duplicates is not None
    wrong = replace(fewer, duplicates=replace(fewer.duplicates, hash="00"))
    with pytest.raises(IntegrityError, match="is not the list of cells"):
        wrong.loader()


@pytest.mark.parametrize("rows", [[0, 1], [0, 1, 1], [0, 1, 7]])
def test_a_list_that_contradicts_the_manifest_is_noticed(
    corpus: Corpus, fewer: Corpus, tmp_path: Path, rows: list[int]
) -> None:
    other = leave_out(corpus, tmp_path / "other.parquet", OUT | {"human-a": rows})
    wrong = replace(fewer, duplicates=other.duplicates)
    with pytest.raises(IntegrityError, match="is not the list of cells"):
        wrong.loader()


def test_a_corpus_that_leaves_cells_out_says_which(fewer: Corpus) -> None:
    with pytest.raises(InputError, match="leaves out 9 cells"):
        replace(fewer, duplicates=None)


def test_no_list_is_read_where_nothing_is_left_out(corpus: Corpus) -> None:
    flagged = replace(
        corpus, duplicates=DuplicatesFile(policy="flag", key="k", hash="00", path="/nowhere")
    )
    assert sum(len(batch["row"]) for batch in flagged.loader(5)) == 16
