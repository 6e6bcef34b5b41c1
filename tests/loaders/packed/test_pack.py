from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from corpuscle.errors import ConflictError, IntegrityError, NotFoundError, SchemaError
from corpuscle.loaders import Corpus, PackOptions, pack_corpus, verify_packed
from corpuscle.loaders.packed._format import Manifest
from corpuscle.loaders.packed._pack import plan_shards
from corpuscle.loaders.packed._shard import Shard

if TYPE_CHECKING:
    from pathlib import Path

SMALL = PackOptions(shard_cells=3)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}


def test_a_corpus_becomes_shards_and_a_manifest(corpus: Corpus, tmp_path: Path) -> None:
    folder = pack_corpus(corpus, tmp_path / "out", options=SMALL)
    manifest = Manifest.read(folder / "manifest.json")
    assert [(s.dataset, s.first, s.n_cells) for s in manifest.shards] == [
        ("human-a", 0, 3),
        ("human-a", 3, 3),
        ("human-a", 6, 1),
        ("human-b", 0, 3),
        ("human-b", 3, 2),
        ("mouse", 0, 3),
        ("mouse", 3, 1),
    ]
    assert manifest.genes["NCBITaxon:9606"] == tuple(f"ENSG{i}" for i in range(1, 7))
    assert manifest.corpus == corpus.to_manifest()
    assert verify_packed(folder)["n_cells"] == 16
    assert set(contents(folder)) == {"manifest.json", *(s.file for s in manifest.shards)}


def test_packing_again_writes_nothing(corpus: Corpus, tmp_path: Path) -> None:
    pack_corpus(corpus, tmp_path, options=SMALL)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    pack_corpus(corpus, tmp_path, options=SMALL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_half_and_damaged_files_are_made_again(corpus: Corpus, tmp_path: Path) -> None:
    pack_corpus(corpus, tmp_path, options=SMALL)
    whole = contents(tmp_path)
    (tmp_path / "manifest.json").unlink()
    first, second, *_ = sorted((tmp_path / "shards").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    flipped = bytearray(second.read_bytes())
    flipped[70] ^= 1
    second.write_bytes(flipped)
    (tmp_path / "shards" / f".{first.name}.999999999.part").write_bytes(b"half")
    with pytest.raises(NotFoundError, match="was not finished"):
        verify_packed(tmp_path)
    pack_corpus(corpus, tmp_path, options=SMALL)
    assert contents(tmp_path) == whole


def test_versions_share_the_shards_of_what_did_not_change(corpus: Corpus, tmp_path: Path) -> None:
    pack_corpus(replace(corpus, datasets=corpus.datasets[:2]), tmp_path, options=SMALL)
    old = contents(tmp_path)
    pack_corpus(replace(corpus, version="2", uid="corpus0002"), tmp_path, options=SMALL)
    new = contents(tmp_path)
    shards = {name for name in old if name != "manifest.json"}
    assert {name: new[name] for name in shards} == {name: old[name] for name in shards}
    assert len(new) == len(old) + 2


def test_what_decides_about_the_bytes_is_in_the_name(corpus: Corpus) -> None:
    names = [
        {plan.file for plan in plan_shards(corpus, options)}
        for options in (
            PackOptions(),
            PackOptions(codec="zstd"),
            PackOptions(codec="zstd", block_rows=8),
            PackOptions(columns=("sex",)),
            PackOptions(obsm=()),
        )
    ]
    assert len(set.union(*names)) == sum(map(len, names)) == 15


def test_another_collection_does_not_take_the_folder(corpus: Corpus, tmp_path: Path) -> None:
    pack_corpus(corpus, tmp_path)
    with pytest.raises(ConflictError, match="holds 'test', packed"):
        pack_corpus(replace(corpus, name="other"), tmp_path)


def change(path: Path, **values: Any) -> None:
    """Rewrite a manifest, with a hash that fits."""
    from corpuscle.loaders.packed._format import hash_hex, to_json

    content = json.loads(path.read_bytes())
    del content["hash"]
    content |= values
    path.write_text(json.dumps({**content, "hash": hash_hex(to_json(content))}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"version": 2}, "has version '2'"),
        ({"format": "zip"}, "is no manifest"),
        ({"codec": "gzip"}, "codec cannot be 'gzip'"),
        ({"more": 1}, "more is not known"),
        ({"shards": [{"file": "x"}]}, r"shards\[0\]\.dataset is missing"),
        ({"shards": []}, "cell 0 of dataset human-a is in no shard"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(
    corpus: Corpus, tmp_path: Path, values: dict[str, Any], said: str
) -> None:
    pack_corpus(corpus, tmp_path)
    change(tmp_path / "manifest.json", **values)
    with pytest.raises(SchemaError, match=said):
        verify_packed(tmp_path)


def test_every_changed_bit_of_a_manifest_is_seen(corpus: Corpus, tmp_path: Path) -> None:
    pack_corpus(corpus, tmp_path)
    path = tmp_path / "manifest.json"
    content = path.read_bytes()
    good = Manifest.read(path)
    outcomes = set()
    for bit in np.random.default_rng(0).choice(8 * len(content), 500, replace=False).tolist():
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            outcomes.add(Manifest.read(path) == good)  # white space says nothing
        except (IntegrityError, SchemaError) as error:
            outcomes.add("manifest.json" in error.message)
    assert outcomes == {True}


def test_shards_are_told_apart_by_the_manifest(corpus: Corpus, tmp_path: Path) -> None:
    folder = pack_corpus(corpus, tmp_path / "a", options=SMALL)
    entries = Manifest.read(folder / "manifest.json").shards
    with pytest.raises(IntegrityError, match="is not the shard of this corpus"):
        _ = [Shard.open(folder / entries[0].file, replace(entries[0], max_values=1))]
    (folder / entries[0].file).write_bytes((folder / entries[3].file).read_bytes())
    with pytest.raises(IntegrityError, match=r"human-a-0.*\.packed"):
        verify_packed(folder)
