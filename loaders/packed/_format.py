"""What a packed corpus says of itself: the manifest, and the footer of a shard."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from ...errors import IntegrityError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "ALIGNMENT",
    "MAGIC",
    "MANIFEST",
    "SHARDS",
    "TAIL_BYTES",
    "VERSION",
    "Codec",
    "Footer",
    "Manifest",
    "Section",
    "ShardEntry",
    "damaged",
    "hash_hex",
    "to_json",
]

MAGIC = b"CPSLPACK"
NAME, VERSION = "corpuscle-packed", 1
MANIFEST, SHARDS = "manifest.json", "shards"
ALIGNMENT, TAIL_BYTES = 64, 24
JSON = "json"
"""`Section.dtype` of what is a JSON list."""
DTYPES = {
    f"{order}{kind}{size}": size
    for order, kind, sizes in [
        ("|", "b", [1]),
        ("|", "i", [1]),
        ("|", "u", [1]),
        ("<", "i", [2, 4, 8]),
        ("<", "u", [2, 4, 8]),
        ("<", "f", [2, 4, 8]),
    ]
    for size in sizes
}
"""What arrays may be, and the bytes of a value."""
KINDS = {
    "rows": ("|u1",),
    "offsets": ("<u8",),
    "checks": ("<u8",),
    "n_values": ("<u2", "<u4"),
    "genes": (JSON,),
    "rows_of_file": ("<u4",),
}
"""What certain sections must be."""
Codec = Literal["plain", "zstd"]
SHARD_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?")
SIZES = frozenset(
    ["block_rows", "first", "length", "max_count", "max_values", "n_bytes", "n_cells", "n_values"]
)
"""Keys whose values are whole numbers."""
AGAIN = "Fetch the file again, or run `corpuscle pack` again, which writes only what is missing."


def hash_hex(data: bytes | Any) -> str:
    """XXH64 of bytes or of an array's, as 16 hexadecimal digits."""
    from ._xxh64 import xxh64

    return f"{xxh64(data):016x}"


def to_json(value: Any) -> bytes:
    """Write JSON in one way only."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def damaged(path: Path | str, what: str, **details: object) -> IntegrityError:
    """Make the error that says that bytes of a file are not those that were recorded."""
    return IntegrityError(f"{path}: {what}. {AGAIN}", {"file": str(path), **details})


class _Record:
    """A dataclass that is a JSON object."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # dataclasses only

    @classmethod
    def from_dict(cls, given: Any, path: Path | str, where: str = "") -> Self:
        """Check and take an object.

        Raises
        ------
        SchemaError
            If a key is missing, one too many, or its value cannot be.
        """
        names = cls.__dataclass_fields__.keys()  # type: ignore[attr-defined]
        problem, key = "is no object", where
        if isinstance(given, dict):
            if given.keys() == names:
                made = cls(**given)
                bad = [name for name, value in given.items() if not made._fits(name, value)]
                if not bad:
                    return made
                key = f"{where}.{bad[0]}".lstrip(".")
                problem = f"cannot be {str(given[bad[0]])[:80]!r}"
            else:
                differ = sorted(given.keys() ^ names)
                key = f"{where}.{differ[0]}".lstrip(".")
                problem = "is not known" if differ[0] in given else "is missing"
        msg = f"{path}: {key or 'the content'} {problem} in format {VERSION} of packed corpora. {AGAIN}"
        raise SchemaError(msg, {"file": str(path), "field": key})

    def _fits(self, name: str, value: Any) -> bool:
        """Tell whether a field may have a value."""
        if name in SIZES:
            return _is_size(value) or (name == "max_count" and value is None)
        if name == "codec":
            return value in get_args(Codec)
        if name == "file":  # nothing outside of the folder is read
            return isinstance(value, str) and SHARD_FILE.fullmatch(value) is not None
        return name in ("version", "shape", "categories", "sections", "shards") or isinstance(
            value, dict if name in ("corpus", "genes", "written_by") else str
        )


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(_Record):
    """Where a part of a shard is, and what."""

    offset: int
    length: int
    """Bytes."""
    dtype: str
    """As numpy writes it, or ``json``."""
    shape: tuple[int, ...]
    """Of a JSON list, how many entries it has."""
    hash: str
    """XXH64 of its bytes; empty for the rows, which have one per block."""
    categories: str | None = None
    """Name of the section with the categories that the codes stand for."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {**asdict(self), "shape": list(self.shape)}

    def _fits(self, name: str, value: Any) -> bool:
        if name == "shape":
            if not (isinstance(value, list) and 1 <= len(value) <= 2 and all(map(_is_size, value))):
                return False
            object.__setattr__(self, "shape", tuple(value))
            if self.dtype == JSON:
                return len(value) == 1
            return math.prod(value) * DTYPES.get(self.dtype, -1) == self.length
        if name == "offset":
            return _is_size(value) and value % ALIGNMENT == 0
        if name == "categories":
            return value is None or isinstance(value, str)
        return _Record._fits(self, name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer(_Record):
    """What a shard says of itself."""

    version: int
    codec: Codec
    block_rows: int
    """Rows of a block."""
    dataset: str
    """Uid of the dataset."""
    organism: str
    """Term id."""
    first: int
    """Place of the first cell among the dataset's cells."""
    n_cells: int
    n_values: int
    """Stored values."""
    max_values: int
    """Most values of one cell."""
    max_count: int | None
    """Largest value; None if some are not whole."""
    sections: Mapping[str, Section]

    @property
    def n_blocks(self) -> int:
        """Blocks of rows."""
        return -(-self.n_cells // self.block_rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        sections = {name: section.to_dict() for name, section in self.sections.items()}
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**own, "sections": sections}

    @classmethod
    def from_bytes(cls, data: bytes, path: Path | str, end: int) -> Footer:
        """Read a footer; its sections lie before `end`.

        Raises
        ------
        SchemaError
            If it is no footer of this format.
        """
        given = _parse(data, path)
        _check_version(given, path)
        footer = cls.from_dict(given, path)
        sections = {
            name: Section.from_dict(section, path, f"sections.{name}")
            for name, section in footer.sections.items()
        }
        object.__setattr__(footer, "sections", sections)
        for name, section in sections.items():
            shape = footer._expected(name, section)
            if section.offset + section.length > end or section.shape != shape:
                msg = f"{path}: section {name} is not where or as long as it must be. {AGAIN}"
                raise SchemaError(msg, {"file": str(path), "section": name})
        for name in KINDS:
            if name not in sections and name != "rows_of_file":
                msg = f"{path}: there is no section {name}. {AGAIN}"
                raise SchemaError(msg, {"file": str(path), "section": name})
        return footer

    def _fits(self, name: str, value: Any) -> bool:
        if name == "sections":
            return isinstance(value, dict)
        if name == "block_rows":
            return _is_size(value) and value >= 1 and (self.codec == "zstd" or value == 1)
        return _Record._fits(self, name, value)

    def _expected(self, name: str, section: Section) -> tuple[int, ...] | None:
        """Shape that a section must have; None if it cannot be."""
        if section.categories is not None and section.categories not in self.sections:
            return None
        if section.dtype not in KINDS.get(name, (section.dtype,)):
            return None
        if section.dtype == JSON or name == "rows":
            return section.shape
        if name == "offsets":
            return (self.n_blocks + 1,)
        if name == "checks":
            return (self.n_blocks,)
        return (self.n_cells, *section.shape[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry(_Record):
    """A shard as the manifest knows it."""

    file: str
    """Path below the folder of the manifest."""
    dataset: str
    organism: str
    first: int
    n_cells: int
    n_values: int
    max_values: int
    max_count: int | None
    n_bytes: int
    """Size of the file."""
    hash: str
    """XXH64 of the footer."""

    @classmethod
    def of(cls, footer: Footer, *, file: str, n_bytes: int, digest: str) -> ShardEntry:
        """Describe a shard by its footer."""
        shared = {field.name for field in fields(cls)} - {"file", "n_bytes", "hash"}
        facts = {name: getattr(footer, name) for name in shared}
        return cls(file=file, n_bytes=n_bytes, hash=digest, **facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(_Record):
    """What a packed corpus holds."""

    corpus: Mapping[str, Any]
    """Made by `Corpus.to_manifest`."""
    genes: Mapping[str, tuple[str, ...]]
    """Sorted ids of each organism."""
    codec: Codec
    shards: tuple[ShardEntry, ...]
    """In the order of the cells."""
    written_by: Mapping[str, str]
    """Versions."""

    def to_bytes(self) -> bytes:
        """Write the file: the same content gives the same bytes."""
        content = {
            "format": NAME,
            "version": VERSION,
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "shards": [shard.to_dict() for shard in self.shards],
        }
        content["hash"] = hash_hex(to_json(content))
        return json.dumps(content, sort_keys=True, ensure_ascii=False, indent=0).encode()

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read and check a manifest.

        Raises
        ------
        NotFoundError
            If there is none: the folder is no packed corpus, or its packing was not finished.
        SchemaError
            If it is of another format.
        IntegrityError
            If it was changed.
        """
        given = _parse(read_bytes(path), path)
        _check_version(given, path)
        stated = given.pop("hash", None)
        if hash_hex(to_json(given)) != stated:
            raise damaged(path, "the manifest is not as it was written", field="hash")
        if given.pop("format", None) != NAME:
            msg = f"{path} is no manifest of a packed corpus. Check the path."
            raise SchemaError(msg, {"file": str(path), "field": "format"})
        del given["version"]
        manifest = cls.from_dict(given, path)
        genes = {organism: tuple(ids) for organism, ids in manifest.genes.items()}
        shards = [
            ShardEntry.from_dict(shard, path, f"shards[{i}]")
            for i, shard in enumerate(manifest.shards)
        ]
        object.__setattr__(manifest, "genes", genes)
        object.__setattr__(manifest, "shards", tuple(shards))
        manifest._check_cells(path)
        return manifest

    def _fits(self, name: str, value: Any) -> bool:
        return (
            isinstance(value, list | tuple)
            if name == "shards"
            else _Record._fits(self, name, value)
        )

    def _check_cells(self, path: Path) -> None:
        """See that every cell of every dataset is in one shard, in order."""
        cells = iter(self.shards)
        for ref in self.corpus["datasets"]:
            done = 0
            while done < ref["n_cells"]:
                shard = next(cells, None)
                if shard is None or (shard.dataset, shard.first) != (ref["uid"], done):
                    msg = f"{path}: cell {done:,} of dataset {ref['uid']} is in no shard. {AGAIN}"
                    raise SchemaError(msg, {"file": str(path), "dataset": ref["uid"]})
                done += shard.n_cells
        if (left := next(cells, None)) is not None:
            msg = f"{path}: {left.file} belongs to no dataset. {AGAIN}"
            raise SchemaError(msg, {"file": str(path), "shard": left.file})


def read_bytes(path: Path) -> bytes:
    """Read a small file.

    Raises
    ------
    NotFoundError
        If it is not there.
    """
    from ...errors import NotFoundError

    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        msg = (
            f"There is no {path}. Either this is no packed corpus, or packing it was not finished: "
            "run `corpuscle pack` again."
        )
        raise NotFoundError(msg, {"file": str(path)}) from error


def _parse(data: bytes, path: Path | str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"it is not readable as JSON ({error})") from error


def _check_version(given: Any, path: Path | str) -> None:
    version = given.get("version") if isinstance(given, dict) else None
    if version != VERSION:
        msg = (
            f"{path} has version {str(version)[:20]!r} of packed corpora; this version of corpuscle "
            f"reads {VERSION}. Use the one that wrote it, or pack the collection again."
        )
        raise SchemaError(msg, {"file": str(path), "field": "version"})
