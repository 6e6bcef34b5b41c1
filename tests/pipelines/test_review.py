"""The loop: ingest, review, decide, ingest again."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import pytest

import corpuscle as cp
from corpuscle.ontologies import check_sssom, read_sssom
from corpuscle.pipelines import collect, memory_of, open_labels
from corpuscle.pipelines._review import label_key
from corpuscle.pipelines._sheet import COLUMNS

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable

    from corpuscle.pipelines import Workspace

    from .conftest import Done

    Command = Callable[..., Done]

ODD = "=zorg\t#1 'cells'"


@pytest.fixture
def files(workspace: Workspace, corpuscle: Command, tmp_path: Path) -> Path:
    """Three registered datasets: a and b share an odd label, c has none that is open."""
    folder = tmp_path / "files"
    folder.mkdir()
    write_h5ad(folder / "a.h5ad", cell_types=("T cell", ODD), tissue="lung")
    write_h5ad(folder / "b.h5ad", cell_types=(ODD, "gork"), n_cells=8, seed=1)
    write_h5ad(folder / "c.h5ad", cell_types=("B cell",), seed=2)
    assert corpuscle("ingest", folder).code == 0
    return folder


def sheet(path: Path, rows: list[dict[str, str]], delimiter: str = "\t") -> Path:
    """Write decisions as a curator would."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS), delimiter=delimiter, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def decide(tmp_path: Path, decision: str, *, label: str = ODD, **more: str) -> Path:
    row = {"field": "cell_type", "label": label, "decision": decision, **more}
    return sheet(tmp_path / f"decided{len(list(tmp_path.iterdir()))}.tsv", [row])


def fill(path: Path, answers: dict[str, str]) -> None:
    """Fill in the column decision, by label, as a spreadsheet program does."""
    text = path.read_text(encoding="utf-8-sig")
    delimiter = "," if path.suffix == ".csv" else "\t"
    rows = list(csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter))
    for row in rows:
        row["decision"] = answers.get(row["label"].removeprefix("'"), "")
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS), delimiter=delimiter, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


def statuses(done: Done) -> dict[str, tuple[str, str]]:
    return {o["dataset"]: (o["status"], o["version"]) for o in done.json}


def test_open_labels_come_with_their_cells_and_places_most_cells_first(files: Path) -> None:
    found = open_labels()
    assert [(i.field, i.label, i.n_cells, i.datasets) for i in found] == [
        ("cell_type", ODD, 7, ("a", "b")),
        ("cell_type", "gork", 4, ("b",)),
    ]
    assert found[0].tissues == ("lung",)
    assert [i.label for i in open_labels(patterns=["a"])] == [ODD]
    assert open_labels(fields=["tissue"]) == []
    assert len(open_labels(limit=1)) == 1


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_decision_in_a_sheet_is_used_by_the_next_ingestion(
    files: Path, corpuscle: Command, ln: Any, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"open.{ending}"
    assert corpuscle("review", "--out", path).code == 0
    fill(path, {ODD: "b cell", "gork": "none"})
    applied = corpuscle("review", "--apply", path, "--reviewer", "Ada", "--json")
    assert applied.code == 0, applied.err
    assert (applied.json["version"], applied.json["datasets"]) == ("1", ["a@1", "b@1"])
    assert applied.json["commands"] == [f"corpuscle ingest {files / 'a.h5ad'} {files / 'b.h5ad'}"]
    assert statuses(corpuscle("ingest", files, "--json")) == {
        "a": ("revised", "2"),
        "b": ("revised", "2"),
        "c": ("unchanged", "1"),
    }
    curated = ln.Artifact.get(key="datasets/b.h5ad", version_tag="2")
    obs = ad.read_h5ad(curated.path).obs
    assert dict(zip(obs["author_cell_type"], obs["cell_type_ontology_term_id"], strict=True)) == {
        ODD: "CL:0000236",
        "gork": "unknown",
    }
    table = read_sssom(
        Path(ln.Artifact.get(key="decisions/b.sssom.tsv", is_latest=True).path)
    ).table
    rows = table[table["field"] == "cell_type"].set_index("subject_label")
    told = rows[["object_id", "outcome", "method", "reviewer_label", "decided_in"]]
    assert dict(zip(told.index, told.to_numpy().tolist(), strict=True)) == {
        ODD: ["CL:0000236", "mapped", "memory", "Ada", "1"],
        "gork": ["sssom:NoTermFound", "unmapped", "memory", "Ada", "1"],
    }
    params = curated.run.params
    assert params["memory"]["version"] == params["report"]["memory"] == "1"
    assert [(a["label"], a["term_id"]) for a in params["answers"]] == [
        (ODD, "CL:0000236"),
        ("gork", "sssom:NoTermFound"),
    ]
    assert "memory/decisions.sssom.tsv" in {a.key for a in curated.run.input_artifacts.all()}
    assert open_labels() == []
    assert {status for status, _ in statuses(corpuscle("ingest", files, "--json")).values()} == {
        "unchanged"
    }


def test_every_version_of_the_memory_is_kept_with_who_when_and_what_was_applied(
    files: Path, corpuscle: Command, ln: Any, tmp_path: Path
) -> None:
    first = decide(tmp_path, "CL:0000236")
    corpuscle("review", "--apply", first, "--reviewer", "Ada")
    corpuscle("review", "--apply", decide(tmp_path, "neuron"), "--reviewer", "Bob")
    versions = ln.Artifact.filter(key="memory/decisions.sssom.tsv").order_by("id")
    assert [(a.version, a.run.params["reviewer"]) for a in versions] == [("1", "Ada"), ("2", "Bob")]
    assert all(check_sssom(read_sssom(Path(a.path))) == [] for a in versions)
    assert {a.key for a in versions[0].run.input_artifacts.all()} == {f"reviews/{first.name}"}
    row = memory_of()["cell_type"].iloc[0]
    assert (row["source_label"], row["term_id"], row["reviewer"], row["version"]) == (
        ODD,
        "CL:0000540",
        "Bob",
        "2",
    )


def test_going_back_to_an_earlier_decision_makes_a_new_version(
    files: Path, corpuscle: Command, ln: Any, tmp_path: Path
) -> None:
    for version, term in (("2", "CL:0000236"), ("3", "CL:0000540"), ("4", "CL:0000236")):
        corpuscle("review", "--apply", decide(tmp_path, term))
        assert statuses(corpuscle("ingest", files, "--json"))["a"] == ("revised", version)
    latest = ln.Artifact.get(key="datasets/a.h5ad", is_latest=True)
    assert "CL:0000236" in latest.run.params["classes"]["cell_type"]


def test_the_same_decision_again_changes_nothing(
    files: Path, corpuscle: Command, ln: Any, tmp_path: Path
) -> None:
    corpuscle("review", "--apply", decide(tmp_path, "CL:0000236"))
    again = corpuscle("review", "--apply", decide(tmp_path, "B cell"), "--json")
    assert (again.json["new"], again.json["unchanged"], again.json["version"]) == (False, 1, "1")
    assert ln.Artifact.filter(key="memory/decisions.sssom.tsv").count() == 1


def test_a_decision_for_one_dataset_leaves_the_others_alone(
    files: Path, corpuscle: Command, tmp_path: Path
) -> None:
    path = decide(tmp_path, "CL:0000236", for_dataset="a")
    assert corpuscle("review", "--apply", path, "--json").json["datasets"] == ["a@1"]
    again = statuses(corpuscle("ingest", files, "--json"))
    assert again == {"a": ("revised", "2"), "b": ("unchanged", "1"), "c": ("unchanged", "1")}
    assert {(i.label, i.datasets) for i in open_labels()} == {(ODD, ("b",)), ("gork", ("b",))}
    corpuscle("review", "--apply", decide(tmp_path, "neuron"))  # for all: a keeps its own
    assert statuses(corpuscle("ingest", files, "--json"))["a"] == ("unchanged", "2")


def test_a_decision_made_before_the_file_came_is_used_at_once(
    workspace: Workspace, corpuscle: Command, ln: Any, tmp_path: Path
) -> None:
    corpuscle("review", "--apply", decide(tmp_path, "CL:0000236"))
    path = write_h5ad(tmp_path / "a.h5ad", cell_types=(ODD,))
    assert statuses(corpuscle("ingest", path, "--json")) == {"a": ("new", "1")}
    assert ln.Artifact.get(key="datasets/a.h5ad").run.params["classes"]["cell_type"] == [
        "CL:0000236"
    ]
    assert statuses(corpuscle("ingest", path, "--json")) == {"a": ("unchanged", "1")}


def test_a_decision_that_does_not_fit_a_dataset_does_not_curate_it_again_and_again(
    files: Path, corpuscle: Command, tmp_path: Path
) -> None:
    row = {"field": "tissue", "label": "lung", "decision": "CL:0000236"}  # of primary cultures
    corpuscle("review", "--apply", sheet(tmp_path / "d.tsv", [row]))
    assert statuses(corpuscle("ingest", files, "--json"))["a"][0] == "revised"
    assert statuses(corpuscle("ingest", files, "--json"))["a"][0] == "unchanged"


def test_a_decision_about_the_words_counts_where_the_id_was_of_no_use(
    workspace: Workspace, corpuscle: Command, tmp_path: Path
) -> None:
    path = write_h5ad(
        tmp_path / "a.h5ad", cell_types=("gork",), cell_type_ontology_term_id="CL:9999999"
    )
    corpuscle("ingest", path)
    assert [i.label for i in open_labels()] == ["CL:9999999"]
    applied = corpuscle("review", "--apply", decide(tmp_path, "neuron", label="gork"), "--json")
    assert applied.json["datasets"] == ["a@1"]
    assert statuses(corpuscle("ingest", path, "--json")) == {"a": ("revised", "2")}
    assert open_labels() == []


def test_the_commands_that_follow_carry_the_options_of_before(
    workspace: Workspace, corpuscle: Command, tmp_path: Path
) -> None:
    path = write_h5ad(tmp_path / "a b.h5ad", cell_types=("gork",))
    corpuscle("ingest", path, "--name", "x", "--set", "tissue=lung", "--organism", "human")
    applied = corpuscle("review", "--apply", decide(tmp_path, "neuron", label="gork"), "--json")
    (command,) = applied.json["commands"]
    assert command == f"corpuscle ingest '{path}' --organism human --set tissue=lung --name x"
    import shlex

    words = shlex.split(command)[1:]
    assert statuses(corpuscle(*words, "--json")) == {"x": ("revised", "2")}


PROBLEMS = [
    ("cell_type", "a", "CL:0000000x", "unknown term"),
    ("cell_type", "b", "EFO:0009310", "deprecated term"),
    ("cell_type", "c", "UBERON:0002048", "wrong vocabulary"),
    ("cell_type", "d", "CL:9999999", "unknown term"),
    ("colour", "e", "CL:0000236", "unknown field"),
    ("cell_type", "", "CL:0000236", "empty label"),
    ("cell_type", "f", "CL:0000236", ""),
    ("cell_type", "f", "CL:0000540", "contradiction"),
    ("cell_type", "02-Mar", "CL:0000236", "mangled label"),
]


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_taken_over(
    files: Path, corpuscle: Command, ln: Any, tmp_path: Path
) -> None:
    rows = [{"field": f, "label": said, "decision": d} for f, said, d, _ in PROBLEMS]
    rows += [{**rows[6], "label": "g", "for_dataset": "nowhere"}]
    rows += [{**rows[6], "label": "h", "for_organism": "unicorn"}]
    rows += [{**rows[6], "label": "changed", "key": label_key("cell_type", ODD)}]
    done = corpuscle("review", "--apply", sheet(tmp_path / "bad.tsv", rows), "--json")
    assert done.code == 1
    expected = [(i + 2, kind) for i, (*_, kind) in enumerate(PROBLEMS) if kind]
    expected += [(11, "unknown dataset"), (12, "unknown name"), (13, "changed label")]
    assert [(p["line"], p["kind"]) for p in done.json["problems"]] == expected
    assert not ln.Artifact.filter(key="memory/decisions.sssom.tsv").exists()
    told = corpuscle("review", "--apply", tmp_path / "bad.tsv").err
    assert "11 problems in" in told
    assert "2 x unknown term (lines 2, 5)" in told
    assert "EFO:0009899" in done.out


def test_a_dry_run_tells_what_would_happen_and_writes_nothing(
    files: Path, corpuscle: Command, ln: Any, tmp_path: Path
) -> None:
    runs = ln.Run.objects.count()
    path = decide(tmp_path, "CL:0000236")
    done = corpuscle("review", "--apply", path, "--dry-run", "--json")
    assert (done.json["new"], done.json["datasets"]) == (False, ["a@1", "b@1"])
    assert done.json["changes"][0]["after"] == "CL:0000236"
    assert "planned" in corpuscle("review", "--apply", path, "--dry-run").out
    assert ln.Run.objects.count() == runs
    assert corpuscle("review", "--out", tmp_path / "x.csv", "--dry-run").code == 0
    assert not (tmp_path / "x.csv").exists()


def test_a_sheet_with_answers_is_never_written_over(
    files: Path, corpuscle: Command, tmp_path: Path
) -> None:
    path = decide(tmp_path, "CL:0000236")
    before = path.read_bytes()
    done = corpuscle("review", "--out", path)
    assert (done.code, path.read_bytes()) == (1, before)


def test_the_memory_of_one_workspace_can_be_applied_to_another(
    files: Path, corpuscle: Command, ln: Any, tmp_path: Path
) -> None:
    corpuscle("review", "--apply", decide(tmp_path, "CL:0000236"), "--reviewer", "Ada")
    exported = tmp_path / "theirs.sssom.tsv"
    exported.write_bytes(ln.Artifact.get(key="memory/decisions.sssom.tsv").path.read_bytes())
    corpuscle("review", "--apply", decide(tmp_path, "none"), "--reviewer", "Bob")
    done = corpuscle("review", "--apply", exported, "--reviewer", "Bob", "--json")
    assert [(c["label"], c["before"], c["after"]) for c in done.json["changes"]] == [
        (ODD, "sssom:NoTermFound", "CL:0000236")
    ]
    assert memory_of()["cell_type"]["reviewer"].tolist() == ["Ada"]
    exported.write_text(exported.read_text().replace("skos:exactMatch", "exactly"))
    done = corpuscle("review", "--apply", exported, "--json")
    assert [p["kind"] for p in done.json["problems"]] == ["invalid CURIE"]


def test_lineage_tells_what_a_decision_touches_before_and_after(
    files: Path, corpuscle: Command, tmp_path: Path
) -> None:
    collect("atlas", patterns=["a"])
    corpus = cp.open_corpus("atlas")
    with cp.training_run("net", corpus) as run:
        list(corpus.loader(4))
        (tmp_path / "model.pt").write_text("weights")
        run.save(tmp_path / "model.pt")
    corpuscle("review", "--apply", decide(tmp_path, "CL:0000236"), "--reviewer", "Ada")
    before = corpuscle("lineage", "decision", "cell_type", ODD, "--json").json
    assert [(u["dataset"], u["version"], u["answer"], u["changes"]) for u in before["uses"]] == [
        ("a", "1", "CL:0000236", True),
        ("b", "1", "CL:0000236", True),
    ]
    assert (before["uses"][0]["collections"], before["uses"][0]["models"]) == (
        ["atlas@1"],
        ["net@1"],
    )
    assert [(h["reviewer"], h["before"], h["after"]) for h in before["history"]] == [
        ("Ada", "", "CL:0000236")
    ]
    corpuscle("ingest", files)
    after = corpuscle("lineage", "decision", "cell_type", ODD, "--json").json
    told = [(u["dataset"], u["version"], u["term_id"], u["changes"]) for u in after["uses"]]
    assert told == [
        ("a", "1", "", False),
        ("a", "2", "CL:0000236", False),
        ("b", "1", "", False),
        ("b", "2", "CL:0000236", False),
    ]
    text = corpuscle("lineage", "decision", "cell_type", ODD).out
    assert "net@1" in text
    missing = corpuscle("lineage", "decision", "cell_type", "nobody said this")
    assert (missing.code, "nobody decided" in missing.err) == (1, True)


def test_labels_of_organisms_with_terms_of_their_own_are_decided_apart(
    workspace: Workspace, corpuscle: Command, tmp_path: Path
) -> None:
    for name in ("human", "mouse"):
        path = tmp_path / f"{name}.h5ad"
        write_h5ad(path, organism=name, cell_types=("gork",), development_stage="ripe")
        corpuscle("ingest", path)
    found = {(i.field, i.label, i.organism): i.datasets for i in open_labels()}
    assert found == {
        ("cell_type", "gork", ""): ("human", "mouse"),
        ("development_stage", "ripe", "NCBITaxon:9606"): ("human",),
        ("development_stage", "ripe", "NCBITaxon:10090"): ("mouse",),
    }
    row = {"field": "development_stage", "label": "ripe", "decision": "MmusDv:0000110"}
    path = sheet(tmp_path / "d.tsv", [{**row, "for_organism": "mouse"}])
    assert corpuscle("review", "--apply", path, "--json").json["datasets"] == ["mouse@1"]


def test_a_person_reads_what_is_open_and_what_comes_next(files: Path, corpuscle: Command) -> None:
    text = corpuscle("review").out
    assert "gork" in text
    assert "2 labels of 11 cells are open" in text
    listed = corpuscle("review", "--field", "cell_type", "--limit", "1", "--json").json
    assert [(i["label"], i["key"]) for i in listed] == [(ODD, label_key("cell_type", ODD))]
    assert corpuscle("review", "--field", "colour").code == 1
    assert corpuscle("review", "--out", "x", "--interactive").code == 2


COMMAND = [sys.executable, "-c", "from corpuscle.pipelines.cli import main; main()", "review"]


def start(workspace: Workspace, *words: object) -> subprocess.Popen[str]:
    """Review in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LAMIN")}
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        env={**clean, "CORPUSCLE_HOME": str(workspace.folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_answers_at_the_terminal_are_checked_and_recorded(
    files: Path, workspace: Workspace
) -> None:
    process = start(workspace, "--interactive", "--reviewer", "Ada", "--json")
    out, err = process.communicate("UBERON:0002048\nnonsense\nb cell\nn\n", timeout=60)
    assert process.returncode == 0, err
    assert "no term of cell_type" in err
    assert "neither id nor name" in err
    found = memory_of()["cell_type"]
    assert dict(zip(found["source_label"], found["term_id"], strict=True)) == {
        ODD: "CL:0000236",
        "gork": "sssom:NoTermFound",
    }
    assert '"version": "1"' in out


@pytest.mark.parametrize("text", ["neuron\nq\n", "neuron\n", "neuron\ns\n"])
def test_who_stops_early_keeps_the_answers(files: Path, workspace: Workspace, text: str) -> None:
    process = start(workspace, "--interactive")
    process.communicate(text, timeout=60)
    assert process.returncode == 0
    assert memory_of()["cell_type"]["term_id"].tolist() == ["CL:0000540"]


def test_answers_before_an_interruption_are_kept(files: Path, workspace: Workspace) -> None:
    process = start(workspace, "--interactive")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write("neuron\n")
    process.stdin.flush()
    while "2 of 2" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)  # it waits for the next answer
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert memory_of()["cell_type"]["term_id"].tolist() == ["CL:0000540"]


def test_reviewers_at_the_same_time_lose_nothing(
    files: Path, workspace: Workspace, ln: Any, tmp_path: Path
) -> None:
    processes = []
    for i in range(4):
        folder = tmp_path / str(i)
        folder.mkdir()
        path = decide(folder, "neuron", label=f"label {i}")
        processes.append(start(workspace, "--apply", path, "--reviewer", f"R{i}"))
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    found = memory_of()["cell_type"]
    assert set(found["source_label"]) == {f"label {i}" for i in range(4)}
    assert sorted(found["version"]) == ["1", "2", "3", "4"]
    versions = ln.Artifact.filter(key="memory/decisions.sssom.tsv").order_by("id")
    assert [a.is_latest for a in versions] == [False, False, False, True]


def test_a_killed_review_leaves_the_memory_as_it_was_or_whole(
    files: Path, workspace: Workspace, ln: Any, tmp_path: Path
) -> None:
    for i, delay in enumerate((0.9, 1.2, 1.5, 1.8)):
        path = decide(tmp_path, "neuron", label=f"label {i}")
        process = start(workspace, "--apply", path)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        versions = ln.Artifact.filter(key="memory/decisions.sssom.tsv")
        assert versions.filter(is_latest=True).count() == min(1, versions.count())
        assert sum(map(len, memory_of().values())) == versions.count()
