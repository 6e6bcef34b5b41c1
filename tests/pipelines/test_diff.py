from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corpuscle.curation import CurationOptions
from corpuscle.errors import InputError, NotFoundError
from corpuscle.pipelines import collect, diff, ingest

from .conftest import write_h5ad

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done


@pytest.fixture
def folder(workspace: Workspace, tmp_path: Path) -> Path:
    """Two datasets in version 1 of a collection."""
    write_h5ad(tmp_path / "a.h5ad", cell_types=("T cell", "Wibble cells"))
    write_h5ad(tmp_path / "b.h5ad", seed=1)
    list(ingest([tmp_path]))
    collect("atlas")
    return tmp_path


def test_datasets_that_came_and_went_are_named(folder: Path) -> None:
    write_h5ad(folder / "c.h5ad", n_cells=9, seed=2)
    list(ingest([folder]))
    collect("atlas", patterns=["b", "c"])
    found = diff("atlas@1", "atlas")
    assert (found.before, found.after) == ("atlas@1", "atlas@2")
    assert (found.added, found.removed, found.changed, found.unchanged) == (("c",), ("a",), (), 1)
    assert found.cells == (12, 15)


def test_another_file_is_a_reason(folder: Path) -> None:
    write_h5ad(folder / "b.h5ad", n_cells=8, seed=5)
    list(ingest([folder]))
    collect("atlas")
    (change,) = diff("atlas@1", "atlas@2").changed
    assert (change.dataset, change.before, change.after) == ("b", "1", "2")
    assert change.cells == (6, 8)
    (reason,) = change.reasons
    assert reason.what == "source"
    assert reason.before != reason.after


def test_options_are_a_reason_and_what_they_change_is_told(folder: Path) -> None:
    list(ingest([folder / "b.h5ad"], options=CurationOptions(constants={"tissue": "lung"})))
    collect("atlas")
    (change,) = diff("atlas@1", "atlas@2").changed
    assert [reason.what for reason in change.reasons] == ["options"]
    (label,) = [label for label in change.labels if label.field == "tissue"]
    assert (label.label, label.before, label.after, label.n_cells) == (
        "lung",
        "",
        "UBERON:0002048",
        6,
    )


def test_a_decision_is_a_reason_and_the_label_says_what_it_became(
    folder: Path, corpuscle: Callable[..., Done], tmp_path: Path
) -> None:
    sheet = tmp_path / "open.csv"
    assert corpuscle("review", "--out", sheet).code == 0
    lines = sheet.read_text(encoding="utf-8-sig").splitlines()
    place = lines[0].split(",").index("decision")
    assert [line for line in lines[1:] if "Wibble cells" in line]
    import csv

    rows = list(csv.reader(lines))
    for row in rows[1:]:
        if "Wibble cells" in row:
            row[place] = "CL:0000236"
    with sheet.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert corpuscle("review", "--apply", sheet, "--reviewer", "Ada").code == 0
    list(ingest([folder]))
    collect("atlas")
    (change,) = diff("atlas@1", "atlas@2").changed
    assert [(r.what, r.before, r.after) for r in change.reasons] == [("decisions", "none", "1")]
    (label,) = change.labels
    assert (label.field, label.label, label.after) == ("cell_type", "Wibble cells", "CL:0000236")
    assert label.n_cells == 3


def test_the_command_shows_it(folder: Path, corpuscle: Callable[..., Done]) -> None:
    list(ingest([folder / "b.h5ad"], options=CurationOptions(constants={"tissue": "lung"})))
    collect("atlas", duplicates="drop")
    done = corpuscle("diff", "atlas@1", "atlas@2")
    shown = " ".join(done.out.split())
    assert (done.code, "atlas@1 -> atlas@2" in shown) == (0, True)
    assert "policy for duplicates: flag -> drop" in shown
    assert "none -> UBERON:0002048" in shown
    assert corpuscle("diff", "atlas@1", "atlas@2", "--json").json["changed"][0]["dataset"] == "b"


def test_one_version_has_no_difference_and_a_missing_one_is_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match="the same version"):
        diff("atlas@1", "atlas")
    with pytest.raises(NotFoundError, match="no version '7'"):
        diff("atlas@1", "atlas@7")
