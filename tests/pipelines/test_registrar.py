from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpuscle.pipelines import NewFile, NewRun, Registered, register
from corpuscle.pipelines._lamin import insert, transaction
from corpuscle.pipelines._staging import staging, storage_root
from corpuscle.pipelines._versions import code_version, next_versions, stem_uid

if TYPE_CHECKING:
    from corpuscle.pipelines import Workspace


def new_file(key: str, text: str, **options: Any) -> NewFile:
    folder = Path(tempfile.mkdtemp(dir=storage_root()))
    staged = folder / "staged"
    staged.write_text(text)
    return NewFile(key=key, staged=staged, suffix=".txt", description="test", **options)


def new_run(*files: NewFile, **options: Any) -> NewRun:
    return NewRun(step="test", outputs=files, **options)


def test_many_runs_are_registered_in_one_call(ln: Any, workspace: Workspace) -> None:
    results = register(
        [new_run(new_file(f"k{i}", f"text {i}"), params={"i": i}) for i in range(20)]
    )
    assert [r.key for (r,) in results] == [f"k{i}" for i in range(20)]
    for i, (registered,) in enumerate(results):
        artifact = ln.Artifact.get(registered.uid)
        assert artifact.run.params == {"i": i}
        assert artifact.path == registered.path
        assert artifact.path.read_text() == f"text {i}"


def test_versions_of_one_key_in_one_call_make_a_chain(ln: Any, workspace: Workspace) -> None:
    results = register([new_run(new_file("k", text)) for text in ("a", "b", "c")])
    assert [r.version for (r,) in results] == ["1", "2", "3"]
    latest = ln.Artifact.filter(key="k", is_latest=True)
    assert [a.uid for a in latest] == [results[2][0].uid]


def test_the_same_bytes_under_one_key_are_one_version(workspace: Workspace) -> None:
    (first,), (second,) = register([new_run(new_file("k", "a")), new_run(new_file("k", "a"))])
    assert (first.uid, first.new, second.uid, second.new) == (first.uid, True, first.uid, False)


def test_the_same_bytes_under_two_keys_are_two_artifacts(workspace: Workspace) -> None:
    (first,), (second,) = register([new_run(new_file("k", "a")), new_run(new_file("l", "a"))])
    assert first.uid != second.uid
    assert (first.key, second.key) == ("k", "l")


def test_an_error_leaves_neither_rows_nor_files(ln: Any, workspace: Workspace) -> None:
    from corpuscle.errors import NotFoundError

    good = new_run(new_file("good", "a"))
    bad = new_run(new_file("bad", "b", terms={"cell_type": ["CL:9999999"]}))
    runs = ln.Run.objects.count()
    folder = storage_root() / ".lamindb"
    files = sorted(folder.glob("*.txt"))
    with pytest.raises(NotFoundError):
        register([good, bad])
    assert sorted(folder.glob("*.txt")) == files
    assert ln.Artifact.objects.filter(key__in=["good", "bad"]).count() == 0
    assert ln.Run.objects.count() == runs
    (registered,) = register([new_run(new_file("good", "a"))])[0]
    assert registered.version == "1"


def _register_and_roll_back(run: NewRun) -> Registered:
    from django.db.transaction import set_rollback

    with transaction():
        (registered,) = register([run])[0]
        set_rollback(True)
    return registered


def test_a_registration_can_be_repeated_after_an_error(ln: Any, workspace: Workspace) -> None:
    first = _register_and_roll_back(new_run(new_file("k", "a")))
    assert ln.Artifact.objects.filter(uid=first.uid).count() == 0
    (second,) = register([new_run(new_file("k", "a"))])[0]
    assert second.uid == first.uid  # the same place: nothing is left behind
    assert ln.Artifact.get(second.uid).path.read_text() == "a"


def test_terms_go_to_the_registry_of_their_ontology(ln: Any, workspace: Workspace) -> None:
    terms = {
        "tissue": ["UBERON:0002048", "CL:0000084", "CVCL_0023"],
        "disease": ["PATO:0000461", "MONDO:0100096"],
        "tissue_type": ["cell line"],
    }
    (registered,) = register([new_run(new_file("k", "a", terms=terms))])[0]
    artifact = ln.Artifact.get(registered.uid)
    assert [t.name for t in artifact.tissues.all()] == ["lung"]
    assert [t.name for t in artifact.cell_types.all()] == ["T cell"]
    assert [t.name for t in artifact.cell_lines.all()] == ["A-549"]
    assert [t.name for t in artifact.phenotypes.all()] == ["normal"]
    assert [t.name for t in artifact.diseases.all()] == ["COVID-19"]


def test_a_column_that_does_not_exist_is_an_error(bt: Any, workspace: Workspace) -> None:
    with pytest.raises(TypeError, match="CellType has no column colour"):
        insert(bt.CellType, {"colour": "red"}, n_rows=1)


def test_the_step_is_a_transform_in_the_version_of_the_code(ln: Any, workspace: Workspace) -> None:
    register([new_run(new_file("k", "a")), new_run(new_file("l", "b"))])
    register([new_run(new_file("m", "c"))])
    transform = ln.Transform.get(key="test")
    assert transform.version == code_version()[:30]
    assert transform.runs.count() == 3


@pytest.mark.parametrize("n_versions", [61, 62, 63, 3844])
def test_version_numbers_go_on_as_lamindb_counts_them(
    ln: Any, workspace: Workspace, n_versions: int
) -> None:
    from lamindb_setup.core.base62 import increment_base62

    versions = next_versions(ln.Artifact, [("k", "x")] * n_versions)
    suffix = "0000"
    for version in versions:
        assert version.uid[-4:] == suffix
        suffix = increment_base62(suffix)
    assert versions[-1].tag == str(n_versions)
    assert {v.uid[:16] for v in versions} == {stem_uid("k", "x", 16)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(key=st.text(), content=st.text(), length=st.integers(1, 16))
def test_a_stem_depends_on_key_and_content_alone(key: str, content: str, length: int) -> None:
    stem = stem_uid(key, content, length)
    assert stem == stem_uid(key, content, length)
    assert len(stem) == length
    assert stem.isalnum()
    assert stem.isascii()


def test_staging_is_removed_with_what_killed_processes_left(workspace: Workspace) -> None:
    place = storage_root() / ".lamindb" / "staging"
    killed = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    left = place / f"{platform.node()}-{int(killed.stdout)}.x"
    elsewhere = place / f"another-machine-{int(killed.stdout)}.x"
    for folder in (left, elsewhere):
        folder.mkdir(parents=True)
    with staging() as folder:
        (folder / "half").touch()
        assert {p.name for p in place.iterdir()} == {folder.name, elsewhere.name}
    assert [p.name for p in place.iterdir()] == [elsewhere.name]
