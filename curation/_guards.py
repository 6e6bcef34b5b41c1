"""What is refused before it is read: sizes nobody has, and paths that lead elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CELLS = 500_000_000
"""Rows of a table: the largest files have a hundredth, all public cells together are fewer."""
MAX_TABLE_BYTES = 1 << 37
"""obs or var in memory: 137 GB, which is 10^8 cells with 150 columns of 8 bytes."""
MAX_TEXT_BYTES = 1 << 16
"""A title or citation of ``uns``."""
MAX_OBJECTS = 100_000
"""Groups and arrays of a file: the richest have some thousands."""
FREE_BYTES = 1 << 30
"""An array of up to this size may be as compressible as it likes."""
MAX_RATIO = 100_000
"""Declared bytes per stored byte of larger ones: gzip reaches 1,032, zstd on equal bytes 30,000."""


def refuse(path: Path, what: str, hint: str, **details: object) -> SchemaError:
    """Say that something of a file is not read, and what would help."""
    return SchemaError(f"{path}: {what}. {hint}", {"file": str(path), **details})


def check_size(path: Path, name: str, declared: int, stored: int) -> None:
    """Refuse an array that declares far more than it stores.

    Raises
    ------
    SchemaError
        If so.
    """
    if declared > max(FREE_BYTES, MAX_RATIO * stored):
        what = f"{name} declares {declared:,} bytes and stores {stored:,}"
        hint = "No counts compress so well: leave the file out."
        raise refuse(path, what, hint, name=name, declared=declared, stored=stored)


def check_folder(path: Path) -> None:
    """Refuse links of a folder that lead out of it, and links to folders, which may be circles.

    Raises
    ------
    SchemaError
        If there is one.
    """
    root = path.resolve()
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            member = Path(folder) / name
            if not member.is_symlink():
                continue
            target = member.resolve()
            if name in folders or not target.is_relative_to(root):
                what = f"{member.relative_to(path)} is a link to {target}"
                hint = "Copy the folder with `cp -rL`, if you trust what it links to."
                raise refuse(path, what, hint, name=str(member.relative_to(path)))


def check_table(path: Path, name: str, table: Any) -> int:
    """Refuse a stored table that is too large, or whose columns are not of one length.

    Parameters
    ----------
    path
        The file, for messages.
    name
        Of the table: ``obs``, ``var`` or ``raw/var``.
    table
        The group of HDF5 or zarr, as AnnData writes it since 0.7.

    Returns
    -------
    Its number of rows.

    Raises
    ------
    SchemaError
        If so.
    """
    rewrite = "Write the file again from its source."
    if hasattr(table, "shape"):
        raise refuse(path, f"{name} is an array, not a table", rewrite, table=name)
    if table.attrs.get("encoding-type") != "dataframe":
        return 0  # whoever reads it says what it is
    index, order = (table.attrs.get(key) for key in ("_index", "column-order"))
    if not isinstance(index, str) or not hasattr(order, "__len__"):
        what = f"{name} names its index {index!r} and its columns {order!r}"
        raise refuse(path, what, rewrite, table=name)
    columns = [index, *map(str, order)]
    if index in table:
        _check_pieces(path, f"{name}/{index}", table[index])
    n_rows, n_bytes = -1, 0
    for column in columns:
        if column not in table:
            raise refuse(path, f"{name} has no column {column!r}", rewrite, table=name)
        length, size = _column(path, f"{name}/{column}", table[column])
        n_rows = length if n_rows < 0 else n_rows
        n_bytes += size
        if length != n_rows:
            what = f"column {column!r} of {name} has {length:,} rows and its index {n_rows:,}"
            raise refuse(path, what, rewrite, table=name, column=column)
    if n_rows > MAX_CELLS or n_bytes > MAX_TABLE_BYTES:
        what = f"{name} declares {n_rows:,} rows and {n_bytes:,} bytes"
        hint = f"At most {MAX_CELLS:,} and {MAX_TABLE_BYTES:,} are read: split the file."
        raise refuse(path, what, hint, table=name)
    return n_rows


def check_sparse(path: Path, name: str, matrix: Any) -> None:
    """Refuse a stored CSR or CSC matrix that lacks a part, or of zarr a piece of one.

    A piece of an array that is not there is read as zeros by zarr; so is one that was lost.

    Raises
    ------
    SchemaError
        If so.
    """
    rewrite = "Fetch or write the file again."
    shapes: dict[str, tuple[int, ...]] = {
        part: getattr(matrix.get(part), "shape", ()) for part in ("data", "indices", "indptr")
    }
    for part, shape in shapes.items():
        if len(shape) != 1:
            raise refuse(path, f"{name} has no array {part}", rewrite, matrix=name)
    sides = matrix.attrs.get("shape", ())
    if len(sides) != 2:
        raise refuse(path, f"{name} does not say its shape, but {sides}", rewrite, matrix=name)
    for part in ("indices", "indptr"):
        if matrix[part].dtype.kind not in "iu":
            what = f"{name}/{part} is of {matrix[part].dtype}, not of whole numbers"
            raise refuse(path, what, rewrite, matrix=name)
    if shapes["data"] != shapes["indices"]:
        what = f"{name} has {shapes['data'][0]:,} values at {shapes['indices'][0]:,} indices"
        raise refuse(path, what, rewrite, matrix=name)
    for part in ("data", "indices") if min(sides) > 1 else ():
        _check_pieces(path, f"{name}/{part}", matrix[part])


def _check_pieces(path: Path, name: str, array: Any) -> None:
    if hasattr(array, "nchunks_initialized"):
        n_lost = array.nchunks - array.nchunks_initialized
        if n_lost > 0:
            what = f"{n_lost:,} of {array.nchunks:,} pieces of {name} are not there"
            raise refuse(path, what, "Fetch or write the file again.", name=name)


def _column(path: Path, name: str, column: Any) -> tuple[int, int]:
    """Rows and bytes of a column: an array, or a group with values of rows."""
    if hasattr(column, "shape"):
        return _rows(path, name, column), array_bytes(column)
    of_rows = [column[part] for part in ("codes", "values", "mask") if part in column]
    lengths = {_rows(path, name, part) for part in of_rows}
    if len(lengths) != 1:
        what = f"{name} is no column: it has parts of {len(lengths)} different lengths"
        raise refuse(path, what, "Write the file again from its source.", name=name)
    return lengths.pop(), sum(map(array_bytes, _arrays(column)))


def _rows(path: Path, name: str, array: Any) -> int:
    if len(getattr(array, "shape", ())) != 1:
        what = f"{name} is no column: it is of shape {getattr(array, 'shape', 'a group')}"
        raise refuse(path, what, "Write the file again from its source.", name=name)
    return int(array.shape[0])


def _arrays(group: Any) -> Iterator[Any]:
    return (group[name] for name in group if hasattr(group[name], "shape"))


def array_bytes(array: Any) -> int:
    """Bytes an array takes in memory, without what its texts take."""
    n = 1
    for length in array.shape:
        n *= int(length)
    return n * max(int(getattr(array.dtype, "itemsize", 8)), 1)


def is_short(stored: Any) -> bool:
    """Whether an element of ``uns`` is no larger than a text may be."""
    arrays = [stored] if hasattr(stored, "shape") else list(_arrays(stored))
    return sum(map(array_bytes, arrays)) <= MAX_TEXT_BYTES
