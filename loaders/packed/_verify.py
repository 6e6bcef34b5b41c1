"""Every byte of a packed corpus is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from ._format import TAIL_BYTES, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from ._shard import Shard

__all__ = ["blocks_of", "unpack_block", "verify_shard"]


def verify_shard(shard: Shard) -> npt.NDArray[np.uint64]:
    """Check every section and block of a shard, and decode every row.

    Returns
    -------
    The mark of each row, see `marks_of_csr`. Shape ``(n_cells,)``.

    Raises
    ------
    IntegrityError
        If something is not as it was written; names shard, section and block.
    """
    from ._marks import SCRATCH, marks_of_rows, wrong_block
    from ._write import gene_hashes

    footer = shard.footer
    _check_gaps(shard)
    for name in footer.sections:
        shard.section(name)
    rows, offsets = shard.section("rows"), shard.section("offsets")
    block = wrong_block(rows.ctypes.data, len(rows), offsets, shard.section("checks"))
    if block >= 0:
        _refuse(shard, block, "is not as it was written")
    hashes, n_values = gene_hashes(list(shard.genes)), shard.section("n_values")
    if int(n_values.max()) != footer.max_values or int(n_values.sum()) != footer.n_values:
        raise damaged(shard.path, "numbers of values do not add up", shard=shard.path.name)
    marks = np.empty(footer.n_cells, dtype=np.uint64)
    scratch = np.empty(SCRATCH, dtype=np.uint16)
    ids = np.empty(footer.max_values, dtype=np.int32)
    values = np.empty(footer.max_values, dtype=np.float64)
    for start, stored, ends in blocks_of(shard):
        stop = start + len(ends) - 1
        wrong = marks_of_rows(
            stored.ctypes.data,
            ends,
            n_values[start:stop],
            hashes,
            scratch,
            ids,
            values,
            marks[start:stop],
        )
        if wrong >= 0:
            _refuse(shard, (start + wrong) // footer.block_rows, "cannot be decoded")
    return marks


def blocks_of(
    shard: Shard,
) -> Iterator[tuple[int, npt.NDArray[np.uint8], npt.NDArray[np.uint64]]]:
    """Give rows: number of the first one, their bytes, and where each begins and the last ends."""
    rows, offsets = shard.section("rows"), shard.section("offsets")
    if shard.footer.codec == "plain":
        yield 0, rows, offsets
        return
    counts = shard.section("n_values").astype(np.int64)
    for block in range(shard.footer.n_blocks):
        start = block * shard.footer.block_rows
        n_rows = min(shard.footer.block_rows, shard.footer.n_cells - start)
        most = 4 * (n_rows + 1) + 8 * n_rows + 12 * int(counts[start : start + n_rows].sum())
        stored = unpack_block(rows[int(offsets[block]) : int(offsets[block + 1])], most)
        if stored is None:
            _refuse(shard, block, "cannot be decompressed")
        ends = stored[: 4 * (n_rows + 1)].view("<u4").astype(np.uint64)
        content = stored[4 * (n_rows + 1) :]
        if (
            len(ends) != n_rows + 1
            or ends[0] != 0
            or (np.diff(ends.astype(np.int64)) < 0).any()
            or int(ends[-1]) != len(content)
        ):
            _refuse(shard, block, "has rows that are not where they can be")
        yield start, content, ends


def unpack_block(stored: npt.NDArray[np.uint8], most: int) -> npt.NDArray[np.uint8] | None:
    """Decompress a block of at most so many bytes; None if it is none."""
    from zstandard import ZstdDecompressor, ZstdError, get_frame_parameters

    frame = stored.tobytes()
    try:
        if not 0 < get_frame_parameters(frame).content_size <= most:
            return None
        return np.frombuffer(ZstdDecompressor().decompress(frame), dtype=np.uint8)
    except ZstdError:
        return None


def _check_gaps(shard: Shard) -> None:
    """See that sections touch, but for zeros."""
    end = 8
    mapped = shard.mapped
    sections = sorted(shard.footer.sections.values(), key=lambda section: section.offset)
    tops = [section.offset for section in sections] + [len(mapped) - TAIL_BYTES - shard.n_footer]
    for begin, section in zip(tops, [*sections, None], strict=True):
        if begin < end or mapped[end:begin].any():
            raise damaged(
                shard.path, f"bytes {end:,} to {begin:,} are not zero", shard=shard.path.name
            )
        end = begin + (section.length if section is not None else 0)


def _refuse(shard: Shard, block: int, problem: str) -> NoReturn:
    raise damaged(
        shard.path, f"block {block:,} of rows {problem}", shard=shard.path.name, block=block
    )
