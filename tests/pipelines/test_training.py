from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from torch.utils.data import DataLoader

import corpuscle as cp
from corpuscle.errors import ConflictError, InputError, NotFoundError
from corpuscle.pipelines import collect, ingest, lineage_of_dataset, lineage_of_model

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.loaders import Corpus
    from corpuscle.pipelines import Workspace

    from .conftest import Done


@pytest.fixture
def corpus(workspace: Workspace, tmp_path: Path) -> Corpus:
    """Two human and one mouse dataset of 6, 8 and 10 cells."""
    files = tmp_path / "files"
    files.mkdir()
    write_h5ad(files / "a.h5ad", n_cells=6)
    write_h5ad(files / "b.h5ad", n_cells=8, cell_types=("neuron",), seed=1)
    write_h5ad(files / "m.h5ad", n_cells=10, organism="mouse", seed=2)
    assert {o.status for o in ingest([files])} == {"new"}
    collect("atlas")
    return cp.open_corpus("atlas")


def served(name: str) -> dict[str, tuple[int, int]]:
    return {row.dataset: (row.cells, row.exposures) for row in lineage_of_model(name).rows}


def checkpoint(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "model.pt"
    path.write_text(text)
    return path


def test_a_model_version_knows_the_datasets_it_was_fed_with_how_many_cells(
    corpus: Corpus, tmp_path: Path
) -> None:
    with cp.training_run("net", corpus, params={"lr": 0.1}) as run:
        for _ in range(2):
            list(corpus.loader(4, labels=["cell_type"]))
        saved = run.save(checkpoint(tmp_path, "weights"))
    assert (saved.key, saved.version) == ("models/net", "1")
    found = lineage_of_model("net")
    assert served("net") == {"a": (6, 12), "b": (8, 16), "m": (10, 20)}
    assert found.run is not None
    assert (found.run["status"], found.run["params"], found.run["corpus"]) == (
        "completed",
        {"lr": 0.1},
        "atlas@1",
    )


def test_only_what_was_really_served_is_counted(corpus: Corpus, tmp_path: Path) -> None:
    loader = corpus.loader(3, shuffle=False)
    with cp.training_run("net", corpus) as run:
        batches = iter(loader)
        for _ in range(3):
            next(batches)
        run.save(checkpoint(tmp_path, "early"))
        next(batches)
    assert served("net") == {"a": (6, 6), "b": (3, 3)}


def test_each_saved_version_has_its_own_account(corpus: Corpus, tmp_path: Path) -> None:
    batches = iter(corpus.loader(6, shuffle=False))
    with cp.training_run("net", corpus) as run:
        next(batches)
        first = run.save(checkpoint(tmp_path, "one"))
        next(batches)
        second = run.save(checkpoint(tmp_path, "two"))
    assert (first.version, second.version) == ("1", "2")
    assert served("net@1") == {"a": (6, 6)}
    assert served("net@2") == served("net") == {"a": (6, 6), "b": (6, 6)}


def test_lamindb_itself_finds_datasets_and_models(ln: Any, corpus: Corpus, tmp_path: Path) -> None:
    with cp.training_run("net", corpus, params={"lr": 0.5}) as run:
        next(iter(corpus.loader(6, shuffle=False)))
        run.save(checkpoint(tmp_path, "one"))
    model = ln.Artifact.get(key="models/net")
    assert [a.key for a in model.run.input_artifacts.all()] == ["datasets/a.h5ad"]
    assert [c.key for c in model.run.input_collections.all()] == ["atlas"]
    assert ln.Run.filter(params__lr=0.5).count() == 1
    dataset = ln.Artifact.get(key="datasets/a.h5ad")
    assert [m.uid for m in ln.Artifact.filter(kind="model", run__input_artifacts=dataset)] == [
        model.uid
    ]


def test_a_dataset_knows_the_models_it_fed(corpus: Corpus, tmp_path: Path) -> None:
    for name, n_batches in (("one", 1), ("two", 2)):
        with cp.training_run(name, corpus) as run:
            batches = iter(corpus.loader(6, shuffle=False))
            for _ in range(n_batches):
                next(batches)
            run.save(checkpoint(tmp_path, name))
    fed = {(row.model, row.exposures) for row in lineage_of_dataset("a").rows}
    assert fed == {("one", 6), ("two", 6)}
    assert [row.model for row in lineage_of_dataset("b").rows] == ["two"]
    assert lineage_of_dataset("m").rows == ()


def test_versions_of_a_dataset_are_told_apart(corpus: Corpus, tmp_path: Path) -> None:
    with cp.training_run("old", corpus) as run:
        list(corpus.loader(6))
        run.save(checkpoint(tmp_path, "old"))
    write_h5ad(tmp_path / "files" / "a.h5ad", n_cells=5, seed=9)
    assert [o.status for o in ingest([tmp_path / "files"])] == ["revised", "unchanged", "unchanged"]
    collect("atlas")
    newer = cp.open_corpus("atlas")
    with cp.training_run("new", newer) as run:
        list(newer.loader(6))
        run.save(checkpoint(tmp_path, "new"))
    rows = [(r.model, r.dataset_version, r.cells) for r in lineage_of_dataset("a").rows]
    assert rows == [("old", "1", 6), ("new", "2", 5)]
    assert [r.model for r in lineage_of_dataset("a@1").rows] == ["old"]
    assert [r.model for r in lineage_of_dataset("a@2").rows] == ["new"]


@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_dataloader_is_counted_when_it_is_tracked(
    corpus: Corpus, tmp_path: Path, n_workers: int
) -> None:
    loader = corpus.loader(4)
    with cp.training_run("net", corpus) as run:
        list(run.track(DataLoader(loader, batch_size=None, num_workers=n_workers)))
        run.save(checkpoint(tmp_path, "w"))
    assert served("net") == {"a": (6, 6), "b": (8, 8), "m": (10, 10)}


def test_batches_of_workers_that_nobody_counted_forbid_saving(
    corpus: Corpus, tmp_path: Path, ln: Any
) -> None:
    loader = corpus.loader(4)
    run = cp.training_run("net", corpus)
    run.__enter__()
    list(DataLoader(loader, batch_size=None, num_workers=1))
    with pytest.raises(ConflictError, match=r"run\.track"):
        run.save(checkpoint(tmp_path, "w"))
    with pytest.raises(ConflictError, match=r"run\.track"):
        run.__exit__(None, None, None)
    assert ln.Run.get(run.uid).status == "errored"
    with pytest.raises(NotFoundError, match="no model 'net'"):
        lineage_of_model("net")


def test_the_same_checkpoint_is_not_a_new_version(corpus: Corpus, tmp_path: Path) -> None:
    with cp.training_run("net", corpus) as run:
        next(iter(corpus.loader(4)))
        run.save(checkpoint(tmp_path, "same"))
        with pytest.raises(ConflictError, match="version 1 of 'net' already"):
            run.save(checkpoint(tmp_path, "same"))
    staging = cp.connect().folder / "storage" / ".lamindb" / "staging"
    assert list(staging.iterdir()) == []


def test_a_checkpoint_can_be_a_folder(ln: Any, corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"123")
    with cp.training_run("net", corpus) as run:
        next(iter(corpus.loader(4)))
        saved = run.save(folder)
    assert (saved.path / "weights.bin").read_bytes() == b"123"
    assert ln.Artifact.get(saved.uid).n_files == 1


def test_a_run_that_fails_is_on_record_with_what_it_served(
    ln: Any,
    corpus: Corpus,
) -> None:
    run = cp.training_run("net", corpus)
    with pytest.raises(ZeroDivisionError):
        _train_and_fail(run, corpus)
    record = ln.Run.get(run.uid)
    assert record.status == "errored"
    assert [a.key for a in record.input_artifacts.all()] == ["datasets/a.h5ad"]
    assert [a.kind for a in record.output_artifacts.all()] == ["ledger"]


def _train_and_fail(run: cp.TrainingRun, corpus: Corpus) -> None:
    with run:
        next(iter(corpus.loader(6, shuffle=False)))
        raise ZeroDivisionError


@pytest.mark.parametrize("params", [{"corpuscle": 1}, {"x": object()}, {"x": float("nan")}])
def test_params_that_cannot_be_kept_are_refused(corpus: Corpus, params: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="params"):
        cp.training_run("net", corpus, params=params)


def test_a_missing_checkpoint_says_so(corpus: Corpus, tmp_path: Path) -> None:
    with cp.training_run("net", corpus) as run, pytest.raises(NotFoundError, match=r"none\.pt"):
        run.save(tmp_path / "none.pt")


def test_both_questions_are_answered_on_the_command_line(
    corpus: Corpus, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    with cp.training_run("net", corpus) as run:
        list(corpus.loader(6))
        run.save(checkpoint(tmp_path, "one"))
    model = corpuscle("lineage", "model", "net@1", "--json").json
    assert {(r["dataset"], r["cells"], r["exposures"]) for r in model["rows"]} == {
        ("a", 6, 6),
        ("b", 8, 8),
        ("m", 10, 10),
    }
    assert "net@1 was fed by 3 datasets" in corpuscle("lineage", "model", "net").out
    dataset = corpuscle("lineage", "dataset", "m", "--json").json
    assert [(r["model"], r["model_version"], r["cells"]) for r in dataset["rows"]] == [
        ("net", "1", 10)
    ]
    assert "Dataset m (all) fed 1" in corpuscle("lineage", "dataset", "m").out
    status = corpuscle("status", "--json").json
    assert [m["name"] for m in status["models"]] == ["net"]
    assert "atlas" in corpuscle("status").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lineage", "model", "nobody"), "There is no model 'nobody'. There is: none yet"),
        (("lineage", "dataset", "a@7"), "has no version '7'. It has 1"),
        (("lineage", "dataset", "z"), "There is: a, b, m"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(
    corpus: Corpus, corpuscle: Callable[..., Done], words: tuple[str, ...], message: str
) -> None:
    done = corpuscle(*words)
    assert done.code == 1
    assert message in done.err
