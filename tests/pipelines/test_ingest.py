from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from corpuscle.curation import CurationOptions
from corpuscle.errors import InputError, NotFoundError
from corpuscle.pipelines import ingest

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Outcome, Workspace

    from .conftest import Done


def one(path: Path, **options: object) -> Outcome:
    (outcome,) = ingest([path], **options)  # type: ignore[arg-type]  # passed on as given
    return outcome


def counts_in_registry() -> dict[str, int]:
    ln: Any = import_module("lamindb")

    return {
        "artifacts": ln.Artifact.objects.count(),
        "runs": ln.Run.objects.count(),
        "files": len([p for p in ln.settings.storage.root.glob(".lamindb/*") if p.is_file()]),
    }


def test_a_file_becomes_a_raw_and_a_curated_artifact_with_decisions_and_a_run(
    ln: Any, workspace: Workspace, tmp_path: Path
) -> None:
    path = write_h5ad(tmp_path / "a.h5ad", tissue="lung")
    outcome = one(path)
    assert (outcome.status, outcome.dataset, outcome.version) == ("new", "a", "1")
    curated = ln.Artifact.get(outcome.uid)
    assert (curated.key, curated.kind, curated.otype) == ("datasets/a.h5ad", "dataset", "AnnData")
    assert (curated.n_observations, curated.version) == (6, "1")
    run = curated.run
    assert run.status == "completed"
    assert run.transform.key == "corpuscle/ingest"
    assert {a.key for a in run.input_artifacts.all()} == {"raw/a.h5ad"}
    assert {a.key for a in run.output_artifacts.all()} == {
        "datasets/a.h5ad",
        "decisions/a.sssom.tsv",
    }
    assert run.params["source"] == str(path)
    assert run.params["report"]["genes"]["resolved"] == 50
    assert run.params["code_version"].startswith("0.1.0")


def test_lamindb_itself_loads_and_verifies_what_was_registered(
    ln: Any, workspace: Workspace, tmp_path: Path
) -> None:
    from lamindb_setup.core.hashing import hash_file

    path = write_h5ad(tmp_path / "a.h5ad")
    artifact = ln.Artifact.get(one(path).uid)
    assert artifact.load().shape == (6, 50)
    assert hash_file(artifact.path)[:2] == (artifact.size, artifact.hash)
    raw = ln.Artifact.get(key="raw/a.h5ad")
    assert raw.path.read_bytes() == path.read_bytes()
    decisions = ln.Artifact.get(key="decisions/a.sssom.tsv")
    table = pd.read_csv(decisions.path, sep="\t", comment="#")
    row = table[table["subject_label"] == "T cell"].iloc[0]
    assert (row["object_id"], row["predicate_id"], row["method"]) == (
        "CL:0000084",
        "skos:exactMatch",
        "name",
    )
    assert "_schema" not in json.dumps(str(artifact.describe(return_str=True)))


def test_datasets_are_found_by_their_labels(ln: Any, workspace: Workspace, tmp_path: Path) -> None:
    one(write_h5ad(tmp_path / "a.h5ad", tissue="lung", disease="normal", sex="female"))
    one(write_h5ad(tmp_path / "b.h5ad", tissue="blood", seed=1))
    find = ln.Artifact.filter
    assert [a.key for a in find(tissues__name="lung")] == ["datasets/a.h5ad"]
    assert find(cell_types__ontology_id="CL:0000236").count() == 2
    assert [a.key for a in find(phenotypes__name="normal")] == ["datasets/a.h5ad"]
    assert find(organisms__name="human", kind="dataset").count() == 2


def test_the_genes_of_an_organism_are_registered_when_it_first_appears(
    bt: Any, workspace: Workspace, tmp_path: Path
) -> None:
    from corpuscle.ontologies import gene_table

    genes = bt.Gene.filter(organism__ontology_id="NCBITaxon:6239")
    assert genes.count() == 0
    one(write_h5ad(tmp_path / "w.h5ad", organism="Caenorhabditis elegans", cell_types=("neuron",)))
    table = gene_table("Caenorhabditis elegans")
    assert genes.count() == len(table)
    assert genes.filter(stable_id=table.index[0]).exists()


def test_a_term_of_an_ontology_that_is_not_seeded_is_added_when_it_is_used(
    bt: Any, workspace: Workspace, tmp_path: Path
) -> None:
    organism = "Caenorhabditis elegans"
    one(write_h5ad(tmp_path / "w.h5ad", organism=organism, cell_types=("WBbt:0005753",)))
    assert bt.CellType.get(ontology_id="WBbt:0005753").name == "seam cell"


def test_the_same_file_twice_registers_nothing_new(workspace: Workspace, tmp_path: Path) -> None:
    path = write_h5ad(tmp_path / "a.h5ad")
    first = one(path)
    before = counts_in_registry()
    second = one(path)
    assert (second.status, second.uid, second.report) == ("unchanged", first.uid, first.report)
    assert counts_in_registry() == before


def test_a_moved_file_is_the_same_file(workspace: Workspace, tmp_path: Path) -> None:
    first = one(write_h5ad(tmp_path / "a.h5ad"))
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "a.h5ad").rename(tmp_path / "elsewhere" / "a.h5ad")
    assert one(moved).uid == first.uid


def test_a_changed_file_makes_a_version_that_revises_the_old(
    ln: Any, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5ad"
    first = one(write_h5ad(path))
    second = one(write_h5ad(path, seed=1))
    assert (second.status, second.version) == ("revised", "2")
    new, old = ln.Artifact.get(second.uid), ln.Artifact.get(first.uid)
    assert new.stem_uid == old.stem_uid
    assert (new.is_latest, old.is_latest) == (True, False)
    assert [a.version for a in new.versions.order_by("id")] == ["1", "2"]
    assert old.load().X.toarray().sum() != new.load().X.toarray().sum()
    assert ln.Artifact.filter(key="raw/a.h5ad").count() == 2


def test_other_options_curate_the_same_file_again(
    ln: Any, workspace: Workspace, tmp_path: Path
) -> None:
    path = write_h5ad(tmp_path / "a.h5ad")
    one(path)
    again = one(path, options=CurationOptions(constants={"tissue": "lung"}))
    assert (again.status, again.version) == ("revised", "2")
    assert ln.Artifact.filter(key="raw/a.h5ad").count() == 1
    assert ln.Artifact.get(again.uid).run.params["options"] == {"constants": {"tissue": "lung"}}


def test_going_back_to_an_earlier_content_finds_its_version(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5ad"
    first = one(write_h5ad(path))
    one(write_h5ad(path, seed=1))
    back = one(write_h5ad(path))
    assert (back.status, back.uid) == ("unchanged", first.uid)


def test_another_file_of_the_same_name_is_not_taken_for_a_new_version(
    workspace: Workspace, tmp_path: Path
) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    one(write_h5ad(tmp_path / "x" / "a.h5ad"))
    other = write_h5ad(tmp_path / "y" / "a.h5ad", seed=1)
    refused = one(other)
    assert refused.status == "refused"
    assert refused.error is not None
    assert refused.error["kind"] == "conflict"
    assert "--name a" in refused.error["message"]
    assert one(other, name="a").version == "2"
    assert one(other, name="b").status == "new"


def test_two_files_of_one_name_in_one_call_are_told_apart(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    first = write_h5ad(tmp_path / "a.h5ad")
    second = write_h5ad(tmp_path / "sub" / "a.h5ad", seed=1)
    outcomes = list(ingest([first, second]))
    assert [outcome.status for outcome in outcomes] == ["new", "refused"]


def test_a_refused_file_costs_only_itself_and_leaves_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    write_h5ad(tmp_path / "a.h5ad")
    bad = ad.read_h5ad(write_h5ad(tmp_path / "b.h5ad"))
    bad.X = np.asarray(bad.X) + 0.5
    bad.write_h5ad(tmp_path / "b.h5ad")
    write_h5ad(tmp_path / "c.h5ad", seed=2)
    before = counts_in_registry()
    outcomes = list(ingest([tmp_path]))
    assert [outcome.status for outcome in outcomes] == ["new", "refused", "new"]
    after = counts_in_registry()
    assert {key: after[key] - before[key] for key in after} == {
        "artifacts": 6,
        "runs": 2,
        "files": 6,
    }
    staging = workspace.folder / "storage" / ".lamindb" / "staging"
    assert list(staging.iterdir()) == []


def test_a_dry_run_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    path = write_h5ad(tmp_path / "a.h5ad")
    before = counts_in_registry()
    assert one(path, dry_run=True).status == "planned"
    assert counts_in_registry() == before


def test_a_folder_is_searched_for_files_of_every_format(
    workspace: Workspace, tmp_path: Path
) -> None:
    from corpuscle.pipelines import write_examples

    write_examples(tmp_path / "files")
    (tmp_path / "files" / "notes.txt").write_text("not data")
    outcomes = {outcome.dataset: outcome.status for outcome in ingest([tmp_path / "files"])}
    assert outcomes == {
        "human_blood": "new",
        "human_lung": "new",
        "human_normalised": "refused",
        "mouse_brain": "new",
        "mouse_kidney": "new",
        "worm_larva": "new",
    }
    assert {o.status for o in ingest([tmp_path / "files"])} == {"unchanged", "refused"}


@pytest.mark.parametrize("name", ["missing.h5ad", "empty"])
def test_a_path_without_files_is_an_error(workspace: Workspace, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match=name):
        list(ingest([tmp_path / name]))


def test_a_name_is_for_one_file(workspace: Workspace, tmp_path: Path) -> None:
    write_h5ad(tmp_path / "a.h5ad")
    write_h5ad(tmp_path / "b.h5ad")
    with pytest.raises(InputError, match="--name is for one file"):
        list(ingest([tmp_path], name="x"))


def test_the_command_prints_what_is_open_and_how_to_decide_it(
    corpuscle: Callable[..., Done], tmp_path: Path
) -> None:
    write_h5ad(tmp_path / "a.h5ad", cell_types=("T cell", "gork"), my_tissue="lung")
    done = corpuscle("ingest", tmp_path)
    assert done.code == 0
    assert "'gork' (unmapped, 3 cells)" in done.out
    assert "--column tissue=my_tissue" in done.out
    table = corpuscle("ingest", tmp_path, "--column", "tissue=my_tissue", "--json").json
    assert table[0]["report"]["labels"]["tissue"]["mapped"] == 1


def test_the_command_fails_if_a_file_was_refused(
    corpuscle: Callable[..., Done], tmp_path: Path
) -> None:
    write_h5ad(tmp_path / "a.h5ad")
    (tmp_path / "b.h5ad").write_bytes(b"nothing")
    done = corpuscle("ingest", tmp_path, "--json")
    assert done.code == 1
    assert [(o["dataset"], o["status"]) for o in done.json] == [("a", "new"), ("b", "refused")]
    assert done.json[1]["error"]["kind"] == "schema"


def test_the_counts_that_are_streamed_are_those_of_the_file(
    ln: Any, workspace: Workspace, tmp_path: Path
) -> None:
    path = write_h5ad(tmp_path / "a.h5ad")
    curated = ln.Artifact.get(one(path).uid).load()
    given = ad.read_h5ad(path)
    assert np.array_equal(curated[:, given.var_names].X.toarray(), np.asarray(given.X))


def test_decisions_that_are_the_same_again_stay_linked_to_every_run(
    ln: Any, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5ad"
    one(write_h5ad(path))
    second = ln.Artifact.get(one(write_h5ad(path, seed=1)).uid)
    decisions = ln.Artifact.get(key="decisions/a.sssom.tsv")
    assert decisions.version == "1"
    assert [a.uid for a in second.run.recreated_artifacts.all()] == [decisions.uid]
