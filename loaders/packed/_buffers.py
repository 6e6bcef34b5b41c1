"""Memory of batches that nobody holds any more, for the next ones."""

from __future__ import annotations

import math
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Buffers"]

_OWN = 3
"""References to a piece that is free: of the list, the variable and the call that counts."""


class Buffers:
    """Arrays whose memory is used again when all that share it are gone.

    New memory of a batch costs as much as filling it: the system clears every page, and none of it
    is in a cache. Threads may share one, processes must not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: list[npt.NDArray[np.uint8]] = []

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """Give an array, not set to anything; it is the caller's as long as anything refers to it.

        The pieces that were first are taken first, so that few of them are in use.
        """
        n_bytes = np.dtype(dtype).itemsize * (shape if isinstance(shape, int) else math.prod(shape))
        with self._lock:
            small = -1
            for i in range(len(self._pieces)):  # `enumerate` would refer to pieces, too
                piece = self._pieces[i]
                if sys.getrefcount(piece) == _OWN:
                    if len(piece) >= n_bytes:
                        break
                    small = i
            else:
                if small >= 0:
                    del self._pieces[small]
                piece = np.empty(n_bytes + n_bytes // 8, np.uint8)  # the next may be longer
                self._pieces.append(piece)
            return np.ndarray(shape, dtype, buffer=piece)
