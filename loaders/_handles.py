"""Open files: few at a time, and never shared between processes."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Handles", "open_local"]


def open_local(path: str) -> tuple[Any, Any]:
    """Open an h5ad file or a zarr store for reading.

    Returns
    -------
    The connection below the store (always None here), and the store.

    Raises
    ------
    NotFoundError
        If there is nothing at `path`.
    """
    where = Path(path)
    if where.is_dir():
        import zarr

        return None, zarr.open_group(where, mode="r")
    if not where.exists():
        msg = f"There is no file {path}. Fetch the dataset, or correct its path in the manifest."
        raise NotFoundError(msg, {"path": path})
    import h5py

    return None, h5py.File(where, "r")


class Handles:
    """Stores by number, opened when they are first used.

    A forked process finds its parent's HDF5 handles in its memory. They are closed there and opened
    anew, as two processes on one handle read each other's bytes. Pickling leaves handles behind.
    Not safe for use by several threads.

    Parameters
    ----------
    paths
        One h5ad file or zarr store each.
    opener
        Takes a path, gives (connection or None, store). A module-level function, for pickling.
    max_open
        Files open at once; the one used longest ago is closed first. None for 128, or a quarter of
        what the process may open if that is less.
    """

    def __init__(
        self,
        paths: Sequence[Any],
        *,
        opener: Callable[[Any], tuple[Any, Any]] = open_local,
        max_open: int | None = None,
    ) -> None:
        self.paths = list(paths)
        self.closed = False
        self._opener = opener
        self._max_open = max_open or _files_allowed()
        self._open: dict[int, tuple[Any, Any]] = {}
        self._parts: dict[int, dict[str, Any]] = {}
        self._pid = os.getpid()

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Any:
        if self.closed:
            msg = f"{self.paths[index]} was closed. Make a new object to read it again."
            raise ValueError(msg)
        if self._pid != os.getpid():
            self.release()
        pair = self._open.pop(int(index), None)
        if pair is None:
            if len(self._open) >= self._max_open:
                oldest = next(iter(self._open))
                self._parts.pop(oldest, None)
                _shut(self._open.pop(oldest))
            pair = self._opener(self.paths[index])
        self._open[int(index)] = pair
        return pair[1]

    def part(self, index: int, key: str) -> Any:
        """Give a group or array of a store; it is looked up once as long as the store is open."""
        store, index = self[index], int(index)
        found = self._parts.setdefault(index, {})
        if key not in found:
            found[key] = store[key]
        return found[key]

    @property
    def n_open(self) -> int:
        """Files that this process holds open."""
        return len(self._open)

    def release(self) -> None:
        """Close every file; they are opened again when needed."""
        self._parts.clear()
        while self._open:
            _shut(self._open.popitem()[1])
        self._pid = os.getpid()

    def close(self) -> None:
        """Close every file for good."""
        self.release()
        self.closed = True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}, "_parts": {}}


def _files_allowed() -> int:
    return max(1, min(128, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))


def _shut(pair: tuple[Any, Any]) -> None:
    for part in reversed(pair):
        if hasattr(part, "close"):
            part.close()
