from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from corpuscle.errors import SchemaError
from corpuscle.pipelines.sources import _devatlas_tables
from corpuscle.pipelines.sources._devatlas_stages import specimens, stage_labels
from corpuscle.pipelines.sources._devatlas_tables import join, read_table

if TYPE_CHECKING:
    from pathlib import Path

QUARTERS = [f"E{quarter / 4}" for quarter in range(34, 76)]
"""E8.5 to E18.75, as the authors write them."""


def put(path: Path, text: str) -> Path:
    file = path / "cells.csv"
    file.write_bytes(text.encode())
    return file


def values(path: Path, text: str) -> list[object]:
    """What becomes of the values of a column x."""
    lines = [f"cell{i},{value}" for i, value in enumerate(text.split("|"))]
    table = read_table(put(path, "cell_id,x\n" + "\n".join(lines) + "\n"), key="cell_id")
    return [None if pd.isna(value) else value for value in table["x"].astype(object)]


def test_five_kinds_of_nothing_stay_apart(tmp_path: Path) -> None:
    found = values(tmp_path, '|NA|""|"NA"|na|unknown|nan|"nan"')
    assert found == [None, None, "", "NA", "na", "unknown", "nan", "nan"]


def test_numbers_are_numbers(tmp_path: Path) -> None:
    assert values(tmp_path, "1|-2|NA|30") == [1, -2, None, 30]
    assert values(tmp_path, "1|2.5|1e-05") == [1.0, 2.5, 1e-05]


def test_what_only_looks_like_numbers_stays_text(tmp_path: Path) -> None:
    assert values(tmp_path, "007|12") == ["007", "12"]
    assert values(tmp_path, "1|nan") == ["1", "nan"]
    assert values(tmp_path, "1|inf") == ["1", "inf"]


def test_days_without_a_letter_stay_as_written(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "cell_id,development_stage\na,8.0\nb,8\n"), key="cell_id")
    assert list(table["development_stage"]) == ["8.0", "8"]


def test_column_of_row_names_is_left_out(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, ",cell_id,x\na-0-0,a,1\nb-0-0,b,2\n"), key="cell_id")
    assert list(table.columns) == ["cell_id", "x"]


def test_cells_are_found_by_their_id_whatever_the_order_and_the_names(tmp_path: Path) -> None:
    lines = [f"cell{i}-0-0,cell{i},word{i % 7},{i}" for i in range(999, -1, -1)]
    file = put(tmp_path, ",cell_id,word,number\n" + "\n".join(lines) + "\n")
    keep = pd.Index([f"cell{i}" for i in (5, 998, 17)])
    table = read_table(file, key="cell_id", keep=keep)
    assert table.to_dict("list") == {
        "cell_id": ["cell5", "cell998", "cell17"],
        "word": ["word5", "word4", "word3"],
        "number": [5, 998, 17],
    }


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"cell{i},word{i % 7},{i / 3}" for i in range(5_000)]
    file = put(tmp_path, "cell_id,word,number\n" + "\n".join(lines) + "\n")
    keep = pd.Index([f"cell{i}" for i in range(4_999, 0, -3)])
    whole = read_table(file, key="cell_id", keep=keep)
    monkeypatch.setattr(_devatlas_tables, "BLOCK_BYTES", 2_000)
    pd.testing.assert_frame_equal(
        read_table(file, key="cell_id", keep=keep), whole, check_categorical=False
    )


def test_table_may_be_compressed_in_parts(tmp_path: Path) -> None:
    file = tmp_path / "cells.csv.gz"
    file.write_bytes(gzip.compress(b"cell_id,x\na,1\n") + gzip.compress(b"b,2\n"))
    assert list(read_table(file, key="cell_id")["x"]) == [1, 2]


def test_name_of_a_cell_is_no_path(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "cell_id,x\n../../etc/passwd,1\n"), key="cell_id")
    assert list(table["cell_id"]) == ["../../etc/passwd"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cell_id\tday\na\tE8.5\n", "no column 'cell_id'"),
        ("sample,day\na,E8.5\n", "It has sample, day"),
        ("cell_id,day\na,E8.5\na,E9.0\n", "1 rows in its column 'cell_id', and has 2"),
        ("cell_id,day\na,E8.5\nNA,E9.0\n", "missing or repeat"),
        ("cell_id,day\na,E8.5\nb,E9.0,more\n", "cannot be read"),
        ("cell_id,day\na,E8.5\nb\n", "cannot be read"),
        ("cell_id,UMI_count\na,12\nb,many\n", "'many' in place of a number"),
        ("cell_id,doublet_score\na,0.1\nb,-\n", "'-' in place of a number"),
        ("cell_id,day\n", "has no rows"),
        ("", "cannot be read"),
        ('cell_id,day\n"a,E8.5\n', "cells.csv"),
    ],
)
def test_table_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = put(tmp_path, text)
    with pytest.raises(SchemaError, match=words) as caught:
        read_table(file, key="cell_id")
    assert caught.value.details["file"] == str(file)
    assert "fetch it again" in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"cell_id,x\n" + b"a,1\n" * 10_000)[:-30],
        b"cell_id,x\n\xff\xfe,1\n",
        b"PAR1" + bytes(200) + b"PAR1",
        b"\x1f\x8b not gzip at all",
    ],
    ids=["cut", "no text", "foreign", "no gzip"],
)
def test_damaged_table_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cells.csv.gz"
    file.write_bytes(content)
    with pytest.raises(SchemaError, match=r"cells\.csv\.gz"):
        read_table(file, key="cell_id")


def test_lacking_cells_are_refused_or_have_no_values(tmp_path: Path) -> None:
    file = put(tmp_path, "cell_id,x\nb,2\n")
    with pytest.raises(SchemaError, match="lacks 1 of 2 rows, by 'cell_id': the first is 'a'"):
        read_table(file, key="cell_id", keep=pd.Index(["a", "b"]))
    table = read_table(file, key="cell_id", keep=pd.Index(["a", "b"]), every=False)
    assert list(table["cell_id"].isna()) == [True, False]
    assert list(table["x"].isna()) == [True, False]
    with pytest.raises(SchemaError, match="lacks 2 of 2"):
        read_table(file, key="cell_id", keep=pd.Index(["c", "d"]), every=False)


def test_contradiction_names_the_first_cell_and_both_values(tmp_path: Path) -> None:
    given = pd.DataFrame({"day": ["E8.5", "E9.0", "E9.0"]})
    more = pd.DataFrame({"cell_id": ["a", "b", "c"], "day": ["E8.5", "E8.5", "E8.75"]})
    files = (tmp_path / "one.h5ad", tmp_path / "two.csv")
    with pytest.raises(SchemaError, match=r"in 'day' of 2 rows: 'b' has 'E9\.0'") as caught:
        join(given, more, key="cell_id", files=files)
    assert caught.value.details["column"] == "day"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1.0, 2.5], [1.0, 2.5]),
        (pd.Categorical(["a", None]), pd.Categorical(["a", None])),
        (pd.Categorical(["a", "NA"]), pd.Categorical(["a", None])),
        ([1, 2], pd.Categorical(["1", "2"])),
        (pd.array([1, None], dtype="Int64"), [1.0, None]),
        ([0.1 + 0.2, 1.0], [0.3, 1.0]),
    ],
    ids=["numbers", "missing", "word for missing", "text", "nullable", "rounded"],
)
def test_the_same_written_otherwise_is_no_contradiction(
    tmp_path: Path, first: object, second: object
) -> None:
    given = pd.DataFrame({"x": first})
    more = pd.DataFrame({"cell_id": ["a", "b"], "x": second, "y": [3, 4]})
    joined = join(given, more, key="cell_id", files=(tmp_path, tmp_path))
    assert list(joined.columns) == ["x", "y"]


def stage(day: str, somites: int | None = None, prefix: str = "") -> tuple[str, str | None]:
    counts = pd.Series([somites], dtype="Int64")
    labels, terms = stage_labels(pd.Series([day]), counts, prefix=prefix, where="cells.csv")
    return labels[0], terms.get(labels[0])


@pytest.mark.parametrize(
    ("day", "somites", "label", "term"),
    [
        ("E8.0-E8.5", None, "E8.0-E8.5", "MmusDv:0000002"),  # embryonic: may have no somites
        ("E8.0-E8.5", 0, "E8.0-E8.5, 0 somites", "MmusDv:0000017"),
        ("E8.0-E8.5", 1, "E8.0-E8.5, 1 somites", "MmusDv:0000108"),
        ("E8.0-E8.5", 4, "E8.0-E8.5, 4 somites", "MmusDv:0000108"),
        ("E8.0-E8.5", 5, "E8.0-E8.5, 5 somites", "MmusDv:0000109"),
        ("E8.0-E8.5", 7, "E8.0-E8.5, 7 somites", "MmusDv:0000109"),
        ("E8.0-E8.5", 8, "E8.0-E8.5, 8 somites", "MmusDv:0000018"),  # organogenesis
        ("E8.5", None, "E8.5", "MmusDv:0000020"),
        ("E8.5", 5, "E8.5, 5 somites", "MmusDv:0000109"),
        ("E8.75", 14, "E8.75", "MmusDv:0000020"),
        ("E10.0", 34, "E10.0", "MmusDv:0000023"),
        ("E14.333", None, "E14.333", "MmusDv:0000029"),
        ("E18.75", None, "E18.75", "MmusDv:0000035"),
        ("P0", None, "P0", "MmusDv:0000036"),
        ("E9.0-E9.25", None, "E9.0-E9.25", "MmusDv:0000021"),
    ],
)
def test_stage_is_that_of_the_somites_or_of_the_day(
    day: str, somites: int | None, label: str, term: str
) -> None:
    assert stage(day, somites) == (label, term)


@pytest.mark.parametrize("day", QUARTERS)
def test_every_quarter_day_has_a_stage(day: str) -> None:
    label, term = stage(day)
    assert label == day
    assert term is not None


@pytest.mark.parametrize("day", ["NatBirth", "Csection_20m", "E8.0-", "unknown", "", "8.5", "E25"])
def test_day_that_is_none_stays_open(day: str) -> None:
    assert stage(day) == (day, None)


@pytest.mark.parametrize("day", ["E14.5", "E9.25", "P0"])
def test_few_somites_of_a_late_embryo_are_a_contradiction(day: str) -> None:
    with pytest.raises(SchemaError, match=f"embryo of day {day} has 3 somites"):
        stage(day, 3)


def test_missing_day_has_no_stage() -> None:
    days = pd.Series(["E9.0", None, "E9.0"])
    labels, _ = stage_labels(days, pd.Series([20, 3, None], dtype="Int64"), where="cells.csv")
    assert list(labels.isna()) == [False, True, False]


def test_specimen_of_a_day_that_is_none_is_not_guessed() -> None:
    words, terms = specimens(pd.Series(["E8.0-E8.5", "P0", "Csection_20m", None, "E18.75-P0"]))
    assert list(words.astype(object))[:2] == ["whole embryo", "whole newborn"]
    assert list(words.isna()) == [False, False, True, True, True]
    assert set(terms) == {"whole embryo", "whole newborn"}
