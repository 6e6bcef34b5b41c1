"""Rows that do not lie in memory as they are: compressed, or far away."""

from __future__ import annotations

import itertools
import operator
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy.typing as npt

    from .._form import Check
    from ._shard import Shard
    from ._storage import OpenShard

__all__ = ["BlockCache", "BlockRows", "damaged"]

CACHE_BYTES = 64 * 2**20
_SHARD = 2**32


def damaged(shard: Shard, block: int, *, what: str) -> IntegrityError:
    """Make the error for a block that is not what it should be."""
    msg = (
        f"Block {block:,} of shard {shard.path} {what}. Fetch the file again, or run `corpuscle pack` again, "
        "which writes only what is missing."
    )
    return IntegrityError(msg, {"file": str(shard.path), "shard": shard.path.name, "block": block})


class Block(NamedTuple):
    """A block in memory, as `find_in_blocks` takes it."""

    content: npt.NDArray[np.uint8]
    address: int
    length: int
    n_rows: int
    """0 for one that is a row and nothing else."""


class BlockCache:
    """Blocks kept in memory up to a number of bytes; the one used longest ago goes first."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._free = max_bytes
        self._held: OrderedDict[Hashable, Block] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Block | None:
        """Give a block if it is held."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, block: Block) -> None:
        """Hold a block."""
        with self._lock:
            if key not in self._held:
                self._held[key] = block
                self._free -= block.length
            while self._free < 0 and self._held:
                self._free += self._held.popitem(last=False)[1].length


class BlockRows:
    """Finds rows in blocks, which it reads once for all rows of a batch, and keeps for the next.

    Parameters
    ----------
    shards
        All of the corpus.
    check
        When blocks are compared with their hash: when they are read, or never.
    cache_bytes
        Memory for blocks.
    """

    def __init__(
        self, shards: list[OpenShard], check: Check, *, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self._shards = shards
        self._check = check != "never"
        self._cache = BlockCache(cache_bytes)
        self._block_rows = np.array([shard.footer.block_rows for shard in shards], dtype=np.int64)
        self._local = threading.local()

    def find(
        self,
        shards: npt.NDArray[np.int64],
        places: npt.NDArray[np.int64],
        table: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
    ) -> list[Block]:
        """Write the facts of rows into `rows`; keep what is returned while these are used.

        Raises
        ------
        IntegrityError
            If a block differs from its hash, or is not as the format says.
        TransferError
            If it cannot be fetched.
        """
        from ._batches import find_in_blocks

        in_shard, inner = np.divmod(places, self._block_rows[shards])
        keys, which = np.unique(shards * _SHARD + in_shard, return_inverse=True)
        blocks = self._blocks([divmod(key, _SHARD) for key in keys.tolist()])
        facts = np.array([block[1:] for block in blocks], dtype=np.int64).reshape(-1, 3)
        at = find_in_blocks(shards, places, table, which, inner, facts, rows)
        if at >= 0:
            shard = self._shards[shards[at]]
            raise damaged(shard, int(in_shard[at]), what="says that its rows lie beyond its end")
        return blocks

    def _blocks(self, keys: list[tuple[int, int]]) -> list[Block]:
        found = {key: self._cache.get(key) for key in keys}
        missing = [key for key in keys if found[key] is None]
        for shard, group in itertools.groupby(missing, key=operator.itemgetter(0)):
            numbers = [key[1] for key in group]
            for number, stored in zip(numbers, self._stored(shard, numbers), strict=True):
                content = self._decoded(shard, number, stored)
                own = self._shards[shard].footer
                n_rows = min(own.block_rows, own.n_cells - number * own.block_rows)
                n_rows = 0 if own.codec == "plain" else n_rows
                made = Block(content, content.ctypes.data, len(content), n_rows)
                found[shard, number] = made
                self._cache.put((shard, number), made)
        return [block for key in keys if (block := found[key]) is not None]

    def _stored(self, shard: int, blocks: list[int]) -> list[npt.NDArray[np.uint8]]:
        own = self._shards[shard]
        offsets = own.section("offsets")
        length = own.footer.sections["rows"].length
        begins, ends = offsets[blocks].tolist(), offsets[np.array(blocks) + 1].tolist()
        for block, begin, end in zip(blocks, begins, ends, strict=True):
            if not 0 <= begin <= end <= length:
                raise damaged(own, block, what="lies outside of the shard's rows")
        return own.read_rows(begins, ends)

    def _decoded(self, shard: int, block: int, stored: npt.NDArray[np.uint8]) -> Any:
        from ._xxh64 import xxh64

        own = self._shards[shard]
        if self._check and xxh64(stored) != int(own.section("checks")[block]):
            raise damaged(own, block, what="differs from its hash")
        if own.footer.codec == "plain":
            return stored
        import zstandard

        first = block * own.footer.block_rows
        counts = own.section("n_values")[first : first + own.footer.block_rows]
        most = 4 * (len(counts) + 1) + 12 * int(counts.sum(dtype=np.int64)) + 8 * len(counts)
        try:
            size = zstandard.get_frame_parameters(stored.data).content_size
            if not 0 < size <= most:
                raise damaged(own, block, what=f"would be {size:,} bytes long")
            decoder = getattr(self._local, "decoder", None)
            if decoder is None:
                decoder = self._local.decoder = zstandard.ZstdDecompressor()
            return np.frombuffer(decoder.decompress(stored.data), np.uint8)
        except zstandard.ZstdError as error:
            raise damaged(own, block, what=f"cannot be decompressed ({error})") from error
