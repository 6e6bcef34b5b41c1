"""Counts that move to another species' genes, and those that do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from corpuscle.curation import ProjectionReport, _project, curate, project_genes
from corpuscle.errors import (
    CountsError,
    GeneMappingError,
    InputError,
    NotFoundError,
    OrganismError,
    SchemaError,
)
from corpuscle.ontologies import Orthologs, gene_table, shipped_orthologs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HUMAN, MOUSE, SPIKE_IN = "NCBITaxon:9606", "NCBITaxon:10090", "NCBITaxon:32630"
HOWS = ("one2one", "best", "sum")
project: Callable[..., tuple[Any, ProjectionReport]] = project_genes  # what X is, only we know
M = list(gene_table("mouse").index[:12])
H = list(gene_table("human").index[:12])


def _orthologs(*edges: tuple[int, int], **columns: Any) -> Orthologs:
    """Edges from mouse gene i to human gene j."""
    frame = pd.DataFrame(
        {"gene_a": [M[i] for i, _ in edges], "gene_b": [H[j] for _, j in edges], **columns}
    )
    return Orthologs.of(frame.assign(taxon_a=MOUSE, taxon_b=HUMAN, source="test", release="1"))


def _adata(counts: Any, genes: Sequence[str] = M) -> Any:
    n_cells, n_genes = counts.shape
    names = list(genes)[:n_genes]
    taxa = [SPIKE_IN if name.startswith("ERCC") else MOUSE for name in names]
    var = pd.DataFrame(
        {
            "symbol": names,
            "biotype": pd.Categorical(["protein_coding"] * n_genes),
            "is_mito": pd.array([False] * n_genes, dtype="boolean"),
            "organism_ontology_term_id": pd.Categorical(taxa),
            "source_id": names,
            "resolution": pd.Categorical(["id"] * n_genes),
        },
        index=pd.Index(names, name="gene_id"),
    )
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical(["T cell"] * n_cells)}, index=[f"c{i}" for i in range(n_cells)]
    )
    return anndata.AnnData(sparse.csr_matrix(counts), obs=obs, var=var)


def _conserved(report: ProjectionReport) -> bool:
    return report.counts_in == report.counts_moved + sum(report.counts_lost.values())


def _moved(report: ProjectionReport) -> dict[int, int]:
    """Human gene by mouse gene."""
    targets = report.genes["target"].dropna()
    return {M.index(str(gene)): H.index(str(target)) for gene, target in targets.items()}


def _outcomes(report: ProjectionReport) -> list[str]:
    return [str(value) for value in report.genes["outcome"]]


# 0: 1:1; 1, 2: n:1; 3: 1:n of unequal support; 4: 1:n of equal support; 5, 6: n:m; 7: nothing
EDGES = [(0, 0), (1, 1), (2, 1), (3, 2), (3, 3), (4, 4), (4, 5), (5, 6), (6, 6), (5, 7), (6, 7)]
SUPPORT = [9, 5, 3, 4, 2, 3, 3, 7, 2, 1, 6]
COUNTS = np.array([[1, 2, 4, 8, 16, 32, 64, 128], [0, 1, 0, 1, 0, 0, 0, 0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("how", "moved", "outcomes"),
    [
        ("one2one", {0: 0}, ["moved", *["not_one2one"] * 6, "no_ortholog"]),
        (
            "best",
            {0: 0, 1: 1, 3: 2, 5: 6, 6: 7},
            ["moved", "moved", "not_best", "moved", "ambiguous", "moved", "moved", "no_ortholog"],
        ),
        (
            "sum",
            {0: 0, 1: 1, 2: 1, 3: 2, 5: 6, 6: 7},
            ["moved", "moved", "moved", "moved", "ambiguous", "moved", "moved", "no_ortholog"],
        ),
    ],
)
def test_each_rule_moves_what_it_says(how: Any, moved: dict[int, int], outcomes: list[str]) -> None:
    table = _orthologs(*EDGES, support=SUPPORT)
    adata, report = project(_adata(COUNTS), how=how, orthologs=table)
    assert (_moved(report), _outcomes(report)) == (moved, outcomes)
    expected = np.zeros((2, len(H)))
    for gene, target in moved.items():
        expected[:, target] += COUNTS[:, gene]
    places = [H.index(name) for name in adata.var_names]
    assert (adata.X.toarray() == expected[:, places]).all()
    assert places == sorted(set(moved.values()))
    assert _conserved(report)


def test_the_report_says_where_every_count_went() -> None:
    counts = np.array([[1, 2, 4, 8], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=np.int64)
    genes = [M[0], M[4], M[7], "ERCC-00002"]
    table = _orthologs(*EDGES, support=SUPPORT)
    adata, report = project(_adata(counts, genes), how="sum", orthologs=table)
    assert report.to_dict() == {
        "source": MOUSE,
        "target": HUMAN,
        "how": "sum",
        "confidence": "any",
        "orthologs": ["test 1"],
        "n_cells": 3,
        "genes_in": 4,
        "genes_moved": 1,
        "genes_lost": {"not_of_organism": 1, "no_ortholog": 1, "ambiguous": 1},
        "genes_out": 1,
        "counts_in": 17,
        "counts_moved": 1,
        "counts_lost": {"not_of_organism": 9, "no_ortholog": 4, "ambiguous": 3},
        "lost_share": {
            "mean": pytest.approx((14 / 15 + 1) / 2),
            "min": pytest.approx(14 / 15),
            "median": pytest.approx((14 / 15 + 1) / 2),
            "max": 1.0,
        },
        "left_out": [],
    }
    assert report.genes["counts"].tolist() == [1, 3, 4, 9]
    assert json.loads(adata.uns["corpuscle"]["projection"]["report"]) == report.to_dict()


def test_the_result_is_a_curated_dataset_of_the_other_species(tmp_path: Path) -> None:
    source = _adata(COUNTS)
    source.uns["corpuscle"] = {"source": "here"}
    source.obsm["spatial"] = np.arange(4).reshape(2, 2)
    source.layers["spliced"] = source.X.copy()
    table = _orthologs(*EDGES, support=SUPPORT)
    adata, report = project(source, how="sum", orthologs=table)
    adata.write_h5ad(tmp_path / "out.h5ad")
    back: Any = anndata.read_h5ad(tmp_path / "out.h5ad")
    row = back.var.loc[H[1]]
    human = gene_table("human").loc[H[1]]
    assert row.to_dict() == {
        "symbol": human["symbol"],
        "biotype": human["biotype"],
        "is_mito": False,
        "organism_ontology_term_id": HUMAN,
        "source_id": f"{M[1]}|{M[2]}",
        "resolution": "ortholog n:1",
    }
    assert back.var.columns.tolist() == source.var.columns.tolist()
    assert {str(t) for t in back.var.dtypes} == {str(t) for t in source.var.dtypes}
    pd.testing.assert_frame_equal(back.obs, source.obs)
    assert (back.obsm["spatial"] == source.obsm["spatial"]).all()
    assert (back.uns["corpuscle"]["source"], report.left_out) == ("here", ("layers/spliced",))
    assert "projection" not in source.uns["corpuscle"]
    stored = back.uns["corpuscle"]["projection"]["genes"]
    assert stored["outcome"].astype(str).tolist() == _outcomes(report)


def test_where_a_gene_goes_does_not_depend_on_what_else_was_measured() -> None:
    table = _orthologs((1, 1), (2, 1), support=[5, 3])
    _, report = project(_adata(COUNTS), how="best", orthologs=table)
    assert _outcomes(report)[1:3] == ["moved", "not_best"]
    alone = _adata(COUNTS[:, :2], [M[2], M[3]])
    with pytest.raises(GeneMappingError, match=r"no_ortholog \(1\), not_best \(1\)"):
        project(alone, how="best", orthologs=table)


def test_a_tie_goes_to_the_ortholog_that_has_nothing_better() -> None:
    table = _orthologs((0, 0), (0, 1), (1, 0), support=[3, 3, 9])
    _, report = project(_adata(COUNTS), how="sum", orthologs=table)
    assert _moved(report) == {0: 1, 1: 0}


def test_only_stated_high_confidence_is_high() -> None:
    table = _orthologs((0, 0), (1, 1), (2, 2), confidence=["high", "low", None])
    _, anyhow = project(_adata(COUNTS), orthologs=table)
    _, trusted = project(_adata(COUNTS), orthologs=table, confidence="high")
    assert (len(_moved(anyhow)), _outcomes(trusted)[:3]) == (
        3,
        ["moved", "low_confidence", "low_confidence"],
    )


def test_confidence_comes_before_support() -> None:
    table = _orthologs((0, 0), (0, 1), (0, 2), support=[1, 8, 9], confidence=["high", None, "low"])
    _, report = project(_adata(COUNTS), how="sum", orthologs=table)
    assert _moved(report) == {0: 0}


def test_a_target_that_is_no_gene_gets_nothing() -> None:
    edges = _orthologs((0, 0), (1, 1)).edges
    gone = edges["gene_b"].where(edges["gene_b"] != M[1], M[1])
    frame = edges.assign(gene_b=gone)
    frame.loc[frame["gene_b"] == M[1], "gene_a"] = "ENSG00000000001"
    _, report = project(_adata(COUNTS), orthologs=Orthologs.of(frame))
    assert _outcomes(report)[:2] == ["moved", "target_absent"]


def test_one2one_edges_that_contradict_each_other_move_nothing() -> None:
    table = _orthologs((0, 0), (0, 1), (1, 2), type="1:1")
    _, report = project(_adata(COUNTS), orthologs=table)
    assert _outcomes(report)[:2] == ["not_one2one", "moved"]


def test_a_target_without_gene_table_is_described_by_ids() -> None:
    frame = pd.DataFrame({"gene_a": [M[0]], "gene_b": ["ENSGALG00000000003"]})
    table = Orthologs.of(frame.assign(taxon_a=MOUSE, taxon_b="NCBITaxon:9031", source="test"))
    adata, _ = project(_adata(COUNTS), "chicken", orthologs=table)
    row = adata.var.iloc[0]
    assert (row["symbol"], row["biotype"], bool(pd.isna(row["is_mito"]))) == (
        "ENSGALG00000000003",
        "unknown",
        True,
    )


@pytest.mark.parametrize(
    ("largest", "dtype"), [(2**23 - 1, np.float32), (2**23, np.float64)], ids=["fits", "too-large"]
)
def test_counts_stay_exact_when_sums_are_large(largest: int, dtype: type) -> None:
    counts = np.full((1, 3), largest, dtype=np.int64)
    table = _orthologs((0, 0), (1, 0), support=[2, 1])
    adata, report = project(_adata(counts), how="sum", orthologs=table)
    assert (adata.X.dtype, float(adata.X[0, 0]), report.counts_in) == (
        dtype,
        2 * largest,
        3 * largest,
    )


def test_chunks_dense_and_backed_matrices_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = np.random.default_rng(0).poisson(1.0, (23, 8)).astype(np.float32)
    table = _orthologs(*EDGES, support=SUPPORT)
    whole, report = project(_adata(counts), how="sum", orthologs=table)
    _adata(counts).write_h5ad(tmp_path / "a.h5ad")
    monkeypatch.setattr(_project, "CHUNK_VALUES", 40)
    dense = _adata(counts)
    dense.X = counts
    backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    for adata in (_adata(counts), dense, backed):
        other, again = project(adata, how="sum", orthologs=table)
        assert (abs(other.X - whole.X).sum(), other.X.has_sorted_indices) == (0, True)
        assert again.to_dict() == report.to_dict()
    backed.file.close()


def test_a_dataset_without_cells_stays_without() -> None:
    adata, report = project(_adata(COUNTS[:0]), orthologs=_orthologs((0, 0)))
    assert (adata.shape, report.counts_in, report.lost_share) == ((0, 1), 0, {})


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan, np.inf])
def test_values_that_are_no_counts_are_refused(value: float) -> None:
    counts = COUNTS.copy()
    counts[1, 2] = value
    with pytest.raises(CountsError, match=f"row 1, gene '{M[2]}'"):
        project(_adata(counts), orthologs=_orthologs((0, 0)))


def test_what_cannot_be_projected_is_refused() -> None:
    adata = _adata(COUNTS)
    with pytest.raises(InputError, match=r"how is 'one-to-one'\. Pass one of one2one, sum, best"):
        project(adata, how="one-to-one")
    with pytest.raises(InputError, match="confidence is 'low'"):
        project(adata, confidence="low")
    with pytest.raises(OrganismError, match="are of NCBITaxon:10090 already"):
        project(adata, "mouse")
    with pytest.raises(
        NotFoundError, match="no orthologs between NCBITaxon:10090 and NCBITaxon:7955"
    ):
        project(adata, "zebrafish")
    with pytest.raises(SchemaError, match="var has no column 'organism_ontology_term_id'"):
        project(anndata.AnnData(COUNTS))
    with pytest.raises(GeneMappingError, match=r"None of 8 genes can be moved"):
        project(adata, orthologs=_orthologs((11, 0)))
    mixed = _adata(COUNTS)
    mixed.var["organism_ontology_term_id"] = [HUMAN, MOUSE] * 4
    with pytest.raises(OrganismError, match="Genes are of NCBITaxon:10090, NCBITaxon:9606"):
        project(mixed)
    with pytest.warns(UserWarning, match="not unique"):
        twice = _adata(COUNTS, [M[0]] * 8)
    with pytest.raises(SchemaError, match="more than once"):
        project(twice)


edges_of = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=15, unique=True
)


@settings(max_examples=30, deadline=None)
@given(
    edges=edges_of,
    seed=st.integers(0, 999),
    how=st.sampled_from(HOWS),
    confidence=st.sampled_from(["any", "high"]),
)
def test_no_count_is_made_or_unmade(
    edges: list[tuple[int, int]], seed: int, how: Any, confidence: Any
) -> None:
    random = np.random.default_rng(seed)
    table = _orthologs(
        *edges,
        support=random.integers(1, 4, len(edges)),
        confidence=random.choice(["low", "high"], len(edges)),
    )
    counts = random.integers(0, 2**22, (5, 7)) * random.integers(0, 2, (5, 7))
    source = _adata(counts, [*M[:6], "ERCC-00002"])
    try:
        adata, report = project(source, how=how, orthologs=table, confidence=confidence)
    except GeneMappingError:
        return
    assert _conserved(report)
    assert report.counts_in == int(counts.sum())
    assert report.counts_moved == int(adata.X.sum(dtype=np.float64))
    assert report.genes_in == report.genes_moved + sum(report.genes_lost.values())
    by_target = report.genes.assign(target=report.genes["target"].astype(object))
    per_gene = by_target.groupby("target")["counts"].sum()
    assert np.asarray(adata.X.astype(np.float64).sum(axis=0)).ravel().tolist() == (
        per_gene[adata.var_names].tolist()
    )
    if how != "sum":
        assert report.genes_moved == report.genes_out


@settings(max_examples=15, deadline=None)
@given(edges=edges_of, seed=st.integers(0, 999))
def test_sum_moves_what_best_moves_and_best_what_one2one_moves(
    edges: list[tuple[int, int]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    table = _orthologs((6, 6), *edges, support=random.integers(1, 4, len(edges) + 1))
    moved = {}
    for how in HOWS:
        _, report = project(_adata(COUNTS), how=how, orthologs=table)
        moved[how] = _moved(report).items()
    assert moved["one2one"] <= moved["best"] <= moved["sum"]


# share of the counts moved, in per mille: one2one, best, sum
REAL = {
    "mouse_dentategyrus_velocity_raw": (13025, (920, 940, 950)),
    "mouse_mpfc_starmap_raw": (155, (994, 994, 999)),
    "mouse_brain_cxg_merfish_schema5": (1120, (983, 986, 987)),
}


@pytest.mark.parametrize("name", REAL)
def test_counts_of_a_real_mouse_file_are_conserved(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    path = real_data / "real" / "h5ad" / f"{name}.h5ad"
    curate(path, tmp_path / "mouse.h5ad", dataset="real", source_hash="")
    mouse: Any = anndata.read_h5ad(tmp_path / "mouse.h5ad")
    n_genes, least = REAL[name]
    for how, share in zip(HOWS, least, strict=True):
        human, report = project(mouse, how=how)
        assert _conserved(report)
        assert report.counts_in == int(mouse.X.sum(dtype="float64"))
        assert report.counts_moved == int(human.X.sum(dtype="float64"))
        assert report.counts_moved / report.counts_in >= share / 1000
        assert (report.genes_in >= n_genes, human.n_obs) == (True, mouse.n_obs)
        assert human.var_names.isin(gene_table("human").index).all()
    assert shipped_orthologs().taxa == (HUMAN, MOUSE)
