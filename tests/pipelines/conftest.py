"""A real registry per worker process, put back to its beginning after every test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corpuscle.pipelines import Workspace


@pytest.fixture(scope="session")
def _fresh(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, Path]]:
    from corpuscle.pipelines import init

    workspace = init(home).workspace
    from django.db import connections

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
