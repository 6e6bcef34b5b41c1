"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from blake3 import blake3

from ..errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


HASHED = 2**24
"""Bytes hashed at a time."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name in the folder of `path`; the file gets its own name when it is whole.

    On any error the temporary file is removed and `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file atomically."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def content_hash(path: Path) -> str:
    """Hash a file, or a folder's files with their relative names.

    Returns
    -------
    BLAKE3 in hexadecimal.

    Raises
    ------
    NotFoundError
        If there is nothing at `path`.
    """
    if not path.exists():
        msg = f"There is no file or folder {path}. Check the path."
        raise NotFoundError(msg, {"file": str(path)})
    if path.is_file():
        return _hash_file(path)
    total = blake3()
    for part in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(os.fsencode(f"{part.relative_to(path).as_posix()}\0{_hash_file(part)}\n"))
    return total.hexdigest()


def _hash_file(path: Path) -> str:
    digest = blake3(max_threads=blake3.AUTO)
    with path.open("rb") as file:  # a mapped file would count as memory, all of it
        while block := file.read(HASHED):
            digest.update(block)
    return digest.hexdigest()
