"""A shard is written: rows as they come, columns, footer; checked, and then given its name."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ...errors import InputError, IntegrityError
from .._arguments import one_of
from .._handles import Handles
from ._format import (
    ALIGNMENT,
    JSON,
    MAGIC,
    VERSION,
    Codec,
    Footer,
    Section,
    ShardEntry,
    hash_hex,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedWriter
    from pathlib import Path

    import numpy.typing as npt
    from scipy.sparse import csr_matrix

    from ..corpus import DatasetRef
    from ._source import Source

__all__ = ["PackOptions", "pack_shard", "remove_half_files", "written_whole"]

HALF = ".part"
"""Ending of files that are not whole."""
ZSTD_LEVEL = 1
ZSTD_ROWS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PackOptions:
    """How a corpus is packed.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    codec: Codec = "plain"
    """``plain`` for fast local storage, ``zstd`` for slow or remote storage."""
    block_rows: int | None = None
    """Rows that zstd compresses together; 32 by default. Of no meaning to ``plain``."""
    shard_cells: int = 2**20
    """Most cells of a shard."""
    columns: tuple[str, ...] | None = None
    """Columns of obs; those that training can use by default."""
    obsm: tuple[str, ...] | None = None
    """Arrays of obsm; neighbours and places by default."""

    def __post_init__(self) -> None:
        one_of(self.codec, get_args(Codec), name="codec")
        if self.shard_cells < 1 or not 1 <= self.n_block_rows <= 65_536:
            msg = (
                f"shard_cells is {self.shard_cells!r} and block_rows {self.block_rows!r}. Pass at least "
                "1 cell, and 1 to 65,536 rows."
            )
            raise InputError(msg, {"shard_cells": self.shard_cells})

    @property
    def n_block_rows(self) -> int:
        """Rows of a block."""
        return 1 if self.codec == "plain" else self.block_rows or ZSTD_ROWS


def pack_shard(
    ref: DatasetRef,
    out: Path,
    *,
    first: int = 0,
    n_cells: int | None = None,
    excluded: npt.NDArray[np.uint32] | None = None,
    options: PackOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ShardEntry:
    """Pack a stretch of the cells of a curated file.

    The file appears when it is whole and was read back: every section and block has its hash, and
    every row decodes to the values of the source. The same cells and options give the same bytes.

    Parameters
    ----------
    ref
        The dataset.
    out
        The file to write.
    first, n_cells
        The stretch, among the cells that the corpus keeps; all by default.
    excluded
        Rows of the file that the corpus leaves out, ascending.
    options
        How.
    progress
        Called with cells done and cells in all.

    Returns
    -------
    What the manifest says of it; ``file`` is the name of `out`.

    Raises
    ------
    SchemaError, CountsError, NotFoundError
        If the source cannot be packed.
    IntegrityError
        If the source has another number of cells, or what was written is not what was read.
    """
    from ._source import Source

    options = options or PackOptions()
    n_cells = ref.n_cells - first if n_cells is None else n_cells
    if not (n_cells >= 1 and first >= 0 and first + n_cells <= ref.n_cells):
        msg = (
            f"Cells {first:,} to {first + n_cells:,} are none of the {ref.n_cells:,} of {ref.uid}."
        )
        raise InputError(msg, {"dataset": ref.uid})
    nothing = np.empty(0, dtype=np.uint32)
    stores = Handles([ref.path])
    try:
        source = Source(
            stores[0],
            ref,
            first=first,
            n_cells=n_cells,
            excluded=nothing if excluded is None else excluded,
        )
        with written_whole(out) as temporary:
            with temporary.open("wb") as file:
                marks = _Writer(file, source, first, options, progress).write()
            return _read_back(temporary, out, source.genes, marks)
    finally:
        stores.close()


class _Writer:
    """Writes the parts of a shard into an open file."""

    def __init__(
        self,
        file: BufferedWriter,
        source: Source,
        first: int,
        options: PackOptions,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._file, self._source, self._first = file, source, first
        self._options, self._progress = options, progress
        self._sections: dict[str, Section] = {}
        self._max_count: int | None = 0

    def write(self) -> npt.NDArray[np.uint64]:
        """Write it all; give the mark of each row, see `marks_of_csr`."""
        self._file.write(MAGIC)
        source, n_cells = self._source, len(self._source.rows)
        n_values, marks = self._write_rows()
        most = int(n_values.max())
        self._add("n_values", n_values.astype(np.uint16 if most < 2**16 else np.uint32))
        self._add("genes", sorted(source.genes))
        for name, column in source.columns(self._options.columns):
            listed = None if column.categories is None else f"obs/{name}/categories"
            if listed is not None:
                self._add(listed, column.categories)
            self._add(f"obs/{name}", column.values, categories=listed)
        for name, values in source.arrays(self._options.obsm):
            self._add(f"obsm/{name}", values)
        if int(source.rows[-1]) != self._first + n_cells - 1:
            self._add("rows_of_file", source.rows.astype(np.uint32))
        footer = Footer(
            version=VERSION,
            codec=self._options.codec,
            block_rows=self._options.n_block_rows,
            dataset=source.ref.uid,
            organism=source.ref.organism,
            first=self._first,
            n_cells=n_cells,
            n_values=int(n_values.sum()),
            max_values=most,
            max_count=self._max_count,
            sections=self._sections,
        )
        self._pad()
        stored = to_json(footer.to_dict())
        self._file.write(stored)
        self._file.write(np.uint64(len(stored)).tobytes())
        self._file.write(bytes.fromhex(hash_hex(stored))[::-1])
        self._file.write(MAGIC)
        return marks

    def _write_rows(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """Write the rows with their offsets and hashes; give the numbers of values, and marks."""
        from ._encode import encode_rows
        from ._marks import hash_blocks

        begin, done, written = self._pad(), 0, 0
        genes = self._source.genes
        hashes, places = gene_hashes(genes), np.argsort(np.argsort(np.array(genes, dtype=object)))
        in_order = bool((places == np.arange(len(genes))).all())
        lengths, checks, n_values, marks = [], [], [], []
        for rows in self._source.chunks(self._options.n_block_rows):
            marks.append(marks_of(rows, hashes))
            self._note_largest(rows.data)
            if not in_order:
                rows.indices = places[rows.indices].astype(np.int32)
                rows.has_sorted_indices = False
                rows.sort_indices()
            packed, offsets = encode_rows(rows.indptr, rows.indices, rows.data, len(genes))
            stored, ends = self._blocks(packed, offsets)
            found = np.empty(len(ends) - 1, dtype=np.uint64)
            hash_blocks(stored.ctypes.data, ends, found)
            self._file.write(stored.data)
            lengths.append(np.diff(ends))
            checks.append(found)
            n_values.append(np.diff(rows.indptr).astype(np.int64))
            done, written = done + rows.shape[0], written + len(stored)
            if self._progress is not None:
                self._progress(done, len(self._source.rows))
        self._sections["rows"] = Section(
            offset=begin, length=written, dtype="|u1", shape=(written,), hash=""
        )
        self._add("offsets", np.cumsum(np.concatenate([[0], *lengths]), dtype=np.uint64))
        self._add("checks", np.concatenate(checks))
        return np.concatenate(n_values), np.concatenate(marks)

    def _blocks(
        self, packed: npt.NDArray[np.uint8], offsets: npt.NDArray[np.uint64]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
        """Put rows into blocks; give their bytes, and where each begins and the last ends."""
        if self._options.codec == "plain":
            return packed, offsets
        from zstandard import ZstdCompressor

        compressor = ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True, write_checksum=False)
        step = self._options.n_block_rows
        frames = []
        for start in range(0, len(offsets) - 1, step):
            own = offsets[start : start + step + 1]
            head = (own - own[0]).astype("<u4").tobytes()
            frames.append(compressor.compress(head + packed[int(own[0]) : int(own[-1])].tobytes()))
        ends = np.cumsum([0, *map(len, frames)], dtype=np.uint64)
        return np.frombuffer(b"".join(frames), dtype=np.uint8), ends

    def _note_largest(self, values: npt.NDArray[Any]) -> None:
        if self._max_count is None or not len(values):
            return
        low, high = values.min(), values.max()
        if not (low >= 0 and high < 2**53) or (
            values.dtype.kind == "f" and not (np.floor(values) == values).all()
        ):
            self._max_count = None
        else:
            self._max_count = max(self._max_count, int(high))

    def _add(self, name: str, content: Any, *, categories: str | None = None) -> None:
        """Write a section: an array, or a list as JSON."""
        if isinstance(content, list):
            shape, dtype, stored = (len(content),), JSON, to_json(content)
        else:
            content = np.ascontiguousarray(content, dtype=content.dtype.newbyteorder("<"))
            shape, dtype, stored = content.shape, content.dtype.str, content.tobytes()
        self._sections[name] = Section(
            offset=self._pad(),
            length=len(stored),
            dtype=dtype,
            shape=shape,
            hash=hash_hex(stored),
            categories=categories,
        )
        self._file.write(stored)

    def _pad(self) -> int:
        """Write zeros up to where a section may begin; give the place."""
        self._file.write(bytes(-self._file.tell() % ALIGNMENT))
        return self._file.tell()


def _read_back(
    temporary: Path, out: Path, genes: list[str], marks: npt.NDArray[np.uint64]
) -> ShardEntry:
    """Check what was written against what was read."""
    from ._shard import Shard
    from ._verify import verify_shard

    shard = Shard.open(temporary)
    found = verify_shard(shard)
    if not np.array_equal(found, marks):
        place = int(np.flatnonzero(found != marks)[0])
        msg = (
            f"Cell {place:,} of {out} does not decode to the values of its source. Check memory and disk of "
            "this machine, and pack again."
        )
        raise IntegrityError(msg, {"file": str(out), "cell": place})
    return ShardEntry.of(
        shard.footer, file=out.name, n_bytes=shard.entry.n_bytes, digest=shard.entry.hash
    )


def gene_hashes(genes: list[str]) -> npt.NDArray[np.uint64]:
    """Give a number for each gene's id."""
    return np.array([int(hash_hex(gene.encode()), 16) for gene in genes], dtype=np.uint64)


def marks_of(rows: csr_matrix, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Give each row of counts its mark."""
    from ._marks import marks_of_csr

    marks = np.empty(rows.shape[0], dtype=np.uint64)
    marks_of_csr(rows.indptr, rows.indices, rows.data, hashes, marks)
    return marks


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; the file gets its own name when it is whole.

    It is locked as long as this goes on: see `remove_half_files`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{HALF}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield temporary
        os.fsync(descriptor)
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)


def remove_half_files(folder: Path) -> None:
    """Remove what `written_whole` left in a folder when its process was killed."""
    for path in folder.glob(f".*{HALF}"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
