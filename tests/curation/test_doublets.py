from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import pytest
from scipy import sparse

from corpuscle.curation import QualityRules
from corpuscle.curation._counts_file import new_counts
from corpuscle.curation._doublets import doublet_scores
from corpuscle.errors import InputError
from corpuscle.ontologies import gene_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Counts = npt.NDArray[np.float32]
    Flags = npt.NDArray[np.bool_]

N_CELLS, N_GENES, N_TYPES = 800, 600, 5


@pytest.fixture(scope="module")
def planted() -> tuple[Counts, Flags]:
    """Cells of five types, one in ten of them the sum of two cells of two types."""
    rng = np.random.default_rng(3)
    common = rng.gamma(0.5, 1, N_GENES)
    profiles = common * np.exp(
        2 * (rng.random((N_TYPES, N_GENES)) < 0.1) * rng.normal(size=N_GENES)
    )
    profiles /= profiles.sum(axis=1, keepdims=True)

    def cells(types: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        depth = rng.lognormal(7, 0.3, len(types))
        return rng.poisson(profiles[types] * depth[:, None])

    types = rng.integers(N_TYPES, size=N_CELLS)
    x = cells(types)
    is_doublet = np.arange(N_CELLS) % 10 == 0
    others = (types[is_doublet] + rng.integers(1, N_TYPES, size=is_doublet.sum())) % N_TYPES
    x[is_doublet] += cells(others)
    # what cells have more of than others must not tell doublets: all have as many counts
    keep = np.minimum(1, 1_000 / x.sum(axis=1))
    return rng.binomial(x, keep[:, None]).astype(np.float32), is_doublet


def scores(folder: Path, x: Counts, donors: npt.NDArray[np.int64] | None = None) -> Counts:
    path = folder / "counts.h5ad"
    with new_counts(path, x.shape, np.dtype(np.float32)) as counts:
        counts.append(sparse.csr_matrix(x))
    found = np.zeros(len(x), dtype=np.int64) if donors is None else donors
    return doublet_scores(path, found, x.sum(axis=1).astype(np.float64))


def auroc(of_cells: Counts, is_doublet: Flags) -> float:
    """Share of pairs of a doublet and another cell in which the doublet has the higher score."""
    apart = of_cells[is_doublet][:, None] - of_cells[~is_doublet]
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def test_planted_doublets_have_the_highest_scores(
    planted: tuple[Counts, Flags], tmp_path: Path
) -> None:
    x, is_doublet = planted
    found = scores(tmp_path, x)
    shuffled = np.random.default_rng(0).permutation(is_doublet)
    assert auroc(found, is_doublet) > 0.95
    assert 0.4 < auroc(found, shuffled) < 0.6


def test_genes_shuffled_within_each_cell_tell_nothing(
    planted: tuple[Counts, Flags], tmp_path: Path
) -> None:
    x, is_doublet = planted
    noise = np.random.default_rng(0).permuted(x, axis=1)
    assert 0.35 < auroc(scores(tmp_path, noise), is_doublet) < 0.65


def test_scores_do_not_depend_on_threads(planted: tuple[Counts, Flags], tmp_path: Path) -> None:
    before, found = faiss.omp_get_max_threads(), []
    for n in (1, 3):
        faiss.omp_set_num_threads(n)
        found.append(scores(tmp_path, planted[0]).tobytes())
    faiss.omp_set_num_threads(before)
    assert found[0] == found[1]


def test_no_doublet_is_made_of_two_donors(tmp_path: Path, planted: tuple[Counts, Flags]) -> None:
    x, is_doublet = planted
    alone = np.arange(len(x))
    assert np.isnan(scores(tmp_path, x, alone)).all()
    two = scores(tmp_path, x, alone % 2)
    assert auroc(two, is_doublet) > 0.9


def test_empty_cells_have_no_score(tmp_path: Path) -> None:
    x = np.random.default_rng(0).poisson(1, size=(30, 20)).astype(np.float32)
    x[[4, 9]] = 0
    assert np.flatnonzero(np.isnan(scores(tmp_path, x))).tolist() == [4, 9]


@pytest.fixture
def source(planted: tuple[Counts, Flags], write: Callable[..., Path]) -> Path:
    genes = gene_table("human")
    ids = genes.index[genes["symbol"].notna()][:N_GENES]
    return write(sparse.csr_matrix(planted[0]), list(ids))


def test_doublets_are_flagged_and_stay(
    source: Path, planted: tuple[Counts, Flags], run: Callable[..., Any]
) -> None:
    curated, adata = run(source, quality=QualityRules(doublets=True))
    flagged = adata.obs["quality"].astype(str).str.contains("doublet").to_numpy()
    assert (adata.n_obs, adata.obs["doublet_score"].dtype) == (N_CELLS, np.float32)
    assert flagged.tolist() == (adata.obs["doublet_score"] > 0.15).tolist()
    assert flagged[planted[1]].mean() > 0.5 > 0.02 > flagged[~planted[1]].mean()
    assert curated.report.quality["flags"]["doublet"] == flagged.sum()


def test_doublets_go_where_the_rules_say_so(source: Path, run: Callable[..., Any]) -> None:
    curated, adata = run(source, quality=QualityRules(doublets=True, drop=("doublet",)))
    n = curated.report.dropped["quality:doublet"]
    assert (n > 0, adata.n_obs) == (True, N_CELLS - n)


def test_doublets_that_are_not_looked_for_are_not_told(
    source: Path, run: Callable[..., Any]
) -> None:
    curated, adata = run(source, quality=QualityRules())
    assert "doublet" not in curated.report.quality["flags"]
    assert "doublet_score" not in adata.obs


def test_doublets_cannot_go_without_being_looked_for() -> None:
    with pytest.raises(InputError, match="needs doublets: true"):
        QualityRules(drop=("doublet",)).check()
