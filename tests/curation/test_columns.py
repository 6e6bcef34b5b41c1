from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from corpuscle.curation import CurationOptions
from corpuscle.curation._columns import find_columns, suggest_columns

PATH = Path("file.h5ad")


@pytest.mark.parametrize(
    ("columns", "name", "found"),
    [
        (["cell_type"], "cell_type", ("cell_type",)),
        (["Cell Type", "cell-type"], "cell_type", ("Cell Type",)),
        (["CellTypeOntologyTermID"], "cell_type", ("CellTypeOntologyTermID",)),
        (["ethnicity"], "self_reported_ethnicity", ("ethnicity",)),
        (["cell_ontology_class", "celltype2", "author_cell_type"], "cell_type", ()),
    ],
)
def test_columns_count_by_the_names_of_the_schema_only(
    columns: list[str], name: str, found: tuple[str, ...]
) -> None:
    obs = pd.DataFrame({column: ["x"] for column in columns})
    assert find_columns(PATH, obs, name, CurationOptions()) == found


@pytest.mark.parametrize(
    ("column", "name", "is_suggested"),
    [
        ("author_cell_type", "cell_type", True),
        ("CellType", "cell_type", True),
        ("celltype_final", "cell_type", True),
        ("patient.gender", "sex", True),
        ("age", "development_stage", True),
        ("percentage", "development_stage", False),
        ("sextant", "sex", False),
    ],
)
def test_columns_that_look_like_a_field_are_suggested(
    column: str, name: str, is_suggested: bool
) -> None:
    assert bool(suggest_columns(pd.DataFrame({column: ["x"]}), name)) == is_suggested
