from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import corpuscle.loaders
from corpuscle.errors import InputError, NotFoundError, SchemaError
from corpuscle.loaders import Corpus, HierarchicalLoss, obs_column
from corpuscle.ontologies import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable


def paths_of(corpus: Corpus) -> dict[str, str]:
    return {ref.uid: ref.path for ref in corpus.datasets}


def test_public_names_are_sorted_and_there() -> None:
    names = corpuscle.loaders.__all__
    assert names == sorted(names, key=lambda name: (name.upper() != name, name[0].islower(), name))
    assert all(hasattr(corpuscle.loaders, name) for name in names)
    assert set(names) <= set(dir(corpuscle.loaders))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Loader'"):
        corpuscle.loaders.Loader  # noqa: B018


def test_cells_are_numbered_through_all_datasets(corpus: Corpus) -> None:
    assert corpus.n_cells == 16
    assert corpus.offsets.tolist() == [0, 7, 12]


def test_a_manifest_makes_the_same_corpus_again(corpus: Corpus) -> None:
    manifest = json.loads(json.dumps(corpus.to_manifest()))
    assert manifest["format"] == 1
    assert Corpus.from_manifest(manifest, paths_of(corpus)) == corpus


def test_a_manifest_holds_no_path(corpus: Corpus) -> None:
    assert corpus.datasets[0].path not in json.dumps(corpus.to_manifest())


def test_a_corpus_can_be_pickled(corpus: Corpus) -> None:
    assert pickle.loads(pickle.dumps(corpus)) == corpus


@pytest.mark.parametrize("form", [None, 0, 3, "1"])
def test_a_manifest_of_another_format_is_refused(corpus: Corpus, form: object) -> None:
    with pytest.raises(SchemaError, match="reads formats 1 and 2"):
        Corpus.from_manifest(corpus.to_manifest() | {"format": form}, paths_of(corpus))


@pytest.mark.parametrize("key", ["name", "datasets", "classes"])
def test_a_manifest_without_a_key_is_refused(corpus: Corpus, key: str) -> None:
    manifest = {k: v for k, v in corpus.to_manifest().items() if k != key}
    with pytest.raises(SchemaError, match=f"has no '{key}'"):
        Corpus.from_manifest(manifest, paths_of(corpus))


def test_a_dataset_without_path_is_named(corpus: Corpus) -> None:
    paths = paths_of(corpus)
    del paths["mouse"]
    with pytest.raises(NotFoundError, match=r"1 of 3 datasets .*first: mouse"):
        Corpus.from_manifest(corpus.to_manifest(), paths)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"sex": ("a", "b", "a")}, "'sex' in corpus corpus0001 are listed twice"),
        ({"sex": ("a", "unknown")}, "'unknown' is among the classes of 'sex'"),
        ({"sex": ("a", "na")}, "'na' is among the classes"),
        ({"age": ("a",)}, "'age' is not a label of curated cells"),
    ],
)
def test_classes_that_cannot_be_are_refused(corpus: Corpus, classes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(corpus, classes=classes)


def test_a_dataset_listed_twice_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match=r"first: 'mouse'"):
        replace(corpus, datasets=(*corpus.datasets, corpus.datasets[2]))


def test_repr_says_what_is_in_it(corpus: Corpus) -> None:
    assert repr(corpus) == (
        "Corpus 'test' version '1' (corpus0001): 16 cells in 3 datasets; organisms: "
        "NCBITaxon:10090, NCBITaxon:9606; classes: cell_type 3, sex 2, organism 2, tissue_type 2"
    )


def test_only_tissue_type_has_a_column_of_its_own_name() -> None:
    assert [obs_column(f) for f in FIELDS if obs_column(f) == f] == ["tissue_type"]
    assert obs_column("sex") == "sex_ontology_term_id"


def test_a_mapped_corpus_joins_all_genes(corpus: Corpus, parts: Any) -> None:
    with corpus.mapped() as mapped:
        assert list(mapped.var_joint) == sorted({gene for part in parts for gene in part.genes})
        assert len(mapped) == 16


def test_an_unknown_option_of_mapped_is_refused(corpus: Corpus) -> None:
    options: dict[str, Any] = {"layer_key": "X"}
    with pytest.raises(TypeError, match="layer_key"):
        corpus.mapped(**options)


def test_loader_passes_every_argument_on(corpus: Corpus, expected_x: Callable[..., Any]) -> None:
    loader = corpus.loader(
        5,
        labels=["sex"],
        seed=3,
        shuffle=False,
        output="dense",
        drop_last=True,
        genes=["ENSG2"],
    )
    batch = next(iter(loader))
    assert (len(loader), loader.seed, loader.genes) == (3, 3, ("ENSG2",))
    assert batch["X"].tolist() == expected_x(range(5), ["ENSG2"]).tolist()
    assert batch["sex"].tolist() == [1, 0, -1, 1, 0]


def test_a_hierarchy_has_the_class_integers_of_the_corpus(corpus: Corpus) -> None:
    hierarchy = corpus.hierarchy("cell_type")
    assert hierarchy.classes == corpus.classes["cell_type"]
    assert hierarchy.labels[:3] == ("T cell", "B cell", "neuron")
    assert corpus.hierarchy("tissue_type").classes == ("tissue", "cell culture")


def test_a_batch_goes_into_the_hierarchical_loss_as_it_is(corpus: Corpus) -> None:
    import torch

    loss = HierarchicalLoss(corpus.hierarchy("cell_type"))
    batch = next(iter(corpus.loader(16, labels=["cell_type"], shuffle=False)))
    logits = torch.zeros(16, 3, requires_grad=True)
    value = loss(logits, batch["cell_type"])
    value.backward()
    assert logits.grad is not None
    assert 0 < value.item() < torch.tensor(3.0).log().item()  # T and B cells are half right
    assert logits.grad[batch["cell_type"] < 0].abs().sum() == 0


@pytest.mark.parametrize(
    ("field", "message"),
    [("disease", "has no classes of 'disease'"), ("colour", "'colour' is not a label")],
)
def test_a_field_without_classes_has_no_hierarchy(corpus: Corpus, field: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        corpus.hierarchy(field)
