"""Files that are here already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...curation import content_hash
from ._checksums import Digests, mismatch
from ._errors import not_found
from ._names import local_path
from ._values import Fetched, Stat

if TYPE_CHECKING:
    from pathlib import Path

    from ._values import RemoteFile


def stat(url: str) -> Stat:
    """Describe a file.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    path = local_path(url)
    if not path.is_file():
        raise not_found(url)
    return _stat(path)


def list_files(url: str) -> list[Stat]:
    """Describe the files of a folder and of all below it, sorted by path."""
    path = local_path(url)
    if path.is_file():
        return [_stat(path)]
    if not path.is_dir():
        raise not_found(url)
    return [_stat(found) for found in sorted(path.rglob("*")) if found.is_file()]


def fetch(file: RemoteFile) -> Fetched:
    """Take a file as it is.

    Raises
    ------
    NotFoundError
        If there is none.
    IntegrityError
        If it is not what is stated.
    """
    found = stat(file.url)
    path = local_path(file.url)
    if file.size is not None and file.size != found.size:
        raise mismatch(file.url, "size", file.size, found.size)
    if file.checksum:
        digests = Digests([file.checksum])
        digests.read(path)
        digests.check([file.checksum], file.url)
        hash_ = digests.content_hash
    else:
        hash_ = content_hash(path)
    return Fetched(path=path, file=file, size=found.size or 0, version=found.version, hash=hash_)


def _stat(path: Path) -> Stat:
    facts = path.stat()
    return Stat(url=str(path), size=facts.st_size, version=f"{facts.st_mtime_ns}-{facts.st_size}")
