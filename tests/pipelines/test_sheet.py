"""What spreadsheet programs do to a sheet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpuscle.errors import ConflictError, NotFoundError, SchemaError
from corpuscle.pipelines import OpenLabel
from corpuscle.pipelines._review import candidate, label_key
from corpuscle.pipelines._sheet import Answers, read_sheet, write_sheet

if TYPE_CHECKING:
    from pathlib import Path


def item(label: str, field: str = "development_stage") -> OpenLabel:
    return OpenLabel(
        field=field,
        label=label,
        organism="",
        outcome="unmapped",
        method="none",
        n_cells=7,
        datasets=("a", "b"),
        organisms=("NCBITaxon:9606",),
        tissues=("lung",),
        candidates=(candidate("CL:0000084"), candidate("XX:1")),
    )


def known(*labels: str) -> dict[str, tuple[str, str]]:
    return {label_key("development_stage", x): ("development_stage", x) for x in labels}


def read(path: Path, *labels: str) -> Answers:
    return read_sheet(path, lambda: known(*labels))


def row(label: str, key: str = "", decision: str = "none") -> str:
    return f"field,label,decision,key\ndevelopment_stage,{label},{decision},{key}\n"


TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@\t\r\n'\";,0"), min_size=1
)


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(labels=st.lists(TEXT, unique=True, max_size=4))
def test_any_label_comes_back_as_written(labels: list[str], ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"open.{ending}"
    path.unlink(missing_ok=True)
    write_sheet([item(label) for label in labels], path)
    delimiter = "," if ending == "csv" else "\t"
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file, delimiter=delimiter)
    for cells in rows:
        assert not cells[1].startswith(("=", "+", "-", "@", "\t", "\r"))
        cells[header.index("decision")] = "none"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    found = read(path)
    assert (found.problems, found.notes) == ((), ())
    assert [d.label for d in found.decisions] == labels


def test_candidates_are_shown_with_names_and_definitions(tmp_path: Path) -> None:
    write_sheet([item("x")], tmp_path / "a.tsv")
    text = (tmp_path / "a.tsv").read_text()
    assert "CL:0000084 T cell: A type of lymphocyte" in text
    assert "| XX:1" in text


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode("utf-16"),
        lambda text: (text + ",,,\n\n").encode(),
        lambda text: text.replace("\n", ",,\n").encode(),
    ],
    ids=["plain", "mark", "crlf", "semicolons", "utf-16", "empty rows", "empty columns"],
)
def test_whatever_program_saved_it_is_read(encode: object, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(encode(row("ß-cell")))  # type: ignore[operator]  # a function
    found = read(path)
    assert [(d.line, d.label, d.target) for d in found.decisions] == [(2, "ß-cell", "none")]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("original", "mangled"),
    [
        ("10-12", "12. Oct"),
        ("10-12", "Oct-12"),
        ("1-2", "2026-01-02 00:00:00"),
        ("007", "7"),
        ("10E5", "1.00E+06"),
        ("a\nb", "a b"),
    ],
)
def test_labels_that_a_spreadsheet_mangled_are_put_right_by_their_key(
    original: str, mangled: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(row(mangled, label_key("development_stage", original)))
    found = read(path, original)
    assert [d.label for d in found.decisions] == [original]
    assert repr(original) in found.notes[0]


def test_a_label_that_somebody_changed_is_not_taken_for_another(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(row("adult mouse", label_key("development_stage", "adult")))
    found = read(path, "adult")
    assert [(p.kind, p.line) for p in found.problems] == [("changed label", 2)]
    assert "'adult'" in found.problems[0].message


def test_what_looks_like_a_date_is_taken_only_if_a_dataset_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(row("12-Oct"))
    assert [p.kind for p in read(path).problems] == ["mangled label"]
    assert [d.label for d in read(path, "12-Oct").decisions] == ["12-Oct"]


@pytest.mark.parametrize("decision", ["", "skip", " SKIP "])
def test_what_is_not_decided_is_passed_over(decision: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(row("x", decision=decision))
    found = read(path)
    assert (found.decisions, found.skipped) == ((), 1)


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("field,label,decision,mood\ncell_type,x,none,fine\n")
    assert read(path).notes == ("columns that were not read: mood",)


def test_a_row_that_is_too_long_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("field,label,decision\ncell_type,x,none,more\n")
    assert [p.kind for p in read(path).problems] == ["row of another length"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no sheet of decisions"),
        (b"label,decision\n", "field, label, decision"),
        (b"field,label,decision\na,\xdf,none\n", "CSV UTF-8"),
        (b'field,label,decision\na,"b,none\n', "quote"),
    ],
)
def test_what_is_no_sheet_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=said):
        read(path)


def test_a_sheet_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="--out"):
        read(tmp_path / "none.csv")


def test_a_sheet_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(ConflictError):
        write_sheet([], tmp_path / "a.csv")
