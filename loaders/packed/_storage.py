"""Where the files of a packed corpus are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import InputError
from ._format import MANIFEST, Manifest, ShardEntry
from ._shard import Shard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

__all__ = ["OpenShard", "Storage", "open_storage"]


class OpenShard(Shard):
    """A shard of which parts of the rows can be read."""

    def read_rows(self, begins: list[int], ends: list[int]) -> list[npt.NDArray[np.uint8]]:
        """Give parts of the rows, each from a place in them to another."""
        rows = self.section("rows")
        return [rows[begin:end] for begin, end in zip(begins, ends, strict=True)]


class Storage(Protocol):
    """A folder, here or elsewhere. Pickled as its path."""

    path: str

    def read_manifest(self) -> Manifest:
        """Read and check the manifest."""
        raise NotImplementedError

    def open_shards(
        self, entries: Sequence[ShardEntry], sections: Sequence[str]
    ) -> list[OpenShard]:
        """Open shards, and make some sections ready."""
        raise NotImplementedError


class _Folder:
    """A folder of this machine."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read_manifest(self) -> Manifest:
        """Read and check the manifest."""
        return Manifest.read(Path(self.path) / MANIFEST)

    def open_shards(
        self, entries: Sequence[ShardEntry], sections: Sequence[str]
    ) -> list[OpenShard]:
        """Map shards."""
        del sections
        return [OpenShard.open(Path(self.path) / entry.file, entry) for entry in entries]


def open_storage(path: str, options: Mapping[str, Any]) -> Storage:
    """Find out what kind of place a path is."""
    if "://" in path:
        from ._remote import RemoteFolder

        return RemoteFolder(path, options)
    if options:
        msg = f"{path} is a folder of this machine, which takes no {sorted(options)[0]!r}."
        raise InputError(msg, {"options": sorted(options)})
    return _Folder(path)
