from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import NotFoundError
from corpuscle.loaders import PackOptions, verify_packed
from corpuscle.loaders.packed._shard import Shard
from corpuscle.pipelines import open_corpus, pack
from corpuscle.pipelines._lineage import status

from .conftest import write_h5ad
from .test_crashes import assert_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done

SMALL = PackOptions(shard_cells=4)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}


def packed_files(ln: Any) -> set[str]:
    return set(ln.Artifact.objects.filter(key__startswith="packed/").values_list("key", flat=True))


@pytest.fixture
def collection(tmp_path: Path, corpuscle: Callable[..., Done]) -> str:
    """Two datasets of 6 cells."""
    for i in range(2):
        path = write_h5ad(tmp_path / f"d{i}.h5ad", seed=i, donor_id=f"donor {i}")
        assert corpuscle("ingest", path).code == 0
    assert corpuscle("collect", "tiny").code == 0
    return "tiny"


def test_a_collection_is_packed_and_registered_with_its_lineage(
    ln: Any, workspace: Workspace, collection: str, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    done = corpuscle("pack", collection, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    told = done.json
    assert (told["version"], told["n_cells"], told["n_written"], told["new"]) == ("1", 12, 2, True)
    assert verify_packed(tmp_path / "out")["n_bytes"] == told["n_bytes"]
    run = ln.Run.objects.get(transform__key="corpuscle/pack")
    read = set(run.input_artifacts.values_list("key", flat=True))
    assert read == {"datasets/d0.h5ad", "datasets/d1.h5ad", "duplicates/tiny.parquet"}
    assert [c.key for c in run.input_collections.all()] == ["tiny"]
    names = {path.name for path in (tmp_path / "out" / "shards").iterdir()}
    assert packed_files(ln) == {f"packed/{name}" for name in names} | {"packed/tiny/plain.json"}
    manifest = ln.Artifact.get(key="packed/tiny/plain.json")
    assert manifest.path.read_bytes() == (tmp_path / "out" / "manifest.json").read_bytes()
    assert manifest.run == run
    assert_whole(workspace)
    assert status()["datasets"]


def test_a_folder_is_verified_and_damage_is_named(
    collection: str, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    out = tmp_path / "out"
    assert corpuscle("pack", collection, "--out", out).code == 0
    told = corpuscle("verify", out, "--json").json
    assert (told["n_cells"], told["n_shards"]) == (12, 2)
    assert "is whole: 12 cells" in corpuscle("verify", out).out
    shard = min((out / "shards").iterdir())
    content = bytearray(shard.read_bytes())
    content[8] ^= 1  # the first byte of the first row
    shard.unlink()  # it is a link to the file in the storage
    shard.write_bytes(content)
    done = corpuscle("verify", out)
    assert done.code == 3
    assert shard.name in done.err
    assert corpuscle("verify", tmp_path).code == 1


def test_packing_again_registers_nothing_and_the_folder_may_be_elsewhere(
    ln: Any, collection: str, tmp_path: Path
) -> None:
    pack(collection, tmp_path / "a", options=SMALL)
    before = ln.Artifact.objects.count(), ln.Run.objects.count()
    again = pack(collection, tmp_path / "b", options=SMALL, processes=2)
    assert (again.n_written, again.n_shards, again.new) == (0, 4, False)
    assert (ln.Artifact.objects.count(), ln.Run.objects.count()) == before
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_versions_share_their_shards(
    ln: Any, workspace: Workspace, collection: str, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    pack(collection, tmp_path / "1")
    first = packed_files(ln)
    corpuscle("ingest", write_h5ad(tmp_path / "d2.h5ad", seed=2))
    corpuscle("collect", collection)
    told = pack(collection, tmp_path / "2")
    assert (told.version, told.n_shards, told.n_written) == ("2", 3, 1)
    assert len(packed_files(ln) - first) == 1
    old, new = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert all(new[name] == old[name] for name in old if name != "manifest.json")
    run = ln.Run.objects.filter(transform__key="corpuscle/pack").last()
    assert run.recreated_artifacts.count() == 2
    assert ln.Artifact.objects.filter(key="packed/tiny/plain.json").count() == 2
    assert pack(collection, tmp_path / "again", version=1).new is False
    assert_whole(workspace)


def test_a_dry_run_tells_and_does_nothing(
    ln: Any, collection: str, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    before = ln.Run.objects.count()
    done = corpuscle("pack", "tiny@1", "--out", tmp_path / "out", "--dry-run", "--json")
    assert (done.json["n_written"], done.json["n_shards"]) == (2, 2)
    assert done.json["n_bytes"] > 1_000
    assert not (tmp_path / "out").exists()
    assert ln.Run.objects.count() == before
    shown = corpuscle("pack", "tiny", "--out", tmp_path / "out", "--dry-run").out
    assert "would be packed (plain)" in " ".join(shown.split())


@pytest.mark.parametrize("codec", ["plain", "zstd"])
def test_bytes_do_not_depend_on_processes_or_hash_seeds(
    workspace: Workspace, collection: str, tmp_path: Path, codec: str
) -> None:
    process = start(workspace, tmp_path / "2", 4, codec, processes=2, seed="2")
    _, err = process.communicate()
    assert process.returncode == 0, err
    forget(workspace)
    options = PackOptions(codec="zstd" if codec == "zstd" else "plain", shard_cells=4)
    pack(collection, tmp_path / "1", options=options, processes=1)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


PACK = """
import sys
from corpuscle.loaders import PackOptions
from corpuscle.pipelines import pack
name, out, cells, processes, codec = sys.argv[1:]
pack(name, out, options=PackOptions(codec=codec, shard_cells=int(cells)), processes=int(processes))
"""


def start(
    workspace: Workspace, out: Path, cells: int, codec: str, *, processes: int, seed: str = "0"
) -> subprocess.Popen[str]:
    """Pack in a process of its own, as a notebook would."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LAMIN")}
    return subprocess.Popen(
        [sys.executable, "-c", PACK, "tiny", str(out), str(cells), str(processes), codec],
        env={**clean, "CORPUSCLE_HOME": str(workspace.folder), "PYTHONHASHSEED": seed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def forget(workspace: Workspace) -> None:
    """Take packed files out of the storage, so that they are not used again."""
    for path in (workspace.folder / "storage" / ".lamindb").glob("*.packed"):
        path.unlink()


@pytest.mark.slow
def test_a_killed_packing_goes_on_and_ends_with_the_same_bytes(
    workspace: Workspace, collection: str, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    pack(collection, whole, options=PackOptions(shard_cells=1))
    forget(workspace)
    out, n_before = tmp_path / "out", -1
    for n_shards in (0, 2, 7):  # shards that are there when it is killed
        process = start(workspace, out, 1, "plain", processes=2)
        until = time.monotonic() + 60
        while len(list(out.glob("shards/*.packed"))) <= max(n_shards - 1, n_before):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        n_before = len(list(out.glob("shards/*.packed")))
    for name in ("", "shards/"):
        (out / f"{name}.x.packed.999999999.part").write_bytes(b"half")
    told = pack(collection, out, options=PackOptions(shard_cells=1))
    assert told.n_shards - told.n_written >= 6
    assert contents(out) == contents(whole)


def test_a_shard_that_was_damaged_is_made_again(
    workspace: Workspace, collection: str, tmp_path: Path
) -> None:
    pack(collection, tmp_path / "out")
    good = contents(tmp_path / "out")
    forget(workspace)
    shard = next((tmp_path / "out" / "shards").iterdir())
    changed = bytearray(shard.read_bytes())
    changed[100] ^= 4
    shard.unlink()
    shard.write_bytes(changed)
    assert pack(collection, tmp_path / "out").n_written == 1
    assert contents(tmp_path / "out") == good


def test_cells_that_are_left_out_are_not_packed(
    tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    import anndata

    data = anndata.read_h5ad(write_h5ad(tmp_path / "a.h5ad", n_cells=10, seed=1))
    data.write_h5ad(tmp_path / "b.h5ad")
    for name in "ab":
        corpuscle("ingest", tmp_path / f"{name}.h5ad")
    corpuscle("collect", "tiny", "--duplicates", "drop")
    corpus = open_corpus("tiny")
    told = pack("tiny", tmp_path / "out")
    assert told.n_cells == corpus.n_cells == 20 - corpus.n_excluded
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    rows = 0
    for entry in manifest["shards"]:
        rows += Shard.open(tmp_path / "out" / entry["file"]).footer.n_cells
    assert rows == corpus.n_cells


def test_a_recipe_may_ask_for_packing(tmp_path: Path, corpuscle: Callable[..., Done]) -> None:
    write_h5ad(tmp_path / "a.h5ad")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: tiny\nsources: [{source: local, paths: a.h5ad}]\n")
    plain = corpuscle("build", recipe, "--json").json
    assert plain["packed"] is None
    recipe.write_text(recipe.read_text() + "pack: {codec: zstd, shard_cells: 5, out: packed}\n")
    done = corpuscle("build", recipe, "--json").json
    assert done["hash"] == plain["hash"]
    assert (done["packed"]["n_written"], done["packed"]["codec"]) == (2, "zstd")
    assert verify_packed(tmp_path / "packed")["n_cells"] == 6
    assert "is packed (zstd)" in " ".join(corpuscle("build", recipe).out.split())
    recipe.write_text(recipe.read_text().replace("zstd", "zip"))
    done = corpuscle("build", recipe)
    assert (done.code, f"{recipe}:3: pack.codec" in " ".join(done.err.split())) == (1, True)


def test_by_default_a_recipe_packs_into_the_workspace(
    workspace: Workspace, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    write_h5ad(tmp_path / "a.h5ad")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: tiny\nsources: [{source: local, paths: a.h5ad}]\npack: {}\n")
    assert corpuscle("build", recipe).code == 0
    folder = workspace.folder / "packed" / "tiny@1"
    assert verify_packed(folder)["n_cells"] == 6
    shutil.rmtree(workspace.folder / "packed")


def test_what_cannot_be_packed_is_told(
    collection: str, tmp_path: Path, corpuscle: Callable[..., Done]
) -> None:
    done = corpuscle("pack", "tiny", "--out", tmp_path / "out", "--processes", 0)
    assert (done.code, "at least 1" in done.err) == (1, True)
    assert corpuscle("pack", "tiny@7", "--out", tmp_path / "out").code == 1
    assert not (tmp_path / "out").exists()
    with pytest.raises(NotFoundError, match="has no 'nonsense'"):
        pack(collection, tmp_path / "out", options=PackOptions(columns=("nonsense",)))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_files_are_enough_to_read(collection: str, tmp_path: Path) -> None:
    pack(collection, tmp_path / "out")
    code = (
        "import sys\n"
        "for name in ('lamindb', 'bionty', 'anndata', 'django', 'h5py', 'pandas'):\n"
        "    sys.modules[name] = None\n"
        "from corpuscle.loaders import PackedCorpus, verify_packed\n"
        "packed = PackedCorpus.open(sys.argv[1])\n"
        "loader = packed.loader(5, labels=['cell_type'])\n"
        "print(sum(len(batch['cell_type']) for batch in loader))\n"
        "print(verify_packed(sys.argv[1])['n_cells'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("LAMIN")},
    )
    assert done.stdout.split() == ["12", "12"], done.stderr
