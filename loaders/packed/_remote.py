"""Shards of object stores and web servers, read in ranges."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...errors import TransferError
from ._format import MANIFEST, Manifest, ShardEntry
from ._storage import OpenShard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["RemoteFolder"]

MAX_GAP = 32 * 2**10
"""Bytes that are read in vain rather than asking twice."""
MAX_RANGE = 8 * 2**20
"""Bytes of one request."""
ATTEMPTS = 4
AT_ONCE = 16
"""Shards that are opened at the same time."""
AWS_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE")


class RemoteFolder:
    """A folder behind a URL. Pickled as the URL; each process makes its own connections."""

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        self.path = path.rstrip("/")
        self._options = dict(options)
        self._connected: tuple[int, Any] | None = None

    def read_manifest(self) -> Manifest:
        """Read and check the manifest."""
        return Manifest.read(cast("Path", _RemoteFile(self, MANIFEST)))

    def open_shards(
        self, entries: Sequence[ShardEntry], sections: Sequence[str]
    ) -> list[OpenShard]:
        """Read the footers and some sections, of many shards at once."""

        def opened(entry: ShardEntry) -> OpenShard:
            place = _RemoteFile(self, entry.file)
            there = cast("npt.NDArray[np.uint8]", _RemoteBytes(place, entry.n_bytes))
            shard = _RemoteShard(cast("Path", place), entry, "first read", there)
            for name in sections:
                if name in shard.footer.sections:
                    shard.section(name)
            return shard

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(opened, entries))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connected": None}

    def files(self) -> Any:
        """Give the file system, which is of this process."""
        if self._connected is None or self._connected[0] != os.getpid():
            import fsspec

            scheme = self.path.split("://", 1)[0]
            options = dict(self._options)
            if scheme == "s3" and not any(os.environ.get(name) for name in AWS_VARIABLES):
                options.setdefault("anon", "key" not in options)
            if scheme == "gs" and not os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
                options.setdefault("token", "anon")
            made = fsspec.filesystem(scheme, skip_instance_cache=True, **options)
            self._connected = os.getpid(), made
        return self._connected[1]

    def fetch(self, file: str, begins: Sequence[int], ends: Sequence[int]) -> list[bytes]:
        """Read ranges of a file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        TransferError
            If a range does not come as asked, after several attempts.
        """
        url, found, problem = f"{self.path}/{file}", dict[int, bytes](), "no answer"
        for attempt in range(ATTEMPTS):
            left = [i for i in range(len(begins)) if i not in found]
            if not left:
                break
            if attempt:
                time.sleep(0.1 * 4**attempt)
            answers = self.files().cat_ranges(
                [url] * len(left),
                [begins[i] for i in left],
                [ends[i] for i in left],
                on_error="return",
            )
            for i, answer in zip(left, answers, strict=True):
                if isinstance(answer, FileNotFoundError):
                    raise answer
                if isinstance(answer, bytes) and len(answer) == ends[i] - begins[i]:
                    found[i] = answer
                else:
                    problem = _told(answer)
        if len(found) < len(begins):
            msg = (
                f"{url}: {len(begins) - len(found):,} of {len(begins):,} ranges did not come ({problem}). See that "
                "the server is up, serves ranges and lets you read; or fetch the folder and open it here."
            )
            raise TransferError(msg, {"url": url})
        return [found[i] for i in range(len(begins))]


class _RemoteFile:
    """As much of a path as is needed."""

    def __init__(self, folder: RemoteFolder, file: str) -> None:
        self.folder = folder
        self.file = file
        self.name = file.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.folder.path}/{self.file}"

    def read_bytes(self) -> bytes:
        """Read the whole file."""
        try:
            return cast("bytes", self.folder.files().cat_file(str(self)))
        except FileNotFoundError:
            raise
        except Exception as error:  # aiohttp, botocore, google.auth, requests …
            msg = f"{self} cannot be read ({_told(error)}). See that the URL is right and open to you."
            raise TransferError(msg, {"url": str(self)}) from error


class _RemoteBytes:
    """A file as if it were an array: parts are fetched when they are first asked for, and kept."""

    ctypes = SimpleNamespace(data=0)

    def __init__(self, place: _RemoteFile, n_bytes: int) -> None:
        self.place = place
        self._n_bytes = n_bytes
        self._held: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return self._n_bytes

    def __getitem__(self, part: slice) -> npt.NDArray[np.uint8]:
        begin, end, _ = part.indices(self._n_bytes)
        held = self._held.get((begin, end))
        if held is None:
            found = (
                self.place.folder.fetch(self.place.file, [begin], [end]) if end > begin else [b""]
            )
            held = self._held[begin, end] = np.frombuffer(found[0], np.uint8)
        return held


class _RemoteShard(OpenShard):
    """A shard whose rows are fetched when they are asked for."""

    def read_rows(self, begins: list[int], ends: list[int]) -> list[npt.NDArray[np.uint8]]:
        """Fetch parts of the rows, those near each other with one request."""
        place = cast("_RemoteFile", self.path)
        start = self.footer.sections["rows"].offset
        groups: list[list[int]] = []
        for i in sorted(range(len(begins)), key=begins.__getitem__):
            if groups and (
                begins[i] - ends[groups[-1][-1]] <= MAX_GAP
                and ends[i] - begins[groups[-1][0]] <= MAX_RANGE
            ):
                groups[-1].append(i)
            else:
                groups.append([i])
        parts = place.folder.fetch(
            place.file,
            [start + begins[group[0]] for group in groups],
            [start + ends[group[-1]] for group in groups],
        )
        found = {
            i: np.frombuffer(part, np.uint8)[begins[i] - begins[group[0]] :][: ends[i] - begins[i]]
            for group, part in zip(groups, parts, strict=True)
            for i in group
        }
        return [found[i] for i in range(len(begins))]


def _told(answer: object) -> str:
    if isinstance(answer, bytes):
        return f"{len(answer):,} bytes of another length came"
    return f"{type(answer).__name__}: {str(answer)[:200]}"
