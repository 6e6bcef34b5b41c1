"""What is asked of a transfer, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._names import public_url

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file that somebody publishes."""

    url: str
    """``https://``, ``http://``, ``s3://``, ``gs://``, ``file://`` or a local path.

    May be signed: show and store `public_url` of it.
    """
    name: str = ""
    """Its file name here, made safe; the last part of the URL by default."""
    size: int | None = None
    """Bytes that the publisher states."""
    checksum: str | None = None
    """``md5:``, ``crc32c:``, ``sha1:`` or ``sha256:`` and hexadecimal, that the publisher states."""

    def __repr__(self) -> str:
        facts = "".join(
            f", {name}={value!r}"
            for name in ("name", "size", "checksum")
            if (value := getattr(self, name)) not in {"", None}
        )
        return f"RemoteFile(url={public_url(self.url)!r}{facts})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What a server tells of a file."""

    url: str
    """Without user names, passwords and signatures."""
    size: int | None
    """Bytes."""
    version: str
    """Differs when the content does: ETag, generation, or time and size. Empty if nothing is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that is here."""

    path: Path
    """In the cache, or where it was if it is local. Not to be written to."""
    file: RemoteFile
    """What was asked for."""
    size: int
    """Bytes."""
    version: str
    """As in `Stat`."""
    hash: str
    """BLAKE3 as `corpuscle.curation.content_hash` computes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """What rarely needs another value."""

    attempts: int = 8
    """Attempts in a row that bring no new byte."""
    wait_s: float = 0.5
    """Wait after the first of them; it doubles."""
    wait_max_s: float = 30.0
    """Longest wait that is not asked for by the server."""
    connect_s: float = 15.0
    """Wait for a connection."""
    read_s: float = 60.0
    """Wait for the next bytes."""
    max_redirects: int = 5
    """Redirects that are followed."""
    verify_cached: bool = False
    """Whether files of the cache are hashed again before they are handed out."""
    gcs_project: str = ""
    """Google Cloud project that pays for reading buckets whose owners do not."""
    s3_requester_pays: bool = False
    """Whether the AWS account of the credentials pays for reading such buckets."""
