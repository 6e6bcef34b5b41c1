from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpuscle.errors import LabelMappingError, NotFoundError, SchemaError
from corpuscle.ontologies import check_sssom, read_sssom, refuse, write_sssom

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """#curie_map:
#  CL: http://purl.obolibrary.org/obo/CL_
#  own: https://example.org/
#mapping_set_id: https://example.org/set
#license: https://example.org/licence
#extension_definitions:
#- slot_name: field
#  property: own:field
"""
COLUMNS = (
    "subject_label",
    "subject_type",
    "predicate_id",
    "object_id",
    "mapping_justification",
    "confidence",
    "field",
)
GOOD = ("T", "rdfs literal", "skos:exactMatch", "CL:0000084", "semapv:ManualMappingCuration")
ROW = (*GOOD, "0.9", "cell_type")


def file(path: Path, *rows: tuple[str, ...], head: str = HEAD) -> Path:
    lines = ["\t".join(row) for row in (COLUMNS, *rows)]
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def mappings(labels: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject_label": labels,
            "subject_type": "rdfs literal",
            "predicate_id": "skos:exactMatch",
            "object_id": "CL:0000084",
            "mapping_justification": "semapv:ManualMappingCuration",
            "comment": labels[::-1],
            "note": [f"{i}\t" for i in range(len(labels))],
        }
    )


def write(table: pd.DataFrame, path: Path) -> Path:
    write_sssom(table, path, mapping_set_id="urn:x-test:1", extensions={"note": "xsd:string"})
    return path


TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\t\n\r\"#'=,\0\ufeff| "), min_size=1
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(labels=st.lists(TEXT, max_size=6))
def test_any_text_survives_a_round_trip(labels: list[str], tmp_path: Path) -> None:
    table = mappings(labels)
    found = read_sssom(write(table, tmp_path / "a.sssom.tsv"))
    assert check_sssom(found) == []
    assert found.table[list(table)].to_numpy().tolist() == table.to_numpy().tolist()


def test_the_same_table_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import pandas as pd;"
        "from corpuscle.ontologies import write_sssom;"
        "t = pd.DataFrame({'zeta': ['a'], 'alpha': ['b'], 'subject_label': ['T'],"
        "'subject_type': ['rdfs literal'], 'predicate_id': ['skos:exactMatch'],"
        "'object_id': ['CL:0000084'], 'mapping_justification': ['semapv:LexicalMatching']});"
        "write_sssom(t, Path(sys.argv[1]), mapping_set_id='urn:x-test:1',"
        "extensions={'zeta': 'xsd:string', 'alpha': 'xsd:string'})"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(tmp_path / seed)]
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}, check=True
        )
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert (tmp_path / "1").read_text().splitlines()[-2].split("\t")[-2:] == ["alpha", "zeta"]


def test_rows_know_the_line_they_are_on(tmp_path: Path) -> None:
    table = read_sssom(write(mappings(["one\ntwo", "#three"]), tmp_path / "a.tsv")).table
    text = (tmp_path / "a.tsv").read_text().splitlines()
    first, second = table.index
    assert (text[first - 1].startswith('"one'), text[second - 1].startswith('"#three')) == (
        True,
        True,
    )


def test_slots_of_the_set_hold_for_its_mappings(tmp_path: Path) -> None:
    path = file(tmp_path / "a.tsv", ROW, head=HEAD + "#mapping_date: 2026-01-02\n")
    assert read_sssom(path).table["mapping_date"].tolist() == ["2026-01-02"]


def test_windows_line_ends_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    path = file(tmp_path / "a.tsv", ROW)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    found = read_sssom(path)
    assert (check_sssom(found), found.table["field"].tolist()) == ([], ["cell_type"])


def changed(place: str, value: str) -> tuple[str, ...]:
    return tuple(value if c == place else v for c, v in zip(COLUMNS, ROW, strict=True))


@pytest.mark.parametrize(
    ("row", "kind", "said"),
    [
        (changed("object_id", "CL 0000084"), "invalid CURIE", "is not PREFIX:NAME"),
        (changed("object_id", "XY:1"), "invalid CURIE", "curie_map does not define"),
        (changed("object_id", ""), "empty value", "object_id is empty"),
        (changed("subject_label", ""), "empty value", "subject_label is empty"),
        (changed("subject_type", ""), "empty value", "subject_id is empty"),
        (changed("predicate_id", ""), "empty value", "predicate_id is empty"),
        (changed("mapping_justification", "semapv:Guess"), "invalid value", "not known"),
        (changed("confidence", "1.5"), "invalid value", "not in 0..1"),
        (changed("confidence", "high"), "invalid value", "not in 0..1"),
        (ROW[:-1], "row of another length", "6 values for 7 columns"),
    ],
)
def test_what_departs_from_the_standard_is_found_with_its_line(
    row: tuple[str, ...], kind: str, said: str, tmp_path: Path
) -> None:
    (problem,) = check_sssom(read_sssom(file(tmp_path / "a.tsv", ROW, row)))
    assert (problem.kind, problem.line) == (kind, HEAD.count("\n") + 3)
    assert said in problem.message


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (HEAD.replace("slot_name: field", "slot_name: other"), "'field' is neither"),
        (HEAD.replace("#mapping_set_id: https://example.org/set\n", ""), "mapping_set_id must"),
        (HEAD.replace("https://example.org/licence", "mine"), "license must be"),
        (HEAD + "#colour: red\n", "'colour' is neither"),
    ],
)
def test_what_is_wrong_with_the_set_is_found(head: str, said: str, tmp_path: Path) -> None:
    (problem,) = check_sssom(read_sssom(file(tmp_path / "a.tsv", ROW, head=head)))
    assert (problem.line, said in problem.message) == (0, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#a: [\nx\ty\n", "not YAML"),
        (b"#just words\nx\ty\n", "not NAME: VALUE"),
        (b"#a: 1\n", "no table"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'a\tb\n"open\tx\n', "quote"),
    ],
)
def test_what_is_no_sssom_at_all_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=said):
        read_sssom(path)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_sssom(tmp_path / "none.tsv")


def test_problems_are_raised_as_one_and_counted(tmp_path: Path) -> None:
    bad = [changed("object_id", f"XY:{i}") for i in range(8)]
    problems = check_sssom(read_sssom(file(tmp_path / "a.tsv", *bad, changed("confidence", "2"))))
    with pytest.raises(LabelMappingError) as refused:
        refuse(problems, "a.tsv")
    assert "9 problems in a.tsv: 8 x invalid CURIE (lines 10, 11, 12, 13, 14 and 3 more)" in str(
        refused.value
    )
    assert len(refused.value.details["problems"]) == 9  # type: ignore[arg-type]  # a list


def test_the_prefixes_of_several_terms_together_are_defined(tmp_path: Path) -> None:
    table = mappings(["a"]).assign(object_id="EFO:1+MONDO:0100096")
    found = read_sssom(write(table, tmp_path / "a.tsv"))
    assert (check_sssom(found), "MONDO" in found.metadata["curie_map"]) == ([], True)


def test_what_would_not_be_valid_is_not_written(tmp_path: Path) -> None:
    table = mappings(["a"]).assign(object_id="no id")
    with pytest.raises(LabelMappingError, match="report"):
        write(table, tmp_path / "a.tsv")
    assert not (tmp_path / "a.tsv").exists()
