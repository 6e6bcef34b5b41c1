from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from corpuscle.curation import read_decisions, write_decisions
from corpuscle.ontologies import check_sssom, read_sssom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def decisions(
    write: Callable[..., Path], run: Callable[..., Any], coded: Callable[..., Any], human: list[str]
) -> pd.DataFrame:
    """Decisions on a file of three cells and six features, two of which keep their name."""
    genes = [*human[:2], f"{human[2]}.5", human[3].lower(), "Y_RNA", "tab\there"]
    obs = {"cell_type": ["T cell", "non\nsense", None], "tissue": ["lung"] * 3}
    path = write(coded(3, 6), genes, obs)
    curated, _ = run(path, memory={"tissue": {"lung": "UBERON:0002048"}}, min_gene_share=0.1)
    table: pd.DataFrame = curated.decisions
    return table


def told(table: pd.DataFrame, field: str) -> list[list[Any]]:
    columns = ["subject_label", "object_id", "outcome", "method", "mapping_justification"]
    part = table.loc[table["field"] == field, columns].to_numpy().tolist()
    return [[None if pd.isna(value) else value for value in row] for row in part]


def test_every_label_is_told(decisions: pd.DataFrame) -> None:
    assert told(decisions, "cell_type") == [
        ["T cell", "CL:0000084", "mapped", "name", "semapv:LexicalMatching"],
        ["non\nsense", None, "unmapped", "none", "semapv:LexicalMatching"],
        [None, None, "unmapped", "missing", "semapv:LexicalMatching"],
    ]


def test_a_confirmed_mapping_is_told_as_such(decisions: pd.DataFrame) -> None:
    assert told(decisions, "tissue") == [
        ["lung", "UBERON:0002048", "mapped", "memory", "semapv:ManualMappingCuration"]
    ]


def test_genes_are_told_where_they_got_another_name(
    decisions: pd.DataFrame, human: list[str]
) -> None:
    assert [row[1:4] for row in told(decisions, "gene")] == [
        [human[2], "mapped", "id_version"],
        [None, "unmapped", "none"],
        [None, "ambiguous", "symbol"],
        [None, "unmapped", "none"],
    ]


def test_candidates_of_what_is_ambiguous_are_listed(decisions: pd.DataFrame) -> None:
    row = decisions[decisions["subject_label"] == "Y_RNA"].iloc[0]
    assert row["candidates"].split("|")[0].startswith("ENSG00000")


def test_the_organism_is_told_with_the_evidence(decisions: pd.DataFrame) -> None:
    row = decisions.iloc[0]
    assert (row["field"], row["object_id"], row["method"], row["n_cells"]) == (
        "organism",
        "NCBITaxon:9606",
        "genes",
        3,
    )


def test_the_file_is_valid_sssom_whatever_the_decision(
    decisions: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "a.sssom.tsv"
    write_decisions(decisions, path, dataset="study/one two")
    found = read_sssom(path)
    assert check_sssom(found) == []
    assert found.metadata["mapping_set_id"] == "urn:x-corpuscle:decisions:study/one%20two"
    assert set(found.table["subject_label"]) == {
        "" if pd.isna(label) else label for label in decisions["subject_label"]
    }


def test_decisions_about_labels_are_read_back_as_written(
    decisions: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "a.sssom.tsv"
    write_decisions(decisions, path, dataset="study/one")
    read = read_decisions(path)
    columns = ["subject_label", "object_id", "object_label", "outcome", "method", "n_cells"]
    wanted = decisions.loc[decisions["field"] != "gene", columns].astype(object)
    assert read[columns].to_numpy().tolist() == wanted.where(wanted.notna(), "").to_numpy().tolist()
