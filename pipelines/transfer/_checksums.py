"""Checksums of many kinds in one pass."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Protocol

from blake3 import blake3

from ...errors import InputError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CHUNK = 2**20
LENGTHS = {"md5": 32, "crc32c": 8, "sha1": 40, "sha256": 64}
"""Hexadecimal digits by algorithm."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


def parse(checksum: str) -> tuple[str, str]:
    """Split ``md5:0cc1…``.

    Raises
    ------
    InputError
        If it is no checksum of an algorithm that is known.
    """
    algorithm, _, digits = checksum.strip().lower().partition(":")
    right = len(digits) == LENGTHS.get(algorithm) and set(digits) <= set("0123456789abcdef")
    if not right:
        msg = f"{checksum!r} is no checksum. Use one of {', '.join(LENGTHS)}, a colon and hexadecimal."
        raise InputError(msg, {"checksum": checksum})
    return algorithm, digits


def from_base64(algorithm: str, text: str) -> str:
    """Write a checksum as Google does (base64) as we do."""
    return f"{algorithm}:{base64.b64decode(text).hex()}"


class Digests:
    """BLAKE3, and what else is to be compared, of bytes that come in pieces."""

    def __init__(self, checksums: Iterable[str] = ()) -> None:
        self.expect(checksums)

    def expect(self, checksums: Iterable[str]) -> None:
        """Say what will be compared, and begin again."""
        self._algorithms = {parse(checksum)[0] for checksum in checksums}
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self._blake3 = blake3()
        self._others: dict[str, _Hash] = {name: _new(name) for name in sorted(self._algorithms)}

    def update(self, chunk: bytes) -> None:
        """Take more bytes."""
        self._blake3.update(chunk)
        for hash_ in self._others.values():
            hash_.update(chunk)

    def read(self, path: Path) -> None:
        """Take the bytes of a file."""
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                self.update(chunk)

    @property
    def content_hash(self) -> str:
        """BLAKE3 in hexadecimal."""
        return str(self._blake3.hexdigest())

    def check(self, checksums: Iterable[str], url: str) -> None:
        """Compare with what is expected.

        Raises
        ------
        IntegrityError
            If one differs.
        """
        for checksum in checksums:
            algorithm, expected = parse(checksum)
            found = self._others[algorithm].digest().hex()
            if found != expected:
                raise mismatch(url, algorithm, expected, found)


def mismatch(url: str, what: str, expected: object, found: object) -> IntegrityError:
    """Error for bytes that are not those that were stated."""
    msg = (
        f"{url} is not what its publisher states: {what} {expected} expected, {found} found. "
        "It is not used. Run the command again; if it stays so, ask the publisher."
    )
    details = {"url": url, "what": what, "expected": expected, "found": found}
    return IntegrityError(msg, details)


def _new(algorithm: str) -> _Hash:
    if algorithm == "crc32c":
        import google_crc32c

        return google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    return hashlib.new(algorithm, usedforsecurity=False)
