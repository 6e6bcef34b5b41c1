"""Files that are not as they were written never become batches."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData
from scipy import sparse

from corpuscle.errors import IntegrityError, SchemaError
from corpuscle.loaders import Corpus, DatasetRef, PackOptions, pack_corpus, verify_packed
from corpuscle.loaders.packed import PackedCorpus
from corpuscle.loaders.packed._format import Manifest
from corpuscle.loaders.packed._shard import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

N_CELLS, N_GENES = 40, 120
COLUMN = "cell_type_ontology_term_id"
TERMS = ("CL:0000084", "CL:0000236")


def packed(folder: Path, codec: Any, *, seed: int = 0) -> Path:
    """Two datasets in three shards each; another seed gives other counts in files of the same name."""
    rng = np.random.default_rng(seed)
    refs = []
    for name in ("one", "two"):
        counts = rng.poisson(0.8, (N_CELLS, N_GENES)) * rng.choice([1, 1, 30], (N_CELLS, N_GENES))
        counts[5] = 0
        counts[6, 3] = 100_000
        data = AnnData(
            sparse.csr_matrix(counts.astype(np.float32)),
            obs=pd.DataFrame(
                {COLUMN: pd.Categorical(rng.choice(TERMS, N_CELLS)), "n_counts": counts.sum(1)},
                index=[str(i) for i in range(N_CELLS)],
            ),
            var=pd.DataFrame(index=[f"ENSG{i:04}" for i in range(N_GENES)]),
        )
        data.obsm["spatial"] = rng.random((N_CELLS, 2))
        path = folder.parent / f"{name}-{seed}.h5ad"
        data.write_h5ad(path)
        refs.append(
            DatasetRef(
                uid=name, key=name, path=str(path), n_cells=N_CELLS, organism="NCBITaxon:9606"
            )
        )
    corpus = Corpus(
        name="c", version="1", uid="u", datasets=tuple(refs), classes={"cell_type": TERMS}
    )
    options = PackOptions(codec=codec, shard_cells=16, block_rows=4 if codec == "zstd" else None)
    return pack_corpus(corpus, folder, options=options)


@pytest.fixture(scope="module", params=["plain", "zstd"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(tmp_path_factory.mktemp("damage") / "out", request.param)


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, torch.Tensor]:
    return read(folder)


def read(folder: Path, check: Any = "first read") -> dict[str, torch.Tensor]:
    """Everything that a training loop can ask for, as dense arrays."""
    found = PackedCorpus.open(folder)
    batch: Any = found.read(
        np.arange(found.n_cells),
        output="dense",
        labels=["cell_type"],
        obs=["n_counts"],
        obsm=["spatial"],
        check=check,
    )
    return {key: value for key, value in batch.items() if isinstance(value, torch.Tensor)}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def outcome(folder: Path, whole: dict[str, torch.Tensor], wanted: Callable[[Any], bool]) -> str:
    """Read, and check every byte; tell what became of it."""
    try:
        served = "right" if same(read(folder), whole) else "WRONG BATCH"
    except (IntegrityError, SchemaError) as error:
        served = "refused" if wanted(error) else f"BAD MESSAGE {error}"
    try:
        verify_packed(folder)
    except (IntegrityError, SchemaError) as error:
        return served if wanted(error) else f"BAD MESSAGE {error}"
    return f"{served}, NOT SEEN"


def names(file: str) -> Callable[[Any], bool]:
    """Tell whether an error names a shard, and which of its parts where that can be known."""

    def is_told(error: Any) -> bool:
        return file in error.message and any(
            word in error.message.lower()
            for word in ("block", "section", "footer", "bytes", "manifest", "it is not", "numbers")
        )

    return is_told


def flip_bits(folder: Path, whole: dict[str, torch.Tensor], n: int) -> set[str]:
    """Flip bits, one at a time, wherever chance has it; the set of what became of it."""
    rng = np.random.default_rng(n)
    files = sorted(path for path in folder.rglob("*") if path.suffix == ".packed")
    sizes = np.array([path.stat().st_size for path in files])
    found = set()
    for place, bit in zip(
        rng.integers(0, sizes.sum(), n).tolist(), rng.integers(0, 8, n).tolist(), strict=True
    ):
        i = int(np.searchsorted(np.cumsum(sizes), place, side="right"))
        at = int(place - sizes[:i].sum())
        with files[i].open("r+b") as file:
            file.seek(at)
            (byte,) = file.read(1)
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))
            file.flush()
            found.add(outcome(folder, whole, names(files[i].name)))
            file.seek(at)
            file.write(bytes([byte]))
    return found


def test_flipped_bits_are_seen(folder: Path, whole: dict[str, torch.Tensor]) -> None:
    assert flip_bits(folder, whole, 150) <= {"refused", "right"}
    assert same(read(folder), whole)


@pytest.mark.long
def test_ten_thousand_flipped_bits_are_seen(folder: Path, whole: dict[str, torch.Tensor]) -> None:
    assert flip_bits(folder, whole, 5_000) <= {"refused", "right"}  # of each codec


def sections(path: Path) -> dict[str, tuple[int, int]]:
    footer = Shard.open(path).footer
    return {name: (own.offset, own.length) for name, own in footer.sections.items()}


def exchange(path: Path, a: tuple[int, int], b: tuple[int, int]) -> None:
    """Swap two parts of a file; of parts with other lengths, what fits."""
    n, content = min(a[1], b[1]), bytearray(path.read_bytes())
    one, two = slice(a[0], a[0] + n), slice(b[0], b[0] + n)
    content[one], content[two] = content[two], content[one]
    path.write_bytes(content)


def damages(folder: Path, other: Path, rng: np.random.Generator) -> Iterator[str]:
    """Do one thing after another to the files; each time tell to which file."""
    entries = Manifest.read(folder / "manifest.json").shards
    while True:
        i, j = rng.choice(len(entries), 2, replace=False).tolist()
        path, second = folder / entries[i].file, folder / entries[j].file
        content = path.read_bytes()
        path.write_bytes(content[: int(rng.integers(0, len(content)))])
        yield path.name
        path.write_bytes(content + bytes(rng.integers(1, 100)))
        yield path.name
        path.write_bytes(second.read_bytes())
        yield path.name
        shutil.copy(other / entries[i].file, path)
        yield path.name
        offsets = Shard.open(path.with_name(second.name)).section("offsets").astype(int)
        start = sections(second)["rows"][0]
        x, y = rng.choice(len(offsets) - 1, 2, replace=False).tolist()
        spans = [(start + int(offsets[k]), int(offsets[k + 1] - offsets[k])) for k in (x, y)]
        if spans[0] != spans[1] and min(spans[0][1], spans[1][1]) > 6:
            exchange(second, *spans)
            yield second.name
        found = sections(path.with_name(second.name))
        x, y = rng.choice(sorted(found), 2, replace=False).tolist()
        exchange(second, found[x], found[y])
        yield second.name


def restore(good: Path, folder: Path) -> None:
    for path in good.rglob("*"):
        if path.is_file():
            shutil.copy(path, folder / path.relative_to(good))


@pytest.mark.parametrize("n", [60, pytest.param(200, marks=pytest.mark.long)])
def test_truncations_and_swaps_are_seen(
    folder: Path, whole: dict[str, torch.Tensor], tmp_path: Path, n: int
) -> None:
    codec = Manifest.read(folder / "manifest.json").codec
    good, other = tmp_path / "good", packed(tmp_path / "other", codec, seed=1)
    shutil.copytree(folder, good)
    found = set()
    for _, name in zip(range(n), damages(folder, other, np.random.default_rng(0)), strict=False):
        changed = any(
            path.read_bytes() != (folder / path.relative_to(good)).read_bytes()
            for path in good.glob("shards/*")
        )
        if changed:  # equal bytes may be exchanged
            found.add(outcome(folder, whole, names(name)))
        restore(good, folder)
    assert found <= {"refused", "right"}
    assert "refused" in found
    assert same(read(folder), whole)


def test_a_manifest_of_other_shards_is_refused(
    folder: Path, whole: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    codec = Manifest.read(folder / "manifest.json").codec
    other = packed(tmp_path / "other", codec, seed=1)
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    shutil.copy(other / "manifest.json", mixed / "manifest.json")
    assert outcome(mixed, whole, names(".packed")) == "refused"


@pytest.mark.parametrize("kind", ["bits", "bytes"])
def test_without_checks_damage_is_refused_or_served_and_nothing_else_happens(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    shutil.copytree(folder, tmp_path / "out")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from corpuscle.errors import CorpuscleError\n"
        "from corpuscle.loaders.packed import PackedCorpus\n"
        "from corpuscle.loaders.packed._shard import Shard\n"
        "folder, kind = Path(sys.argv[1]), sys.argv[2]\n"
        "rng, outcomes = np.random.default_rng(0), {'served': 0, 'refused': 0}\n"
        "files = sorted(folder.glob('shards/*'))\n"
        "rows = {path: Shard.open(path).footer.sections['rows'] for path in files}\n"
        "for i in range(60):\n"
        "    path = files[i % len(files)]\n"
        "    good, bad = path.read_bytes(), bytearray(path.read_bytes())\n"
        "    for _ in range(1 if kind == 'bits' else 40):\n"
        "        at = rows[path].offset + int(rng.integers(rows[path].length))\n"
        "        bad[at] = bad[at] ^ 1 << int(rng.integers(8)) if kind == 'bits' else rng.integers(256)\n"
        "    path.write_bytes(bad)\n"
        "    for output in ('csr', 'ragged', 'dense', 'tokens'):\n"
        "        found = PackedCorpus.open(folder)\n"
        "        try:\n"
        "            found.read(np.arange(found.n_cells), output=output, check='never')\n"
        "            outcomes['served'] += 1\n"
        "        except CorpuscleError as error:\n"
        "            assert path.name in str(error)\n"
        "            outcomes['refused'] += 1\n"
        "    path.write_bytes(good)\n"
        "print(outcomes['served'], outcomes['refused'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out"), kind],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    served, refused = map(int, done.stdout.split())
    assert served + refused == 240
    assert refused > 0


def test_shards_of_one_corpus_do_not_serve_another(folder: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(folder / "manifest.json")
    shutil.copytree(folder, tmp_path / "out")
    first, *rest = manifest.shards
    changed = replace(manifest, shards=(replace(first, hash="0" * 16), *rest))
    (tmp_path / "out" / "manifest.json").write_bytes(changed.to_bytes())
    with pytest.raises(IntegrityError, match="is not the shard of this corpus"):
        read(tmp_path / "out")


def test_a_block_that_was_made_to_deceive_is_refused() -> None:
    """Its hash is right, but what it says of itself is not."""
    from zstandard import ZstdCompressor

    from corpuscle.loaders.packed._verify import unpack_block

    bomb = np.frombuffer(ZstdCompressor().compress(bytes(10_000_000)), dtype=np.uint8)
    assert unpack_block(bomb, 1_000) is None
    assert unpack_block(bomb[:-5], 10_000_000) is None
    assert unpack_block(np.zeros(20, np.uint8), 1_000) is None


@pytest.mark.parametrize("file", ["../a.packed", "/etc/passwd", "shards/../../a", "a/b/c"])
def test_nothing_outside_of_the_folder_is_read(folder: Path, tmp_path: Path, file: str) -> None:
    manifest = Manifest.read(folder / "manifest.json")
    first, *rest = manifest.shards
    changed = replace(manifest, shards=(replace(first, file=file), *rest))
    (tmp_path / "manifest.json").write_bytes(changed.to_bytes())
    with pytest.raises(SchemaError, match=r"shards\[0\]\.file cannot be"):
        read(tmp_path)
