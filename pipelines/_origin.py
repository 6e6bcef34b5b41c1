"""What a collection owes to a recipe: its datasets, its splits, its lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..curation import versions
from ._registrar import NewFile
from ._splits import counts, n_overlapping, split_table, splits_key, write_splits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ._memory import MemoryVersion
    from .recipes import Recipe

RECIPES = "recipes/"
"""Prefix of the keys of recipes."""
PACKAGES = ("anndata", "h5py", "lamindb", "numpy", "pandas", "pyarrow", "scipy", "zarr")
"""Whose versions are kept with a collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A recipe, and the datasets that it came to."""

    recipe: Recipe
    uids: Sequence[str]
    memory: MemoryVersion

    @property
    def splits(self) -> dict[str, Any] | None:
        """How the collection is to be divided."""
        rule = self.recipe.splits
        return None if rule is None else rule.model_dump(mode="json")

    def prepare(
        self, name: str, artifacts: Sequence[Any], folder: Path, copies: Path
    ) -> tuple[list[NewFile], list[NewFile], dict[str, Any]]:
        """Write what is registered with the collection into a staging folder.

        Returns
        -------
        Files that its run read, files that it wrote, and its params.
        """
        staged = folder / "recipe.yaml"
        staged.write_bytes(self.recipe.text.encode())
        recipe = NewFile(
            key=f"{RECIPES}{name}.yaml",
            staged=staged,
            suffix=".yaml",
            description=f"Recipe of {name}",
            kind="recipe",
        )
        params: dict[str, Any] = {
            "recipe": {
                "hash": self.recipe.hash,
                "notes": self.recipe.notes,
                "memory": {"version": self.memory.version, "uid": self.memory.uid},
                "versions": {**versions(), **_packages()},
            }
        }
        if (rule := self.splits) is None:
            return [recipe], [], params
        table, path = split_table(artifacts, rule), folder / "splits.parquet"
        write_splits(table, path)
        params["splits"] = {
            "rule": rule,
            "n_rows": counts(table, rule),
            "n_overlapping": n_overlapping(artifacts, table, rule, copies),
        }
        splits = NewFile(
            key=splits_key(name),
            staged=path,
            suffix=".parquet",
            description=f"Splits of {name} by {rule['by']}",
            kind="splits",
        )
        return [recipe], [splits], params


def _packages() -> dict[str, str]:
    from importlib.metadata import version

    return {f"package:{name}": version(name) for name in PACKAGES}
