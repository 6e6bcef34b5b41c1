"""Results of packing, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from ._pack import Packed


def packed_view(packed: Packed, *, dry_run: bool) -> RenderableType:
    """Say what was packed, or would be."""
    about = "about " if dry_run else ""
    rest = packed.n_shards - packed.n_written
    return Text(
        f"{packed.name}@{packed.version} {'would be' if dry_run else 'is'} packed ({packed.codec}) in "
        f"{packed.folder}: {packed.n_cells:,} cells in {packed.n_shards:,} shards, {about}"
        f"{size(packed.n_bytes)}; {packed.n_written:,} written, {rest:,} used again"
    )


def verified_view(folder: Path, found: dict[str, Any]) -> RenderableType:
    """Say what is whole."""
    return Text(
        f"{folder} is whole: {found['n_cells']:,} cells, {found['n_values']:,} values in "
        f"{found['n_shards']:,} shards, {size(found['n_bytes'])}"
    )


def size(n_bytes: float) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> size(1_234_000_000)
    '1.2 GB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.1f} {unit}" if unit != "B" else f"{n_bytes:.0f} B"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} TB"
