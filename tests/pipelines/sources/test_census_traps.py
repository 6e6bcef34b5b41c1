from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from corpuscle.errors import InputError, NotFoundError, TransferError
from corpuscle.pipelines.examples._census import write_census
from corpuscle.pipelines.examples._census_recipes import BUILD, RECIPES
from corpuscle.pipelines.sources import Wanted, get_source
from corpuscle.pipelines.sources._census_release import find_release
from corpuscle.pipelines.transfer import Transfer, TransferOptions

from .census import opened, read, sliced, slices, source
from .conformance import serving

if TYPE_CHECKING:
    from pathlib import Path


cellxgene_census = pytest.importorskip("cellxgene_census")

BLOOD, LUNG, CORTEX, SPOTS = (recipe.dataset_id for recipe in RECIPES)
DIABETES, HYPERTENSION, COVID = "MONDO:0005148", "MONDO:0005044", "MONDO:0100096"
HUMAN, MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("census")
    write_census(folder)
    return folder


# the nine traps of reading and writing a Census


def test_trap_1_columns_keep_their_dictionary_and_filters_find_cells(folder: Path) -> None:
    with opened(folder) as census:
        obs = census["census_data"]["homo_sapiens"].obs
        words = obs.get_enumeration_values(["tissue_ontology_term_id"])["tissue_ontology_term_id"]
        cells = cellxgene_census.get_obs(
            census, "homo_sapiens", value_filter="tissue_ontology_term_id == 'UBERON:0002048'"
        )
    assert words.to_pylist() == ["UBERON:0000178", "UBERON:0002048", "UBERON:0008952"]
    assert len(cells) == 55


def test_trap_2_cells_and_genes_of_a_slice_have_names_that_can_be_traced(
    folder: Path, tmp_path: Path
) -> None:
    found = sliced(folder, tmp_path, Wanted(organism=MOUSE))
    positional = read(folder, "mus_musculus", None)
    assert list(positional.var_names[:2]) == ["0", "1"]
    assert found.var_names[0].startswith("ENSMUSG")
    assert list(found.var_names) == list(found.var["feature_id"])
    first = positional.obs.iloc[0]
    assert found.obs_names[0] == f"{CORTEX}:{first['observation_joinid']}"
    assert found.obs_names.is_unique


def test_trap_2_every_column_of_the_cells_is_kept_and_what_is_said_of_the_slice(
    folder: Path, tmp_path: Path
) -> None:
    found = sliced(folder, tmp_path, Wanted(organism=MOUSE))
    expected = read(folder, "mus_musculus", None)
    assert expected.uns == {}
    assert set(found.obs) == set(expected.obs)
    for name in expected.obs:
        assert list(found.obs[name]) == list(expected.obs[name])
    assert f"{RECIPES[2].version_id}.h5ad" in found.uns["citation"]


def test_trap_3_genes_that_no_dataset_of_the_slice_measured_are_no_zeros(
    folder: Path, tmp_path: Path
) -> None:
    with opened(folder) as census:
        presence = cellxgene_census.get_presence_matrix(census, "homo_sapiens")
        ids = cellxgene_census.get_var(census, "homo_sapiens")["feature_id"].to_numpy()
    by_dataset = np.asarray(presence.todense())
    blood = sliced(folder, tmp_path, where=f"dataset_id == '{BLOOD}'")
    both = sliced(folder, tmp_path, Wanted(organism=HUMAN))
    assert not hasattr(presence, "getnnz") or type(presence).__name__ == "csr_array"
    assert list(blood.var_names) == list(ids[by_dataset[0] > 0])
    assert list(both.var_names) == list(ids[by_dataset[:2].any(axis=0)])
    assert list(both.var["n_datasets"]) == list(by_dataset[:2].sum(axis=0)[by_dataset[:2].any(0)])
    assert blood.n_vars < both.n_vars < len(ids)


def test_trap_4_a_disease_is_found_where_it_stands_beside_another(
    folder: Path, tmp_path: Path
) -> None:
    exact = read(folder, "homo_sapiens", f"disease_ontology_term_id == '{DIABETES}'")
    found = sliced(folder, tmp_path, Wanted(terms={"disease": (DIABETES,)}))
    assert exact.n_obs == 0
    assert found.n_obs == 40
    assert set(found.obs["disease_ontology_term_id"]) == {f"{HYPERTENSION} || {DIABETES}"}


def test_trap_4_terms_of_a_value_are_listed_one_by_one(folder: Path, tmp_path: Path) -> None:
    blood = next(d for d in source(folder, tmp_path).datasets(Wanted()) if d.id == BLOOD)
    assert blood.terms["disease"] == (HYPERTENSION, DIABETES, COVID, "PATO:0000461")


def test_trap_5_an_organism_that_the_release_lacks_has_no_dataset(
    folder: Path, tmp_path: Path
) -> None:
    with opened(folder) as census, pytest.raises(ValueError, match="Unknown organism"):
        cellxgene_census.get_anndata(census, "danio_rerio")
    for form in ("h5ad", "slice"):
        made = source(folder, tmp_path, form=form)
        assert list(made.datasets(Wanted(organism="NCBITaxon:7955"))) == []


def test_trap_5_a_release_that_is_gone_is_named_with_what_to_do(
    folder: Path, tmp_path: Path
) -> None:
    made = source(folder, tmp_path, release="latest")
    with pytest.raises(NotFoundError, match=r"2025-11-17 is not at .*--release stable"):
        list(made.datasets(Wanted()))


def test_trap_5_without_a_network_the_error_names_the_address(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        pass  # nothing listens there any more
    impatient = Transfer(cache=tmp_path, options=TransferOptions(attempts=1, wait_s=0.01))
    made = get_source("cellxgene-census")(impatient, at=url)
    with pytest.raises(TransferError, match=r"127.0.0.1"):
        list(made.datasets(Wanted()))


def test_trap_6_addresses_are_those_that_the_package_finds(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cellxgene_census import _release_directory as directory

    with serving(folder) as url:
        monkeypatch.setattr(directory, "CELL_CENSUS_RELEASE_DIRECTORY_URL", f"{url}/release.json")
        monkeypatch.setattr(directory, "CELL_CENSUS_MIRRORS_DIRECTORY_URL", f"{url}/mirrors.json")
        description = directory.get_census_version_description("stable")
        with cellxgene_census.open_soma(census_version="stable") as census:
            opened_at = census.uri
    made = source(folder, tmp_path)
    assert made.found.build == description["release_build"]  # type: ignore[attr-defined]
    assert made.found.soma.rstrip("/") == opened_at.rstrip("/")  # type: ignore[attr-defined]
    assert made.found.h5ads.endswith(description["h5ads"]["relative_uri"])  # type: ignore[attr-defined]


def test_trap_7_source_files_need_not_be_in_a_bucket(folder: Path, tmp_path: Path) -> None:
    made = source(folder, tmp_path)
    dataset = next(iter(made.datasets(Wanted(ids=(CORTEX,)))))
    with made.fetch(dataset) as (file,):
        assert (
            file.path.read_bytes()
            == (folder / "cell-census" / BUILD / "h5ads" / f"{CORTEX}.h5ad").read_bytes()
        )


def test_trap_8_small_buffers_read_the_same_slice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, (dataset, _) = slices(folder, tmp_path / "large")
    with made.fetch(dataset) as (file,):
        expected = file.hash
    monkeypatch.setattr("corpuscle.pipelines.sources._census_soma.BUFFER_BYTES", 2**13)
    monkeypatch.setattr("corpuscle.pipelines.sources._census_slice.VALUES", 1_000)
    made, (again, _) = slices(folder, tmp_path / "small")
    ticks: list[int] = []
    with made.fetch(again, on_progress=lambda done, _: ticks.append(done)) as (file,):
        assert file.hash == expected
    assert again == dataset
    assert len(ticks) > 20


def test_trap_9_nothing_needs_scikit_misc_or_scanpy(folder: Path, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["skmisc"] = None
from pathlib import Path
from corpuscle.pipelines.sources import Wanted, get_source
from corpuscle.pipelines.sources._census_release import find_release
from corpuscle.pipelines.transfer import Transfer
kind = get_source("cellxgene-census")
assert not {{"tiledbsoma", "cellxgene_census", "anndata", "h5py"}} & set(sys.modules)
made = kind(Transfer(cache=Path({str(tmp_path)!r})), at={str(folder)!r}, options={{"form": "slice"}})
for dataset in made.datasets(Wanted()):
    with made.fetch(dataset) as (file,):
        print(file.size > 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize("base", ["s3://bucket/", "s3://bucket/below/", "file:///", "/srv/census/"])
@pytest.mark.parametrize("relative", ["/cell-census/B/soma/", "cell-census/B/soma/"])
def test_trap_6_mirrors_are_joined_as_the_package_does(
    tmp_path: Path, base: str, relative: str
) -> None:
    from cellxgene_census._util import _uri_join

    places = {kind: {"uri": "s3://old/", "relative_uri": relative} for kind in ("soma", "h5ads")}
    releases = {"B": {"release_build": "B", **places}}
    mirrors = {"default": "m", "m": {"provider": "S3", "base_uri": base, "region": "us-east-1"}}
    (tmp_path / "release.json").write_text(json.dumps(releases))
    (tmp_path / "mirrors.json").write_text(json.dumps(mirrors))
    found = find_release(Transfer(cache=tmp_path), str(tmp_path), "B")
    assert (found.soma, found.region) == (_uri_join(base, relative), "us-east-1")


# releases


@pytest.mark.parametrize("name", [None, "stable", BUILD])
def test_an_alias_is_never_stored(folder: Path, tmp_path: Path, name: str | None) -> None:
    for form in ("h5ad", "slice"):
        for dataset in source(folder, tmp_path, release=name, form=form).datasets(Wanted()):
            told = str((dataset, dataset.to_dict()))
            assert BUILD in dataset.files[0].url
            assert dataset.extra["release"]["build"] == BUILD
            assert "stable" not in told
            assert "latest" not in told


@pytest.mark.parametrize("name", ["2023-05-15", "V1"])
def test_a_retracted_release_is_refused_with_its_reason_and_its_successor(
    folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"primary twice.*--release 2025-01-30") as caught:
        list(source(folder, tmp_path, release=name).datasets(Wanted()))
    assert caught.value.details["replaced_by"] == "2025-01-30"


def test_a_mirror_is_chosen_by_name(folder: Path, tmp_path: Path) -> None:
    assert list(source(folder, tmp_path, mirror="here").datasets(Wanted()))
    with pytest.raises(NotFoundError, match=r"no mirror 'moon'.*here"):
        list(source(folder, tmp_path, mirror="moon").datasets(Wanted()))


# source files


def test_a_file_is_a_version_of_the_dataset_that_cellxgene_gives(
    folder: Path, tmp_path: Path
) -> None:
    blood = next(iter(source(folder, tmp_path).datasets(Wanted(ids=(BLOOD,)))))
    assert blood.key == f"cellxgene/{BLOOD}"
    assert blood.version == RECIPES[0].version_id
    assert blood.aliases[0] == f"cellxgene:dataset:{BLOOD}"
    assert blood.aliases[1].startswith("cellxgene:collection:")


def test_spots_have_a_file_and_are_in_no_slice(folder: Path, tmp_path: Path) -> None:
    files = list(source(folder, tmp_path).datasets(Wanted(terms={"assay": ("EFO:0022857",)})))
    _, found = slices(folder, tmp_path, Wanted(terms={"assay": ("EFO:0022857",)}))
    assert [dataset.id for dataset in files] == [SPOTS]
    assert found == []


def test_a_whole_file_keeps_the_cells_of_culture_that_the_census_leaves_out(
    folder: Path, tmp_path: Path
) -> None:
    made = source(folder, tmp_path)
    blood = next(iter(made.datasets(Wanted(ids=(BLOOD,)))))
    with made.fetch(blood) as (file,), made.open(blood, [file.path]) as opened_file:
        assert len(opened_file.obs) == 130
    assert sliced(folder, tmp_path, where=f"dataset_id == '{BLOOD}'").n_obs == 120


@pytest.mark.parametrize("option", ["cells", "where"])
def test_choices_of_slices_are_refused_for_files(folder: Path, tmp_path: Path, option: str) -> None:
    with pytest.raises(InputError, match=f"{option}=all .*form=slice"):
        source(folder, tmp_path, **{option: "all"})
