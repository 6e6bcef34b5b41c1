from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from corpuscle.curation import (
    CurationOptions,
    StructureOptions,
    _alive,
    _matrix,
    content_hash,
    curate,
    listening,
)
from corpuscle.curation._structure import leiden
from corpuscle.errors import InputError
from corpuscle.loaders import MappedCorpus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.curation import Curated

    Write = Callable[..., Path]
    Run = Callable[..., tuple[Curated, Any]]

REAL = {  # cells, clusters
    "h5ad/celegans_worm_l2_raw.h5ad": (5340, 18),
    "h5ad/human_pbmc_10k_protein_v3_raw.h5ad": (200, 4),
}


def planted(n_cells: int, n_genes: int, n_types: int = 4) -> tuple[Any, Any]:
    """Counts of cells of some types, and the type of each."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, n_types, n_cells)
    rates = rng.lognormal(0, 1, (n_types, n_genes))[kind] * rng.lognormal(1, 0.3, (n_cells, 1))
    return sparse.csr_matrix(rng.poisson(rates).astype(np.float32)), kind


def test_planted_types_are_found_again(write: Write, run: Run, human: list[str]) -> None:
    counts, kind = planted(400, 60)
    curated, adata = run(write(counts, human), structure=StructureOptions())
    assert adjusted_rand_score(kind, adata.obs["cluster"]) > 0.99
    assert adata.obs["cluster"].value_counts(sort=False).is_monotonic_decreasing
    summary = curated.report.structure
    assert (summary["clusters"], summary["neighbors"], summary["cells_without_counts"]) == (
        4,
        "exact",
        0,
    )


def test_the_parts_are_as_the_contract_says(write: Write, run: Run, human: list[str]) -> None:
    _, adata = run(write(planted(50, 60)[0], human), structure=StructureOptions())
    found = {name: (values.shape, values.dtype) for name, values in adata.obsm.items()}
    assert found == {
        "neighbors": ((50, 6), np.int32),
        "neighbor_distances": ((50, 6), np.float32),
    }
    assert [str(adata.obs[name].dtype) for name in ("cluster", "cell_group")] == ["category"] * 2


def test_neighbours_are_rows_of_the_curated_file_with_their_distance(
    write: Write, run: Run, human: list[str]
) -> None:
    counts = planted(80, 60)[0].toarray()
    counts[[0, 7, 79]] = 0
    _, adata = run(write(sparse.csr_matrix(counts), human), structure=StructureOptions())
    x = adata.X.toarray().astype(np.float64)
    logs = np.log1p(1e4 * x / np.maximum(x.sum(axis=1, keepdims=True), 1))
    rows, distances = adata.obsm["neighbors"], adata.obsm["neighbor_distances"]
    full = np.delete(np.arange(80), [0, 7, 79])
    assert set(rows[full].ravel()) <= set(full)
    real = np.linalg.norm(logs[full, None] - logs[rows[full]], axis=2)
    # 50 of 60 directions are kept
    assert (np.abs(distances[full] / real - 1) < 0.05).all()


def test_cells_without_counts_have_no_neighbours_and_no_cluster(
    write: Write, run: Run, human: list[str]
) -> None:
    counts = planted(80, 60)[0].toarray()
    counts[[0, 7, 79]] = 0
    curated, adata = run(write(sparse.csr_matrix(counts), human), structure=StructureOptions())
    empty = adata.obs["n_counts"].to_numpy() == 0
    assert ((adata.obs["cluster"] == "unknown") == empty).all()
    assert ((adata.obsm["neighbors"] == -1).all(axis=1) == empty).all()
    assert (np.isinf(adata.obsm["neighbor_distances"]).any(axis=1) == empty).all()
    assert curated.report.structure["cells_without_counts"] == 3


@pytest.mark.parametrize(
    ("counts", "clusters", "n_neighbors"),
    [
        (np.full((1, 4), 3.0), ["0"], [0]),
        (np.full((3, 4), 3.0), ["0"] * 3, [2] * 3),
        (np.asarray([[9.0, 0], [0, 0], [0, 0]]), ["0", "unknown", "unknown"], [0] * 3),
        (np.asarray([[9.0], [4.0], [5.0]]), ["0"] * 3, [2] * 3),
    ],
    ids=["one cell", "all the same", "one cell with counts", "one gene"],
)
def test_small_and_uniform_datasets_have_one_cluster(
    write: Write,
    run: Run,
    human: list[str],
    counts: Any,
    clusters: list[str],
    n_neighbors: list[int],
) -> None:
    path = write(sparse.csr_matrix(counts.astype(np.float32)), human[: counts.shape[1]])
    _, adata = run(path, structure=StructureOptions())
    assert adata.obs["cluster"].tolist() == clusters
    assert (adata.obsm["neighbors"] >= 0).sum(axis=1).tolist() == n_neighbors
    assert adata.obsm["neighbors"].shape == (len(counts), 6)


def test_groups_join_labels_and_clusters(write: Write, run: Run, human: list[str]) -> None:
    counts, kind = planted(120, 60, n_types=2)
    obs = {"cell_type": np.where(np.arange(120) < 3, "T cell", "B cell"), "sex": ["female"] * 120}
    _, adata = run(write(counts, human, obs), structure=StructureOptions())
    groups = adata.obs["cell_group"].value_counts(sort=False).to_dict()
    assert groups.pop("CL:0000084 | * | * | * | * | NCBITaxon:9606") == 3
    assert sorted(groups) == [
        f"CL:0000236 | {n} | unknown | unknown | PATO:0000383 | NCBITaxon:9606" for n in (0, 1)
    ]
    assert sorted(groups.values()) == sorted(np.bincount(kind[3:]).tolist())


def test_options_are_heeded(write: Write, run: Run, human: list[str]) -> None:
    path = write(planted(200, 60)[0], human)
    few = StructureOptions(n_components=2, n_neighbors=3, resolution=0.1)
    curated, adata = run(path, structure=few)
    many = run(path, structure=StructureOptions(resolution=5))[0]
    assert (curated.report.structure["components"], curated.report.structure["clusters"]) == (2, 4)
    assert adata.obsm["neighbors"].shape == (200, 3)
    assert many.report.structure["clusters"] > 4


def test_nothing_is_found_unless_asked_for(write: Write, run: Run, human: list[str]) -> None:
    curated, adata = run(write(planted(20, 60)[0], human))
    assert (curated.report.structure, dict(adata.obsm)) == ({}, {})
    assert not {"cluster", "cell_group"} & {*adata.obs}


def test_coordinates_stay_beside_neighbours(write: Write, run: Run, human: list[str]) -> None:
    spatial = np.arange(40.0).reshape(20, 2)
    path = write(planted(20, 60)[0], human, obsm={"spatial": spatial})
    _, adata = run(path, structure=StructureOptions())
    assert sorted(adata.obsm) == ["neighbor_distances", "neighbors", "spatial"]
    assert (adata.obsm["spatial"] == spatial).all()


def test_a_loader_serves_neighbours_only_if_asked(write: Write, run: Run, human: list[str]) -> None:
    counts, _ = planted(20, 60)
    curated, adata = run(write(counts, human), structure=StructureOptions())
    path = str(curated.path)
    with MappedCorpus([path]) as plain, MappedCorpus([path], obsm_keys="neighbors") as asked:
        assert [key for key in plain[3] if key.startswith("obsm")] == []
        neighbors = asked[3]["obsm_neighbors"]
    assert neighbors.tolist() == adata.obsm["neighbors"][3].tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_components": 0},
        {"n_neighbors": 0},
        {"n_graph_neighbors": -1},
        {"min_group": -1},
        {"seed": -1},
        {"resolution": 0.0},
        {"resolution": float("nan")},
    ],
    ids=str,
)
def test_a_number_out_of_range_is_refused(
    write: Write, run: Run, human: list[str], wrong: dict[str, Any]
) -> None:
    path = write(planted(20, 60)[0], human)
    with pytest.raises(InputError, match=f"structure.{next(iter(wrong))} is "):
        run(path, structure=StructureOptions(**wrong))


@pytest.mark.parametrize("n_values", [100, 10_000])
def test_chunks_make_no_difference(
    write: Write, run: Run, human: list[str], monkeypatch: pytest.MonkeyPatch, n_values: int
) -> None:
    path = write(planted(300, 60)[0], human)
    wanted = content_hash(run(path, structure=StructureOptions())[0].path)
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", n_values)
    assert content_hash(run(path, structure=StructureOptions())[0].path) == wanted


def test_a_seed_decides_about_the_clusters() -> None:
    noise = np.random.default_rng(0).integers(0, 500, (500, 5)).astype(np.int32)
    one, again, two = (leiden(noise, StructureOptions(seed=seed)) for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != two.tolist()


def test_long_clustering_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    signs = []
    monkeypatch.setattr(_alive, "EVERY_S", 0.001)
    noise = np.random.default_rng(0).integers(0, 20_000, (20_000, 15)).astype(np.int32)
    with listening(lambda: signs.append(1)):
        leiden(noise, StructureOptions())
    assert len(signs) > 5


SCRIPT = """
import sys
from pathlib import Path
from corpuscle.curation import CurationOptions, StructureOptions, content_hash, curate
from corpuscle.curation import _neighbors
_neighbors.EXACT_CELLS = int(sys.argv[3])
options = CurationOptions(structure=StructureOptions())
out = Path(sys.argv[2])
curate(Path(sys.argv[1]), out, dataset="d", source_hash="", options=options)
print(content_hash(out))
"""


@pytest.mark.slow
@pytest.mark.parametrize("exact", [100_000, 1_000], ids=["exact", "approximate"])
def test_threads_and_hash_seeds_make_no_difference(
    real_data: Path, tmp_path: Path, exact: int
) -> None:
    source = real_data / "real" / "h5ad/celegans_worm_l2_raw.h5ad"
    found = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": threads}
        environment |= {f"{name}_NUM_THREADS": threads for name in ("OMP", "OPENBLAS")}
        command = [
            sys.executable,
            "-c",
            SCRIPT,
            str(source),
            str(tmp_path / "out.h5ad"),
            str(exact),
        ]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_has_structure(real_data: Path, tmp_path: Path, name: str) -> None:
    options = CurationOptions(structure=StructureOptions())
    out = tmp_path / "out.h5ad"
    curated = curate(
        real_data / "real" / name, out, dataset="real", source_hash="", options=options
    )
    adata: Any = anndata.read_h5ad(out)
    assert (adata.n_obs, curated.report.structure["clusters"]) == REAL[name]
    rows, distances = adata.obsm["neighbors"], adata.obsm["neighbor_distances"]
    assert ((rows >= 0) & (rows < adata.n_obs) & (rows != np.arange(adata.n_obs)[:, None])).all()
    assert (np.diff(distances, axis=1) >= 0).all()
    clusters = adata.obs["cluster"].to_numpy()
    shared = (clusters[rows] == clusters[:, None]).mean()
    by_chance = (pd.Series(clusters).value_counts(normalize=True) ** 2).sum()
    assert shared > 2 * by_chance
