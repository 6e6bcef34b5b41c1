from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from corpuscle.pipelines.examples._cellxgene import write_cellxgene

from .cellxgene_mirror import Mirror

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.pipelines.examples._cells import Truth


@pytest.fixture(scope="session")
def cellxgene_example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Truth]]:
    folder = tmp_path_factory.mktemp("cellxgene")
    return folder, write_cellxgene(folder)


@pytest.fixture
def mirror(cellxgene_example: tuple[Path, dict[str, Truth]], tmp_path: Path) -> Mirror:
    """A copy of the example, to be changed."""
    folder = tmp_path / "mirror"
    shutil.copytree(cellxgene_example[0], folder)
    return Mirror(folder, tmp_path / "cache")
