"""Files on their way into the storage."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ..curation import copy_file

if TYPE_CHECKING:
    from collections.abc import Iterator


def storage_root() -> Path:
    """Folder of the default storage."""
    import lamindb

    return Path(str(lamindb.settings.storage.root))


@contextlib.contextmanager
def staging() -> Iterator[Path]:
    """Give a folder for files that are going to be registered, on the storage's file system.

    It is removed in the end, with whatever was not registered; so are those of processes of this
    machine that were killed.
    """
    place = storage_root() / ".lamindb" / "staging"
    place.mkdir(parents=True, exist_ok=True)
    host = platform.node()
    for left in place.glob(f"{host}-*"):
        if not psutil.pid_exists(int(left.name.rpartition("-")[2].partition(".")[0])):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{host}-{os.getpid()}.", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        copy_file(source, target)


def file_facts(path: Path) -> tuple[int, str, str, int | None]:
    """Size, hash, kind of hash and number of files, as LaminDB counts them."""
    from lamindb_setup.core.hashing import hash_dir, hash_file

    if path.is_dir():
        size, digest, kind, n_files = hash_dir(path)
        return int(size), str(digest), str(kind), int(n_files)
    size, digest, kind = hash_file(path)
    return int(size), str(digest), str(kind), None
