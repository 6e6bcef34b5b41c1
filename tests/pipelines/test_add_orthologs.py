"""Orthologs of further species in a workspace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import SchemaError
from corpuscle.ontologies import known_orthologs, ortholog_groups, shipped_orthologs, use_orthologs
from corpuscle.pipelines._add_orthologs import (
    add_orthologs,
    command,
    read_pairs,
    use_workspace_orthologs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpuscle.pipelines import Workspace

KEY = "references/orthologs/ensembl-7955-9606.parquet"
TP53, FISH = "ENSG00000141510", "ENSDARG00000035559"


@pytest.fixture(autouse=True)
def _shipped_again() -> Iterator[None]:
    yield
    use_orthologs()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "biomart.tsv"
    path.write_text(
        "Gene stable ID\tZebrafish gene stable ID\tZebrafish homology type\n"
        f"{TP53}\t{FISH}\tortholog_one2one\nENSG00000000005\t\t\n"
    )
    return path


def _names(ln: Any) -> list[str]:
    found = ln.Artifact.objects.filter(key__startswith="references/orthologs/")
    return sorted(found.values_list("key", flat=True))


def test_added_orthologs_are_registered_and_used(
    workspace: Workspace, ln: Any, table: Path
) -> None:
    added = add_orthologs("biomart", table, release="115")
    assert (added.key, added.status, added.version, added.left_out) == (
        KEY,
        "new",
        "1",
        {"no_ortholog: Zebrafish": 1},
    )
    use_orthologs()
    use_workspace_orthologs()  # as another process would
    groups = ortholog_groups(["human", "mouse", "zebrafish"]).set_index("gene_id")
    assert groups.loc[[FISH, "ENSMUSG00000059552"], "group_id"].tolist() == [
        f"one2one:{TP53}",
        f"one2one:{TP53}",
    ]
    run = ln.Artifact.objects.get(key=KEY).run
    assert (run.transform.key, run.params["release"]) == ("corpuscle/add-orthologs", "115")


def test_adding_again_changes_nothing_and_new_content_is_a_new_version(
    workspace: Workspace, ln: Any, table: Path
) -> None:
    add_orthologs("biomart", table)
    assert add_orthologs("biomart", table).status == "unchanged"
    table.write_text(table.read_text() + "ENSG00000000003\tENSDARG00000000001\tortholog_one2one\n")
    again = add_orthologs("biomart", table)
    assert (again.status, again.version, _names(ln)) == ("revised", "2", [KEY, KEY])
    assert len(known_orthologs().between("human", "zebrafish")) == 2


def test_a_dry_run_registers_nothing(workspace: Workspace, ln: Any, table: Path) -> None:
    assert add_orthologs("biomart", table, dry_run=True).status == "planned"
    assert (_names(ln), known_orthologs()) == ([], shipped_orthologs())


def test_the_command_prints_json_or_a_table(
    workspace: Workspace, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("biomart", table, json=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["key"], printed["types"]["1:1"], printed["organisms"]) == (
        KEY,
        1,
        ["NCBITaxon:7955", "NCBITaxon:9606"],
    )
    assert command("biomart", table, dry_run=True) == 0
    assert "edges 1:1" in capsys.readouterr().out


def test_the_command_line_reads_the_signature(workspace: Workspace, table: Path) -> None:
    from cyclopts import App

    app = App(name="references", result_action="return_value")
    app.command(command, name="add-orthologs")
    words = ["add-orthologs", "biomart", str(table), "--release", "115", "--dry-run", "--json"]
    assert app(words, exit_on_error=False) == 0


def test_cross_references_are_two_columns(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("id\tgene_id\nHGNC:11998\tENSG00000141510\nHGNC:1\t\n")
    assert read_pairs(path) == {"HGNC:11998": "ENSG00000141510"}
    path.write_text("id\tgene_id\nHGNC:1\tA\nHGNC:1\tB\n")
    with pytest.raises(SchemaError, match=r"1 ids of .* have two gene ids \(first: 'HGNC:1'\)"):
        read_pairs(path)
    path.write_text("id\nHGNC:1\n")
    with pytest.raises(SchemaError, match="has one column"):
        read_pairs(path)
