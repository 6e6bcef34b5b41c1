"""One dataset of a source, curated: what runs in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..curation import curate
from .sources import get_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..curation import Curated, CurationOptions, Memory
    from .sources import SourceDataset


def curate_one(
    dataset: SourceDataset,
    paths: Sequence[Path],
    out: Path,
    *,
    source_hash: str,
    options: CurationOptions,
    memory: Memory,
    memory_version: str,
    progress: Callable[[int, int], None] | None = None,
) -> Curated:
    """Open the files of a dataset and curate them, see `curate`."""
    return curate(
        get_source(dataset.source).open(dataset, paths),
        out,
        dataset=dataset.key,
        source_hash=source_hash,
        options=options,
        memory=memory,
        memory_version=memory_version,
        progress=progress,
    )
