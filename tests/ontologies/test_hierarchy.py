from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from corpuscle.errors import (
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    SchemaError,
)
from corpuscle.ontologies import (
    FIELDS,
    NO_PATH,
    Hierarchy,
    label_hierarchy,
    ontology,
    vocabulary,
)

if TYPE_CHECKING:
    from pathlib import Path

T_CELL, CD4, CD8 = "CL:0000084", "CL:0000624", "CL:0000625"
B_CELL, NEURON, ASTROCYTE, HEPATOCYTE = "CL:0000236", "CL:0000540", "CL:0000127", "CL:0000182"
CELLS = (T_CELL, CD4, CD8, B_CELL, NEURON, ASTROCYTE, HEPATOCYTE)
DIABETES, TYPE_1, TYPE_2 = "MONDO:0005015", "MONDO:0005147", "MONDO:0005148"
NORMAL = "PATO:0000461"
FILES = {
    "vocab.tsv",
    "redirects.tsv",
    "ancestors.npz",
    "parents_x_leaves.npz",
    "distance.npy",
    "ic.npy",
    "lin.npy",
    "manifest.json",
}


@pytest.fixture(scope="module")
def cells() -> Hierarchy:
    return label_hierarchy("cell_type", CELLS, counts={T_CELL: 7, NEURON: 3, "unknown": 9})


def same(left: Hierarchy, right: Hierarchy) -> bool:
    return (
        repr(left) == repr(right)
        and (left.terms, left.labels, left.kinds) == (right.terms, right.labels, right.kinds)
        and (left.redirects, left.releases) == (right.redirects, right.releases)
        and np.array_equal(left.ancestors.toarray(), right.ancestors.toarray())
        and all(
            np.array_equal(getattr(left, name), getattr(right, name))
            for name in ("depth", "information", "distance", "lin", "n_cells")
        )
    )


def test_the_place_of_a_class_is_its_integer_and_others_follow_sorted(cells: Hierarchy) -> None:
    assert cells.classes == CELLS
    rest = cells.terms[cells.n_classes :]
    assert list(rest) == sorted(rest)
    assert "CL:0000000" in rest


def test_a_class_is_a_leaf_if_no_class_is_below_it(cells: Hierarchy) -> None:
    assert cells.kinds[:7] == ("internal", *["leaf"] * 6)
    assert set(cells.kinds[7:]) == {"ancestor"}
    assert cells.leaves.tolist() == [1, 2, 3, 4, 5, 6]


def test_the_closure_is_that_of_the_ontology(cells: Hierarchy) -> None:
    store = ontology("CL")
    for place, term in enumerate(cells.terms):
        above = {cells.terms[i] for i in cells.ancestors[place].indices}
        assert above == {term, *store.ancestors(term)}


def test_parents_are_above_their_leaves(cells: Hierarchy) -> None:
    below = cells.parents_x_leaves.toarray()
    assert below.dtype == np.bool_
    assert below.shape == (len(cells.terms) - 6, 6)
    assert below[cells.parents.tolist().index(0)].tolist() == [True, True, *[False] * 4]
    root = cells.parents.tolist().index(cells.terms.index("CL:0000000"))
    assert below[root].all()
    assert below.any(axis=1).all()


@pytest.mark.parametrize(
    ("left", "right", "lin", "distance"),
    [
        (T_CELL, CD8, 0.77, 3),
        (T_CELL, B_CELL, 0.70, 3),
        (NEURON, ASTROCYTE, 0.42, 5),
        (T_CELL, HEPATOCYTE, 0.01, 6),
        (T_CELL, T_CELL, 1.0, 0),
    ],
)
def test_similarity_and_distance_are_as_published(
    left: str, right: str, lin: float, distance: int
) -> None:
    pair = list(dict.fromkeys((left, right)))
    found = label_hierarchy("cell_type", pair)
    assert round(float(found.lin[0, -1]), 2) == lin
    assert found.distance[0, -1] == distance
    assert np.array_equal(found.lin, found.lin.T)
    assert np.array_equal(found.distance, found.distance.T)


def test_pairs_do_not_depend_on_other_classes(cells: Hierarchy) -> None:
    some = [4, 2, 6]
    found = label_hierarchy("cell_type", [CELLS[i] for i in some])
    assert np.array_equal(found.distance, cells.distance[np.ix_(some, some)])
    assert np.array_equal(found.lin, cells.lin[np.ix_(some, some)])


def test_information_grows_downwards(cells: Hierarchy) -> None:
    strict = cells.ancestors - sparse.identity(len(cells.terms), dtype=bool, format="csr")
    rows, columns = strict.nonzero()
    assert (cells.information[rows] > cells.information[columns]).all()
    assert cells.information[cells.terms.index("CL:0000000")] == 0
    assert cells.depth[cells.terms.index("CL:0000000")] == 0


def test_cells_are_counted_where_known(cells: Hierarchy) -> None:
    assert cells.n_cells is not None
    assert cells.n_cells.tolist() == [7, 0, 0, 0, 3, 0, 0]
    assert label_hierarchy("cell_type", CELLS).n_cells is None
    assert label_hierarchy("cell_type", CELLS).content_hash == cells.content_hash


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_a_hierarchy(field: str) -> None:
    terms = sorted(vocabulary(field).labels)[:40]
    found = label_hierarchy(field, terms)
    assert found.classes == tuple(terms)
    assert found.labels[0] == vocabulary(field).labels[terms[0]]
    assert (np.diag(found.distance) == 0).all()
    assert (found.lin >= 0).all()
    assert (found.lin <= 1).all()


@pytest.mark.parametrize("field", ["organism", "tissue_type"])
def test_organisms_and_tissue_types_are_flat(field: str) -> None:
    terms = sorted(vocabulary(field).labels)
    found = label_hierarchy(field, terms)
    assert len(found.leaves) == len(found.terms) == len(terms)
    assert set(found.distance[~np.eye(len(terms), dtype=bool)]) == {NO_PATH}
    assert "flat" in repr(found)


def test_no_class_gives_an_empty_hierarchy(tmp_path: Path) -> None:
    empty = label_hierarchy("cell_type", [])
    assert (empty.terms, empty.parents_x_leaves.shape) == ((), (0, 0))
    assert same(Hierarchy.load(empty.save(tmp_path / "h")), empty)


def test_terms_of_different_ontologies_have_no_path() -> None:
    found = label_hierarchy("disease", [TYPE_1, NORMAL])
    assert found.distance.tolist() == [[0, NO_PATH], [NO_PATH, 0]]
    assert found.lin.tolist() == [[1, 0], [0, 1]]
    assert set(found.releases) == {"MONDO", "PATO"}


def test_joined_terms_are_a_class_below_each_of_them() -> None:
    both = f"{TYPE_1} || {TYPE_2}"
    found = label_hierarchy("disease", [TYPE_1, both, DIABETES])
    assert found.kinds[:3] == ("internal", "leaf", "internal")
    assert found.labels[1] == "type 1 diabetes mellitus || type 2 diabetes mellitus"
    above = {found.terms[i] for i in found.ancestors[1].indices}
    assert {both, TYPE_1, TYPE_2, DIABETES} <= above
    assert found.distance[1].tolist() == [1, 0, 2]
    assert found.information[1] == max(found.information[found.ancestors[1].indices])


def test_a_replaced_class_is_below_what_replaced_it() -> None:
    old, new = "EFO:0009310", "EFO:0009899"
    found = label_hierarchy("assay", [old, new])
    assert found.kinds[:2] == ("leaf", "internal")
    assert found.redirects[old] == new
    assert found.distance[0, 1] == 1
    assert found.lin[0, 1] == 1


def test_a_class_taken_back_without_successor_stands_alone() -> None:
    found = label_hierarchy("development_stage", ["HsapDv:0000087", "HsapDv:0000258"])
    assert found.distance[0, 1] == NO_PATH
    assert "HsapDv:0000087" not in found.redirects


def test_redirects_name_ids_that_became_a_class() -> None:
    assert label_hierarchy("assay", ["EFO:0009899"]).redirects["EFO:0009310"] == "EFO:0009899"


def test_a_term_of_fish_is_below_what_it_says_it_is() -> None:
    found = label_hierarchy("tissue", ["ZFA:0000304", "UBERON:0000204", "UBERON:0000955"])
    assert found.kinds[:3] == ("leaf", "internal", "internal")
    assert found.distance[0].tolist() == [0, 1, 3]
    assert set(found.releases) == {"UBERON", "ZFA"}


def test_a_term_of_fly_is_below_what_a_term_above_it_says_it_is() -> None:
    store = ontology("FBbt")
    term = next(
        i
        for i in sorted(store.descendants("FBbt:00007002"))
        if not store.bridges(i) and any("CL:0000540" in store.bridges(a) for a in store.parents(i))
    )
    found = label_hierarchy("cell_type", [term, "CL:0000540"])
    assert found.kinds[:2] == ("leaf", "internal")
    assert found.distance[0, 1] == 2


@pytest.mark.parametrize(
    ("field", "terms", "counts", "error", "message"),
    [
        ("colour", [], None, NotFoundError, "no field 'colour'"),
        ("sex", ["PATO:0000383"] * 2, None, InputError, "listed twice"),
        ("sex", ["PATO:0000383", "unknown"], None, InputError, "'unknown' is no class"),
        ("sex", ["PATO:0000383"], {"PATO:0000384": 2}, InputError, "have cells but are no class"),
        ("cell_type", ["CL:9999999"], None, NotFoundError, "'CL:9999999' is no term"),
        ("cell_type", ["T cell"], None, NotFoundError, "'T cell' is no term"),
        ("disease", [f"{TYPE_1} || MONDO:1"], None, NotFoundError, "'MONDO:1' is no term"),
    ],
)
def test_classes_that_cannot_be_are_refused(
    field: str,
    terms: list[str],
    counts: dict[str, int] | None,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        label_hierarchy(field, terms, counts=counts)


def test_a_leaf_that_gets_children_keeps_its_integer() -> None:
    first = label_hierarchy("cell_type", [T_CELL, B_CELL])
    second = label_hierarchy("cell_type", [T_CELL, B_CELL, CD4])
    second.extends(first)
    assert (first.kinds[0], second.kinds[0]) == ("leaf", "internal")
    assert first.classes == second.classes[:2]
    assert first.content_hash != second.content_hash


@pytest.mark.parametrize(
    "terms", [(B_CELL, T_CELL), (T_CELL,), (T_CELL, CD4, B_CELL)], ids=["order", "gone", "between"]
)
def test_a_version_that_moves_a_class_is_refused(terms: tuple[str, ...]) -> None:
    first = label_hierarchy("cell_type", [T_CELL, B_CELL])
    with pytest.raises(ConflictError, match="would change their meaning"):
        label_hierarchy("cell_type", terms).extends(first)


def test_a_version_of_another_field_is_refused(cells: Hierarchy) -> None:
    with pytest.raises(ConflictError, match="cannot continue one of cell_type"):
        label_hierarchy("sex", []).extends(cells)


def test_what_was_saved_is_loaded(cells: Hierarchy, tmp_path: Path) -> None:
    folder = cells.save(tmp_path / "new" / "cell_type")
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["cell_type"]
    assert same(Hierarchy.load(folder), cells)


def test_other_programs_can_read_the_files(cells: Hierarchy, tmp_path: Path) -> None:
    folder = cells.save(tmp_path / "h")
    lines = (folder / "vocab.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["index", "term_id", "label", "kind", "depth", "n_cells"]
    assert lines[1].split("\t") == ["0", T_CELL, "T cell", "internal", "5", "7"]
    assert lines[-1].split("\t")[5] == ""
    below = sparse.load_npz(folder / "parents_x_leaves.npz")
    assert np.array_equal(below.toarray(), cells.parents_x_leaves.toarray())
    assert np.load(folder / "lin.npy").dtype == np.float16
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["content_hash"] == cells.content_hash
    assert manifest["ontologies"] == dict(cells.releases)


def test_saving_again_is_fine_and_something_else_is_not_overwritten(
    cells: Hierarchy, tmp_path: Path
) -> None:
    folder = tmp_path / "h"
    folder.mkdir()
    assert cells.save(folder) == cells.save(folder) == folder
    with pytest.raises(ConflictError, match="holds something else"):
        replace(cells, n_cells=None).save(folder)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConflictError, match="holds something else"):
        cells.save(tmp_path / "file")


@pytest.mark.parametrize("name", sorted(FILES - {"manifest.json"}))
def test_a_changed_byte_is_noticed(cells: Hierarchy, tmp_path: Path, name: str) -> None:
    path = cells.save(tmp_path / "h") / name
    content = bytearray(path.read_bytes() or b" ")
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="bytes are not those written"):
        Hierarchy.load(path.parent)
    path.unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        Hierarchy.load(path.parent)


def test_a_changed_manifest_is_noticed(cells: Hierarchy, tmp_path: Path) -> None:
    path = cells.save(tmp_path / "h") / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace(cells.releases["CL"], "v2000-01-01"))
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        Hierarchy.load(path.parent)
    path.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(SchemaError, match="has format 2"):
        Hierarchy.load(path.parent)
    path.write_text("{")
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        Hierarchy.load(path.parent)
    path.unlink()
    with pytest.raises(NotFoundError, match="no hierarchy at"):
        Hierarchy.load(path.parent)


def test_a_failed_save_leaves_nothing(cells: Hierarchy, tmp_path: Path) -> None:
    link = tmp_path / "h"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError):
        cells.save(link)
    assert list(tmp_path.iterdir()) == [link]


SAVE = """
import sys
from corpuscle.ontologies import label_hierarchy, vocabulary
for field in ("cell_type", "disease", "tissue", "assay"):
    terms = sorted(vocabulary(field).labels)[::40]
    label_hierarchy(field, terms).save(f"{sys.argv[1]}/{field}")
"""


def test_the_hash_seed_changes_no_byte(tmp_path: Path) -> None:
    """Regression: an index made by iterating over a set differs from process to process."""
    written = []
    for seed in ("0", "1"):
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", SAVE, folder],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        written.append({str(p.relative_to(folder)): p.read_bytes() for p in files})
    assert len(written[0]) == 4 * len(FILES)
    assert written[0] == written[1]


def test_a_training_container_loads_it_without_registry_or_ontologies(
    cells: Hierarchy, tmp_path: Path
) -> None:
    folder = cells.save(tmp_path / "h")
    code = (
        "import sys; from corpuscle.ontologies import Hierarchy;"
        "h = Hierarchy.load(sys.argv[1]); h.extends(h);"
        "print(sorted({'lamindb', 'cellxgene_ontology_guide', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


ALL_CELLS = sorted(vocabulary("cell_type").labels)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(ALL_CELLS), min_size=2, max_size=12, unique=True))
def test_the_way_between_two_classes_is_the_shortest_over_any_common_ancestor(
    terms: list[str],
) -> None:
    store = ontology("CL")
    found = label_hierarchy("cell_type", terms)
    up = [{term: 0, **store.ancestors(term)} for term in terms]
    for i, left in enumerate(up):
        for j, right in enumerate(up):
            ways = [left[a] + right[a] for a in left.keys() & right.keys()]
            assert found.distance[i, j] == min(ways, default=NO_PATH)
