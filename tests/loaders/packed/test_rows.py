from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpuscle.errors import CountsError, SchemaError
from corpuscle.loaders.packed._decode import SCRATCH, decode_row
from corpuscle.loaders.packed._encode import encode_rows
from corpuscle.loaders.packed._xxh64 import xxh64

if TYPE_CHECKING:
    import numpy.typing as npt


def encode(ids: Any, values: Any, n_genes: int = 70_000) -> npt.NDArray[np.uint8]:
    indptr = np.array([0, len(ids)])
    packed, offsets = encode_rows(indptr, np.asarray(ids, dtype=np.int64), values, n_genes)
    assert offsets.tolist() == [0, len(packed)]
    return packed


def decode(
    packed: npt.NDArray[np.uint8], n: int, n_genes: int = 70_000
) -> tuple[int, float, npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    ids, values = np.full(n + 8, -7, np.int32), np.full(n + 8, -7.0)
    scratch = np.zeros(SCRATCH, np.uint16)
    failed, total = decode_row(packed.ctypes.data, len(packed), n, n_genes, scratch, ids, values)
    assert (ids[n:] == -7).all()
    assert (values[n:] == -7).all()
    return failed, total, ids[:n], values[:n]


def assert_exact(ids: Any, values: npt.NDArray[Any]) -> None:
    failed, total, ids_back, back = decode(encode(ids, values), len(ids))
    assert failed == 0
    assert ids_back.tolist() == list(ids)
    expected = values.astype(np.float64)
    assert back.view(np.uint64).tolist() == expected.view(np.uint64).tolist()
    assert math.isnan(total) or total == pytest.approx(sum(expected.tolist()), rel=1e-12)


ids_of = st.lists(st.integers(0, 69_999), unique=True, max_size=80).map(sorted)


@settings(max_examples=300, deadline=None)
@given(ids=ids_of, data=st.data())
def test_every_row_comes_back_as_it_was(ids: list[int], data: st.DataObject) -> None:
    number = st.one_of(
        st.integers(0, 17), st.integers(0, 70_000), st.integers(0, 2**33), st.floats(width=64)
    )
    values = data.draw(st.lists(number, min_size=len(ids), max_size=len(ids)))
    assert_exact(ids, np.array(values, dtype=np.float64))


@settings(max_examples=100, deadline=None)
@given(ids=ids_of, data=st.data())
def test_rows_of_float32_come_back_as_they_were(ids: list[int], data: st.DataObject) -> None:
    number = st.one_of(st.integers(1, 300).map(float), st.floats(width=32, allow_nan=False))
    values = data.draw(st.lists(number, min_size=len(ids), max_size=len(ids)))
    assert_exact(ids, np.array(values, dtype=np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint32, np.int64, np.uint64, np.float32])
@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 33, 5_000])
def test_counts_of_every_type_come_back(n: int, dtype: Any) -> None:
    rng = np.random.default_rng(n)
    ids = np.sort(rng.choice(30_000, n, replace=False))
    assert_exact(ids.tolist(), rng.integers(0, 40, n).astype(dtype))


@pytest.mark.parametrize(
    ("ids", "values", "size"),
    [
        ([0, 1, 2], [1, 15, 2], 6 + 3 + 2),
        ([0, 1, 2], [1, 16, 2], 6 + 3 + 2 + 4),
        ([255, 511], [1, 1], 6 + 2 + 1),
        ([256, 513], [1, 1], 6 + 2 + 1 + 8),
        ([65_534], [65_535], 6 + 1 + 1 + 8),
        ([65_535], [1], 8 + 8),
        ([3], [65_536], 8 + 8),
        ([3], [0.5], 8 + 8),
        ([3], [0.1], 8 + 12),
        ([3, 4], [16_777_217, 0.5], 8 + 24),
    ],
)
def test_a_row_is_as_long_as_the_format_says(ids: Any, values: Any, size: int) -> None:
    assert len(encode(ids, np.array(values, dtype=np.float64))) == size
    assert_exact(ids, np.array(values, dtype=np.float64))


def test_a_row_of_65535_values_is_wide() -> None:
    ids = np.arange(65_535)
    assert len(encode(ids, np.ones(65_535))) == 8 + 8 * 65_535
    assert_exact(ids.tolist(), np.ones(65_535))
    assert_exact(ids[:-1].tolist(), np.ones(65_534))


@pytest.mark.parametrize("ids", [[2, 1], [1, 1], [-1, 2], [0, 70_000]])
def test_ids_that_do_not_ascend_are_refused(ids: list[int]) -> None:
    with pytest.raises(SchemaError, match="row 0 is out of place"):
        encode(ids, np.ones(2))


def test_integers_that_float64_does_not_hold_are_refused() -> None:
    with pytest.raises(CountsError, match="holds 9007199254740993"):
        encode([1], np.array([2**53 + 1]))


@pytest.mark.parametrize("wide", [False, True], ids=["packed", "wide"])
def test_no_damage_gets_past_the_buffers(wide: bool) -> None:
    rng = np.random.default_rng(3)
    ids = np.sort(rng.choice(20_000, 300, replace=False))
    values = rng.integers(1, 30, 300) + (70_000 if wide else 0)
    good = encode(ids.tolist(), values.astype(np.float64), 20_000)
    n_failed = 0
    for _ in range(3_000):
        bad = good[: len(good) - int(rng.integers(0, 3) == 0)].copy()
        bad[rng.integers(len(bad), size=3)] = rng.integers(256, size=3)
        failed, _, back, _ = decode(bad, 300, 20_000)
        n_failed += failed != 0
        assert failed or (back.min() >= 0 and back.max() < 20_000)
    assert n_failed > 1_000


@pytest.mark.parametrize("n", [1, 40, 5_000])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_ids_beyond_what_16_bits_hold_are_damage(n: int, dtype: Any) -> None:
    ids = np.arange(65_535 - n, 65_535)
    row = encode(ids, np.ones(n))
    out, values = np.empty(n, dtype), np.empty(n, np.float32)
    work = 70_000, np.zeros(SCRATCH, np.uint16), out, values
    assert decode_row(row.ctypes.data, len(row), n, *work) == (0, float(n))
    assert out.tolist() == ids.tolist()
    row[6] += 1  # the low byte of the first difference: all ids are one more
    assert decode_row(row.ctypes.data, len(row), n, *work)[0] != 0


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_the_hash_is_xxh64(data: bytes) -> None:
    xxhash = pytest.importorskip("xxhash")
    assert xxh64(data) == xxhash.xxh64_intdigest(data)


@pytest.mark.parametrize("start", range(8))
def test_the_hash_is_the_same_at_every_address(start: int) -> None:
    xxhash = pytest.importorskip("xxhash")
    data = np.random.default_rng(0).integers(256, size=100_003).astype(np.uint8)[start:]
    assert xxh64(data) == xxhash.xxh64_intdigest(data.tobytes())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package's code."""
    import corpuscle

    here = Path(corpuscle.__file__).parent
    (tmp_path / "corpuscle").mkdir()
    for name in ("_lazy.py", "__init__.py", "errors.py"):
        shutil.copy(here / name, tmp_path / "corpuscle")
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(here / "loaders", tmp_path / "corpuscle/loaders", ignore=without)
    return tmp_path


def run(package: Path, **variables: str) -> list[str]:
    """Hash nothing: the hash, and how often compiled code was found."""
    code = (
        "from corpuscle.loaders.packed._xxh64 import xxh64, xxh64_at; "
        "print(xxh64(b''), sum(xxh64_at.stats.cache_hits.values()))"
    )
    environ = {**os.environ, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=environ | variables,
        capture_output=True,
        text=True,
        cwd=package,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


def test_compiled_code_is_kept_until_any_file_changes(package: Path) -> None:
    found = [run(package)[1] for _ in range(2)]
    (package / "corpuscle/loaders/packed/_row.py").touch()
    assert [*found, run(package)[1]] == ["0", "1", "0"]


def test_compiled_code_works_where_nothing_can_be_cached(package: Path) -> None:
    nowhere = package / "nowhere"
    nowhere.write_text("a file, so no folder can be made here")
    (package / "corpuscle/loaders/packed/__pycache__").write_text("nor here")
    homes = {"HOME": str(nowhere), "XDG_CACHE_HOME": str(nowhere), "IPYTHONDIR": str(nowhere)}
    assert run(package, **homes) == [str(0xEF46DB3751D8E999), "0"]
