"""Names and labels of real files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _read(folder: Path, name: str, find: Callable[[Any], Any]) -> list[str]:
    import h5py

    with h5py.File(folder / "real" / "h5ad" / f"{name}.h5ad") as file:
        return [str(value) for value in find(file).asstr()[:]]


@pytest.fixture(scope="session")
def real_features(real_data: Path) -> Callable[[str], list[str]]:
    """Read the feature names of a real file."""
    return lambda name: _read(
        real_data, name, lambda file: file["var"][file["var"].attrs["_index"]]
    )


@pytest.fixture(scope="session")
def real_labels(real_data: Path) -> Callable[[str, str], list[str]]:
    """Read the categories of an `obs` column of a real file."""
    return lambda name, column: _read(
        real_data, name, lambda file: file["obs"][column]["categories"]
    )
