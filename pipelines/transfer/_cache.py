"""Files that were fetched, shared by all processes of this user.

``index.sqlite`` says what is there, ``entries/KEY/NAME`` holds it, ``parts`` what is on its way,
``locks`` who writes, ``pins`` who reads.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3
from filelock import FileLock, Timeout

from ...curation import content_hash
from ...errors import IntegrityError, TransferError
from ._checksums import Digests, mismatch
from ._errors import Stopped

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from ._values import RemoteFile

TABLES = """
CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, name TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, hash TEXT NOT NULL, checksum TEXT NOT NULL, used REAL NOT NULL);
CREATE TABLE IF NOT EXISTS pin (key TEXT, session TEXT, PRIMARY KEY (key, session));
"""
BUSY_S = 60
"""Wait for another process that writes to the index."""
RESERVE = 256 * 2**20
"""Bytes of the disk that are left free."""
STALE_S = 7 * 86400
"""Age of a part that nobody goes on with any more."""
N_LOCKS = 4096
HELP = "Free some space, or name another folder in CORPUSCLE_CACHE."
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the cache."""

    path: Path
    size: int
    hash: str
    """BLAKE3."""
    checksum: str
    """Stated by the publisher, and found right."""


class Cache:
    """One folder."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        try:
            for name in ("entries", "parts", "locks", "pins"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"The cache {folder} cannot be written: {error.strerror}. {HELP}"
            raise TransferError(msg, {"folder": str(folder)}) from error
        with self._index() as index:
            index.executescript(TABLES)

    @contextlib.contextmanager
    def session(self) -> Iterator[str]:
        """Open a session: what it pins is not evicted before it ends, or its process does."""
        name = uuid.uuid4().hex
        path = self._pin_path(name)
        with FileLock(path):
            try:
                yield name
            finally:
                with self._change() as index:
                    index.execute("DELETE FROM pin WHERE session = ?", [name])
                path.unlink(missing_ok=True)
        self.make_room(0)

    @contextlib.contextmanager
    def writing(self, identity: str, stop: threading.Event) -> Iterator[Path]:
        """Be the only one who fetches a file.

        Parameters
        ----------
        identity
            Of its URL; it is hashed, never stored.

        Yields
        ------
        Path for what is on its way.
        """
        key = _key(identity)
        lock = FileLock(self.folder / "locks" / f"{int(key, 16) % N_LOCKS:03x}.lock")
        while not lock.is_locked:
            if stop.is_set():
                raise Stopped
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0.2)
        try:
            yield self.folder / "parts" / f"{key}.part"
        finally:
            lock.release()

    def get(
        self, identity: str, version: str, *, name: str, session: str, verify: bool = False
    ) -> Entry | None:
        """Find a whole file, and pin it.

        Parameters
        ----------
        name
            File name that it shall have.
        verify
            Hash it again. A file that was written to since is always hashed again.
        """
        if not version:
            return None
        key = _key(identity, version)
        with self._change() as index:
            query = "SELECT name, size, mtime_ns, hash, checksum FROM entry WHERE key = ?"
            row = index.execute(query, [key]).fetchone()
            if row is None:
                return None
            _pin(index, key, session)
        first, size, mtime_ns, hash_, checksum = row
        stored = self._path(key, first)
        if not _is_whole(stored, size, mtime_ns, hash_, verify=verify):
            logger.warning("step=transfer file=%s problem=damaged_in_cache: fetched again", stored)
            with self._change() as index:
                self._drop(index, key)
            return None
        path = self._path(key, name)
        if not path.exists():
            path.hardlink_to(stored)
        return Entry(path=path, size=size, hash=hash_, checksum=checksum)

    def add(
        self,
        identity: str,
        version: str,
        *,
        part: Path,
        name: str,
        hash_: str,
        checksum: str,
        session: str,
    ) -> Entry:
        """Give a whole file its name in the cache, and pin it."""
        key = _key(identity, version or hash_)
        path = self._path(key, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._change() as index:
            part.replace(path)
            facts = path.stat()
            row = (key, name, facts.st_size, facts.st_mtime_ns, hash_, checksum, time.time())
            index.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            _pin(index, key, session)
        part.with_suffix(".json").unlink(missing_ok=True)
        return Entry(path=path, size=facts.st_size, hash=hash_, checksum=checksum)

    def make_room(self, needed: int) -> None:
        """Evict what was not used for longest until the limit holds, with so many bytes to come.

        What a session uses is left alone, even if the limit does not hold for that reason.

        Danger
        ------
        Files are deleted.

        Raises
        ------
        TransferError
            If there is too little space on the disk after that.
        """
        with self._change() as index:
            self._forget_the_dead(index)
            total = index.execute("SELECT COALESCE(SUM(size), 0) FROM entry").fetchone()[0]
            total += self._parts()
            query = (
                "SELECT key, size FROM entry WHERE key NOT IN (SELECT key FROM pin) ORDER BY used"
            )
            idle = index.execute(query).fetchall()
            if needed and self._free() + sum(size for _, size in idle) < needed:
                raise self._no_room(needed)
            for key, size in idle:
                if total + needed <= self.max_bytes and not (needed and self._free() < needed):
                    break
                self._drop(index, key)
                total -= size

    def _no_room(self, needed: int) -> TransferError:
        msg = (
            f"There is no room for {needed:,} bytes more in {self.folder}: "
            f"{max(0, self._free()):,} are free. {HELP}"
        )
        return TransferError(msg, {"folder": str(self.folder), "needed": needed})

    def _free(self) -> int:
        return shutil.disk_usage(self.folder).free - RESERVE

    def _parts(self) -> int:
        """Bytes on their way; parts that nobody goes on with any more are deleted."""
        total = 0
        for path in (self.folder / "parts").glob("*.part"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                if time.time() - facts.st_mtime > STALE_S:
                    path.unlink()
                    path.with_suffix(".json").unlink(missing_ok=True)
                else:
                    total += facts.st_size
        return total

    def _forget_the_dead(self, index: sqlite3.Connection) -> None:
        """Take back the pins of sessions whose process ended without a word."""
        for (session,) in index.execute("SELECT DISTINCT session FROM pin").fetchall():
            path = self._pin_path(session)
            with contextlib.suppress(Timeout), FileLock(path, timeout=0):
                index.execute("DELETE FROM pin WHERE session = ?", [session])
                path.unlink(missing_ok=True)

    def _drop(self, index: sqlite3.Connection, key: str) -> None:
        """Delete an entry, while nobody else can look at the index."""
        shutil.rmtree(self._path(key), ignore_errors=True)
        index.execute("DELETE FROM entry WHERE key = ?", [key])

    def _path(self, *names: str) -> Path:
        return self.folder.joinpath("entries", *names)

    def _pin_path(self, session: str) -> Path:
        return self.folder / "pins" / f"{session}.lock"

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Change index and files as the only one."""
        with self._index() as index:
            index.execute("BEGIN IMMEDIATE")
            try:
                yield index
            except BaseException:
                index.execute("ROLLBACK")
                raise
            index.execute("COMMIT")

    @contextlib.contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / "index.sqlite"
        try:
            with contextlib.closing(
                sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            ) as index:
                yield index
        except sqlite3.OperationalError as error:
            msg = f"The index of the cache, {path}, cannot be written: {error}. {HELP}"
            raise TransferError(msg, {"file": str(path)}) from error
        except sqlite3.DatabaseError as error:
            msg = f"The index of the cache, {path}, cannot be used: {error}. Delete {self.folder}."
            raise IntegrityError(msg, {"file": str(path)}) from error


def check_entry(entry: Entry, file: RemoteFile, shown: str) -> None:
    """Compare a file of the cache with what is stated of it now."""
    if file.size not in {None, entry.size}:
        raise mismatch(shown, "size", file.size, entry.size)
    if file.checksum and file.checksum != entry.checksum:
        digests = Digests([file.checksum])
        digests.read(entry.path)
        digests.check([file.checksum], shown)


def _key(*parts: str) -> str:
    return str(blake3("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32])


def _pin(index: sqlite3.Connection, key: str, session: str) -> None:
    index.execute("INSERT OR IGNORE INTO pin VALUES (?, ?)", [key, session])
    index.execute("UPDATE entry SET used = ? WHERE key = ?", [time.time(), key])


def _is_whole(path: Path, size: int, mtime_ns: int, hash_: str, *, verify: bool) -> bool:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return False
    if facts.st_size != size:
        return False
    return (not verify and facts.st_mtime_ns == mtime_ns) or content_hash(path) == hash_
