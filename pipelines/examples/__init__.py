"""Small generated files, laid out and spelt as each source publishes them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._local import write_examples

if TYPE_CHECKING:
    from pathlib import Path

MIRRORS = ("cellxgene", "tahoe", "scbasecount", "devatlas")
"""Sources of which there is a small copy."""

__all__ = ["MIRRORS", "write_examples", "write_mirrors"]


def write_mirrors(folder: Path) -> dict[str, Path]:
    """Write a small copy of every source in `MIRRORS`, unless it is there.

    Returns
    -------
    By name of the source: the folder to pass as the place of its mirror.
    """
    places = {}
    for name in MIRRORS:
        places[name] = folder / name
        done = folder / f"{name}.done"
        if not done.exists():
            module = import_module(f"{__package__}._{name}")
            getattr(module, f"write_{name}")(places[name])
            done.touch()
    return places
