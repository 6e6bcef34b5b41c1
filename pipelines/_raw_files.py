"""Files as they were given, in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ._registrar import NewFile
from ._staging import copy
from .sources._local import dataset_name
from .transfer import public_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .sources import SourceDataset
    from .transfer import Fetched

RAW = "raw/"
"""Prefix of their keys."""
REMOTE = frozenset({"http", "https", "s3", "gs"})
"""Schemes of files that are registered where they are."""


def raw_files(
    dataset: SourceDataset, fetched: Sequence[Fetched], folder: Path, *, n_cells: int
) -> list[NewFile]:
    """Describe the files of a dataset for the registry.

    What a publisher serves is registered where it is, with the hash of what was read. What lies on
    this machine is copied into the storage.

    Parameters
    ----------
    dataset
        The dataset.
    fetched
        Its files, the data first.
    folder
        Where copies are made.
    n_cells
        Cells in the data.
    """
    result = []
    for place, file in enumerate(fetched):
        url = public_url(file.file.url)
        is_remote = urlsplit(url).scheme in REMOTE
        staged = file.path
        if not is_remote:
            staged = folder / f"raw{place}"
            copy(file.path, staged)
        result.append(
            NewFile(
                key=_key(dataset, file, url if is_remote else None),
                staged=staged,
                at=url if is_remote else None,
                suffix=file.path.suffix,
                description=f"As given: {url if is_remote else file.path.name}",
                n_observations=n_cells if place == 0 else None,
            )
        )
    return result


def _key(dataset: SourceDataset, file: Fetched, url: str | None) -> str:
    if url is not None:
        parts = urlsplit(url)
        return f"{RAW}{parts.netloc}{parts.path}"
    if dataset.version:
        return f"{RAW}{dataset.key}/{file.path.name}"
    path = file.path
    is_own_name = dataset.key == dataset_name(path)
    return f"{RAW}{path.name}" if is_own_name else f"{RAW}{dataset.key}{path.suffix}"
