from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from corpuscle.curation import Curated, CurationOptions, _matrix, content_hash, curate, versions
from corpuscle.errors import ConflictError, CountsError, OrganismError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]
    Coded = Callable[[int, int], np.ndarray[Any, np.dtype[np.float32]]]
    Run = Callable[..., tuple[Curated, Any]]

ODD = pd.DataFrame(
    {
        "a/b": [1.5, 2.5, 3.5],
        "author_x": ["1", "2", "3"],
        "n_counts": [7, 8, 9],
        "nullable": pd.array([1, None, 3], dtype="Int64"),
        "when": pd.to_datetime(["2020-01-02"] * 3).astype(str),
        "flag": [True, False, True],
        "nothing": [np.nan] * 3,
        "stage": pd.Categorical(["late"] * 3, categories=["early", "late"], ordered=True),
        "cell_type": ["T cell", " neuron ", "nonsense"],
        "tissue": ["lung"] * 3,
    },
    index=["a", "b", "a"],
)


@pytest.fixture
def odd(write: Write, coded: Coded, human: list[str]) -> Path:
    """Three cells with columns of many kinds; slashes come in through the back door."""
    obs = ODD.rename(columns={"a/b": "slash"})
    obs.index = pd.Index(["a", "b", "c"])
    path = write(sparse.csr_matrix(coded(3, 4)), [human[3], human[1], "nonsense", human[1]], obs)
    file: Any
    with h5py.File(path, "r+") as file:
        del file["obs/_index"]
        anndata.io.write_elem(file, "obs/_index", np.asarray(["a", "b", "a"], dtype=object))
        file["obs/a/b"] = file["obs/slash"]
        order = [name.replace("slash", "a/b") for name in file["obs"].attrs["column-order"]]
        file["obs"].attrs["column-order"] = order
    return path


def test_the_file_is_as_the_contract_says(odd: Path, run: Run, human: list[str]) -> None:
    _, adata = run(odd, min_gene_share=0.1)
    assert (type(adata.X), adata.X.dtype, adata.X.toarray().tolist()) == (
        sparse.csr_matrix,
        np.float32,
        [[2 + 4, 1], [102 + 104, 101], [202 + 204, 201]],
    )
    assert adata.var_names.tolist() == [human[1], human[3]]
    assert list(adata.var) == [
        "symbol",
        "biotype",
        "is_mito",
        "is_ribo",
        "is_hb",
        "kind",
        "organism_ontology_term_id",
        "source_id",
        "resolution",
    ]


def test_obs_holds_the_contract_and_the_authors_columns(odd: Path, run: Run) -> None:
    _, adata = run(odd, min_gene_share=0.1)
    front = [name for name in adata.obs if not name.startswith("author_")]
    assert front == [
        "cell_type_ontology_term_id", "cell_type", "disease_ontology_term_id", "disease",
        "development_stage_ontology_term_id", "development_stage", "tissue_ontology_term_id",
        "tissue", "assay_ontology_term_id", "assay", "self_reported_ethnicity_ontology_term_id",
        "self_reported_ethnicity", "sex_ontology_term_id", "sex", "tissue_type",
        "organism_ontology_term_id", "organism", "donor_id", "suspension_type", "is_primary_data",
        "dataset_id", "source_row", "n_genes", "n_counts", "pct_counts_mito",
        "pct_counts_ribo", "pct_counts_hb", "quality", "fingerprint",
    ]  # fmt: skip
    assert list(adata.obs)[len(front) :] == [
        "author_cell_type", "author_tissue", "author_a_b", "author_author_x", "author_n_counts",
        "author_nullable", "author_when", "author_flag", "author_nothing", "author_stage",
    ]  # fmt: skip


def test_cells_stay_traceable(odd: Path, run: Run) -> None:
    curated, adata = run(odd, min_gene_share=0.1)
    assert (adata.obs_names.tolist(), adata.obs["source_row"].tolist()) == (
        ["a-row0", "b", "a-row2"],
        [0, 1, 2],
    )
    assert curated.report.renamed_cells == 2


def test_values_of_the_author_come_through(odd: Path, run: Run) -> None:
    obs = run(odd, min_gene_share=0.1)[1].obs
    assert obs.iloc[0].filter(like="author_").astype(object).where(lambda s: s.notna(), None).to_dict() == {
        "author_cell_type": "T cell",
        "author_tissue": "lung",
        "author_a_b": 1.5,
        "author_author_x": "1",
        "author_n_counts": 7,
        "author_nullable": 1,
        "author_when": "2020-01-02",
        "author_flag": True,
        "author_nothing": None,
        "author_stage": "late",
    }  # fmt: skip


def test_the_report_accounts_for_everything(odd: Path, run: Run) -> None:
    report = run(odd, min_gene_share=0.1)[0].report.to_dict()
    facts = {key: report[key] for key in ("n_cells_in", "n_cells", "dropped", "counts_from")}
    assert facts == {"n_cells_in": 3, "n_cells": 3, "dropped": {}, "counts_from": "X"}
    assert (report["total_counts_in"], report["total_counts"]) == (1230, 1230 - 3 - 103 - 203)
    assert report["genes"] == {
        "column": "index",
        "features": 4,
        "resolved": 3,
        "ambiguous": 0,
        "unknown": 1,
        "genes": 2,
        "methods": {"id": 3, "none": 1},
        "first_ambiguous": [],
        "first_unknown": ["nonsense"],
    }
    assert report["labels"]["cell_type"] == {
        "columns": ["cell_type"],
        "mapped": 2,
        "ambiguous": 0,
        "unmapped": 1,
        "cells_mapped": 2,
        "open": [{"label": "nonsense", "outcome": "unmapped", "n_cells": 1}],
        "suggested_columns": [],
    }


def test_the_report_and_the_versions_are_in_the_file(odd: Path, run: Run) -> None:
    curated, adata = run(odd, min_gene_share=0.1)
    own = adata.uns["corpuscle"]
    assert (json.loads(own["report"]), own["source_hash"], own["versions"]) == (
        json.loads(json.dumps(curated.report.to_dict())),
        "abc",
        versions(),
    )


def test_classes_are_the_values_that_say_something(odd: Path, run: Run) -> None:
    curated, _ = run(odd, min_gene_share=0.1)
    said = {name: values for name, values in curated.classes.items() if values}
    assert said == {
        "cell_type": ["CL:0000084", "CL:0000540"],
        "tissue": ["UBERON:0002048"],
        "organism": ["NCBITaxon:9606"],
    }


def test_several_terms_of_a_cell_are_taken_apart(
    write: Write, run: Run, coded: Coded, human: list[str]
) -> None:
    diseases = ["MONDO:0005148 || MONDO:0004979", "MONDO:0004979"]
    curated, _ = run(write(coded(2, 3), human[:3], {"disease_ontology_term_id": diseases}))
    assert curated.terms["disease"] == ["MONDO:0004979", "MONDO:0005148"]


def test_cells_of_another_organism_are_dropped_and_counted(
    write: Write, run: Run, coded: Coded, human: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", 1)
    obs = {"organism": ["mouse", "human", "mouse", "human", "mouse"]}
    spatial = np.arange(10.0).reshape(5, 2)
    curated, adata = run(write(coded(5, 2), human[:2], obs, obsm={"spatial": spatial}))
    assert (curated.report.n_cells_in, curated.report.dropped) == (5, {"other_organism": 3})
    assert (adata.X.toarray().tolist(), adata.obsm["spatial"].tolist()) == (
        [[101, 102], [301, 302]],
        [[2, 3], [6, 7]],
    )


def test_a_file_without_cells_of_the_organism_is_refused(
    write: Write, run: Run, coded: Coded, human: list[str]
) -> None:
    genes = pd.Index(human[:2])
    path = write(coded(2, 2), list(genes), {"organism": ["mouse", "mouse"]})
    with pytest.raises(OrganismError, match="has no cells of Homo sapiens: stated in option"):
        run(path, organism="human")


@pytest.mark.parametrize(
    ("value", "n_twins", "dtype"),
    [(2**23, 1, "float32"), (2**23, 2, "float64"), (2**24 + 1, 1, "float64")],
)
def test_sums_that_float32_cannot_hold_are_stored_wider(
    write: Write, run: Run, human: list[str], value: int, n_twins: int, dtype: str
) -> None:
    x = np.full((2, n_twins), value, dtype=np.int64)
    _, adata = run(write(x, [human[0]] * n_twins))
    assert (str(adata.X.dtype), int(adata.X[0, 0])) == (dtype, value * n_twins)


def test_a_large_value_of_another_matrix_does_not_widen_the_counts(
    write: Write, run: Run, coded: Coded, human: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", 2)
    values = np.asarray([[2.0**30, 2.0], [0.5, 1.0]])
    raw = anndata.AnnData(values, var=pd.DataFrame(index=human[:2]))
    raw.obs_names = ["cell0", "cell1"]
    curated, adata = run(write(coded(2, 2), human[:2], raw=raw))
    assert (curated.report.counts_from, str(adata.X.dtype)) == ("X", "float32")


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_neither_form_nor_chunks_change_the_result(
    write: Write,
    run: Run,
    coded: Coded,
    human: list[str],
    monkeypatch: pytest.MonkeyPatch,
    form: Callable[[Any], Any],
    chunk: int,
) -> None:
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", chunk)
    values = coded(5, 3) * np.asarray([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0]])
    curated, adata = run(write(form(values.astype(np.float32)), human[:3]))
    assert (adata.X.toarray().tolist(), curated.report.total_counts) == (
        values.tolist(),
        values.sum(),
    )


def test_progress_is_told_to_the_end(
    write: Write, coded: Coded, human: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_matrix, "CHUNK_VALUES", 4)
    path = write(coded(5, 2), human[:2])
    told: list[tuple[int, int]] = []
    out = path.with_name("o.h5ad")
    curate(path, out, dataset="d", source_hash="", progress=lambda n, of: told.append((n, of)))
    assert told == [(2, 5), (4, 5), (5, 5)]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("x", "error"), [(np.full((2, 2), 0.5), CountsError), (np.full((2, 2), -1.0), CountsError)]
)
def test_a_refusal_leaves_nothing_behind(
    write: Write, run: Run, tmp_path: Path, human: list[str], x: Any, error: type[Exception]
) -> None:
    path = write(x, human[:2])
    with pytest.raises(error):
        run(path)
    assert files(tmp_path) == ["source.h5ad"]


def test_damage_found_while_writing_leaves_what_was_there(
    write: Write, run: Run, coded: Coded, tmp_path: Path, human: list[str]
) -> None:
    path = write(coded(3, 2), human[:2])
    run(path)
    before = content_hash(tmp_path / "out")

    def stop(done: int, of: int) -> None:
        msg = f"stopped at {done} of {of}"
        raise SchemaError(msg)

    out = tmp_path / "out" / "curated.h5ad"
    with pytest.raises(SchemaError, match="stopped at 3 of 3"):
        curate(path, out, dataset="d", source_hash="", progress=stop)
    assert content_hash(tmp_path / "out") == before


def test_names_that_cannot_be_stored_are_refused(
    write: Write, coded: Coded, tmp_path: Path, human: list[str]
) -> None:
    obs = pd.DataFrame({"note": ["a\0b", "c"]}, index=["a\0b", "c"])
    path = write(coded(2, 2), human[:2], obs, name="a.zarr")
    with pytest.raises(SchemaError) as refused:
        curate(path, tmp_path / "out" / "o.h5ad", dataset="d", source_hash="")
    assert f"A table of {path} cannot be stored" in str(refused.value)
    assert files(tmp_path / "out") == []


def test_a_source_is_never_replaced(write: Write, coded: Coded, human: list[str]) -> None:
    path = write(coded(2, 2), human[:2])
    before = content_hash(path)
    with pytest.raises(ConflictError, match="would replace its source"):
        curate(path, path, dataset="d", source_hash="")
    assert content_hash(path) == before


SCRIPT = """
import sys
from pathlib import Path
from corpuscle.curation import CurationOptions, content_hash, curate
options = CurationOptions(min_gene_share=0.1)
curate(Path(sys.argv[1]), Path(sys.argv[2]), dataset="d", source_hash="h", options=options)
print(content_hash(Path(sys.argv[2])))
"""


def test_the_same_file_gives_the_same_bytes_in_every_process(odd: Path, tmp_path: Path) -> None:
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(odd), str(tmp_path / "there.h5ad")],
        env={**os.environ, "PYTHONHASHSEED": other},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    curate(
        odd,
        tmp_path / "here.h5ad",
        dataset="d",
        source_hash="h",
        options=CurationOptions(min_gene_share=0.1),
    )
    assert told == content_hash(tmp_path / "here.h5ad") + "\n"


ENTRIES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 200)), min_size=1, max_size=25
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entries=ENTRIES, chunk=st.integers(1, 12))
def test_any_csr_with_duplicates_keeps_every_count(
    write: Write, run: Run, human: list[str], entries: list[tuple[int, int, int]], chunk: int
) -> None:
    entries = sorted([*entries, (0, 0, 2)], key=lambda entry: entry[0])
    cells, features, values = (np.asarray(part) for part in zip(*entries, strict=True))
    indptr = np.searchsorted(cells, np.arange(5))
    x = sparse.csr_matrix((values.astype(np.float32), features, indptr), (4, 5))
    genes = [human[0], human[1], "nonsense", human[0], human[2]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_matrix, "CHUNK_VALUES", chunk)
        curated, adata = run(write(x, genes))
    known = features != 2
    assert (curated.report.total_counts_in, curated.report.total_counts, adata.X.sum()) == (
        values.sum(),
        values[known].sum(),
        values[known].sum(),
    )
