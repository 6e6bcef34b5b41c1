from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from corpuscle.curation import curate
from corpuscle.errors import InputError, NotFoundError
from corpuscle.pipelines.examples._cells import atlas_cells
from corpuscle.pipelines.examples._devatlas import write_devatlas
from corpuscle.pipelines.sources import Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

from .conformance import Conformance, chosen_ids, serving

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from corpuscle.curation import SourceFile
    from corpuscle.pipelines.sources import Source, SourceDataset

ATLAS_IN_CELLXGENE = "cellxgene:collection:45d5d2c3-bc28-4814-aed6-0bb6f0e11c82"


class TestDevAtlas(Conformance):
    name = "devatlas"
    write = staticmethod(write_devatlas)


class TestDevAtlasRuns(Conformance):
    name = "devatlas"
    options: ClassVar[dict[str, str]] = {"form": "mtx"}
    write = staticmethod(partial(write_devatlas, form="mtx"))


class TestDevAtlasGeo(Conformance):
    name = "devatlas"
    options: ClassVar[dict[str, str]] = {"form": "geo"}
    write = staticmethod(partial(write_devatlas, form="geo"))


class TestDevAtlasEarlier(Conformance):
    name = "devatlas"
    options: ClassVar[dict[str, str]] = {"form": "gse186069"}
    write = staticmethod(partial(write_devatlas, form="gse186069"))


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("devatlas")
    write_devatlas(folder)
    return folder


def source_of(folder: Path, form: str, **options: str) -> Source:
    transfer = Transfer(cache=folder / "cache")
    return get_source("devatlas")(transfer, at=str(folder), options={"form": form, **options})


def listed(folder: Path, form: str, **options: str) -> list[SourceDataset]:
    return list(source_of(folder, form, **options).datasets(Wanted()))


def opened(folder: Path, form: str, **options: str) -> list[SourceFile]:
    source = source_of(folder, form, **options)
    found = []
    for dataset in source.datasets(Wanted()):
        if not dataset.skip:
            with source.fetch(dataset) as fetched:
                found.append(source.open(dataset, [file.path for file in fetched]))
    return found


def by_cell(files: list[SourceFile]) -> tuple[pd.DataFrame, dict[str, str]]:
    """All cells of some files by ``cell_id``, and the terms of their stages."""
    import pandas as pd

    table = pd.concat([file.obs.astype(object) for file in files])
    table["n_somites"] = table["n_somites"].astype("Int64")
    terms: dict[str, str] = {}
    for file in files:
        assert file.facts is not None
        terms |= file.facts.terms["development_stage"]
        file.__exit__()
    return table.set_index("cell_id").sort_index(), terms


def test_runs_are_those_of_the_authors_and_missing_ones_are_skipped_by_name(mirror: Path) -> None:
    datasets = listed(mirror, "mtx")
    assert chosen_ids(datasets)[:7] == [
        *("run_4", "run_13", "run_14", "run_15", "run_16", "run_17_sub1", "run_17_sub2"),
    ]
    assert len(datasets) == 18
    there = [dataset.id for dataset in datasets if not dataset.skip]
    assert there == ["run_4", "run_20"]
    lost = next(dataset for dataset in datasets if dataset.id == "run_17_sub1")
    assert lost.skip.endswith("mtx/gene_count.run_17_sub1.mtx.gz is not there.")


def test_run_without_its_table_of_cells_is_skipped(mirror: Path, tmp_path: Path) -> None:
    shutil.copytree(mirror / "mtx", tmp_path / "mtx")
    (tmp_path / "mtx" / "cell_annotation.run_20.csv.gz").unlink()
    dataset = next(d for d in listed(tmp_path, "mtx") if d.id == "run_20")
    assert "cell_annotation.run_20.csv.gz is not there" in dataset.skip


@pytest.mark.parametrize("spelling", ["backup", "nobackup"])
def test_either_spelling_of_the_site_is_found(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    from dataclasses import replace

    from corpuscle.pipelines.sources import _devatlas

    shutil.copytree(mirror / "adata", tmp_path / "site" / spelling / "adata")
    with serving(tmp_path / "site") as url:
        bases = (f"{url}/backup", f"{url}/nobackup")
        form = replace(_devatlas.FORMS["h5ad"], bases=bases)
        monkeypatch.setitem(_devatlas.FORMS, "h5ad", form)
        source = get_source("devatlas")(Transfer(cache=tmp_path / "cache"))
        datasets = list(source.datasets(Wanted()))
    assert [bool(dataset.skip) for dataset in datasets] == [False] * 4
    assert datasets[0].files[0].url == f"{url}/{spelling}/adata/adata_JAX_dataset_1.h5ad"


def test_real_addresses_are_those_of_the_publishers() -> None:
    from corpuscle.pipelines.sources._devatlas import FORMS

    site = "shendure-web.gs.washington.edu/content/members/cxqiu/public"
    assert FORMS["h5ad"].bases == (
        f"https://{site}/backup/jax/download",
        f"https://{site}/nobackup/jax/download",
    )
    assert FORMS["geo"].files[0] == ("GSE228nnn/GSE228590/suppl/GSE228590_gene_count.{id}.mtx.gz")


def test_series_of_another_paper_is_no_part_of_it(mirror: Path) -> None:
    for form in ("h5ad", "mtx", "geo", "gse186069"):
        for dataset in listed(mirror, form):
            assert "GSE186068" not in str(dataset.to_dict())


def test_version_changes_with_any_of_the_files(mirror: Path, tmp_path: Path) -> None:
    shutil.copytree(mirror / "mtx", tmp_path / "mtx")
    before = {dataset.id: dataset.version for dataset in listed(tmp_path, "mtx")}
    table = tmp_path / "mtx" / "cell_annotation.run_20.csv.gz"
    table.write_bytes(table.read_bytes() + b"more")
    after = {dataset.id: dataset.version for dataset in listed(tmp_path, "mtx")}
    assert [id_ for id_ in before if before[id_] != after[id_]] == ["run_20"]


def test_every_form_says_what_it_repeats(mirror: Path) -> None:
    forms = {form: listed(mirror, form) for form in ("h5ad", "mtx", "geo", "gse186069")}
    every = [dataset for datasets in forms.values() for dataset in datasets]
    assert all(ATLAS_IN_CELLXGENE in dataset.links for dataset in every)
    names = {form: {n for d in datasets for n in d.aliases} for form, datasets in forms.items()}
    for dataset in forms["h5ad"]:
        assert set(dataset.links) & names["mtx"]
        assert "devatlas:GSE186069" in dataset.links
        assert not set(dataset.links) & set(dataset.aliases)
    for dataset in (*forms["mtx"], *forms["geo"]):
        assert f"devatlas:{dataset.id}" in dataset.aliases
        assert set(dataset.links) & names["h5ad"]
        assert ("devatlas:GSE186069" in dataset.links) == (dataset.id == "run_4")
    assert "devatlas:run_4" in forms["gse186069"][0].links


def test_laboratory_and_geo_have_one_key_for_one_run(mirror: Path) -> None:
    keys = [[d.key for d in listed(mirror, form)] for form in ("mtx", "geo")]
    assert keys[0] == keys[1]


def test_cells_are_those_of_the_collection_in_cellxgene(mirror: Path) -> None:
    table, _ = by_cell(opened(mirror, "h5ad"))
    assert sorted(table.index) == sorted(atlas_cells(0).names)


def test_both_forms_say_the_same_of_the_same_cells(mirror: Path) -> None:
    (first, terms), (second, others) = (by_cell(opened(mirror, form)) for form in ("h5ad", "mtx"))
    assert list(first.index) == list(second.index)
    same = ["day", "stage", "specimen", "embryo_sex", "n_somites", "donor_id", "major_trajectory"]
    assert first[same].astype(str).equals(second[same].astype(str))
    assert terms == others


def test_both_forms_hold_the_same_counts_of_the_genes_that_both_measure(mirror: Path) -> None:
    counts: list[dict[str, Any]] = []
    for form in ("h5ad", "mtx"):
        sums: dict[str, Any] = {}
        for file in opened(mirror, form):
            with file:
                (matrix,) = file.matrices.values()
                for start, rows in matrix.chunks():
                    names = file.obs["cell_id"].iloc[start : start + rows.shape[0]]
                    sums |= dict(zip(names, rows[:, :1200].toarray(), strict=True))
        counts.append(sums)
    assert all((counts[0][cell] == counts[1][cell]).all() for cell in counts[1])
    assert len(counts[0]) == len(counts[1]) == 160


def test_each_cell_has_the_stage_of_its_own_day_and_somites(mirror: Path) -> None:
    expected = {
        ("E8.0-E8.5", 0): "MmusDv:0000017",
        ("E8.0-E8.5", 3): "MmusDv:0000108",
        ("E8.0-E8.5", 6): "MmusDv:0000109",
        ("E8.0-E8.5", 12): "MmusDv:0000018",
        ("E8.75", 14): "MmusDv:0000020",
        ("E14.333", None): "MmusDv:0000029",
        ("E15.5", None): "MmusDv:0000032",
        ("P0", None): "MmusDv:0000036",
    }
    table, terms = by_cell(opened(mirror, "h5ad"))
    somites = [None if n == "<NA>" else int(n) for n in table["n_somites"].astype(str)]
    pairs = list(zip(table["day"], somites, strict=True))
    assert set(pairs) == set(expected)
    assert [terms[stage] for stage in table["stage"]] == [expected[pair] for pair in pairs]


def test_newborns_are_whole_organisms_and_the_rest_embryos(mirror: Path) -> None:
    *_, last = opened(mirror, "h5ad")
    with last:
        assert last.facts is not None
        assert last.facts.terms["tissue"] == {
            "whole embryo": "UBERON:0000922",
            "whole newborn": "UBERON:0000468",
        }
        is_newborn = last.obs["specimen"] == "whole newborn"
        assert (is_newborn == (last.obs["day"] == "P0")).all()


def test_curated_cells_carry_the_facts_and_the_words_of_the_authors(
    mirror: Path, tmp_path: Path
) -> None:
    import anndata

    first = opened(mirror, "mtx")[0]
    curated = curate(first, tmp_path / "out.h5ad", dataset="devatlas/run_4", source_hash="")
    obs = anndata.read_h5ad(curated.path).obs
    assert set(obs["assay_ontology_term_id"]) == {"EFO:0030028"}
    assert set(obs["suspension_type"]) == {"nucleus"}
    assert set(obs["sex_ontology_term_id"]) == {"PATO:0000383", "PATO:0000384"}
    assert obs["donor_id"].tolist() == obs["author_embryo_id"].tolist()
    assert obs["n_somites"].dtype == "Int64" or obs["n_somites"].dtype == np.int64
    assert set(obs["author_somite_count"]) == {
        *("0 somites", "3 somites", "6 somites", "12 somites")
    }
    assert "NMPs and spinal cord progenitors" in set(obs["author_cell_type"])
    assert "Mesoderm" in set(obs["author_major_trajectory"])
    said = curated.decisions.groupby("field")["comment"].agg(list)
    assert all("200 UMIs" in comment and "EFO:0010550" in comment for comment in said["assay"])
    assert all("convention" in comment for comment in said["development_stage"])


def test_table_without_cell_types_leaves_them_unknown(mirror: Path, tmp_path: Path) -> None:
    import anndata

    first = opened(mirror, "h5ad")[0]
    curate(first, tmp_path / "out.h5ad", dataset="devatlas/JAX_dataset_1", source_hash="")
    obs = anndata.read_h5ad(tmp_path / "out.h5ad").obs
    assert set(obs["cell_type_ontology_term_id"]) == {"unknown"}


@pytest.mark.parametrize("form", ["h5ad", "mtx", "gse186069"])
def test_table_of_cell_types_is_joined_to_any_form(mirror: Path, tmp_path: Path, form: str) -> None:
    import pandas as pd

    table = pd.concat(
        [
            pd.read_csv(mirror / "mtx" / f"cell_annotation.{run}.csv.gz", keep_default_na=False)
            .rename(columns={"celltype_udpate": "celltype_update"})
            .assign(R_only="here")
            for run in ("run_20", "run_4")
        ]
    )
    columns = ["cell_id", "R_only", "celltype_update"]
    if form == "h5ad":
        columns += ["day", "embryo_id", "somite_count"]
    table[columns].to_csv(tmp_path / "df_cell.csv.gz", index=False)
    words = table.set_index("cell_id")["celltype_update"]
    for file in opened(mirror, form, cells=str(tmp_path / "df_cell.csv.gz")):
        with file:
            kept = file.obs
            if form == "gse186069":
                kept = kept[~file.dropped["removed_by_low_quality_or_doublets"]]
            key = "atlas_cell_id" if form == "gse186069" else "cell_id"
            assert set(kept["R_only"]) == {"here"}
            assert file.facts is not None
            found = kept[file.facts.columns["cell_type"]]
            assert list(found) == list(words[kept[key]])


def test_table_of_r_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fwrite") as caught:
        source_of(tmp_path, "h5ad", cells="https://host/meta_data/df_cell.rds")
    assert caught.value.details["cells"] == "https://host/meta_data/df_cell.rds"


def test_table_of_cells_that_is_not_there_is_an_error_at_once(mirror: Path) -> None:
    with pytest.raises(NotFoundError, match="no_such"):
        listed(mirror, "mtx", cells=str(mirror / "no_such.csv"))


def test_earlier_set_is_run_4_and_what_was_removed(mirror: Path) -> None:
    (earlier,) = opened(mirror, "gse186069")
    run_4, other = opened(mirror, "mtx")
    with earlier, run_4, other:
        removed = earlier.dropped["removed_by_low_quality_or_doublets"]
        assert removed.sum() == 20
        assert list(earlier.obs["atlas_cell_id"][~removed]) == list(run_4.obs["cell_id"])
        assert "atlas_cell_id" in earlier.derived
        here = next(earlier.matrices["X"].chunks())[1][~removed]
        there = next(run_4.matrices["X"].chunks())[1]
        np.testing.assert_array_equal(here.toarray(), there.toarray())


def test_earlier_set_keeps_its_own_words_for_cell_types(mirror: Path) -> None:
    (earlier,) = opened(mirror, "gse186069")
    with earlier:
        assert earlier.facts is not None
        assert earlier.facts.columns["cell_type"] == "celltype"
        assert "Neuromesodermal progenitors" in set(earlier.obs["celltype"])
        assert earlier.obs["celltype"].isna().sum() == 20
        assert "dropped here" in earlier.facts.evidence["assay"]


def test_earlier_set_counts_days_without_a_letter(mirror: Path) -> None:
    (earlier,) = opened(mirror, "gse186069")
    with earlier:
        assert earlier.facts is not None
        assert earlier.facts.terms["development_stage"] == {
            "8.5, 0 somites": "MmusDv:0000017",
            "8.5, 3 somites": "MmusDv:0000108",
            "8.5, 6 somites": "MmusDv:0000109",
            "8.5": "MmusDv:0000020",
        }
        assert set(earlier.obs["specimen"]) == {"whole embryo"}


def test_genes_of_one_symbol_stay_apart(mirror: Path, tmp_path: Path) -> None:
    import anndata

    first = opened(mirror, "mtx")[0]
    var = first.matrices["X"].var
    repeated = var.index[var["gene_short_name"].duplicated(keep=False)]
    assert len(repeated) == 4
    curate(first, tmp_path / "out.h5ad", dataset="devatlas/run_4", source_hash="")
    curated = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert set(repeated) <= set(curated.var_names)
