from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import InputError
from corpuscle.pipelines import ingest_source
from corpuscle.pipelines.examples import write_mirrors
from corpuscle.pipelines.sources import SOURCES, Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

from .sources.conformance import serving
from .test_crashes import start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done


@pytest.fixture(scope="session")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small copy of every source."""
    return write_mirrors(tmp_path_factory.mktemp("mirrors"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is fetched goes nowhere else."""
    monkeypatch.setenv("CORPUSCLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_files_of_a_publisher_are_registered_where_they_are(
    ln: Any, corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    with serving(mirrors["tahoe"]) as url:
        (outcome,) = corpuscle("ingest", "tahoe", "--mirror", url, "--limit", 1, "--json").json
        assert (outcome["status"], outcome["dataset"]) == ("new", "tahoe/plate1")
        curated = ln.Artifact.get(outcome["uid"])
        origin = curated.run.params["from"]
        assert (origin["source"], origin["id"], origin["licence"]) == ("tahoe", "plate1", "CC0-1.0")
        raw = {str(a.path): a for a in curated.run.input_artifacts.all()}
        assert set(raw) == {file["url"] for file in origin["files"]}
        assert all(file["hash"] and file["version"] and file["size"] for file in origin["files"])
        plate = raw[outcome["source"]]
        assert (plate.storage.root, plate.size) == (url, origin["files"][0]["size"])
        assert plate.path.read_bytes()[:8] == b"\x89HDF\r\n\x1a\n"  # as LaminDB reads it
    root = ln.settings.storage.root / ".lamindb"
    assert not list(root.glob(f"{plate.uid}*"))


def test_what_is_registered_is_not_fetched_again(
    corpuscle: Callable[..., Done], mirrors: dict[str, Path], cache: Path
) -> None:
    import shutil

    seen: list[str] = []
    with serving(mirrors["tahoe"], seen) as url:
        first = corpuscle("ingest", "tahoe", "--mirror", url, "--id", "plate1", "--json").json
        assert any(path.endswith(".h5ad") for path in seen)
        seen.clear()
        shutil.rmtree(cache)
        again = corpuscle("ingest", "tahoe", "--mirror", url, "--id", "plate1", "--json").json
        assert not any(path.endswith(".h5ad") for path in seen)
    assert [outcome["status"] for outcome in (*first, *again)] == ["new", "unchanged"]
    assert again[0]["uid"] == first[0]["uid"]
    with serving(mirrors["tahoe"]) as url:  # it has moved
        moved = corpuscle("ingest", "tahoe", "--mirror", url, "--id", "plate1", "--json").json
    assert moved[0]["status"] == "unchanged"


def test_a_dry_run_fetches_no_data_and_registers_nothing(
    ln: Any, corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    seen: list[str] = []
    before = ln.Run.filter().count()
    with serving(mirrors["devatlas"], seen) as url:
        done = corpuscle("ingest", "devatlas", "--mirror", url, "--dry-run", "--json")
    assert {outcome["status"] for outcome in done.json} == {"planned"}
    assert not any(path.endswith(".h5ad") for path in seen)
    assert ln.Run.filter().count() == before


def test_filters_and_the_limit_choose(
    corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    def planned(*words: object) -> list[str]:
        mirror = ("--mirror", mirrors["scbasecount"])
        done = corpuscle("ingest", "scbasecount", *mirror, *words, "--dry-run", "--json")
        return [o["dataset"] for o in done.json if o["status"] == "planned"]

    mouse = planned("--organism", "mouse")
    assert mouse == ["scbasecount/SRX99000201", "scbasecount/ERX99000202"]
    assert planned("--organism", "mouse", "--limit", 1) == mouse[:1]
    assert planned("--id", "NRX*") == ["scbasecount/NRX0000104"]
    assert planned("--released-before", "1999-01-01") == []


def test_what_is_skipped_says_why_and_does_not_fail_the_run(
    corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    words = ("--mirror", mirrors["scbasecount"], "--id", "SRX99000103")
    done = corpuscle("ingest", "scbasecount", *words, "--json")
    (outcome,) = done.json
    assert (done.code, outcome["status"], outcome["error"]["kind"]) == (0, "skipped", "skipped")
    assert "atac" in outcome["error"]["message"]
    shown = corpuscle("ingest", "scbasecount", *words).out
    assert "scbasecount/SRX99000103 skipped: " in shown
    assert "0 of 1 datasets are registered" in shown


def test_a_file_that_cannot_be_fetched_costs_one_dataset(
    corpuscle: Callable[..., Done],
    mirrors: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import shutil

    monkeypatch.setenv("CORPUSCLE_BUDGET_S", "1")
    copy = tmp_path / "mirror"
    shutil.copytree(mirrors["cellxgene"], copy)
    with serving(copy) as url:
        words = ("ingest", "cellxgene", "--mirror", url, "--limit", 3, "--json")
        planned = corpuscle(*words, "--dry-run").json
        victim = next(o for o in planned if o["status"] == "planned")
        (copy / "files" / victim["source"].rpartition("/")[2]).rename(tmp_path / "away.h5ad")
        done = corpuscle(*words)
        statuses = {o["dataset"]: o["status"] for o in done.json if o["status"] != "skipped"}
        assert done.code == 1
        assert statuses.pop(victim["dataset"]) == "refused"
        assert set(statuses.values()) == {"new"}
        (tmp_path / "away.h5ad").rename(copy / "files" / victim["source"].rpartition("/")[2])
        again = {o["dataset"]: o["status"] for o in corpuscle(*words).json}
    assert again[victim["dataset"]] == "new"
    assert {again[dataset] for dataset in statuses} == {"unchanged"}


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(
    ln: Any, workspace: Workspace, corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    words = ("devatlas", "--mirror", mirrors["devatlas"])
    process = start(workspace, *words)
    while process.poll() is None and not ln.Artifact.filter(key__startswith="datasets/").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = ln.Artifact.filter(key__startswith="datasets/").count()
    outcomes = corpuscle("ingest", *words, "--json").json
    statuses = [outcome["status"] for outcome in outcomes]
    assert statuses.count("unchanged") == done >= 1
    assert set(statuses) <= {"unchanged", "new"}
    assert ln.Artifact.filter(key__startswith="datasets/").count() == 4


@pytest.mark.slow
def test_the_same_nuclei_of_two_sources_are_found_and_taken_once(
    corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    atlas = ("--option", "collection=45d5d2c3-bc28-4814-aed6-0bb6f0e11c82")
    for name, words in (("devatlas", ()), ("cellxgene", atlas)):
        assert corpuscle("ingest", name, "--mirror", mirrors[name], *words).code == 0
    pairs = corpuscle("duplicates", "--json").json["pairs"]
    assert {pair["how"] for pair in pairs} == {"both"}
    n_shared = sum(pair["n_a"] for pair in pairs)
    every = corpuscle("collect", "every", "--json").json["n_cells"]
    once = corpuscle("collect", "once", "--duplicates", "drop", "--json").json["n_cells"]
    assert every - once == n_shared > 0


@pytest.mark.slow
def test_versions_of_a_dataset_revise_each_other_and_hold_the_same_cells(
    ln: Any, corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    words = ("--mirror", mirrors["cellxgene"], "--option", "versions=all")
    listed = corpuscle("sources", "cellxgene", *words, "--json").json
    (twice,) = {d["id"] for d in listed if sum(o["id"] == d["id"] for o in listed) == 2}
    outcomes = corpuscle("ingest", "cellxgene", *words, "--id", twice, "--json").json
    assert [o["status"] for o in outcomes] == ["new", "revised"]
    versions = [ln.Artifact.get(o["uid"]).run.params["from"]["version"] for o in outcomes]
    assert versions == [d["version"] for d in listed if d["id"] == twice]
    (revision,) = corpuscle("duplicates", "--revisions", "--json").json
    assert (revision["pair"]["share_a"], revision["pair"]["share_b"]) == (1.0, 1.0)


def test_the_command_of_a_review_curates_a_dataset_of_a_source_again(
    corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    import shlex

    words = ("--mirror", mirrors["scbasecount"], "--id", "SRX99000101")
    (first,) = corpuscle("ingest", "scbasecount", *words, "--json").json
    from corpuscle.pipelines._collect import find_datasets
    from corpuscle.pipelines._review import ingest_commands

    (command,) = ingest_commands(find_datasets())
    program, *rest = shlex.split(command)
    assert program == "corpuscle"
    (again,) = corpuscle(*rest, "--json").json
    assert (again["status"], again["uid"]) == ("unchanged", first["uid"])


def test_options_of_files_and_of_sources_do_not_mix(
    corpuscle: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.h5ad").touch()
    done = corpuscle("ingest", tmp_path / "a.h5ad", "--tissue", "lung")
    assert (done.code, "--tissue is for sources" in done.err) == (1, True)
    done = corpuscle("ingest", "tahoe", "--name", "mine")
    assert (done.code, "--name is for a file" in done.err) == (1, True)
    done = corpuscle("ingest", "tahoe", "--option", "form")
    assert (done.code, "is not NAME=VALUE" in done.err) == (1, True)
    done = corpuscle("ingest", "tahoe", "--tissue", "brian")
    assert (done.code, "--tissue 'brian' is no tissue we know" in done.err) == (1, True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tahoe").mkdir()
    done = corpuscle("ingest", "tahoe")
    assert (done.code, "Write ./tahoe" in done.err) == (1, True)


def test_sources_are_listed_with_licence_and_choices(corpuscle: Callable[..., Done]) -> None:
    found = {source["name"]: source for source in corpuscle("sources", "--json").json}
    assert set(found) == set(SOURCES)
    assert found["scbasecount"]["releases"] == ["2026-01-12", "2025-02-25"]
    assert "Velocyto" in found["scbasecount"]["choices"]["feature"]
    shown = corpuscle("sources").out
    assert all(name in shown for name in SOURCES)


def test_datasets_of_a_source_are_listed_before_anything_is_fetched(
    corpuscle: Callable[..., Done], mirrors: dict[str, Path]
) -> None:
    words = ("sources", "cellxgene", "--mirror", mirrors["cellxgene"])
    listed = corpuscle(*words, "--json").json
    assert {"cellxgene:collection:45d5d2c3-bc28-4814-aed6-0bb6f0e11c82"} <= {
        alias for dataset in listed for alias in dataset["aliases"]
    }
    shown = corpuscle(*words).out
    assert "skipped: withdrawn by its publisher" in " ".join(shown.split())
    assert "CC BY 4.0" in shown
    assert corpuscle("sources", "nowhere").code == 1


def test_a_password_in_the_address_of_a_mirror_is_not_kept(
    ln: Any, mirrors: dict[str, Path], corpuscle: Callable[..., Done]
) -> None:
    with serving(mirrors["tahoe"]) as url:
        secret = url.replace("http://", "http://ada:opensesame@")
        done = corpuscle("ingest", "tahoe", "--mirror", secret, "--id", "plate1", "--json")
    assert done.json[0]["status"] == "new"
    kept = json.dumps([run.params for run in ln.Run.filter()])
    kept += "".join(f"{a.key} {a.path} {a.description}" for a in ln.Artifact.filter())
    assert "opensesame" not in kept + done.out + done.err


def test_a_source_is_ingested_from_python(
    workspace: Workspace, mirrors: dict[str, Path], cache: Path
) -> None:
    source = get_source("scbasecount")(Transfer(cache=cache), at=str(mirrors["scbasecount"]))
    (outcome,) = ingest_source(source, Wanted.of(organism="mouse", ids=["SRX*"]))
    assert outcome.status == "new"
    with pytest.raises(InputError, match="colour"):
        get_source("scbasecount")(Transfer(cache=cache), options={"colour": "red"})


@pytest.mark.slow
def test_the_same_dataset_gives_the_same_bytes_whatever_the_hash_seed(
    mirrors: dict[str, Path], tmp_path: Path
) -> None:
    code = (
        "import sys, hashlib; from pathlib import Path;"
        "from corpuscle.pipelines.sources import Wanted, get_source;"
        "from corpuscle.pipelines.transfer import Transfer;"
        "from corpuscle.curation import curate;"
        "name, at, out = sys.argv[1:];"
        "source = get_source(name)(Transfer(cache=Path(out) / 'cache'), at=at);"
        "dataset = next(d for d in source.datasets(Wanted()) if not d.skip);"
        "path = Path(out) / 'out.h5ad';"
        "files = source.fetch(dataset).__enter__();"
        "curate(source.open(dataset, [f.path for f in files]), path, dataset='d', source_hash='');"
        "print(hashlib.sha256(path.read_bytes()).hexdigest())"
    )
    for name, folder in mirrors.items():
        found = set()
        for seed in ("0", "1"):
            out = tmp_path / f"{name}{seed}"
            out.mkdir()
            done = subprocess.run(
                [sys.executable, "-c", code, name, str(folder), str(out)],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            )
            found.add(done.stdout.strip())
        assert len(found) == 1, name
