from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import ConflictError, InputError, NotFoundError
from corpuscle.ontologies import ORGANISMS, ontology
from corpuscle.pipelines import connect, find_workspace, init

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process without the settings of this one."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LAMIN", "CORPUSCLE"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("registry", "prefix"),
    [("CellType", "CL"), ("Tissue", "UBERON"), ("Disease", "MONDO"), ("ExperimentalFactor", "EFO")],
)
def test_every_current_term_is_registered(
    bt: Any, workspace: Workspace, registry: str, prefix: str
) -> None:
    found = set(getattr(bt, registry).filter().values_list("ontology_id", flat=True))
    assert found == set(ontology(prefix).table()["ontology_id"])


def test_the_sexes_and_both_stage_ontologies_and_all_organisms_are_registered(
    bt: Any,
    workspace: Workspace,
) -> None:
    sexes = bt.Phenotype.filter(ontology_id__startswith="PATO:").values_list("name", flat=True)
    assert set(sexes) == {"female", "male", "hermaphrodite", "normal"}
    stages = bt.DevelopmentalStage
    for prefix in ("HsapDv", "MmusDv"):
        terms = len(ontology(prefix).table())
        assert stages.filter(ontology_id__startswith=prefix).count() == terms
    taxa = bt.Organism.filter().values_list("ontology_id", flat=True)
    assert sorted(taxa) == sorted(organism.taxon_id for organism in ORGANISMS)


def test_bionty_itself_validates_standardises_and_walks_the_hierarchy_offline(
    bt: Any,
    workspace: Workspace,
) -> None:
    assert bt.CellType.validate(["T cell", "no such cell"]).tolist() == [True, False]
    assert bt.CellType.standardize(["T-cell"]) == ["T cell"]
    t_cell = bt.CellType.get(ontology_id="CL:0000084")
    assert "CL:0000542" in set(t_cell.parents.all().values_list("ontology_id", flat=True))
    source = bt.Source.get(entity="bionty.CellType", currently_used=True)
    assert source.version == t_cell.source.version


def test_a_second_init_changes_nothing(bt: Any, workspace: Workspace) -> None:
    before = bt.CellType.filter().count()
    again = init(workspace.folder)
    assert not again.created
    assert bt.CellType.filter().count() == before


def test_nothing_of_init_or_ingest_reaches_for_a_network(tmp_path: Path) -> None:
    code = f"""
import socket
def refuse(*a, **k):
    raise AssertionError(f"network: {{a}}")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
import numpy as np, anndata as ad
from corpuscle.ontologies import gene_table
from corpuscle.pipelines import init, ingest, collect
init({str(tmp_path / "w")!r})
genes = gene_table("mouse").index[:200]
adata = ad.AnnData(np.arange(1000, dtype=np.float32).reshape(5, 200))
adata.var_names = genes
adata.write_h5ad({str(tmp_path / "a.h5ad")!r})
print([o.status for o in ingest([{str(tmp_path / "a.h5ad")!r}])], collect("c").version)
"""
    done = run_python(code, CORPUSCLE_CACHE=str(tmp_path / "cache"))
    assert done.stdout.strip() == "['new'] 1", done.stderr


def test_nothing_is_left_in_the_working_folder_or_home(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "home").mkdir()
    code = f"""
import os
os.chdir({str(tmp_path / "here")!r})
from corpuscle.pipelines import init
init({str(tmp_path / "w")!r})
"""
    done = run_python(code, HOME=str(tmp_path / "home"), CORPUSCLE_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "here").iterdir()) == []
    assert list((tmp_path / "home").iterdir()) == []


def test_the_cached_seed_is_used_and_gives_the_same_registries(tmp_path: Path) -> None:
    def tables(folder: Path) -> dict[str, list[tuple[object, ...]]]:
        database = sqlite3.connect(folder / "storage" / ".lamindb" / "lamin.db")
        columns = {
            "bionty_celltype": "id, ontology_id, name, synonyms, source_id",
            "bionty_tissue_parents": "from_tissue_id, to_tissue_id",
            "bionty_source": "id, entity, name, version, currently_used",
        }
        return {
            table: sorted(database.execute(f"SELECT {names} FROM {table}"), key=repr)
            for table, names in columns.items()
        }

    code = "from corpuscle.pipelines import init; init({!r})"
    cache = tmp_path / "cache"
    for name in ("first", "second", "third"):
        if name == "third":  # a damaged cache is made anew
            next(cache.iterdir()).write_bytes(b"no database")
        done = run_python(code.format(str(tmp_path / name)), CORPUSCLE_CACHE=str(cache))
        assert done.returncode == 0, done.stderr
        assert len(list(cache.iterdir())) == 1
    assert tables(tmp_path / "first") == tables(tmp_path / "second") == tables(tmp_path / "third")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"storage": "s3://bucket"}, "must be a folder on this machine"),
        ({"db": "mysql://u:secret@h/d"}, "must be a URL postgresql"),
    ],
)
def test_what_cannot_be_a_storage_or_database_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        init(tmp_path, **options)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_is_found_from_inside_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CORPUSCLE_HOME")
    monkeypatch.chdir(workspace.folder / "storage")
    assert find_workspace() == workspace


def test_no_workspace_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORPUSCLE_HOME", raising=False)
    with pytest.raises(NotFoundError, match="corpuscle init"):
        find_workspace(tmp_path)


def test_one_process_connects_to_one_registry(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / ".corpuscle").mkdir()
    (tmp_path / ".corpuscle" / "ready").touch()
    with pytest.raises(ConflictError, match="one process, one registry"):
        connect(tmp_path)
    assert connect() == workspace


def test_init_on_the_command_line_tells_where_it_is(
    corpuscle: Callable[..., Done], workspace: Workspace
) -> None:
    done = corpuscle("init", workspace.folder, "--json")
    assert (done.code, done.json) == (0, {"folder": str(workspace.folder), "created": False})
    assert "nothing changed" in corpuscle("init", workspace.folder).out


@pytest.mark.slow
@pytest.mark.xdist_group("postgres")
def test_a_registry_lives_in_postgresql_too(
    tmp_path: Path, postgres_home: tuple[Path, dict[str, str]]
) -> None:
    home, _ = postgres_home
    code = f"""
import numpy as np, anndata as ad
from corpuscle.ontologies import gene_table
from corpuscle.pipelines import connect, ingest, collect, status
connect({str(home)!r})
from django.db import connection
adata = ad.AnnData(np.arange(1000, dtype=np.float32).reshape(5, 200))
adata.var_names = gene_table("mouse").index[:200]
adata.write_h5ad({str(tmp_path / "a.h5ad")!r})
(outcome,) = ingest([{str(tmp_path / "a.h5ad")!r}])
adata.X[0, 0] = 7
adata.write_h5ad({str(tmp_path / "a.h5ad")!r})
(second,) = ingest([{str(tmp_path / "a.h5ad")!r}])
import bionty
print(connection.vendor, outcome.status, second.status, second.version, collect("c").version,
      bionty.CellType.objects.count(), bionty.Gene.objects.filter(organism__name="mouse").count())
"""
    done = run_python(code, CORPUSCLE_CACHE=str(tmp_path / "cache"))
    genes = len(__import__("corpuscle.ontologies").ontologies.gene_table("mouse"))
    cells = len(ontology("CL").table())
    assert done.stdout.split() == [
        "postgresql",
        "new",
        "revised",
        "2",
        "1",
        str(cells),
        str(genes),
    ], done.stderr
