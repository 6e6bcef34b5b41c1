"""One file from its server into a part file, through cuts, changes and lies."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...errors import CorpuscleError, IntegrityError, TransferError
from ._checksums import mismatch
from ._errors import Changed, Retry, Stopped, check_encoding, of_status
from ._part import Note

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    import httpx

    from ._checksums import Digests
    from ._http import Http
    from ._part import Part
    from ._patience import Patience
    from ._stores import Found, Request, Store
    from ._values import RemoteFile

CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
CUSTOM_KEYS = {"aws:kms", "aws:kms:dsse"}
"""Encryption with which an ETag of S3 is no MD5."""


@dataclass(slots=True, kw_only=True)
class Download:
    """What one download needs to know."""

    file: RemoteFile
    found: Found
    """What the store says of the file."""
    store: Store
    http: Http
    part: Part
    digests: Digests
    """Of the bytes of `part`."""
    max_bytes: int
    stop: threading.Event
    tick: Callable[[int], None]
    """Told the number of bytes that are here."""

    def run(self, patience: Patience) -> Note:
        """Bring all bytes and check them.

        Raises
        ------
        TransferError, NotFoundError
            If the server does not give them.
        IntegrityError
            If they are not what is stated.
        """
        self.digests.expect(self._checksums)
        self.part.take_up(self.found.stat.version)
        resumed = self.part.size > 0
        try:
            note = patience.spend(self._shown, self._attempt, reached=lambda: self.part.size)
            self._check_size(self.part.size)
            self.digests.check(self._checksums, self._shown)
        except IntegrityError:
            self.part.remove()
            if resumed:  # what an earlier process left may be what is wrong
                return self.run(patience)
            raise
        finally:
            self.part.close()
        self.part.finish()
        return note

    @property
    def _shown(self) -> str:
        return self.found.stat.url

    def _attempt(self) -> Note:
        """Ask for what is missing."""
        part = self.part
        self.tick(part.size)
        if part.note is None or part.size != part.note.size:
            version = part.note.version if part.note else self.found.stat.version
            request = self.store.request(self.file.url, version)
            try:
                headers = dict(request.headers)
                if part.size and request.resume is not None:
                    headers |= {"Range": f"bytes={part.size}-", **request.resume}
                self.http.ask(
                    request.url, lambda answer: self._take(answer, request), headers=headers
                )
            except Changed:
                part.remove()
                self.found = self.store.find(self.file.url)
                self.digests.expect(self._checksums)
                raise
            except OSError as error:
                if isinstance(error, CorpuscleError):
                    raise
                raise self._not_written(error) from error
        note = part.note or Note(url=self._shown, version="", size=None)
        if note.size is not None and part.size < note.size:
            msg = f"the answer ended after {part.size:,} of {note.size:,} bytes"
            raise Retry(msg)
        return note

    def _take(self, answer: httpx.Response, request: Request) -> None:
        """Check what an answer says of itself, then write its bytes."""
        headers, part = answer.headers, self.part
        if error := of_status(answer.status_code, self._shown, self.store.scheme, headers):
            raise error
        check_encoding(headers, self._shown)
        told = self.store.version_of(headers)
        if request.pinned and told not in {"", request.pinned}:
            msg = "the file changed"
            raise Changed(msg)
        version = told or request.pinned
        if headers.get("x-amz-server-side-encryption") in CUSTOM_KEYS:
            self.found = replace(self.found, checksums=())
        if answer.status_code == 206:
            self._check_range(headers, version)
        else:
            part.begin(Note(url=self._shown, version=version, size=self._size(headers, version)))
        size = part.note.size if part.note else None
        for chunk in answer.iter_raw():
            if self.stop.is_set():
                raise Stopped
            if size is not None and part.size + len(chunk) > size:
                msg = f"the answer is longer than the {size:,} bytes that were announced"
                raise Changed(msg)
            if part.size + len(chunk) > self.max_bytes:
                part.remove()
                raise self._too_large()
            part.write(chunk)
            self.tick(part.size)

    def _check_range(self, headers: Mapping[str, str], version: str) -> None:
        """Accept only the bytes that follow those that are here, of the same file."""
        note, text = self.part.note, headers.get("Content-Range", "")
        parts = CONTENT_RANGE.fullmatch(text)
        first, last, total = map(int, parts.groups()) if parts else (-1, -1, -1)
        length = headers.get("Content-Length", str(last - first + 1))
        right = (
            note is not None
            and first == self.part.size > 0
            and (note.size or total) == total
            and first <= last < total
            and length == str(last - first + 1)
            and version == note.version
        )
        if not right:
            msg = f"the answer is not the rest of the file (Content-Range {text!r})"
            raise Changed(msg)

    def _size(self, headers: Mapping[str, str], version: str) -> int | None:
        """Tell the size of an answer with the whole file, and compare it with what was said."""
        told, stated, before = headers.get("Content-Length", ""), self.file.size, None
        if version and version == self.found.stat.version:
            before = self.found.stat.size
        if told.isdecimal():
            size = int(told)
            self._check_size(size)
            if before not in {None, size}:
                msg = f"the server announces {before:,} bytes, then {size:,}"
                raise Changed(msg)
            return size
        known = stated if stated is not None else before
        chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        if known is None and not chunked and not self.file.checksum:
            msg = (
                f"{self._shown} is sent without its length: a part of it would look like the "
                "whole. Download it yourself and give its path."
            )
            raise TransferError(msg, {"url": self._shown})
        return known

    def _check_size(self, size: int) -> None:
        if size > self.max_bytes:
            raise self._too_large()
        if self.file.size not in {None, size}:
            raise mismatch(self._shown, "size", self.file.size, size)

    @property
    def _checksums(self) -> list[str]:
        return [*self.found.checksums, *([self.file.checksum] if self.file.checksum else [])]

    def _too_large(self) -> TransferError:
        msg = (
            f"{self._shown} is larger than {self.max_bytes:,} bytes, the most that is fetched. "
            "Check the URL, or raise CORPUSCLE_MAX_BYTES."
        )
        return TransferError(msg, {"url": self._shown, "max_bytes": self.max_bytes})

    def _not_written(self, error: OSError) -> TransferError:
        size, folder = self.part.size, self.part.path.parent
        msg = (
            f"{self._shown} cannot be written to {folder}: {error.strerror}, with {size:,} bytes "
            "there. Free some space, or name another folder in CORPUSCLE_CACHE; the same command "
            "goes on from there."
        )
        return TransferError(msg, {"url": self._shown, "size": size, "folder": str(folder)})
