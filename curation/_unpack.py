"""Values of HDF5 that gzip packed, unpacked in threads.

HDF5 unpacks in one thread, and h5py lets no other thread near any file meanwhile.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError

from ._threads import n_threads

if TYPE_CHECKING:
    import numpy.typing as npt

CHUNK_BYTES = range(2**14, 2**23)
"""Sizes of chunks that are worth it, and of which every thread may hold one."""


def read_values(stored: Any, first: int, last: int) -> npt.NDArray[Any]:
    """Read from `first` to before `last`, as ``stored[first:last]`` does.

    Parameters
    ----------
    stored
        An array of HDF5 or of another kind. Whatever is not one-dimensional, packed by deflate
        alone or after shuffle, and whole, is read by its own library, which knows what to say of
        damage.
    first, last
        Within the array.
    """
    shuffled = _shuffled(stored)
    if shuffled is None or not first < last <= stored.shape[0]:
        return np.asarray(stored[first:last])
    size, out = stored.chunks[0], np.empty(last - first, dtype=stored.dtype)
    places = range(first // size * size, last, size)

    def read(part: range) -> bool:
        return all(_read(stored, place, out, place - first, shuffled=shuffled) for place in part)

    n = n_threads()
    with ThreadPoolExecutor(n) as pool:
        is_whole = all(pool.map(read, [places[i::n] for i in range(n)]))
    return out if is_whole else np.asarray(stored[first:last])


def _shuffled(stored: Any) -> bool | None:
    """Tell whether bytes are shuffled, or nothing if it is no array that is unpacked here."""
    import h5py

    if not isinstance(stored, h5py.Dataset) or stored.ndim != 1 or stored.chunks is None:
        return None
    kind = stored.dtype
    if kind.kind not in "iuf" or stored.chunks[0] * kind.itemsize not in CHUNK_BYTES:
        return None
    if not stored.id.get_type().equal(h5py.h5t.py_create(kind)):  # numpy has no such number
        return None
    made = stored.id.get_create_plist()
    filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
    shuffle, deflate = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE
    return {(deflate,): False, (shuffle, deflate): True}.get(tuple(filters))


def _read(stored: Any, place: int, out: npt.NDArray[Any], start: int, *, shuffled: bool) -> bool:
    """Unpack the chunk at `place` into `out`, where it begins at `start`; tell if it is whole."""
    size, width = stored.chunks[0], stored.dtype.itemsize
    try:
        skipped, packed = stored.id.read_direct_chunk((place,))
        unpacker = isal_zlib.decompressobj()
        found = unpacker.decompress(packed, size * width + 1)
    except (OSError, RuntimeError, ValueError, IsalError):  # type: ignore[misc]  # its type says less
        return False
    if skipped or not unpacker.eof or len(found) != size * width:
        return False
    if shuffled:
        planes = np.frombuffer(found, dtype=np.uint8).reshape(width, size)
        chunk = np.ascontiguousarray(planes.T).view(stored.dtype)[:, 0]
    else:
        chunk = np.frombuffer(found, dtype=stored.dtype)
    skip = max(-start, 0)
    target = out[start + skip : start + size]
    target[:] = chunk[skip : skip + len(target)]
    return True
