"""Documents and files that are not as they should be: each a typed error, or skipped with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from corpuscle.errors import CountsError, IntegrityError, NotFoundError, SchemaError, TransferError
from corpuscle.pipelines.examples._cellxgene import example_id
from corpuscle.pipelines.examples._cellxgene_recipes import ATLAS_COLLECTION
from corpuscle.pipelines.sources import Wanted

from .conformance import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cellxgene_mirror import Mirror

BLOOD = example_id("blood")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{}", "it is of type dict, not list"),
        ("null", "it is missing, not list"),
        ("<html>busy</html>", "it is no JSON"),
        ('[{"dataset_id": "x"', "it is no JSON"),
        ("[" * 200_000, "it is no JSON"),
        ('["\udcff"]', "it is no JSON"),
    ],
    ids=["object", "null", "html", "cut", "deep", "bytes"],
)
def test_a_document_that_is_no_list_is_refused(mirror: Mirror, text: str, named: str) -> None:
    (mirror.folder / "datasets.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SchemaError, match=rf"mirror/datasets .*{named}.*Check the address"):
        mirror.datasets()


def test_a_document_that_is_too_large_is_refused(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpuscle.pipelines.sources._cellxgene.MAX_DOCUMENT", 1_000)
    with pytest.raises(TransferError, match="larger than 1,000 bytes"):
        mirror.datasets()


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({}, "dataset_id: Field required"),
        ("text", "the record: Input should be"),
        ({"dataset_id": "../../x", "dataset_version_id": "y"}, "dataset_id: String should match"),
        ({"dataset_id": "x", "dataset_version_id": "a/b"}, "dataset_version_id: String should"),
        (
            {"dataset_id": 7, "dataset_version_id": "y"},
            "dataset_id: Input should be a valid string",
        ),
    ],
    ids=["empty", "text", "id leaves the folder", "version leaves the folder", "number"],
)
def test_a_record_without_usable_ids_is_refused(mirror: Mirror, record: Any, named: str) -> None:
    mirror.write("datasets", [mirror.record("blood"), record])
    with pytest.raises(SchemaError, match=rf"datasets\[1\] is no record of a dataset: .*{named}"):
        mirror.datasets()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cell_count": "90"}, "cell_count: Input should be a valid integer"),
        ({"cell_count": -1}, "cell_count: Input should be greater than or equal to 0"),
        ({"schema_version": "seven"}, "schema_version: String should match pattern"),
        ({"schema_version": None}, "schema_version: Input should be a valid string"),
        ({"organism": "human"}, "organism: Input should be a valid list"),
        ({"tissue": [{"label": "lung"}]}, "tissue.0.ontology_term_id: Field required"),
        ({"assets": [{"filetype": "H5AD"}]}, "assets.0.url: Field required"),
        ({"published_at": "yesterday"}, "published_at: Input should be a valid datetime"),
        ({"raw_data_location": "layers"}, "raw_data_location: String should match pattern"),
        ({"is_primary_data": ["yes"]}, "is_primary_data.0: Input should be a valid boolean"),
        ({"tombstone": "no"}, "tombstone: Input should be a valid boolean"),
        ({"collection_id": None}, "collection_id: Input should be a valid string"),
    ],
    ids=str,
)
def test_a_malformed_record_costs_one_dataset(
    mirror: Mirror, changes: dict[str, Any], named: str
) -> None:
    mirror.change_record("blood", **changes)
    assert mirror.dataset("blood").skip.startswith(f"its record is malformed: {named}")
    assert not mirror.dataset("lung").skip


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "../outside.h5ad",
        "files/../../outside.h5ad",
        "//host/x.h5ad",
        "\\\\host\\x.h5ad",
        "ftp://host/x.h5ad",
        "",
    ],
)
def test_a_url_that_leaves_the_mirror_is_not_followed(mirror: Mirror, url: str) -> None:
    mirror.change_record("blood", assets=[{"filetype": "H5AD", "filesize": 9, "url": url}])
    assert mirror.dataset("blood").skip.endswith("is neither https nor inside the mirror")
    assert mirror.dataset("blood").files == ()


def test_a_dataset_that_is_listed_twice_is_refused(mirror: Mirror) -> None:
    mirror.write("datasets", [mirror.record("blood"), mirror.record("blood")])
    with pytest.raises(SchemaError, match=f"'{BLOOD}' comes twice"):
        mirror.datasets()


@pytest.mark.parametrize("names", [("blood", "lung"), ("blood", "blood")])
def test_versions_must_differ_and_be_of_one_dataset(mirror: Mirror, names: tuple[str, ...]) -> None:
    mirror.write(f"datasets/{BLOOD}/versions", [mirror.record(name) for name in names])
    with pytest.raises(SchemaError, match=rf"datasets/{BLOOD}/versions .*comes twice"):
        mirror.datasets(versions="all")


@pytest.mark.parametrize("datasets", [None, "all", {}])
def test_a_collection_without_a_list_of_datasets_is_refused(mirror: Mirror, datasets: Any) -> None:
    mirror.write(f"collections/{ATLAS_COLLECTION}", {"name": "x", "datasets": datasets})
    with pytest.raises(
        SchemaError, match=rf"collections/{ATLAS_COLLECTION} .*datasets is .*not a list"
    ):
        mirror.datasets(collection=ATLAS_COLLECTION)


def test_a_size_that_lies_is_noticed(mirror: Mirror) -> None:
    assets = mirror.record("blood")["assets"]
    assets[-1]["filesize"] += 1
    mirror.change_record("blood", assets=assets)
    with serving(mirror.folder) as url:
        source = mirror.source(at=url)
        (dataset,) = source.datasets(Wanted(ids=(BLOOD,)))
        with pytest.raises(IntegrityError, match=r"size .* expected"), source.fetch(dataset):
            pass


def test_a_file_that_is_gone_is_an_error_that_names_it(mirror: Mirror) -> None:
    dataset = mirror.dataset("blood")
    mirror.path("blood").unlink()
    with pytest.raises(NotFoundError, match=dataset.version), mirror.source().fetch(dataset):
        pass


def _without(*columns: str) -> Callable[[Any], None]:
    def change(adata: Any) -> None:
        adata.obs = adata.obs.drop(columns=list(columns))

    return change


def _stating(**uns: Any) -> Callable[[Any], None]:
    def change(adata: Any) -> None:
        for key, value in uns.items():
            if value is None:
                del adata.uns[key]
            else:
                adata.uns[key] = value

    return change


def _unraw(adata: Any) -> Any:
    del adata.raw
    return adata


OTHER = example_id("blood 5.2.0")
CITED = f"Dataset Version: https://datasets.cellxgene.cziscience.com/{OTHER}.h5ad curated"
IN_OTHER = "https://cellxgene.cziscience.com/collections/0-0"
FILES: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "of another version": (
        "blood",
        _stating(citation=CITED),
        rf"uns\['citation'\] names dataset version {OTHER}",
    ),
    "of another collection": (
        "blood",
        _stating(citation=IN_OTHER),
        r"uns\['citation'\] names collection 0-0",
    ),
    "of another schema": (
        "blood",
        _stating(schema_version="6.0.0"),
        r"uns\['schema_version'\] is '6.0.0', and its record says 7.1.0",
    ),
    "of a schema in words": (
        "blood",
        _stating(schema_version="seven"),
        r"uns\['schema_version'\] is 'seven'",
    ),
    "of another organism": (
        "blood",
        _stating(organism_ontology_term_id="NCBITaxon:10090"),
        r"uns\['organism_ontology_term_id'\] is 'NCBITaxon:10090'",
    ),
    "without organism in uns": (
        "blood",
        _stating(organism_ontology_term_id=None),
        "uns lacks organism_ontology_term_id",
    ),
    "without organism in obs": (
        "lung",
        _without("organism_ontology_term_id"),
        "obs lacks organism_ontology_term_id",
    ),
    "with fewer cells": ("blood", lambda adata: adata[:80].copy(), "has 80 cells in obs"),
    "without raw": ("blood", _unraw, "raw counts are in raw.X, and it has no raw.X"),
    "with raw": (
        "brain",
        lambda adata: setattr(adata, "raw", adata.copy()),
        "raw counts are in X, and it has raw.X",
    ),
    "without ids of a field": (
        "blood",
        _without("cell_type_ontology_term_id", "sex_ontology_term_id"),
        "obs lacks cell_type_ontology_term_id, sex_ontology_term_id",
    ),
    "without tissue type": ("mixed", _without("tissue_type"), "obs lacks tissue_type"),
    "with genes taken out": (
        "brain",
        lambda adata: adata.var.__setitem__("feature_is_filtered", np.arange(adata.n_vars) == 2),
        r"counts of 1 features were taken out of X \(first: ENSMUSG",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_not_that_of_its_record_is_refused(mirror: Mirror, case: str) -> None:
    name, change, named = FILES[case]
    mirror.change_file(name, change)
    with pytest.raises(SchemaError, match=rf"{mirror.path(name).name} .*{named}.*fetch it again"):
        mirror.curate(name)


def test_all_that_is_wrong_is_told_at_once(mirror: Mirror) -> None:
    mirror.change_file("blood", _without("sex_ontology_term_id"))
    mirror.change_record("blood", cell_count=7)
    with pytest.raises(SchemaError) as caught:
        mirror.curate("blood")
    assert len(caught.value.details["problems"]) == 2  # type: ignore[arg-type] # a list


def _values(change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Change the first stored value of X, or all."""

    def changed(adata: Any) -> None:
        adata.X.data = change(adata.X.data)

    return changed


def _first(value: float) -> Callable[[Any], Any]:
    return lambda data: np.concatenate([[np.float32(value)], data[1:]])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_first(np.nan), "X: nan is not finite"),
        (_first(-1.0), "X: -1 is negative"),
        (np.log1p, "X: .* is not whole"),
        (lambda data: np.minimum(data, 1), "X: no value is above 1"),
    ],
    ids=["nan", "negative", "log", "presence"],
)
def test_counts_that_are_none_are_refused(mirror: Mirror, change: Any, named: str) -> None:
    mirror.change_file("brain", _values(change))
    with pytest.raises(CountsError, match=f"Tried {named}"):
        mirror.curate("brain")


def test_only_the_matrix_of_the_record_is_asked_for_counts(mirror: Mirror) -> None:
    def swap(adata: Any) -> Any:
        raw = adata.raw.to_adata()
        normal = adata.copy()
        del normal.raw
        raw.raw = normal
        return raw

    mirror.change_file("blood", swap)
    with pytest.raises(CountsError, match=r"Tried raw\.X: .* is not whole"):
        mirror.curate("blood")


@pytest.mark.parametrize("content", [b"", b"<html>moved</html>", b"\x89HDF\r\n\x1a\n" + b"\0" * 90])
def test_a_file_that_is_no_h5ad_is_refused(mirror: Mirror, content: bytes) -> None:
    mirror.path("blood").write_bytes(content)
    mirror.resize("blood")
    with pytest.raises(SchemaError, match=r"\.h5ad cannot be read as h5ad"):
        mirror.curate("blood")
