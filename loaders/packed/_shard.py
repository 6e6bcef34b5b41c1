"""One file of a packed corpus, mapped into memory."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import weakref
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...errors import NotFoundError
from ._format import ALIGNMENT, JSON, MAGIC, TAIL_BYTES, Footer, ShardEntry, damaged, hash_hex

if TYPE_CHECKING:
    import numpy.typing as npt

    from .._form import Check

__all__ = ["Shard", "map_file"]


class Shard:
    """A shard that is open. It takes address space, and neither memory nor a file descriptor.

    Sections are compared with their hash when they are first used; the rows have a hash per block,
    which whoever reads them compares. Safe to use by many threads, and after a fork; pickled as
    its path.

    Attributes
    ----------
    path, entry, check
        As given to `open`.
    footer
        What the shard says of itself.
    mapped
        All bytes of the file, as long as it lives. Shape ``(n_bytes,)``.
    address
        Where they begin in memory.
    n_footer
        Bytes of the footer.
    """

    def __init__(
        self, path: Path, entry: ShardEntry | None, check: Check, mapped: npt.NDArray[np.uint8]
    ) -> None:
        self.path = path
        self.check = check
        self.address = int(mapped.ctypes.data)
        self.mapped = mapped
        self._checked: set[str] = set()
        self._given = entry
        self.footer, digest, self.n_footer = _read_footer(path, mapped)
        own = ShardEntry.of(
            self.footer,
            file=path.name if entry is None else entry.file,
            n_bytes=len(mapped),
            digest=digest,
        )
        if entry is not None and own != entry:
            raise damaged(
                path, "it is not the shard of this corpus that the manifest names", shard=path.name
            )
        self.entry = own

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        entry: ShardEntry | None = None,
        *,
        check: Check = "first read",
    ) -> Self:
        """Map a file, and read its footer.

        Parameters
        ----------
        path
            The file.
        entry
            What the manifest says of it. None to believe the file.
        check
            When sections are compared with their hash. The footer, the genes and the categories
            always are.

        Raises
        ------
        NotFoundError
            If there is no such file.
        IntegrityError
            If it is shorter, longer or another than the manifest says.
        SchemaError
            If it is of another version of the format.
        """
        path = Path(path)
        mapped = map_file(path)
        if entry is not None and len(mapped) != entry.n_bytes:
            raise damaged(
                path,
                f"it has {len(mapped):,} bytes, not the {entry.n_bytes:,} of the manifest",
                shard=path.name,
            )
        return cls(path, entry, check, mapped)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self.path, self._given, self.check)

    def __repr__(self) -> str:
        facts = self.footer
        return f"Shard {self.path.name}: {facts.n_cells:,} cells, {facts.codec}"

    def section(self, name: str) -> npt.NDArray[Any]:
        """Give a section as a view of the file that cannot be written to.

        Raises
        ------
        NotFoundError
            If there is none of this name.
        IntegrityError
            If its bytes differ from what was recorded.
        """
        section = self.footer.sections.get(name)
        if section is None:
            there = ", ".join(sorted(self.footer.sections))
            msg = f"Shard {self.path} has no section {name!r}. It has: {there}."
            raise NotFoundError(msg, {"file": str(self.path), "section": name})
        stored = self.mapped[section.offset : section.offset + section.length]
        is_json = section.dtype == JSON
        if section.hash and (
            self.check == "always"
            or is_json
            or (self.check == "first read" and name not in self._checked)
        ):
            if hash_hex(stored) != section.hash:
                raise damaged(
                    self.path,
                    f"section {name} is not as it was written",
                    shard=self.path.name,
                    section=name,
                )
            self._checked.add(name)
        return stored if is_json else stored.view(section.dtype).reshape(section.shape)

    @property
    def genes(self) -> tuple[str, ...]:
        """Stable id of each gene; its place is its local number. Equal lists are one object."""
        return self._list("genes")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of obs."""
        return self._names("obs/")

    @property
    def obsm(self) -> tuple[str, ...]:
        """Names of the arrays of obsm."""
        return self._names("obsm/")

    def column(self, name: str) -> tuple[npt.NDArray[Any], tuple[Any, ...] | None]:
        """Give a column of obs.

        Returns
        -------
        One value per cell and None; or one code per cell, -1 for none, and what the codes stand
        for: texts, or the values of a column in which some are missing.

        Raises
        ------
        NotFoundError
            If there is none of this name.
        IntegrityError
            If its bytes differ from what was recorded.
        """
        values = self.section(f"obs/{name}")
        categories = self.footer.sections[f"obs/{name}"].categories
        return values, None if categories is None else self._list(categories)

    def _list(self, name: str) -> tuple[Any, ...]:
        found = _parse_list(self.section(name).tobytes())
        if found is None or (len(found),) != self.footer.sections[name].shape:
            raise damaged(self.path, f"section {name} is no list", shard=self.path.name)
        return found

    def _names(self, prefix: str) -> tuple[str, ...]:
        names = (name for name in self.footer.sections if name.startswith(prefix))
        listed = {section.categories for section in self.footer.sections.values()}
        return tuple(name.removeprefix(prefix) for name in names if name not in listed)


def _reopen(kind: type[Shard], path: Path, entry: ShardEntry | None, check: Check) -> Shard:
    return kind.open(path, entry, check=check)


@lru_cache(maxsize=16)
def _parse_list(data: bytes) -> tuple[Any, ...] | None:
    """Parse a JSON list; many shards have the same."""
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return tuple(found) if isinstance(found, list) else None


def _read_footer(path: Path, mapped: npt.NDArray[np.uint8]) -> tuple[Footer, str, int]:
    """Read the footer; give its hash and its length."""
    tail = mapped[-TAIL_BYTES:].tobytes()
    n_bytes, stated = (int(n) for n in np.frombuffer(tail[:16], dtype="<u8"))
    start = len(mapped) - TAIL_BYTES - n_bytes
    if mapped[: len(MAGIC)].tobytes() != MAGIC or tail[16:] != MAGIC or start < ALIGNMENT:
        raise damaged(path, "its first or last bytes are not those of a shard", shard=path.name)
    stored = mapped[start : len(mapped) - TAIL_BYTES]
    digest = hash_hex(stored)
    if digest != f"{stated:016x}":
        raise damaged(path, "the footer is not as it was written", shard=path.name)
    return Footer.from_bytes(stored.tobytes(), path, start), digest, n_bytes


def map_file(path: Path) -> npt.NDArray[np.uint8]:
    """Map a file for reading, without holding a descriptor.

    ``mmap`` of Python keeps one for each mapping before 3.13, so that a thousand shards would not
    fit under the usual limit. The memory is given back when the last view of it is gone.

    Raises
    ------
    NotFoundError
        If there is no such file.
    IntegrityError
        If it is too short to be a shard.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        msg = f"There is no shard {path}. Fetch it, or run `corpuscle pack` again."
        raise NotFoundError(msg, {"file": str(path)}) from error
    try:
        n_bytes = os.fstat(descriptor).st_size
        if n_bytes < ALIGNMENT + TAIL_BYTES:
            raise damaged(path, f"it has only {n_bytes:,} bytes", shard=path.name)
        libc = _libc()
        address = libc.mmap(None, n_bytes, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address == ctypes.c_void_p(-1).value:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)
    memory = (ctypes.c_ubyte * n_bytes).from_address(address)
    # not at exit: threads may still read
    weakref.finalize(memory, libc.munmap, address, n_bytes).atexit = False
    mapped = np.frombuffer(memoryview(memory), dtype=np.uint8)
    mapped.flags.writeable = False
    return mapped


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    size, number = ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, size, number, number, number, ctypes.c_int64]
    libc.munmap.argtypes = [ctypes.c_void_p, size]
    return libc
