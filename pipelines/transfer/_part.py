"""A file that is on its way: its bytes so far, and a note of what they are the beginning of."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

    from ._checksums import Digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the bytes are the beginning of."""

    url: str
    """Without secrets."""
    version: str
    size: int | None


class Part:
    """Bytes that survive a killed process, since each piece goes to the kernel at once."""

    def __init__(self, path: Path, digests: Digests) -> None:
        self.path = path
        self.size = 0
        self.note: Note | None = None
        self._digests = digests
        self._sidecar = path.with_suffix(".json")
        self._file: FileIO | None = None

    def left_over(self) -> int:
        """Bytes that an earlier process left."""
        return self.path.stat().st_size if self.path.exists() else 0

    def take_up(self, version: str) -> None:
        """Go on with what an earlier process left, if it is of this version."""
        try:
            note = Note(**json.loads(self._sidecar.read_bytes()))
            size = self.path.stat().st_size
        except (OSError, ValueError, TypeError):
            return
        if note.version == version != "" and (note.size is None or size <= note.size):
            os.utime(self.path)  # it is not stale any more
            self._digests.reset()
            self._digests.read(self.path)
            self.note, self.size = note, size

    def begin(self, note: Note) -> None:
        """Begin from zero."""
        self.close()
        self._digests.reset()
        self.size = 0
        self._file = self.path.open("wb", buffering=0)
        temporary = self._sidecar.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(note)))
        temporary.replace(self._sidecar)
        self.note = note

    def write(self, chunk: bytes) -> None:
        """Append."""
        if self._file is None:
            self._file = self.path.open("r+b", buffering=0)
            self._file.seek(self.size)
            self._file.truncate()
        while chunk:  # a full disk takes the first bytes of a piece
            written = self._file.write(chunk)
            self._digests.update(chunk[:written])
            self.size += written
            chunk = chunk[written:]

    def finish(self) -> None:
        """Bring the bytes to the disk."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the file and keep it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Throw it away."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._sidecar.unlink(missing_ok=True)
        self.size, self.note = 0, None
