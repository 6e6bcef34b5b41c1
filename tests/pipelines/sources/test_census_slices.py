from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from corpuscle.errors import InputError
from corpuscle.pipelines.examples._census import write_census
from corpuscle.pipelines.examples._census_recipes import BUILD, RECIPES
from corpuscle.pipelines.sources import Wanted

from .census import fetched, read, same_counts, sliced, slices

if TYPE_CHECKING:
    from pathlib import Path


pytest.importorskip("cellxgene_census")

BLOOD, LUNG, CORTEX, _ = (recipe.dataset_id for recipe in RECIPES)
COVID = "MONDO:0100096"
HUMAN = "NCBITaxon:9606"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("census")
    write_census(folder)
    return folder


def test_a_slice_has_the_counts_that_the_package_reads(folder: Path, tmp_path: Path) -> None:
    made, found = slices(folder, tmp_path)
    for dataset in found:
        organism = dataset.extra["organism"]
        expected = read(folder, organism, "is_primary_data == True")
        assert dataset.n_cells == expected.n_obs
        assert same_counts(fetched(made, dataset), expected)


def test_all_cells_come_only_when_asked_for(folder: Path, tmp_path: Path) -> None:
    human = Wanted(organism=HUMAN)
    primary, every = sliced(folder, tmp_path, human), sliced(folder, tmp_path, human, cells="all")
    assert (primary.n_obs, every.n_obs) == (210, 230)
    assert same_counts(every, read(folder, "homo_sapiens", None))


def test_a_term_brings_the_terms_below_it(folder: Path, tmp_path: Path) -> None:
    found = sliced(folder, tmp_path, Wanted.of(organism="human", terms={"tissue": ["lung"]}))
    assert set(found.obs["tissue"]) == {"lung", "upper lobe of left lung"}


def test_a_filter_of_the_users_is_added(folder: Path, tmp_path: Path) -> None:
    lung = Wanted(terms={"tissue": ("UBERON:0002048",)})
    found = sliced(folder, tmp_path, lung, where="assay == 'Smart-seq2' or sex == 'male'")
    assert found.n_obs == 45
    assert found.obs["is_primary_data"].all()
    assert set(found.obs["assay"]) == {"Smart-seq2"}


@pytest.mark.parametrize("where", ["sex = 'female'", "colour == 'red'", "(", "__import__('os')"])
def test_a_filter_that_is_none_is_refused(folder: Path, tmp_path: Path, where: str) -> None:
    with pytest.raises(InputError, match="is no filter of the cells") as caught:
        slices(folder, tmp_path, where=where)
    assert caught.value.details == {"where": where}


def test_a_slice_is_called_alike_in_every_build_and_its_version_tells_the_build(
    folder: Path, tmp_path: Path
) -> None:
    text = (folder / "release.json").read_text()
    copy = shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.h5ad"))
    (copy / "release.json").write_text(
        text.replace(f'"release_build": "{BUILD}"', '"release_build": "2026-01-01"')
    )
    _, old = slices(folder, tmp_path)
    _, new = slices(copy, tmp_path)
    assert [d.id for d in old] == [d.id for d in new]
    assert all(d.version.startswith(BUILD) for d in old)
    assert all(d.version.startswith("2026-01-01") for d in new)


def test_other_filters_make_other_slices(folder: Path, tmp_path: Path) -> None:
    asked = [{}, {"cells": "all"}, {"where": "sex == 'male'"}]
    ids = [d.id for options in asked for d in slices(folder, tmp_path, None, **options)[1]]
    ids += [d.id for d in slices(folder, tmp_path, Wanted(terms={"disease": (COVID,)}))[1]]
    assert len(set(ids)) == len(ids) == 7


def test_a_slice_names_the_datasets_whose_cells_it_repeats(folder: Path, tmp_path: Path) -> None:
    _, (human, mouse) = slices(folder, tmp_path)
    assert human.links == (f"cellxgene:dataset:{BLOOD}", f"cellxgene:dataset:{LUNG}")
    assert mouse.links == (f"cellxgene:dataset:{CORTEX}",)
    assert mouse.citation.count("Dataset Version") == 1


def test_a_slice_is_written_once_and_has_the_same_bytes_each_time(
    folder: Path, tmp_path: Path
) -> None:
    made, (human, _) = slices(folder, tmp_path / "one")
    with made.fetch(human) as (first,), made.fetch(human) as (kept,):
        assert kept.path == first.path
        assert kept.path.stat().st_mtime_ns == first.path.stat().st_mtime_ns
    other, _ = slices(folder, tmp_path / "two")
    with other.fetch(human) as (again,):
        assert again.hash == first.hash


def test_a_slice_is_opened_in_a_process_without_the_package(folder: Path, tmp_path: Path) -> None:
    import pickle

    made, (human, _) = slices(folder, tmp_path)
    with made.fetch(human) as (file,):
        (tmp_path / "dataset").write_bytes(pickle.dumps((human, file.path)))
        code = f"""
import pickle, sys
from pathlib import Path
sys.modules["tiledbsoma"] = sys.modules["cellxgene_census"] = None
from corpuscle.pipelines.sources import get_source
dataset, path = pickle.loads(Path({str(tmp_path / "dataset")!r}).read_bytes())
with get_source(dataset.source).open(dataset, [path]) as file:
    print(sum(rows.nnz for _, rows in file.matrices["X"].chunks()))
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    assert int(done.stdout) == read(folder, "homo_sapiens", "is_primary_data == True").X.nnz
