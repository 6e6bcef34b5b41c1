from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpuscle.errors import IntegrityError
from corpuscle.loaders._hdf5 import find_layout, read_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

N = 1_000
READABLE: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunks": {"chunks": (7,)},
    "gzip": {"chunks": (60,), "compression": "gzip"},
    "one gzip chunk": {"chunks": (N,), "compression": "gzip"},
    "shuffled": {"chunks": (300,), "compression": "gzip", "shuffle": True},
    "shuffled rows": {
        "shape": (N // 4, 4),
        "chunks": (90, 4),
        "compression": "gzip",
        "shuffle": True,
    },
    "whole rows": {"shape": (N // 4, 4), "chunks": (9, 4), "compression": "gzip"},
    "table": {"shape": (N // 4, 4)},
}
LEFT_TO_HDF5: dict[str, dict[str, Any]] = {
    "lzf": {"chunks": (7,), "compression": "lzf"},
    "shuffled bytes": {"chunks": (7,), "compression": "gzip", "shuffle": True},
    "checksums": {"chunks": (7,), "fletcher32": True},
    "parts of rows": {"shape": (N // 4, 4), "chunks": (9, 2)},
    "texts": {"dtype": "S4"},
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("hdf5") / "all.h5"
    with h5py.File(path, "w") as file:
        for name, options in (READABLE | LEFT_TO_HDF5).items():
            shape = options.get("shape", (N,))
            values = (
                np.arange(N, dtype=np.float32).reshape(shape).astype(options.get("dtype", "<f4"))
            )
            rest = {key: value for key, value in options.items() if key not in ("shape", "dtype")}
            file.create_dataset(name, data=values, **rest)
        file.create_dataset("never written", shape=(N,), chunks=(7,), dtype="f4")
    with h5py.File(path) as file:
        yield file


@pytest.mark.parametrize("name", READABLE)
@settings(deadline=None, max_examples=40)
@given(cuts=st.sets(st.integers(0, N // 4), min_size=2, max_size=40))
def test_ranges_are_those_that_hdf5_reads(stored: Any, name: str, cuts: set[int]) -> None:
    array, edges = stored[name], np.array(sorted(cuts))
    start, stop = edges[:-1:2], edges[1::2]
    layout = find_layout(array)
    assert layout is not None
    out = np.empty((int((stop - start[: len(stop)]).sum()), *array.shape[1:]), dtype=array.dtype)
    read_ranges(array, layout, start[: len(stop)], stop, out)
    expected = [array[a:b] for a, b in zip(start, stop, strict=False)]
    np.testing.assert_array_equal(out, np.concatenate(expected))


@pytest.mark.parametrize("name", [*LEFT_TO_HDF5, "never written"])
def test_what_has_no_plain_place_is_left_to_hdf5(stored: Any, name: str) -> None:
    assert find_layout(stored[name]) is None


def test_a_file_with_a_user_block_and_one_in_memory_are_left_to_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "block.h5", "w", userblock_size=512) as file:
        file["x"] = np.arange(3)
        assert find_layout(file["x"]) is None
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        file["x"] = np.arange(3)
        assert find_layout(file["x"]) is None


@pytest.mark.parametrize("n", [60, 5], ids=["whole chunk", "part of a chunk"])
@pytest.mark.parametrize("name", ["gzip", "one gzip chunk"])
def test_a_damaged_chunk_is_refused_with_the_file_and_the_dataset(
    stored: Any, tmp_path: Path, name: str, n: int
) -> None:
    layout = find_layout(stored[name])
    assert layout is not None
    damaged = tmp_path / "damaged.h5"
    with open(stored.filename, "rb") as file:  # noqa: PTH123 - a name, not a path
        content = bytearray(file.read())
    content[layout.offsets[0] : layout.offsets[0] + 4] = b"\xff" * 4
    damaged.write_bytes(content)
    with h5py.File(damaged) as file, pytest.raises(IntegrityError, match=r"gzip.*damaged\.h5"):
        read_ranges(file[name], layout, np.array([0]), np.array([n]), np.empty(n, "f4"))


def test_a_file_that_became_shorter_is_refused(stored: Any, tmp_path: Path) -> None:
    short = tmp_path / "short.h5"
    with h5py.File(short, "w") as file:
        file["x"] = np.arange(100_000)
    with h5py.File(short) as file:
        layout = find_layout(file["x"])
        assert layout is not None
        with short.open("r+b") as handle:
            handle.truncate(4_000)
        with pytest.raises(IntegrityError, match="the file ends before byte"):
            read_ranges(
                file["x"], layout, np.array([90_000]), np.array([90_001]), np.empty(1, "i8")
            )
