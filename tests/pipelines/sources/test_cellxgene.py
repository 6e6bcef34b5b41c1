from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import InputError, NotFoundError
from corpuscle.pipelines.examples._cellxgene import example_id, write_cellxgene
from corpuscle.pipelines.examples._cellxgene_recipes import ATLAS_COLLECTION
from corpuscle.pipelines.sources import Wanted

from .conformance import Conformance, serving

if TYPE_CHECKING:
    from pathlib import Path

    from .cellxgene_mirror import Mirror


class TestCellxGene(Conformance):
    name = "cellxgene"
    write = staticmethod(write_cellxgene)


def test_the_same_seed_gives_the_same_mirror(
    cellxgene_example: tuple[Path, Any], tmp_path: Path
) -> None:
    write_cellxgene(tmp_path)
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        assert path.read_bytes() == (cellxgene_example[0] / path.relative_to(tmp_path)).read_bytes()


def test_a_dataset_says_what_the_record_says(mirror: Mirror) -> None:
    dataset = mirror.dataset("blood")
    version = example_id("blood 7.1.0")
    assert (dataset.id, dataset.key) == (example_id("blood"), f"cellxgene/{example_id('blood')}")
    assert (dataset.version, dataset.n_cells, dataset.licence) == (version, 90, "CC BY 4.0")
    assert dataset.released == datetime.date(2027, 3, 1)
    assert f"{version}.h5ad" in dataset.citation
    assert dataset.files[0].name == f"{version}.h5ad"
    assert dataset.aliases == (
        f"cellxgene:dataset:{example_id('blood')}",
        f"cellxgene:collection:{example_id('people')}",
    )
    assert dataset.terms["disease"] == ("MONDO:0005002", "MONDO:0100096", "PATO:0000461")
    assert dataset.terms["self_reported_ethnicity"] == (
        "HANCESTRO:0019",
        "HANCESTRO:0568",
        "HANCESTRO:0590",
    )
    assert dataset.extra["is_primary_data"] == [True]
    assert dataset.extra["assets_left_out"] == ["ATAC_FRAGMENT", "ATAC_INDEX"]


@pytest.mark.parametrize(
    ("name", "kinds", "tissues"),
    [
        (
            "lung",
            ("organoid", "primary cell culture", "tissue"),
            ("CL:0000057", "UBERON:0002048"),
        ),
        (
            "brain",
            ("cell line", "primary cell culture", "tissue"),
            ("CL:0000057", "CVCL_0594", "UBERON:0000955"),
        ),
        ("mixed", ("primary cell culture", "tissue"), ("CL:0000066", "UBERON:0000178")),
    ],
)
def test_tissue_types_are_listed_alike_in_all_schemas(
    mirror: Mirror, name: str, kinds: tuple[str, ...], tissues: tuple[str, ...]
) -> None:
    terms = mirror.dataset(name).terms
    assert (terms["tissue_type"], terms["tissue"]) == (kinds, tissues)


@pytest.mark.parametrize(
    ("taxon", "listed"),
    [
        ("NCBITaxon:9593", "NCBITaxon:9595"),
        ("NCBITaxon:10092", "NCBITaxon:10090"),
        ("NCBITaxon:1747270", "NCBITaxon:9541"),
        ("NCBITaxon:6239", "NCBITaxon:6239"),
        ("NCBITaxon:6293", "NCBITaxon:6293"),
    ],
)
def test_subspecies_are_listed_as_their_species_and_another_worm_is_not_c_elegans(
    mirror: Mirror, taxon: str, listed: str
) -> None:
    mirror.change_record("blood", organism=[{"ontology_term_id": taxon, "label": None}])
    assert mirror.dataset("blood").terms["organism"] == (listed,)


def test_deprecated_terms_are_listed_as_their_replacement(mirror: Mirror) -> None:
    mirror.change_record("blood", assay=[{"ontology_term_id": "EFO:0009310", "label": "10x v2"}])
    assert mirror.dataset("blood").terms["assay"] == ("EFO:0009899",)


def test_a_collection_lists_what_the_whole_list_says_of_its_datasets(mirror: Mirror) -> None:
    listed = mirror.datasets(collection=ATLAS_COLLECTION)
    assert listed == [mirror.dataset("atlas")]
    in_people = mirror.datasets(collection=example_id("people"))
    aliases = {alias for dataset in in_people for alias in dataset.aliases[1:]}
    assert (len(in_people), aliases) == (9, {f"cellxgene:collection:{example_id('people')}"})


def test_an_older_version_is_listed_by_its_id(mirror: Mirror) -> None:
    old = example_id("blood 5.2.0")
    (listed,) = mirror.datasets(dataset_version=old)
    assert (listed.id, listed.version) == (example_id("blood"), old)


def test_all_versions_come_with_the_oldest_first(mirror: Mirror) -> None:
    source = mirror.source(versions="all")
    listed = list(source.datasets(Wanted(ids=(example_id("blood"),))))
    assert [d.version for d in listed] == [example_id(f"blood {v}") for v in ("5.2.0", "7.1.0")]


def test_what_is_skipped_is_skipped_in_all_versions(mirror: Mirror) -> None:
    listed = mirror.datasets(versions="all")
    assert (len(listed), sum(bool(d.skip) for d in listed)) == (11, 4)


def test_before_a_date_there_was_an_older_version(mirror: Mirror) -> None:
    wanted = Wanted(ids=(example_id("blood"),), released_before=datetime.date(2026, 1, 1))
    assert list(mirror.source().datasets(wanted)) == []
    (listed,) = mirror.source(versions="all").datasets(wanted)
    assert listed.version == example_id("blood 5.2.0")


def test_the_date_of_a_revision_is_that_of_its_release(mirror: Mirror) -> None:
    mirror.change_record("blood", revised_at="2027-05-06T07:08:09.123456+00:00")
    assert mirror.dataset("blood").released == datetime.date(2027, 5, 6)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("withdrawn", "withdrawn by its publisher (tombstone)"),
        ("failed", "not whole at its publisher (processing_status FAILURE)"),
        ("without h5ad", "no H5AD assets in place of one (it has RDS)"),
        ("of the future", "of schema 8.0, and 2.0 to 7.1 are known here"),
    ],
)
def test_what_cannot_be_had_is_listed_with_the_reason(
    mirror: Mirror, name: str, reason: str
) -> None:
    assert mirror.dataset(name).skip == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"visibility": "PRIVATE"}, "not public (visibility PRIVATE)"),
        (
            {"assets": [{"filetype": "ATAC_FRAGMENT", "filesize": 5, "url": "files/x.tsv.bgz"}]},
            "no H5AD assets in place of one (it has ATAC_FRAGMENT)",
        ),
        ({"assets": None}, "no H5AD assets in place of one"),
        (
            {"assets": [{"filetype": "H5AD", "filesize": 5, "url": f"files/{x}"} for x in "ab"]},
            "2 H5AD assets in place of one",
        ),
        ({"schema_version": "1.1.0"}, "of schema 1.1, and 2.0 to 7.1 are known here"),
        ({"cell_count": 0}, "without cells"),
    ],
)
def test_a_record_tells_why_a_dataset_is_skipped(
    mirror: Mirror, changes: dict[str, Any], reason: str
) -> None:
    mirror.change_record("blood", **changes)
    assert mirror.dataset("blood").skip == reason


def test_nulls_and_unknown_keys_are_tolerated(mirror: Mirror) -> None:
    nothing = ["title", "collection_doi", "collection_doi_label", "revised_at", "published_at"]
    nothing += ["citation", "cell_count", "primary_cell_count", "raw_data_location", "tissue"]
    nothing += ["is_primary_data", "processing_status", "collection_version_id", "cell_type"]
    mirror.change_record("blood", **dict.fromkeys(nothing), spatial={"new": [1]}, colour="red")
    dataset = mirror.dataset("blood")
    assert (dataset.skip, dataset.released, dataset.n_cells) == ("", None, None)
    assert dataset.citation == "people (the record states no citation: made of names and DOI)"
    mirror.curate("blood")


def test_a_later_minor_schema_is_taken(mirror: Mirror) -> None:
    mirror.change_record("blood", schema_version="7.2.0")
    assert mirror.dataset("blood").skip == ""


@pytest.mark.parametrize("size", [None, -1, 0])
def test_a_size_that_is_not_stated_is_not_known(mirror: Mirror, size: int | None) -> None:
    url = mirror.dataset("blood").files[0].url.removeprefix(f"{mirror.folder}/")
    mirror.change_record("blood", assets=[{"filetype": "H5AD", "filesize": size, "url": url}])
    assert mirror.dataset("blood").size is None


def test_relative_urls_are_below_the_mirror_and_others_are_left_alone(mirror: Mirror) -> None:
    assert mirror.dataset("blood").files[0].url == str(mirror.path("blood"))
    url = "https://datasets.cellxgene.cziscience.com/x.h5ad"
    mirror.change_record("blood", assets=[{"filetype": "H5AD", "filesize": 1, "url": url}])
    assert mirror.dataset("blood").files[0].url == url


def test_the_public_api_is_asked_by_default(mirror: Mirror) -> None:
    source = type(mirror.source())(mirror.source().transfer)
    assert source.at == "https://api.cellxgene.cziscience.com/curation/v1"


def test_over_http_endpoints_have_no_ending(mirror: Mirror) -> None:
    mirror.write("collections/only.json", {})
    with serving(mirror.folder) as url:
        source = mirror.source(at=url, collection=ATLAS_COLLECTION)
        (dataset,) = source.datasets(Wanted())
        assert dataset.files[0].url.startswith(f"{url}/files/")
        with source.fetch(dataset) as fetched:
            assert fetched[0].path.name.endswith(".h5ad")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"collection": "../../etc"}, "collection=../../etc"),
        ({"dataset_version": "a/b"}, "dataset_version=a/b"),
        ({"versions": "some"}, "versions=some"),
        ({"dataset_version": "a", "versions": "all"}, "dataset_version names one version"),
        ({"dataset_version": "a", "collection": "b"}, "dataset_version names one version"),
    ],
)
def test_choices_that_make_no_sense_are_refused(
    mirror: Mirror, options: dict[str, str], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        mirror.source(**options)


def test_a_collection_that_is_not_there_is_not_found(mirror: Mirror) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        mirror.datasets(collection="nobody")


def test_the_order_of_the_list_does_not_matter(mirror: Mirror) -> None:
    before = mirror.datasets()
    found = json.loads((mirror.folder / "datasets.json").read_text())
    mirror.write("datasets", found[::-1])
    assert mirror.datasets() == before


def test_a_schema_only_revision_is_another_version_with_the_same_counts(mirror: Mirror) -> None:
    (old,) = mirror.datasets(dataset_version=example_id("blood 5.2.0"))
    before, _ = mirror.curate("blood", old)
    after, _ = mirror.curate("blood")
    assert (before.X != after.X).nnz == 0
    assert list(before.obs_names) == list(after.obs_names)
    assert replace(old, version="").key == mirror.dataset("blood").key
