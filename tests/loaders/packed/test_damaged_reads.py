from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from corpuscle.errors import IntegrityError, SchemaError
from corpuscle.loaders import PackedCorpus

from .test_reader import CELLS, contents

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.loaders._form import Check

EVERYTHING: dict[str, Any] = {
    "labels": ["cell_type", "organism"],
    "obs": ["n_counts"],
    "obsm": ["spatial"],
}


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ (1 << bit % 8)]))


def rows_of(folder: Path, shard: int) -> tuple[Path, int, int]:
    """A shard's file, and where its rows are."""
    opened = PackedCorpus.open(folder).open_shards()[shard]
    rows = opened.footer.sections["rows"]
    return opened.path, rows.offset, rows.length


def test_a_flipped_bit_never_makes_a_wrong_batch(copied: Path) -> None:
    expected = contents([PackedCorpus.open(copied).read(CELLS, **EVERYTHING)])
    files = [path for path in sorted(copied.rglob("*")) if path.is_file()]
    chance, n_found = np.random.default_rng(1), 0
    for _ in range(200):
        path = files[chance.integers(len(files))]
        bit = int(chance.integers(8 * path.stat().st_size))
        flip(path, bit)
        try:
            assert contents([PackedCorpus.open(copied).read(CELLS, **EVERYTHING)]) == expected
        except (IntegrityError, SchemaError) as error:
            n_found += path.name in str(error)
        flip(path, bit)
    assert n_found > 150


def test_an_error_names_shard_and_block_and_what_to_do(copied: Path) -> None:
    path, start, _ = rows_of(copied, 2)
    flip(path, 8 * (start + 20))
    with pytest.raises(
        IntegrityError, match=r"Block 0 of shard .* differs from its hash. Fetch"
    ) as e:
        PackedCorpus.open(copied).read(CELLS)
    assert (e.value.details["block"], e.value.details["shard"]) == (0, path.name)


@pytest.mark.parametrize("check", ["first read", "always", "never"])
def test_rows_are_compared_when_they_are_to_be(copied: Path, check: Check) -> None:
    path, start, _ = rows_of(copied, 0)
    loader = PackedCorpus.open(copied, cache_bytes=0).loader(180, shuffle=False, check=check)
    before = contents(loader)
    flip(path, 8 * (start + 120))
    compressed = "zstd" in PackedCorpus.open(copied).__repr__()
    if check == "always" or (compressed and check == "first read"):
        with pytest.raises(IntegrityError):
            next(iter(loader))
    elif not compressed:
        assert (contents(loader) != before) or check == "first read"


def test_unchecked_damage_never_leaves_the_batch(copied: Path) -> None:
    path, start, length = rows_of(copied, 0)
    chance = np.random.default_rng(2)
    for _ in range(150):
        bits = (8 * start + chance.integers(8 * length, size=4)).tolist()
        for bit in bits:
            flip(path, bit)
        for output in ("csr", "dense", "tokens", "ragged"):
            try:
                batch = PackedCorpus.open(copied).read(
                    CELLS, output=cast("Any", output), check="never"
                )
            except IntegrityError:
                continue
            if output == "csr":
                ids = batch["X"].col_indices()
                assert ids.min() >= 0
                assert ids.max() < 700
        for bit in bits:
            flip(path, bit)


def test_cut_and_swapped_shards_are_refused(copied: Path) -> None:
    files = sorted((copied / "shards").iterdir())
    whole = files[0].read_bytes()
    for n in (0, 10, 100, len(whole) - 1):
        files[0].write_bytes(whole[:n])
        with pytest.raises(IntegrityError, match=files[0].name):
            PackedCorpus.open(copied).read(CELLS)
    files[0].write_bytes(files[1].read_bytes())
    files[1].write_bytes(whole)
    with pytest.raises(IntegrityError):
        PackedCorpus.open(copied).read(CELLS)


def test_an_error_comes_in_its_place_from_threads(copied: Path) -> None:
    path, start, _ = rows_of(copied, 2)
    expected = contents(PackedCorpus.open(copied).loader(5, shuffle=False))
    flip(path, 8 * (start + 20))
    for threads in (0, 2):
        found: list[Any] = []
        loader = PackedCorpus.open(copied).loader(5, shuffle=False, threads=threads)
        with pytest.raises(IntegrityError):
            found.extend(contents([batch])[0] for batch in loader)
        # a task that fails gives none of its batches
        assert found == expected[: len(found)]
        assert len(found) <= 10
