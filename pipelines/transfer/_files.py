"""What can be fetched, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file somewhere."""

    url: str
    """``https://``, ``http://``, ``s3://``, ``gs://``, ``file://`` or a local path."""
    name: str = ""
    """Its name here; the last part of the URL by default."""
    size: int | None = None
    """Bytes, as the publisher states."""
    checksum: str | None = None
    """``md5:…``, ``sha1:…``, ``sha256:…`` or ``crc32c:…`` in hexadecimal, as the publisher states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What a server says of a file."""

    url: str
    size: int | None
    version: str
    """Another one when the content is another; empty if the server tells nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that is here."""

    path: Path
    file: RemoteFile
    size: int
    version: str
    """See `Stat`."""
    hash: str
    """BLAKE3 of the content."""
