from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from corpuscle.curation import _neighbors
from corpuscle.curation._neighbors import nearest


def points(n: int, d: int = 8, seed: int = 0) -> Any:
    """Whole numbers around twenty centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 5_000, (20, d))
    return np.rint(centres[rng.integers(0, 20, n)] + rng.normal(0, 2_000, (n, d))).astype(
        np.float32
    )


def reference(at: Any, k: int) -> tuple[Any, Any]:
    """Neighbours as scikit-learn finds them, without the point itself."""
    distances, rows = (
        NearestNeighbors(n_neighbors=k, algorithm="brute").fit(at.astype(np.float64)).kneighbors()
    )
    return rows, distances


def test_neighbours_are_those_of_scikit_learn() -> None:
    at = points(3_000)
    rows, distances = reference(at, 15)
    found = nearest(at, 15, seed=0)
    assert (found.rows == rows).all()
    assert np.allclose(found.distances, distances, rtol=1e-6)
    assert (found.method, found.recall) == ("exact", 1)
    assert (str(found.rows.dtype), str(found.distances.dtype)) == ("int32", "float32")


def test_above_the_threshold_most_are_found_and_the_share_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_neighbors, "EXACT_CELLS", 1_000)
    at = points(6_000)
    found = nearest(at, 15, seed=0)
    rows, _ = reference(at, 15)
    recall = np.mean(
        [len({*a} & {*b}) / 15 for a, b in zip(found.rows.tolist(), rows.tolist(), strict=True)]
    )
    assert found.method.startswith("IVF, ")
    assert recall >= 0.95
    assert found.recall == pytest.approx(recall, abs=0.02)


def test_the_index_looks_into_more_lists_until_enough_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_neighbors, "EXACT_CELLS", 1_000)
    monkeypatch.setattr(_neighbors, "RECALL", 1.0)
    noise = np.rint(np.random.default_rng(0).normal(0, 2_000, (3_000, 30))).astype(np.float32)
    found = nearest(noise, 15, seed=0)
    assert found.recall == 1
    assert (found.rows == reference(noise, 15)[0]).mean() > 0.999


def test_equally_near_ones_are_taken_by_row() -> None:
    at = np.asarray([[0], [5], [-5], [5], [0], [100]], dtype=np.float32)
    assert nearest(at, 4, seed=0).rows[0].tolist() == [4, 1, 2, 3]


def test_points_that_are_the_same_are_neighbours_of_each_other_not_of_themselves() -> None:
    found = nearest(np.zeros((100, 1), dtype=np.float32), 5, seed=0)
    assert not (found.rows == np.arange(100)[:, None]).any()
    assert not found.distances.any()


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_where_there_are_too_few_the_rest_is_padding(n: int) -> None:
    found = nearest(np.arange(n, dtype=np.float32)[:, None], 6, seed=0)
    assert found.rows.shape == found.distances.shape == (n, 6)
    assert ((found.rows >= 0).sum(axis=1) == max(n - 1, 0)).all()
    assert (np.isinf(found.distances) == (found.rows < 0)).all()


SCRIPT = """
import sys
import numpy as np
from corpuscle.curation import _neighbors
_neighbors.EXACT_CELLS = int(sys.argv[1])
rng = np.random.default_rng(0)
at = np.rint(rng.normal(0, 2_000, (9_000, 50))).astype(np.float32)
found = _neighbors.nearest(at, 15, seed=3)
sys.stdout.buffer.write(found.rows.tobytes() + found.distances.tobytes())
"""


@pytest.mark.parametrize("exact", [100_000, 1_000], ids=["exact", "approximate"])
def test_threads_make_no_difference(exact: int) -> None:
    found = []
    for threads in ("1", "2", "5"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", SCRIPT, str(exact)]
        found.append(
            subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
        )
    assert len(found[0]) == 9_000 * 15 * 8
    assert found[0] == found[1] == found[2]


def test_another_seed_is_another_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_neighbors, "EXACT_CELLS", 1_000)
    monkeypatch.setattr(_neighbors, "RECALL", 0.5)
    noise = np.rint(np.random.default_rng(0).normal(0, 2_000, (3_000, 30))).astype(np.float32)
    one, again, two = (nearest(noise, 15, seed=seed).rows for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != two).any()
