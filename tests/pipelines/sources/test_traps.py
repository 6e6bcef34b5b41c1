"""Traps that sources have in common, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import pytest

from corpuscle.curation import curate
from corpuscle.ontologies import get_organism, map_labels
from corpuscle.pipelines.examples import write_mirrors
from corpuscle.pipelines.sources import SourceDataset, Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.curation import Curated

    Curate = Callable[[str, str], tuple[Any, Curated]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_mirrors(tmp_path_factory.mktemp("mirrors"))


@pytest.fixture
def curated(folders: dict[str, Path], tmp_path: Path) -> Curate:
    """Curate the first dataset of a source that an id fits."""

    def run(name: str, id_: str = "*") -> tuple[Any, Curated]:
        source = get_source(name)(Transfer(cache=tmp_path / "cache"), at=str(folders[name]))
        dataset = next(d for d in source.datasets(Wanted(ids=(id_,))) if not d.skip)
        out = tmp_path / "out.h5ad"
        with source.fetch(dataset) as files:
            opened = source.open(dataset, [file.path for file in files])
            result = curate(opened, out, dataset=dataset.key, source_hash="")
        return anndata.read_h5ad(out), result

    return run


def listed(folders: dict[str, Path], name: str) -> list[SourceDataset]:
    return list(get_source(name)(Transfer(), at=str(folders[name])).datasets(Wanted()))


def test_trap_1_the_atlas_names_the_collection_that_repeats_it(folders: dict[str, Path]) -> None:
    aliases = {alias for d in listed(folders, "cellxgene") for alias in d.aliases}
    for dataset in listed(folders, "devatlas"):
        assert set(dataset.links) & aliases


def test_trap_1_samples_name_the_collection_that_holds_them(folders: dict[str, Path]) -> None:
    links = {d.id: d.links for d in listed(folders, "scbasecount") if d.links}
    assert links
    assert all(link.startswith("cellxgene:collection:") for of in links.values() for link in of)


@pytest.mark.parametrize(
    ("name", "organism", "method"),
    [
        ("cellxgene", "human", "obs"),
        ("tahoe", "human", "source"),
        ("scbasecount", "human", "source"),
        ("devatlas", "mouse", "source"),
    ],
)
def test_trap_2_the_organism_is_found_where_the_source_says_it(
    curated: Curate, name: str, organism: str, method: str
) -> None:
    adata, result = curated(name, "*")
    assert set(adata.obs["organism"]) == {get_organism(organism).name}
    found = result.report.organism["method"]
    assert found == method or (name == "cellxgene" and found == "uns")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NCBITaxon:9593", "NCBITaxon:9595"),
        ("NCBITaxon:4530", "NCBITaxon:39947"),
        ("NCBITaxon:10090", "NCBITaxon:10092"),
        ("NCBITaxon:10090", "NCBITaxon:57486"),
    ],
)
def test_trap_2_taxa_of_one_organism_are_one(one: str, other: str) -> None:
    assert get_organism(one) == get_organism(other)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("disease", "MONDO:0004979 || MONDO:0005148"),
        ("self_reported_ethnicity", "AfPO:0000056 || AfPO:0000057"),
        ("disease", "MONDO:0004979,MONDO:0005148"),
    ],
)
def test_trap_3_several_terms_are_taken_apart_and_joined_alike(field: str, text: str) -> None:
    term = map_labels([text], field=field, organism="human")["term_id"].item()
    alone = map_labels(text.replace(" || ", ",").split(","), field=field, organism="human")
    assert term == " || ".join(sorted(alone["term_id"]))


def test_trap_3_a_dose_is_a_literal_that_is_read_and_not_evaluated(curated: Curate) -> None:
    adata, _ = curated("tahoe", "plate1")
    written = set(adata.obs["author_drugname_drugconc"])
    assert all(text.startswith("[('") for text in written)
    assert set(adata.obs["perturbation_dose_unit"].dropna()) == {"uM"}
    assert set(adata.obs["perturbation_dose"]) <= {0.0, 0.05, 0.5, 5.0}


def test_trap_4_five_ways_to_say_nothing_are_five() -> None:
    rows = map_labels(["na", "unknown", "", "nan", None], field="cell_type")
    assert rows["source_label"].tolist() == ["na", "unknown", "", "nan", None]
    assert rows["method"].tolist() == ["special", "special", *["missing"] * 3]
    assert rows["term_id"].tolist() == ["na", "unknown", None, None, None]


@pytest.mark.parametrize("name", ["cellxgene", "tahoe", "scbasecount", "devatlas"])
def test_trap_5_genes_get_stable_ids_whatever_the_file_calls_them(
    curated: Curate, name: str
) -> None:
    adata, result = curated(name, "*")
    assert adata.var_names.str.match(r"(ENS(MUS)?G\d{11}|ERCC-\d{5}|ENSSASG\d{11})$").all()
    assert adata.var_names.is_unique
    assert result.report.genes["unknown"] == 0
    assert (adata.var["source_id"] != "").all()


def test_trap_7_cell_lines_are_known_by_cellosaurus(curated: Curate) -> None:
    adata, _ = curated("tahoe", "plate1")
    assert adata.obs["tissue_ontology_term_id"].str.match(r"CVCL_\w{4}$").all()
    assert set(adata.obs["tissue_type"]) == {"cell line"}
    assert set(adata.obs["cell_type"]) == {"na"}


def test_trap_8_days_and_somites_become_stages(curated: Curate) -> None:
    adata, result = curated("devatlas", "*")
    rows = result.decisions[result.decisions["field"] == "development_stage"]
    assert set(rows["outcome"]) == {"mapped"}
    assert (rows["comment"] != "").all()
    assert adata.obs["development_stage_ontology_term_id"].str.match(r"(MmusDv|UBERON):").all()


@pytest.mark.parametrize("text", ["300_minutes", "> 650", "130-170", "57.0"])
def test_trap_8_numbers_that_could_mean_several_stages_stay_open(text: str) -> None:
    for organism in ("Caenorhabditis elegans", "human"):
        row = map_labels([text], field="development_stage", organism=organism).iloc[0]
        assert row["outcome"] != "mapped"
        assert row["source_label"] == text
