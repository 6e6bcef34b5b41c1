from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from corpuscle.curation import (
    Curated,
    CurationOptions,
    QualityRules,
    _matrix,
    content_hash,
    curate,
    open_source,
)
from corpuscle.curation._rules import FLAGS
from corpuscle.errors import IntegrityError, OrganismError, QualityError
from corpuscle.ontologies import gene_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]
    Run = Callable[..., tuple[Curated, Any]]

N_GENES = 40
WITHOUT_DOUBLETS = tuple(flag for flag in FLAGS if flag != "doublet")  # test_doublets.py has it


def genes_of(organism: str) -> list[str]:
    """Ids of two mitochondrial genes, where some are known, then of others that tell cells."""
    genes = gene_table(organism)
    mito = genes.index[genes["is_mito"].fillna(value=False).astype(np.bool_)][:2]
    own = genes[(genes["biotype"] == "protein_coding") & ~genes.index.isin(mito)]
    own = own[own["symbol"].notna() & ~own["symbol"].str.casefold().duplicated(keep=False)]
    return [*mito, *own.index[: N_GENES - len(mito)]]


def poor_cells() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Counts of 20 cells: the last is empty, and before it come five with one fault each."""
    rng = np.random.default_rng(0)
    x = rng.poisson(2, size=(20, N_GENES)).astype(np.float32)
    x[:, :2] = rng.integers(1, 3, size=(20, 2))
    x[14, :2] = 8  # mitochondrial
    x[15] = x[3]  # a copy
    x[16] *= 90  # counts
    x[17, :2] = x[17, 10:] = 0  # genes
    x[18, 7] = 100  # one gene
    x[19] = 0
    return x


@pytest.fixture
def poor(write: Write) -> Path:
    """Cells with faults, named by their rows, with a label that only two of them bear."""
    obs = pd.DataFrame(
        {
            "cell_type": ["T cell"] * 12
            + ["B cell", "B cell", *["neuron"] * 4, "T cell", "neuron"],
            "is_primary_data": [False, True, None] + [True] * 17,
        },
        index=[f"cell{i}" for i in range(20)],
    )
    obs["is_primary_data"] = obs["is_primary_data"].astype("boolean")
    return write(sparse.csr_matrix(poor_cells()), genes_of("human"), obs)


def rules(**changes: Any) -> QualityRules:
    return QualityRules(**{"min_genes_per_cell": 10, **changes})


def test_cells_are_flagged_and_stay(poor: Path, run: Run) -> None:
    curated, adata = run(poor, quality=rules())
    flagged = adata.obs["quality"][adata.obs["quality"] != "ok"]
    assert flagged.to_dict() == {
        "cell14": "high_mito",
        "cell15": "duplicate",
        "cell16": "outlier_counts",
        "cell17": "few_genes;outlier_counts;outlier_genes;outlier_top20",
        "cell18": "outlier_counts;outlier_top20",
        "cell19": "empty;few_genes;outlier_counts;outlier_genes",
    }
    assert (curated.report.n_cells, curated.report.dropped) == (20, {})


@pytest.mark.parametrize("flag", WITHOUT_DOUBLETS)
def test_a_flag_drops_its_cells_when_the_rules_say_so(poor: Path, run: Run, flag: str) -> None:
    _, before = run(poor, quality=rules(min_counts_per_cell=50))
    curated, after = run(poor, quality=rules(min_counts_per_cell=50, drop=(flag,)))
    bears = before.obs["quality"].str.split(";").map(lambda flags: flag in flags).to_numpy()
    assert after.obs_names.tolist() == before.obs_names[~bears].tolist()
    assert curated.report.dropped == {f"quality:{flag}": int(bears.sum())}
    assert (before.X[~bears] != after.X).nnz == 0


def test_what_is_told_is_of_the_cells_that_stay(poor: Path, run: Run) -> None:
    drop = ("empty", "few_genes", "outlier_counts", "high_mito", "duplicate")
    curated, adata = run(poor, quality=rules(drop=drop))
    report = curated.report
    assert adata.obs["source_row"].tolist() == list(range(14))
    assert report.dropped == {
        "quality:empty": 1,
        "quality:few_genes": 1,
        "quality:outlier_counts": 2,
        "quality:high_mito": 1,
        "quality:duplicate": 1,
    }
    assert (report.total_counts, report.total_counts_in) == (adata.X.sum(), adata.X.sum())
    assert curated.classes["cell_type"] == ["CL:0000084", "CL:0000236"]
    labels = curated.decisions[curated.decisions["field"] == "cell_type"]
    assert dict(zip(labels["subject_label"], labels["n_cells"], strict=True)) == {
        "T cell": 12,
        "B cell": 2,
    }
    assert adata.obs["quality"].cat.categories.tolist() == ["ok"]


def test_the_report_has_rules_flags_and_bounds(poor: Path, run: Run) -> None:
    curated, adata = run(poor, quality=rules(drop=("empty",)))
    told = json.loads(adata.uns["corpuscle"]["report"])["quality"]
    assert told == curated.report.quality
    assert told["rules"] == {"min_genes_per_cell": 10, "drop": ["empty"]}
    assert (told["flags"]["empty"], told["flags"]["duplicate"]) == (1, 1)
    low, high = told["bounds"]["outlier_counts"]
    inside = adata.obs["n_counts"].between(low, high)
    assert (~inside == adata.obs["quality"].str.contains("outlier_counts")).all()


def test_without_rules_nothing_else_is_measured(poor: Path, run: Run) -> None:
    curated, adata = run(poor)
    assert ("pct_counts_top20" in adata.obs, curated.report.quality) == (False, {})
    assert adata.obs["quality"].tolist() == ["ok"] * 19 + ["empty"]


@pytest.mark.parametrize(
    ("organism", "n_high"), [("human", 1), ("mouse", 1), ("NCBITaxon:9483", 0)]
)
def test_mitochondria_are_those_of_the_species(
    write: Write, run: Run, organism: str, n_high: int
) -> None:
    """The gene table of the marmoset knows none: its cells are not judged by them."""
    x = poor_cells()[:15]
    curated, adata = run(write(x, genes_of(organism)), organism=organism, quality=rules())
    assert curated.report.quality["flags"]["high_mito"] == n_high
    assert adata.obs["pct_counts_mito"].isna().all() == (n_high == 0)


def test_only_cells_that_say_so_are_not_primary(poor: Path, run: Run) -> None:
    curated, adata = run(poor, quality=rules(primary_only=True))
    assert curated.report.dropped == {"not_primary": 1}
    assert adata.obs_names[:2].tolist() == ["cell1", "cell2"]


def test_the_copy_of_a_cell_that_is_not_primary_is_no_duplicate(write: Write, run: Run) -> None:
    x = poor_cells()[[0, 0, 1]]
    path = write(x, genes_of("human"), {"is_primary_data": ["False", "True", "True"]})
    _, adata = run(path, quality=rules(primary_only=True, drop=("duplicate",)))
    assert adata.obs["source_row"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"min_cells": 20, "drop": ("empty", "duplicate")},
            "keeps 18 of 20 cells (quality:empty drops 1, quality:duplicate drops 1), fewer than "
            "min_cells = 20. Leave the dataset out, or change the rules.",
        ),
        (
            {"min_cells": 20, "primary_only": True},
            "keeps 19 of 20 cells (not_primary drops 1), fewer than min_cells = 20.",
        ),
        ({"min_cells": 21}, "keeps 20 of 20 cells (none is dropped), fewer than min_cells = 21."),
        (
            {"min_genes_per_cell": 100, "drop": ("few_genes",)},
            "keeps 0 of 20 cells (quality:few_genes drops 20), fewer than min_cells = 1.",
        ),
        (
            {"min_genes": 41},
            "measured 40 genes, fewer than min_genes = 41. Leave the dataset out, or lower",
        ),
        (
            {"max_dropped_share": 0.09, "drop": ("empty", "duplicate")},
            "would lose 10.0% of 20 measured cells (quality:empty drops 1, quality:duplicate "
            "drops 1), more than max_dropped_share = 9.0%. Curate it with drop empty",
        ),
    ],
)
def test_datasets_that_are_too_small_or_too_poor_are_refused(
    poor: Path, run: Run, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(QualityError) as refused:
        run(poor, quality=rules(**changes))
    assert f"{poor} {message}" in str(refused.value)
    assert sorted(path.name for path in poor.parent.rglob("*") if path.is_file()) == [poor.name]


def test_limits_are_allowed(poor: Path, run: Run) -> None:
    limits = {"min_cells": 18, "min_genes": 40, "max_dropped_share": 0.1}
    assert run(poor, quality=rules(drop=("empty", "duplicate"), **limits))[0].report.n_cells == 18


def test_a_dataset_without_primary_cells_is_refused_for_that(write: Write, run: Run) -> None:
    path = write(poor_cells(), genes_of("human"), {"is_primary_data": ["False"] * 20})
    with pytest.raises(QualityError, match=r"keeps 0 of 20 cells \(not_primary drops 20\)"):
        run(path, quality=rules(primary_only=True))
    with pytest.raises(OrganismError):
        run(write(poor_cells(), genes_of("human"), {"organism": ["mouse"] * 20}), organism="human")


def test_rows_that_a_reader_loses_are_noticed(poor: Path, tmp_path: Path) -> None:
    source = open_source(poor)
    rows = source.matrices["X"].rows
    short = _matrix.Rows(indptr=rows.indptr, read=lambda start, stop: rows.read(start, stop - 1))
    source.matrices["X"].__dict__["rows"] = short
    with pytest.raises(IntegrityError, match="19 of 20 cells came out of the matrix"):
        curate(source, tmp_path / "out.h5ad", dataset="d", source_hash="")
    assert not list(tmp_path.glob("*out*"))


def test_cells_of_the_matrix_that_obs_does_not_have_are_noticed(poor: Path, tmp_path: Path) -> None:
    source = open_source(poor)
    source.obs = source.obs.iloc[:-1]
    with pytest.raises(IntegrityError) as refused:
        curate(source, tmp_path / "out.h5ad", dataset="d", source_hash="")
    assert "has 20 cells, 19 would come out, and rules dropped none" in str(refused.value)


DROPS = st.lists(st.sampled_from(WITHOUT_DOUBLETS), unique=True).map(tuple)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 999), drop=DROPS, chunk=st.integers(1, 300), primary=st.booleans())
def test_no_cell_is_lost_and_chunks_do_not_change_a_byte(
    tmp_path: Path, seed: int, drop: tuple[str, ...], chunk: int, primary: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = poor_cells()[rng.integers(0, 20, size=30)]
    x[0] = poor_cells()[0]
    stated = rng.choice(["True", "False", "?"], size=30)
    stated[0] = "True"  # this cell has no fault, so that one is left
    obs = pd.DataFrame(
        {"is_primary_data": stated},
        index=[f"cell{i}" for i in range(30)],
    )
    path = tmp_path / "source.h5ad"
    var = pd.DataFrame(index=genes_of("human"))
    anndata.AnnData(sparse.csr_matrix(x), obs=obs, var=var).write_h5ad(path)
    hashes = []
    for size in (chunk, _matrix.CHUNK_VALUES):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_matrix, "CHUNK_VALUES", size)
            out = tmp_path / "curated.h5ad"
            options = CurationOptions(quality=rules(drop=drop, primary_only=primary))
            curated = curate(path, out, dataset="d", source_hash="", options=options)
            hashes.append(content_hash(out))
        report, adata = curated.report, cast("Any", anndata.read_h5ad(out))
        assert report.n_cells_in == adata.n_obs + sum(report.dropped.values()) == 30
        assert adata.X.toarray().tolist() == x[adata.obs["source_row"]][:, order(path)].tolist()
    assert len(set(hashes)) == 1


def order(path: Path) -> list[int]:
    """Where the genes of a file are when their ids are sorted."""
    file: Any
    with h5py.File(path) as file:
        names = file["var/_index"].asstr()[...]
    return sorted(range(len(names)), key=lambda place: str(names[place]))
