"""What an HDF5 file or a zarr store may hold; checked before anything of it is read."""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._guards import MAX_OBJECTS, array_bytes, check_size, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
"""Filters that come with HDF5 and h5py: no code of others is loaded for them."""
CODECS = frozenset(
    [
        "adler32",
        "bitround",
        "blosc",
        "bytes",
        "bz2",
        "crc32",
        "crc32c",
        "delta",
        "endian",
        "fixedscaleoffset",
        "fletcher32",
        "gzip",
        "lz4",
        "lzma",
        "packbits",
        "quantize",
        "sharding_indexed",
        "shuffle",
        "transpose",
        "vlen-bytes",
        "vlen-utf8",
        "zlib",
        "zstd",
    ]
)
"""Codecs that turn bytes into numbers and texts, and into nothing else. Not ``pickle``."""
COPY = "Copy what is meant into one file, and pass that."


def check_hdf5(path: Path, file: Any) -> None:
    """Refuse what leads out of the file, loads foreign code, or declares more than it stores.

    Raises
    ------
    SchemaError
        If there is a link to another file, a group within itself, data kept in or mapped from
        other files, references or opaque bytes where numbers are read, a filter nobody has, or
        an array of impossible size.
    """
    from h5py import h5d, h5g, h5o

    seen: set[Any] = set()
    soft: list[str] = []
    stack: list[tuple[str, Any, frozenset[int]]] = [("", file.id, frozenset())]
    while stack:
        name, group, above = stack.pop()
        above |= {h5o.get_info(group).addr}
        for key, address in _members(path, name, group):
            if address is None:
                soft.append(key)
                continue
            if address in above:
                raise refuse(path, f"the group {key} holds itself", COPY, name=key)
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MAX_OBJECTS:
                raise refuse(path, f"over {MAX_OBJECTS:,} groups and arrays", COPY)
            member = h5o.open(file.id, key.encode("utf-8", "surrogateescape"))
            if isinstance(member, h5g.GroupID):
                stack.append((key, member, above))
            elif isinstance(member, h5d.DatasetID):
                _check_dataset(path, key, member)
    for key in soft:  # none of them leads through another file, as there is no link to one
        if file.get(key) is None:
            what = f"{key} is a link to {file.get(key, getlink=True).path}, which is not there"
            raise refuse(path, what, "Write the file again.", name=key)


def _members(path: Path, name: str, group: Any) -> Iterator[tuple[str, int | None]]:
    """Names and addresses of what is in a group; no address for a link to a name."""
    from h5py import h5l, h5o

    for raw in group:
        key = f"{name}/{raw.decode('utf-8', 'surrogateescape')}"
        kind = group.links.get_info(raw).type
        if kind == h5l.TYPE_HARD:
            yield key, h5o.get_info(group, raw).addr
        elif kind == h5l.TYPE_SOFT:
            yield key, None
        else:
            where = "another file"
            if kind == h5l.TYPE_EXTERNAL:
                where = b" of ".join(group.links.get_val(raw)[::-1]).decode("utf-8", "replace")
            raise refuse(path, f"{key} is a link to {where}", COPY, name=key)


def _check_dataset(path: Path, name: str, dataset: Any) -> None:
    import h5py
    from h5py import h5d, h5t, h5z

    made = dataset.get_create_plist()
    if made.get_external_count():
        others = [made.get_external(0)[0].decode("utf-8", "replace")]
        raise refuse(path, f"the values of {name} are in {others[0]}", COPY, name=name)
    if made.get_layout() == h5d.VIRTUAL:
        names = {made.get_virtual_filename(i) for i in range(made.get_virtual_count())}
        if others := sorted(names - {"."}):
            raise refuse(path, f"the values of {name} are in {others[0]}", COPY, name=name)
        return
    kind = dataset.get_type().get_class()
    if kind in {h5t.REFERENCE, h5t.OPAQUE} and not name.startswith("/uns/"):
        what = f"{name} holds {'references' if kind == h5t.REFERENCE else 'opaque bytes'}"
        raise refuse(path, what, "Write it as numbers or texts.", name=name)
    for number in range(made.get_nfilters()):
        code, _, _, label = made.get_filter(number)
        if code in OWN_FILTERS and h5z.filter_avail(code):
            continue
        with contextlib.suppress(ImportError):
            import_module("hdf5plugin")
        if not h5z.filter_avail(code):
            what = f"{name} is packed by filter {code} ({label.decode('utf-8', 'replace')})"
            hint = "Install hdf5plugin if it is one of its filters, or run h5repack -f GZIP=4."
            raise refuse(path, what, hint, name=name, filter=code)
    if dataset.get_space_status() != h5d.SPACE_STATUS_NOT_ALLOCATED or dataset.shape:
        check_size(path, name, array_bytes(h5py.Dataset(dataset)), dataset.get_storage_size())


def check_zarr(path: Path, group: Any) -> None:
    """Refuse what leads out of the folder, can be unpickled, or declares more than it stores.

    Raises
    ------
    SchemaError
        If a link leads out of the folder, an array has a codec that is not in `CODECS`, or the
        indices of a matrix or a table are of impossible size.
    """
    for number, (name, member) in enumerate(group.members(max_depth=None)):
        if number > MAX_OBJECTS:
            raise refuse(path, f"over {MAX_OBJECTS:,} groups and arrays", COPY)
        if not hasattr(member, "shape"):
            continue
        if unknown := sorted(set(_codecs(member.metadata.to_dict())) - CODECS):
            what = f"{name} is packed by {', '.join(unknown)}"
            raise refuse(path, what, "Write it with zstd, blosc or gzip.", name=name)
        # arrays of equal values are not stored at all, but indices are not equal
        if name.endswith(("/indices", "/indptr", "/_index", "/index")):
            stored = sum(part.stat().st_size for part in (path / name).rglob("*") if part.is_file())
            check_size(path, name, array_bytes(member), stored)


def _codecs(metadata: Any) -> Iterator[str]:
    """Find the names of codecs in the metadata of an array, inner ones of shards too."""
    for part in ("codecs", "index_codecs", "filters", "compressor"):
        found = metadata.get(part) or ()
        for codec in (found,) if isinstance(found, dict) else found:
            name = str(codec.get("id") or codec.get("name"))
            yield name.removeprefix("numcodecs.")
            yield from _codecs(codec.get("configuration") or {})
