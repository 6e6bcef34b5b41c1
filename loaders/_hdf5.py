"""Rows of HDF5 datasets read by their place in the file, without HDF5's cost for every read."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError

from ..errors import IntegrityError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Layout", "find_layout", "read_ranges"]

MAX_CHUNKS = 2**20
"""Of one dataset; what has more is left to HDF5."""
MAX_THREADS = 4
"""That decompress chunks."""
FEW_CHUNKS = 8
"""For which threads do not pay."""
LEAST_SHUFFLED = 2**10
"""Bytes of a chunk below which HDF5 puts shuffled bytes in order as fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the rows of a dataset lie in its file."""

    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    """Shape of one row; ``()`` for a dataset of one dimension."""
    chunk_rows: int
    """Rows of a chunk. A contiguous dataset is one chunk."""
    offsets: npt.NDArray[np.int64]
    """First byte of each chunk. Shape ``(n_chunks,)``."""
    sizes: npt.NDArray[np.int64] | None
    """Compressed bytes of each chunk, or None if they are stored as they are. Shape ``(n_chunks,)``."""
    shuffled: bool
    """Whether a chunk has the first bytes of all its numbers, then their second ones, and so on."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return int(self.dtype.itemsize * np.prod(self.row_shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Memory that this takes."""
        return self.offsets.nbytes * (1 if self.sizes is None else 2)


def find_layout(array: Any) -> Layout | None:
    """Layout of an HDF5 dataset of numbers; None if it must be read through HDF5.

    That is so for filters other than gzip, alone or after shuffle, chunks that do not hold whole rows,
    chunks that were never written, and files that are not opened from a local disk.
    """
    import h5py

    shuffle, deflate = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE

    if not isinstance(array, h5py.Dataset) or not array.ndim or array.dtype.kind not in "biuf":
        return None
    if array.file.driver != "sec2" or array.file.userblock_size or not array.size:
        return None
    settings: Any = array.id.get_create_plist()
    if settings.get_layout() == h5py.h5d.CONTIGUOUS:
        offset = array.id.get_offset()
        if offset is None or settings.get_external_count():
            return None
        rows, places, filters = array.shape[0], np.array([[offset]]), []
    else:
        filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
        if (
            settings.get_layout() != h5py.h5d.CHUNKED
            or settings.get_chunk()[1:] != array.shape[1:]
            or filters not in ([], [deflate], [shuffle, deflate])
        ):
            return None
        if (
            shuffle in filters
            and array.dtype.itemsize * np.prod(settings.get_chunk()) < LEAST_SHUFFLED
        ):
            return None
        rows = settings.get_chunk()[0]
        n_chunks = -(-array.shape[0] // rows)
        if n_chunks > MAX_CHUNKS or array.id.get_num_chunks() != n_chunks:
            return None
        places = np.empty((2, n_chunks), dtype=np.int64)
        masks = []

        def note(chunk: Any) -> None:
            masks.append(chunk.filter_mask)
            number = chunk.chunk_offset[0] // rows
            places[:, number] = chunk.byte_offset, chunk.size

        array.id.chunk_iter(note)
        if any(masks):
            return None
    return Layout(
        dtype=array.dtype,
        row_shape=array.shape[1:],
        chunk_rows=rows,
        offsets=places[0],
        sizes=places[1] if filters else None,
        shuffled=shuffle in filters,
    )


class Pieces(NamedTuple):
    """Ranges of rows, cut where chunks end. Each of shape ``(n_pieces,)``, ascending."""

    chunk: npt.NDArray[np.int64]
    """Number of the chunk."""
    start: npt.NDArray[np.int64]
    """First row, counted in the chunk."""
    stop: npt.NDArray[np.int64]
    """Row after the last, counted in the chunk."""
    at: npt.NDArray[np.int64]
    """First row in the result."""


def read_ranges(
    array: Any,
    layout: Layout,
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    out: npt.NDArray[Any],
) -> None:
    """Read ranges of rows end to end.

    A chunk is decompressed once, and if its bytes are in order only up to the last row asked for.

    Parameters
    ----------
    array
        The open dataset.
    layout
        Made of it by `find_layout`.
    start, stop
        First row of each range and the row after its last; ascending, none empty.
    out
        Where the rows go; contiguous, of the layout's dtype.

    Raises
    ------
    IntegrityError
        If the file ends early, or a chunk cannot be decompressed.
    """
    import h5py

    pieces = _cut(layout.chunk_rows, start, stop)
    view = out.reshape(-1).view(np.uint8).data
    try:
        read = _copy if layout.sizes is None else _inflate
        read(h5py.h5i.get_file_id(array.id).get_vfd_handle(), layout, pieces, view)
    except (EOFError, IsalError) as error:  # type: ignore[misc]  # its type says less
        file = array.file
        msg = (
            f"{array.name} in {file.filename} cannot be read: {error}. The file is damaged: "
            "fetch it again."
        )
        raise IntegrityError(msg, {"path": file.filename, "key": array.name}) from error


def _cut(chunk_rows: int, start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]) -> Pieces:
    first, last = start // chunk_rows, (stop - 1) // chunk_rows
    n_pieces = last - first + 1
    which = np.repeat(np.arange(len(start)), n_pieces)
    chunk = np.arange(len(which)) - np.repeat(np.cumsum(n_pieces) - n_pieces - first, n_pieces)
    base = chunk * chunk_rows
    low = np.maximum(start[which] - base, 0)
    high = np.minimum(stop[which] - base, chunk_rows)
    return Pieces(chunk, low, high, np.cumsum(high - low) - (high - low))


def _copy(descriptor: int, layout: Layout, pieces: Pieces, view: memoryview) -> None:
    size = layout.row_bytes
    offsets = layout.offsets[pieces.chunk] + pieces.start * size
    begins = pieces.at * size
    ends = begins + (pieces.stop - pieces.start) * size
    for offset, begin, end in zip(offsets.tolist(), begins.tolist(), ends.tolist(), strict=True):
        done = begin
        while done < end:  # one call reads 2 GiB at most
            n = os.preadv(descriptor, [view[done:end]], offset + done - begin)
            if not n:
                msg = f"the file ends before byte {offset + end - begin:,}"
                raise EOFError(msg)
            done += n


def _inflate(descriptor: int, layout: Layout, pieces: Pieces, view: memoryview) -> None:
    assert layout.sizes is not None
    size, whole = layout.row_bytes, layout.row_bytes * layout.chunk_rows
    width = layout.dtype.itemsize
    firsts = np.flatnonzero(np.diff(pieces.chunk, prepend=-1))
    lasts = np.append(firsts[1:], len(pieces.chunk))
    chunks = pieces.chunk[firsts]
    needed = pieces.stop[lasts - 1] * size
    starts, stops, places = (
        (values * size).tolist() for values in (pieces.start, pieces.stop, pieces.at)
    )

    def unpack(offset: int, packed: int, need: int, first: int, last: int) -> None:
        raw = os.pread(descriptor, packed, offset)
        need = whole if layout.shuffled else need
        inflated = (
            isal_zlib.decompress(raw, bufsize=whole)
            if need > 0.7 * whole  # then all at once is faster
            else isal_zlib.decompressobj().decompress(raw, need)
        )
        if len(inflated) < need:
            msg = f"the chunk at byte {offset:,} ends early"
            raise EOFError(msg)
        planes = np.frombuffer(inflated, np.uint8, need // width * width).reshape(width, -1)
        for i in range(first, last):
            begin, end, at = starts[i], stops[i], places[i]
            view[at : at + end - begin] = (
                planes[:, begin // width : end // width].T.tobytes()
                if layout.shuffled
                else memoryview(inflated)[begin:end]
            )

    work = [
        values.tolist()
        for values in (layout.offsets[chunks], layout.sizes[chunks], needed, firsts, lasts)
    ]
    n_threads = min(MAX_THREADS, len(os.sched_getaffinity(0)))
    if n_threads == 1 or len(chunks) <= FEW_CHUNKS:
        for args in zip(*work, strict=True):
            unpack(*args)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(unpack, *work):
            pass
