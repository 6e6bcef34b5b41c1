from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import corpuscle as cp
from corpuscle.errors import NotFoundError
from corpuscle.ontologies import Hierarchy
from corpuscle.pipelines import collect, find_datasets, ingest

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done


@pytest.fixture
def files(workspace: Workspace, tmp_path: Path) -> Path:
    """Three registered datasets."""
    folder = tmp_path / "files"
    folder.mkdir()
    write_h5ad(folder / "a.h5ad", tissue="lung")
    write_h5ad(folder / "b.h5ad", cell_types=("neuron",), seed=1)
    write_h5ad(folder / "m.h5ad", organism="mouse", seed=2)
    list(ingest([folder]))
    return folder


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["a", "b", "m"]),
        ({"patterns": ["b", "m*"]}, ["b", "m"]),
        ({"organism": "mouse"}, ["m"]),
        ({"organism": "NCBITaxon:9606", "patterns": ["a"]}, ["a"]),
        ({"terms": {"cell_type": "CL:0000540"}}, ["b"]),
        ({"terms": {"tissue": "UBERON:0002048", "cell_type": "CL:0000084"}}, ["a"]),
    ],
)
def test_datasets_are_chosen_by_name_organism_and_terms(
    files: Path, query: dict[str, object], expected: list[str]
) -> None:
    found = find_datasets(**query)  # type: ignore[arg-type]  # a table of queries
    assert [artifact.key for artifact in found] == [f"datasets/{name}.h5ad" for name in expected]


def test_a_collection_is_a_version_with_its_datasets_and_a_run(ln: Any, files: Path) -> None:
    made = collect("atlas", organism="human")
    collection = ln.Collection.get(made.uid)
    assert (made.version, made.new, collection.key) == ("1", True, "atlas")
    assert [a.key for a in collection.artifacts.order_by("key")] == [
        "datasets/a.h5ad",
        "datasets/b.h5ad",
    ]
    assert collection.run.params["query"] == {
        "patterns": [],
        "organism": "human",
        "terms": {},
    }
    assert collection.run.input_artifacts.count() == 2


def test_collecting_the_same_datasets_again_makes_no_version(files: Path) -> None:
    first = collect("atlas")
    again = collect("atlas")
    assert (again.new, again.uid) == (False, first.uid)


def test_a_changed_dataset_makes_a_version_that_revises_the_old(ln: Any, files: Path) -> None:
    first = collect("atlas")
    write_h5ad(files / "a.h5ad", seed=5)
    list(ingest([files]))
    second = collect("atlas")
    assert second.version == "2"
    old, new = ln.Collection.get(first.uid), ln.Collection.get(second.uid)
    assert (old.is_latest, new.is_latest, old.stem_uid) == (False, True, new.stem_uid)
    assert cp.open_corpus("atlas", 1).datasets != cp.open_corpus("atlas").datasets


def test_going_back_to_fewer_datasets_is_a_version_of_its_own(files: Path) -> None:
    versions = [collect("atlas", patterns=p).version for p in (["a"], ["*"], ["a"])]
    assert versions == ["1", "2", "3"]
    assert [ref.key for ref in cp.open_corpus("atlas").datasets] == ["a"]


def test_class_integers_keep_their_meaning_over_versions(files: Path) -> None:
    collect("atlas", patterns=["b"])
    assert cp.open_corpus("atlas").classes["cell_type"] == ("CL:0000540",)
    collect("atlas")
    assert cp.open_corpus("atlas").classes["cell_type"] == (
        "CL:0000540",
        "CL:0000084",
        "CL:0000236",
    )


def test_hierarchies_of_a_version_are_registered_with_its_run(ln: Any, files: Path) -> None:
    made = collect("atlas")
    run = ln.Collection.get(made.uid).run
    found = run.output_artifacts.filter(key__startswith="hierarchies/atlas/").order_by("key")
    corpus = cp.open_corpus("atlas")
    several = sorted(field for field, terms in corpus.classes.items() if len(terms) > 1)
    assert [a.key.removeprefix("hierarchies/atlas/") for a in found] == several
    assert {"cell_type", "organism"} <= set(several)
    hierarchy = Hierarchy.load(found.get(key="hierarchies/atlas/cell_type").path)
    assert hierarchy.classes == corpus.classes["cell_type"]
    assert hierarchy.content_hash == corpus.hierarchy("cell_type").content_hash


def test_a_version_continues_the_hierarchy_of_the_one_before(ln: Any, files: Path) -> None:
    collect("atlas", patterns=["a"])
    collect("atlas")
    chain = ln.Artifact.objects.filter(key="hierarchies/atlas/cell_type").order_by("id")
    first, second = (Hierarchy.load(artifact.path) for artifact in chain)
    second.extends(first)
    assert second.n_classes > first.n_classes
    assert [artifact.version_tag for artifact in chain] == ["1", "2"]


def test_a_hierarchy_that_did_not_change_is_registered_once(ln: Any, files: Path) -> None:
    collect("atlas")
    write_h5ad(files / "b.h5ad", cell_types=("neuron",), seed=7)
    list(ingest([files]))
    made = collect("atlas")
    assert made.version == "2"
    (artifact,) = ln.Artifact.objects.filter(key="hierarchies/atlas/cell_type")
    assert artifact.recreating_runs.get() == ln.Collection.get(made.uid).run


def test_a_dry_run_makes_nothing(files: Path, corpuscle: Callable[..., Done]) -> None:
    done = corpuscle("collect", "atlas", "--dry-run", "--json")
    assert [d["key"] for d in done.json["datasets"]] == ["a", "b", "m"]
    with pytest.raises(NotFoundError):
        cp.open_corpus("atlas")


def test_the_command_shows_the_version(files: Path, corpuscle: Callable[..., Done]) -> None:
    done = corpuscle("collect", "atlas", "--term", "cell_type=CL:0000540", "--dataset", "*")
    assert done.code == 0
    assert "atlas@1 (new)" in done.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("collect", "atlas", "--dataset", "zzz"), 1, "No curated dataset fits"),
        (("collect", "atlas", "--term", "color=red"), 1, "is not FIELD=VALUE"),
        (("collect", "atlas", "--term", "tissue_type=tissue"), 1, "no terms for 'tissue_type'"),
        (("collect",), 2, "corpuscle --help"),
        (("collect", "atlas", "--nonsense"), 2, "corpuscle --help"),
        (("ingest",), 2, "Name at least one file"),
    ],
)
def test_wrong_usage_is_told_from_failure(
    files: Path, corpuscle: Callable[..., Done], words: tuple[str, ...], code: int, message: str
) -> None:
    done = corpuscle(*words)
    assert done.code == code
    assert message in done.err


def test_an_unknown_corpus_or_version_lists_the_known_ones(files: Path) -> None:
    collect("atlas")
    with pytest.raises(NotFoundError, match="There is: atlas"):
        cp.open_corpus("nothing")
    with pytest.raises(NotFoundError, match="It has 1"):
        cp.open_corpus("atlas", 4)


def test_a_corpus_streams_cells_of_all_organisms(files: Path) -> None:
    import torch

    collect("atlas")
    corpus = cp.open_corpus("atlas")
    batches = list(corpus.loader(5, labels=["cell_type", "organism"], seed=3))
    assert sum(len(batch["row"]) for batch in batches) == corpus.n_cells == 18
    rows = torch.cat([batch["row"] for batch in batches])
    assert sorted(rows.tolist()) == list(range(18))
    types = torch.cat([batch["cell_type"] for batch in batches])[rows.argsort()]
    names = [corpus.classes["cell_type"][i] for i in types.tolist()]
    assert names[:6] == ["CL:0000084", "CL:0000236"] * 3
    assert names[6:12] == ["CL:0000540"] * 6
