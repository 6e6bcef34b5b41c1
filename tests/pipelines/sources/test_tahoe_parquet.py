"""Shards of Tahoe-100M: lists of genes and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from corpuscle.errors import CountsError, InputError, SchemaError
from corpuscle.pipelines.examples._tahoe import write_tahoe, write_tahoe_shards
from corpuscle.pipelines.sources import _tahoe_parquet

from .tahoe_files import Files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.curation import SourceFile


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tahoe")
    write_tahoe(folder)
    return folder


@pytest.fixture
def files(example: Path, tmp_path: Path) -> Files:
    return Files(folder=example, copies=tmp_path)


def _rows(source: SourceFile) -> Any:
    with source:
        return sparse.vstack([rows for _, rows in source.matrices["X"].chunks()], format="csr")


def _lists(table: Any, column: str, change: Callable[[list[Any]], Any]) -> Any:
    """Change the list of lists of a column."""
    place = table.schema.get_field_index(column)
    lists = table.column(column).to_pylist()
    return table.set_column(place, column, pa.array(change(lists), table.schema.field(place).type))


def _at(column: str, row: int, place: int, value: Any) -> Callable[[Any], Any]:
    def change(lists: list[Any]) -> list[Any]:
        lists[row][place] = value
        return lists

    return lambda table: _lists(table, column, change)


def _row(column: str, row: int, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def put(lists: list[Any]) -> list[Any]:
        lists[row] = change(lists[row])
        return lists

    return lambda table: _lists(table, column, put)


def _both(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda table: second(first(table))


def test_shards_and_plate_hold_the_same_counts(tmp_path: Path) -> None:
    truth = write_tahoe_shards(tmp_path / "tahoe")["train-00000-of-00002"]
    files = Files(folder=tmp_path / "tahoe", copies=tmp_path)
    shard = files.open(files.shard())
    plate = files.open(files.plate())
    rows = plate.obs.index.get_indexer(shard.obs.index)
    same = _rows(plate)[rows]
    found = _rows(shard)
    assert (found != truth.counts).nnz == 0
    assert (found != same).nnz == 0
    assert list(shard.matrices["X"].var.index) == list(plate.matrices["X"].var.index)


@pytest.mark.parametrize("row_group_size", [1, 7, 1_000])
@pytest.mark.parametrize("batch", [1, 9, 1_000])
def test_rows_are_the_same_however_they_are_grouped(
    files: Files, monkeypatch: pytest.MonkeyPatch, row_group_size: int, batch: int
) -> None:
    expected = _rows(files.open(files.shard()))
    monkeypatch.setattr(_tahoe_parquet, "BATCH_ROWS", batch)
    monkeypatch.setattr("corpuscle.curation._matrix.CHUNK_VALUES", 3_000)
    path = files.shard(lambda t: t, row_group_size=row_group_size)
    assert (_rows(files.open(path)) != expected).nnz == 0


def test_rows_can_be_asked_for_in_any_order(files: Files) -> None:
    source = files.open(files.shard())
    expected = _rows(source)
    read = source.matrices["X"].rows.read
    for start, stop in [(60, 68), (0, 3), (40, 45), (41, 68), (5, 6), (5, 6)]:
        assert (read(start, stop) != expected[start:stop]).nnz == 0


def test_a_cell_without_the_mark_loses_nothing(files: Files) -> None:
    def without(lists: list[Any]) -> list[Any]:
        return lists[1:]

    expected = _rows(files.open(files.shard()))
    change = _both(_row("genes", 3, without), _row("expressions", 3, without))
    assert (_rows(files.open(files.shard(change))) != expected).nnz == 0


def test_a_cell_without_genes_is_empty(files: Files) -> None:
    change = _both(_row("genes", 0, lambda _: []), _row("expressions", 0, lambda _: []))
    found = _rows(files.open(files.shard(change)))
    assert found.indptr[1] == 0
    assert found.shape[0] == 68


def test_large_lists_and_whole_numbers_are_read_too(files: Files) -> None:
    def change(table: Any) -> Any:
        schema = table.schema
        for name, kind in (("genes", pa.int32()), ("expressions", pa.int16())):
            place = schema.get_field_index(name)
            schema = schema.set(place, pa.field(name, pa.large_list(kind)))
        return table.cast(schema)

    expected = _rows(files.open(files.shard()))
    assert (_rows(files.open(files.shard(change))) != expected).nnz == 0


DAMAGED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "fewer counts than genes": (
        r"row 3 has \d+ genes and \d+ expressions",
        _row("expressions", 3, lambda values: values[:-1]),
    ),
    "a token of no gene": (
        "row 5 has token 62713 in genes, which is no gene's",
        _at("genes", 5, 2, 62_713),
    ),
    "a token below zero": ("row 5 has token -7 in genes", _at("genes", 5, 2, -7)),
    "padding among genes": ("row 5 has token 0 in genes", _at("genes", 5, 2, 0)),
    "the end among genes": ("row 5 has token 2 in genes", _at("genes", 5, 2, 2)),
    "the mark with a count": (
        "row 2 has token 1 in genes",
        _at("expressions", 2, 0, 3.0),
    ),
    "another value of the mark": (
        r"row 2 begins with genes 1 and expressions -1\.0, not with 1 and -2",
        _at("expressions", 2, 0, -1.0),
    ),
    "another token of the mark": (
        r"row 2 begins with genes 9 and expressions -2\.0",
        _at("genes", 2, 0, 9),
    ),
    "a gene twice": ("genes names a gene twice", _row("genes", 4, lambda v: [*v[:-1], v[-2]])),
    "no list": ("genes has 1 nulls", _row("genes", 4, lambda _: None)),
    "no gene": ("genes has 1 nulls", _at("genes", 4, 3, None)),
    "no counts": ("expressions has 1 nulls", _row("expressions", 4, lambda _: None)),
    "no count": ("expressions has 1 nulls", _at("expressions", 4, 3, None)),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_lists_are_refused_with_their_row(files: Files, case: str) -> None:
    said, change = DAMAGED[case]
    path = files.shard(change)
    with pytest.raises(SchemaError, match=f"X of .*{path.name} cannot be read.*{said}"):
        _rows(files.open(path))


@pytest.mark.parametrize(
    ("value", "said"),
    [(-3.0, "-3 is negative"), (0.5, "0.5 is not whole"), (float("nan"), "nan is not finite")],
)
def test_values_that_are_no_counts_are_refused(files: Files, value: float, said: str) -> None:
    path = files.shard(_at("expressions", 6, 4, value))
    with pytest.raises(CountsError, match=rf"{said} \(row 6, feature"):
        files.curate(path)


def _as(column: str, kind: Any) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        place = table.schema.get_field_index(column)
        array = pa.array([[str(value)] for value in table.column(column).to_pylist()], kind)
        return table.set_column(place, column, array)

    return change


FOREIGN: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "genes as text": ("genes", "list of numbers", _as("genes", pa.list_(pa.string()))),
    "counts as text": ("expressions", "list of numbers", _as("expressions", pa.list_(pa.string()))),
    "no genes": ("genes", "type null", lambda t: t.drop_columns("genes")),
    "no counts": ("expressions", "type null", lambda t: t.drop_columns("expressions")),
    "one count a cell": (
        "expressions",
        "type double where",
        lambda t: t.drop_columns("expressions").append_column(
            "expressions", pa.array(np.ones(len(t)))
        ),
    ),
    "no samples": ("sample", "0 columns", lambda t: t.drop_columns("sample")),
    "samples as numbers": (
        "sample",
        "values of type int64",
        lambda t: t.drop_columns("sample").append_column("sample", pa.array(range(len(t)))),
    ),
    "a column twice": ("plate", "2 columns", lambda t: t.append_column("plate", t.column("plate"))),
    "a cell twice": (
        "BARCODE_SUB_LIB_ID",
        "more than once",
        lambda t: pa.concat_tables([t, t.slice(0, 1)]),
    ),
    "no cells": ("rows", "no cells", lambda t: t.slice(0, 0)),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_shards_are_refused_with_their_column(files: Files, case: str) -> None:
    field, said, change = FOREIGN[case]
    path = files.shard(change)
    with pytest.raises(SchemaError, match=f"{field} of .*{path.name} has .*{said}") as error:
        files.open(path)
    assert error.value.details == {"file": str(path), "field": field}


def test_lists_that_would_not_fit_are_refused_unread(files: Files) -> None:
    """A thousand bytes can stand for a billion counts."""
    n = 3_000_000

    def change(table: Any) -> Any:
        first = table.slice(0, 1)
        for name, values in (("genes", np.full(n, 3)), ("expressions", np.ones(n, np.float32))):
            place = first.schema.get_field_index(name)
            array = pa.ListArray.from_arrays(pa.array([0, n], pa.int32()), pa.array(values))
            first = first.set_column(place, name, array)
        return first

    path = files.shard(change)
    assert path.stat().st_size < 100_000
    with pytest.raises(SchemaError, match=r"genes of .* has 3,000,000 values for 1 cells"):
        files.open(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_shard_cut_anywhere_is_refused(files: Files, share: float) -> None:
    whole = files.shard().read_bytes()
    path = files.copies / "train-00000-of-00002.parquet"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SchemaError, match=f"{path.name} cannot be read as Parquet.*fetch it again"):
        files.open(path)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_a_shard_with_flipped_bytes_is_refused_or_other(files: Files, place: float) -> None:
    """Parquet as it is written has no checksum: what is decoded wrongly is seen, or is counts."""
    content = bytearray(files.shard().read_bytes())
    at = int(len(content) * place)
    content[at : at + 64] = bytes(b ^ 0xFF for b in content[at : at + 64])
    path = files.copies / "train-00000-of-00002.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=path.name):
        files.curate(path)


def test_a_shard_with_tokens_of_another_table_is_refused(files: Files) -> None:
    folder = files.table("gene_metadata", lambda t: t[t["token_id"] != 700])
    source = files.open(files.shard(), metadata=folder)
    with pytest.raises(SchemaError, match="has token 700 in genes"):
        _rows(source)


def test_memory_of_a_batch_does_not_grow_with_the_shard(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tahoe_parquet, "BATCH_ROWS", 10)
    decoded: list[int] = []
    plain = pq.ParquetFile.iter_batches

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        for batch in plain(self, *arguments, **options):
            decoded.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    _rows(files.open(files.shard(lambda t: t, row_group_size=1_000)))
    assert max(decoded) <= 10
