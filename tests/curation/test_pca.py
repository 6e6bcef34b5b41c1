from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from corpuscle.curation import _matrix, _pca
from corpuscle.curation._pca import VALUE_STEPS, principal_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def stored(tmp_path: Any) -> Iterator[Callable[[Any], Any]]:
    """Write counts as the group X of an AnnData file."""
    with h5py.File(tmp_path / "x.h5ad", "w") as file:

        def write(counts: Any) -> Any:
            anndata.io.write_elem(file, "X", sparse.csr_matrix(counts))
            return file["X"]

        yield write


def planted(n_cells: int, n_genes: int, seed: int = 0) -> Any:
    """Cells of five programs."""
    rng = np.random.default_rng(seed)
    programs = rng.lognormal(0, 1.5, (5, n_genes))
    rates = programs[rng.integers(0, 5, n_cells)]
    return rng.poisson(rates * rng.lognormal(0, 0.3, (n_cells, 1))).astype(np.float32)


def reference(counts: Any, n_components: int) -> Any:
    """Scores as scikit-learn gives them."""
    scaled = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    scores: Any = PCA(n_components, svd_solver="full").fit_transform(scaled)
    return scores


def test_components_are_those_of_scikit_learn_up_to_sign(
    stored: Callable[[Any], Any],
) -> None:
    counts = planted(300, 120)
    scores = principal_scores(stored(counts), n_components=10)[0] / VALUE_STEPS
    wanted = reference(counts.astype(np.float64), 10)
    signs = np.sign((scores * wanted).sum(axis=0))
    # values are rounded to 1/1024: the leading components follow the programs, the rest is noise
    assert np.abs(scores[:, :4] - (wanted * signs)[:, :4]).max() < 0.01
    assert np.abs(np.var(scores, axis=0) / np.var(wanted, axis=0) - 1).max() < 1e-3


def test_scores_are_whole_steps(stored: Callable[[Any], Any]) -> None:
    scores, _ = principal_scores(stored(planted(50, 40)), n_components=5)
    assert (str(scores.dtype), scores.shape) == ("float32", (50, 5))
    assert (scores == np.rint(scores)).all()
    assert np.abs(scores).max() < 2**24


def test_only_the_most_variable_genes_are_looked_at(
    stored: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = planted(200, 100)
    scaled = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    chosen = np.sort(np.argsort(-scaled.var(axis=0))[:30])
    monkeypatch.setattr(_pca, "N_GENES", 30)
    scores, n_genes = principal_scores(stored(counts), n_components=3)
    wanted = PCA(3, svd_solver="full").fit_transform(scaled[:, chosen])
    correlation = [abs(np.corrcoef(scores[:, i], wanted[:, i])[0, 1]) for i in range(3)]
    assert (n_genes, min(correlation) > 0.9999) == (30, True)


def test_a_cell_without_counts_in_these_genes_lies_where_others_without_them_do(
    stored: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = np.zeros((40, 3))
    counts[:20, 0] = counts[20:38, 1] = 5
    counts[38:, 2] = 3, 9
    monkeypatch.setattr(_pca, "N_GENES", 2)
    scores, _ = principal_scores(stored(counts), n_components=2)
    assert (scores[38] == scores[39]).all()
    assert scores[38].any()


@pytest.mark.parametrize(("n_values", "n_cells"), [(1, 1), (700, 1_000), (10**7, 7)])
def test_chunks_make_no_difference(
    stored: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, n_values: int, n_cells: int
) -> None:
    group = stored(planted(150, 60))
    wanted = principal_scores(group, n_components=20)[0].tobytes()
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", n_values)
    monkeypatch.setattr(_pca, "CHUNK_CELLS", n_cells)
    assert principal_scores(group, n_components=20)[0].tobytes() == wanted


def test_the_order_of_cells_makes_no_difference(stored: Callable[[Any], Any]) -> None:
    counts = planted(150, 60)
    order = np.random.default_rng(3).permutation(150)
    wanted = principal_scores(stored(counts), n_components=20)[0]
    assert (principal_scores(stored(counts[order]), n_components=20)[0] == wanted[order]).all()


def test_cells_without_counts_are_left_aside(stored: Callable[[Any], Any]) -> None:
    counts = planted(100, 40)
    wanted = principal_scores(stored(counts), n_components=5)[0]
    with_empty = np.insert(counts, [0, 50, 100], 0, axis=0)
    scores = principal_scores(stored(with_empty), n_components=5)[0]
    assert (np.delete(scores, [0, 51, 102], axis=0) == wanted).all()
    assert not scores[[0, 51, 102]].any()


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros((4, 3)),
        np.ones((4, 3)),
        np.asarray([[1.0, 2, 3]]),
        np.zeros((1, 1)),
        np.zeros((3, 0)),
        np.asarray([[7.0], [9], [2]]),
    ],
    ids=["empty", "constant", "one cell", "one empty cell", "no genes", "one gene"],
)
def test_cells_that_do_not_differ_have_one_component_of_zeros(
    stored: Callable[[Any], Any], counts: Any
) -> None:
    scores, _ = principal_scores(stored(counts), n_components=50)
    assert scores.tolist() == [[0]] * len(counts)


def test_there_are_no_more_components_than_directions(stored: Callable[[Any], Any]) -> None:
    scores, _ = principal_scores(stored(planted(4, 30)), n_components=50)
    assert scores.shape == (4, 3)
