from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpuscle.curation import _mtx, _mtx_text
from corpuscle.curation._matrix import Matrix
from corpuscle.curation._mtx import open_mtx
from corpuscle.errors import SchemaError

if TYPE_CHECKING:
    from pathlib import Path

BANNER = "%%MatrixMarket matrix coordinate integer general\n"
ENTRIES = [(1, 1, 5), (4, 1, 7), (2, 2, 2_000_000), (3, 2, 0), (1, 3, 9)]
"""Of a matrix of four rows and three columns."""
LINES = [f"{row} {column} {value}" for row, column, value in ENTRIES]
COLUMNS = [[5, 0, 0, 7], [0, 2_000_000, 0, 0], [9, 0, 0, 0]]


def put(path: Path, text: str) -> Path:
    file = path / "m.mtx"
    file.write_bytes(text.encode())
    return file


def body(lines: list[str], end: str = "\n") -> str:
    return "".join(line + end for line in lines)


def cells_of(path: Path, **options: Any) -> list[list[float]]:
    """All rows, two at a time."""
    (n_cells, _), dtype, open_rows = open_mtx(path, **options)
    rows = open_rows()
    parts = [rows.read(i, min(i + 2, n_cells)).toarray() for i in range(0, n_cells, 2)]
    assert all(part.dtype == dtype for part in parts)
    values: list[list[float]] = np.concatenate(parts).tolist()
    return values


@pytest.mark.parametrize(
    "text",
    [
        BANNER + "4 3 5\n" + body(LINES),
        BANNER + "%\n% made by hand\n\n4 3 5\n" + body(LINES),
        BANNER.replace("\n", "\r\n") + "4 3 5\r\n" + body(LINES, "\r\n"),
        BANNER + "4 3 5\n" + body(LINES[::-1]),
        BANNER + "4 3 5\n" + body(LINES).rstrip("\n"),
        BANNER + " 4\t3  5 \n" + body([f"  {line.replace(' ', '  ')}\t" for line in LINES]),
        BANNER + " 4\t3  5 \n" + body([f" {line} " for line in LINES], "\r\n"),
        BANNER + "4 3 5\n" + body(LINES, "\n\n"),
        BANNER.upper() + "4 3 5\n" + body(LINES),
        BANNER.replace("integer", "real") + "4 3 5\n" + body([f"{line}.0" for line in LINES]),
    ],
    ids=[
        "plain",
        "comments",
        "windows",
        "unordered",
        "unended",
        "blanks",
        "both",
        "empty-lines",
        "capitals",
        "real",
    ],
)
@pytest.mark.parametrize("block", [80, 1 << 23])
def test_every_way_to_write_a_matrix_reads_the_same(
    tmp_path: Path, text: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mtx_text, "BLOCK_BYTES", block)
    assert cells_of(put(tmp_path, text)) == COLUMNS


@pytest.mark.parametrize("lines", [LINES, LINES[::-1]])
def test_rows_may_be_read_again(tmp_path: Path, lines: list[str]) -> None:
    path = put(tmp_path, BANNER + "4 3 5\n" + body(lines))
    (n_cells, n_features), dtype, open_rows = open_mtx(path)
    var = pd.DataFrame(index=range(n_features))
    matrix = Matrix(
        path=path, name="X", shape=(n_cells, n_features), dtype=dtype, var=var, open=open_rows
    )
    found = [rows.toarray().tolist() for _ in range(2) for _, rows in matrix.chunks()]
    assert found == [COLUMNS, COLUMNS]


def test_rows_may_be_cells(tmp_path: Path) -> None:
    path = put(tmp_path, BANNER + "4 3 5\n" + body(LINES))
    assert cells_of(path, cells="rows") == np.asarray(COLUMNS).T.tolist()


def test_a_pattern_is_ones(tmp_path: Path) -> None:
    text = BANNER.replace("integer", "pattern") + "4 3 2\n1 1\n4 3\n"
    assert cells_of(put(tmp_path, text)) == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_a_matrix_may_be_empty(tmp_path: Path) -> None:
    assert cells_of(put(tmp_path, BANNER + "2 1 0\n")) == [[0, 0]]


def test_gzip_of_several_members_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "m.mtx.gz").write_bytes(
        gzip.compress((BANNER + "4 3 5\n" + body(LINES[:2])).encode())
        + gzip.compress(body(LINES[2:]).encode())
    )
    assert cells_of(tmp_path / "m.mtx.gz") == COLUMNS


def test_progress_ends_with_all_entries(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = put(tmp_path, BANNER + "4 3 5\n" + body(LINES))
    cells_of(path, progress=lambda done, n: seen.append((done, n)))
    assert seen[-1] == (5, 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    entries=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=40, unique=True),
    is_sorted=st.booleans(),
)
def test_any_order_of_entries_gives_the_same_rows(
    tmp_path: Path, entries: list[tuple[int, int]], is_sorted: bool
) -> None:
    entries = sorted(entries) if is_sorted else entries
    expected = np.zeros((7, 5), dtype=int)
    for number, (cell, feature) in enumerate(entries, start=1):
        expected[cell, feature] = number
    lines = [f"{f + 1} {c + 1} {i}" for i, (c, f) in enumerate(entries, start=1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_mtx_text, "BLOCK_BYTES", 80)
        patch.setattr(_mtx, "CHUNK_VALUES", 16)
        found = cells_of(put(tmp_path, BANNER + f"5 7 {len(lines)}\n" + body(lines)))
    assert found == expected.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no banner of Matrix Market"),
        ("1 1 1\n", "no banner of Matrix Market"),
        ("%%MatrixMarket matrix array integer general\n2 1\n1\n1\n", "array integer general"),
        ("%%MatrixMarket matrix coordinate complex general\n", "complex general; counts are"),
        ("%%MatrixMarket matrix coordinate integer symmetric\n", "integer symmetric"),
        (BANNER, "no line of rows, columns and entries, but '' in line 2"),
        (BANNER + "% only\n", "but '' in line 3"),
        (BANNER + "4 3\n", "but '4 3' in line 2"),
        (BANNER + "4 -3 1\n", "but '4 -3 1' in line 2"),
        (BANNER + "4 3 13\n", "claims 13 entries in 4 rows and 3 columns"),
        (BANNER + "4 3000000000 1\n", "claims 1 entries"),
        (BANNER + "%" + "-" * (1 << 20) + "\n4 3 1\n", "no line of rows"),
    ],
)
def test_a_header_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = put(tmp_path, text)
    with pytest.raises(SchemaError) as refused:
        open_mtx(path)
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*LINES[:4], "5 1 1"], "outside of its 4 rows and 3 columns in line 7: '5 1 1'"),
        ([*LINES[:4], "1 4 1"], "outside of its 4 rows and 3 columns in line 7"),
        (["0 1 1", *LINES[1:]], "outside of its 4 rows and 3 columns in line 3"),
        (["-1 1 1", *LINES[1:]], "outside of its 4 rows and 3 columns in line 3"),
        (["1 1 1.5", *LINES[1:]], "the value '1.5' in line 3, but its field is integer"),
        (["1 1 0x1", *LINES[1:]], "the value '0x1' in line 3"),
        (["1 1 many", *LINES[1:]], "the value 'many' in line 3"),
        (["1 1 1\0", *LINES[1:]], "the value '1\\x00' in line 3"),
        (["1 1 3000000000", *LINES[1:]], "too large for a count in line 3"),
        (["1.0 1 1", *LINES[1:]], "'1.0 1 1' in line 3, not row, column and value"),
        (["1 1", *LINES[1:]], "'1 1' in line 3, not row, column and value"),
        (["1 1 1 1", *LINES[1:]], "'1 1 1 1' in line 3"),
        (["% late", *LINES], "'% late' in line 3"),
        (LINES[:4], "ends after 4 entries, but its header says 5"),
        ([*LINES, "1 2 1"], "more entries than the 5 of its header"),
        ([*LINES, "garbage"], "'garbage' in line 8"),
    ],
)
@pytest.mark.parametrize("block", [80, 1 << 23])
def test_a_line_that_is_no_entry_is_refused_by_number(
    tmp_path: Path, lines: list[str], message: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mtx_text, "BLOCK_BYTES", block)
    path = put(tmp_path, BANNER + "4 3 5\n" + body(lines))
    _, _, open_rows = open_mtx(path)
    with pytest.raises(SchemaError) as refused:
        open_rows()
    assert f"{path} " in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("end", "message"),
    [(" " * 1100, "has a line of over 1,024 bytes"), ("\n" * 6000, "mostly blank space")],
    ids=["long", "blank"],
)
def test_a_bomb_of_blanks_is_refused(tmp_path: Path, end: str, message: str) -> None:
    path = tmp_path / "m.mtx.gz"
    path.write_bytes(gzip.compress((BANNER + "4 3 5\n" + body(LINES) + end).encode()))
    with pytest.raises(SchemaError, match=message):
        open_mtx(path)[2]()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_gzip_that_is_cut_is_refused(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{i + 1} 1 {n}" for i, n in enumerate(rng.integers(1, 1 << 30, 3000))]
    whole = gzip.compress((BANNER + "3000 1 3000\n" + body(lines)).encode())
    path = tmp_path / "m.mtx.gz"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SchemaError, match=r"m\.mtx\.gz ends in the middle of its gzip stream"):
        open_mtx(path)[2]()


@pytest.mark.parametrize("at", [-6, -1, 40])
def test_gzip_with_a_flipped_byte_is_refused(tmp_path: Path, at: int) -> None:
    data = bytearray(gzip.compress((BANNER + "4 3 5\n" + body(LINES)).encode()))
    data[at] ^= 0x55
    path = tmp_path / "m.mtx.gz"
    path.write_bytes(data)
    with pytest.raises(SchemaError, match=r"m\.mtx\.gz"):
        open_mtx(path)[2]()


def test_gzip_with_something_behind_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.mtx.gz"
    path.write_bytes(gzip.compress((BANNER + "4 3 5\n" + body(LINES)).encode()) + b"more")
    with pytest.raises(SchemaError, match="is not whole as gzip: Not a gzipped file"):
        open_mtx(path)[2]()
