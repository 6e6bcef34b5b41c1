"""Memory that scipy's matrices give back."""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["keep_freed_memory"]


@functools.cache  # a process that is forked has the memory of its parent
def keep_freed_memory() -> None:
    """Let the C library keep what matrices give back, up to 62 MiB, for the next ones.

    Otherwise it goes back to the system, which clears every page of the next one: a quarter of the
    time of reading them from files. The library of GNU keeps twice the largest piece that was ever
    freed, if that had less than 32 MiB (``M_MMAP_THRESHOLD`` in mallopt(3)); so free one, never
    touched. Other libraries are none the wiser.
    """
    piece = np.empty(31 * 2**20, dtype=np.uint8)
    del piece
