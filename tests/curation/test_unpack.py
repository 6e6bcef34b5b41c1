from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from corpuscle.curation import _unpack

if TYPE_CHECKING:
    from pathlib import Path

CHUNK, N = 5_000, 23_456
SPANS = ((0, N), (0, 1), (4_999, 5_001), (5_000, 10_000), (7_123, 22_222), (N - 1, N), (9, 9))
COUNTS = np.random.default_rng(0).poisson(2, N)


def stored(path: Path, dtype: str, **how: Any) -> h5py.Dataset:
    options = {"chunks": (CHUNK,), "compression": "gzip", **how}
    return h5py.File(path, "w").create_dataset("x", data=COUNTS.astype(dtype), **options)


@pytest.fixture
def only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(h5py.Dataset, "__getitem__", refuse)


@pytest.mark.usefixtures("only_here")
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i4", "<i8", "<f8", ">u4"])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_packed_values_are_unpacked_without_hdf5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, threads: str, *, shuffle: bool
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    array = stored(tmp_path / "a", dtype, shuffle=shuffle)
    for first, last in SPANS[:-1]:
        found = _unpack.read_values(array, first, last)
        assert found.dtype == np.dtype(dtype)
        assert found.tolist() == COUNTS[first:last].tolist()


@pytest.mark.parametrize(
    "how",
    [
        {"compression": "lzf"},
        {"fletcher32": True},
        {"compression": None},
        {"chunks": (50,)},
        {"scaleoffset": 0, "dtype": "<i4"},
    ],
    ids=str,
)
def test_values_packed_otherwise_are_read_all_the_same(tmp_path: Path, how: dict[str, Any]) -> None:
    array = stored(tmp_path / "a", how.pop("dtype", "<f4"), **how)
    for first, last in SPANS:
        assert _unpack.read_values(array, first, last).tolist() == COUNTS[first:last].tolist()


def test_numbers_of_fewer_bits_than_their_bytes_are_left_to_hdf5(tmp_path: Path) -> None:
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(20)
    kind.set_offset(4)
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((CHUNK,))
    made.set_deflate(1)
    with h5py.File(tmp_path / "a", "w") as file:
        made_id = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((N,)), made)
        array = h5py.Dataset(made_id)
        array[:] = COUNTS
        assert _unpack.read_values(array, 0, N).tolist() == COUNTS.tolist()


def test_chunks_that_were_never_written_hold_the_fill_value(tmp_path: Path) -> None:
    array = h5py.File(tmp_path / "a", "w").create_dataset(
        "x", (N,), "<f4", chunks=(CHUNK,), compression="gzip", fillvalue=7
    )
    array[:10] = 1
    assert _unpack.read_values(array, 0, N).tolist() == [1.0] * 10 + [7.0] * (N - 10)


def test_chunks_without_shuffle_among_shuffled_ones_are_read(tmp_path: Path) -> None:
    plain = np.arange(CHUNK, dtype="<f4").tobytes()
    with h5py.File(tmp_path / "a", "w") as file:
        made = file.create_dataset(
            "x", (N,), "<f4", chunks=(CHUNK,), compression="gzip", shuffle=True
        )
        made.id.write_direct_chunk((0,), zlib.compress(plain), filter_mask=1)
    array = h5py.File(tmp_path / "a")["x"]
    assert _unpack.read_values(array, 0, CHUNK).tolist() == list(range(CHUNK))


@pytest.mark.parametrize(
    "packed",
    [
        b"no packing",
        zlib.compress(bytes(4 * CHUNK))[:-9],
        zlib.compress(bytes(4 * CHUNK))[:-1] + b"x",
    ],
    ids=["other bytes", "cut", "false sum"],
)
def test_damage_is_said_by_hdf5(tmp_path: Path, packed: bytes) -> None:
    array = stored(tmp_path / "a", "<f4")
    array.id.write_direct_chunk((CHUNK,), packed)
    with pytest.raises(OSError, match="read"):
        _unpack.read_values(array, 0, N)


def test_what_lies_beyond_the_end_is_not_made_up(tmp_path: Path) -> None:
    assert len(_unpack.read_values(stored(tmp_path / "a", "<f4"), 0, N + 10)) == N
