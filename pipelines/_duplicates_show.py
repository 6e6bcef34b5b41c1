"""Duplicates as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from ._show import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from ._revisions import Revision

SHOWN = 50
"""Pairs that people get to see; ``--json`` has all."""


def duplicates_view(found: Mapping[str, Any]) -> RenderableType:
    """Show pairs with shares, and datasets with cells that nobody can compare or has left out.

    Parameters
    ----------
    found
        See `Duplicates.to_dict`.
    """
    parts: list[RenderableType] = []
    if found["pairs"]:
        rows = [
            (
                pair["a"],
                pair["b"],
                pair["n_a"],
                _percent(pair["share_a"]),
                _percent(pair["share_b"]),
                pair["how"],
            )
            for pair in found["pairs"][:SHOWN]
        ]
        columns = ("dataset", "repeats", "cells", "of dataset", "of other", "how")
        parts.append(table("The same cells twice", columns, rows, numeric=columns[3:5]))
        if (more := len(found["pairs"]) - SHOWN) > 0:
            parts.append(Text(f"… and {more:,} pairs more, see --json"))
    else:
        parts.append(Text("no two datasets have cells in common"))
    notable = [dataset for dataset in found["datasets"] if any(dataset[key] for key in COUNTS)]
    if notable:
        rows = [(d["key"], d["n_cells"], *(d[key] for key in COUNTS)) for d in notable]
        parts.append(table("Cells", ("dataset", "cells", *COUNTS.values()), rows))
    if old := [dataset["key"] for dataset in found["datasets"] if not dataset["compared"]]:
        parts.append(
            Text(
                f"{len(old):,} datasets were curated before cells had fingerprints and are not "
                f"compared (first: {old[0]}): ingest them again",
                style="yellow",
            )
        )
    if found["policy"] != "flag":
        parts.append(Text(f"{found['n_excluded']:,} cells are left out by {found['policy']}"))
    elif found["pairs"]:
        parts.append(
            Text("all are kept; leave copies out: corpuscle collect NAME --duplicates drop")
        )
    return Group(*parts)


COUNTS = {
    "n_repeated": "repeated in itself",
    "n_shallow": "too shallow",
    "n_non_primary": "not primary",
    "n_unmatched": "of those without copy",
    "n_excluded": "left out",
}


def revisions_view(revisions: Sequence[Revision]) -> RenderableType:
    """Show how many cells of each dataset are those of the version before."""
    if not revisions:
        return Text("no dataset has more than one version")
    rows = [
        (
            f"{r.key}@{r.version}",
            r.before,
            "unknown" if r.pair is None else f"{r.pair.n_b:,}",
            "" if r.pair is None else _percent(r.pair.share_b),
            "" if r.pair is None else _percent(r.pair.share_a),
        )
        for r in revisions
    ]
    columns = ("dataset", "version before", "same cells", "of this", "of the one before")
    return table("Revisions", columns, rows, numeric=columns[2:])


def _percent(share: float) -> str:
    """Write a share so that 100 % means all."""
    return "100%" if share == 1 else f"{min(100 * share, 99.9):.1f}%"
