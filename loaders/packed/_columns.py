"""Labels and other columns of a packed corpus, of all shards together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import IntegrityError, NotFoundError, SchemaError
from ..corpus import NO_CLASS, obs_column
from ._gather import gather_bytes, gather_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ._shard import Shard

__all__ = ["Codes", "Values", "read_classes", "read_column", "read_obsm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A column of categories."""

    name: str
    """Of the column."""
    terms: tuple[str, ...]
    """What the integers that come out stand for."""
    table: npt.NDArray[np.int64] = field(repr=False)
    """See `gather_codes`."""
    classes: npt.NDArray[np.int64] = field(repr=False)
    """See `gather_codes`."""
    kept: list[Any] = field(repr=False)
    """What the addresses point to."""

    def read(
        self, shards: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Give the integer of each cell. Shape ``(n,)``.

        Raises
        ------
        IntegrityError
            If a cell has a code that stands for nothing, or a term that is not among the classes.
        """
        found = np.empty(len(shards), dtype=np.int64)
        at = gather_codes(shards, places, self.table, self.classes, found)
        if at >= 0:
            msg = (
                f"Column {self.name!r} of shard {int(shards[at]):,} holds for cell {int(places[at]):,} what "
                f"none of the {len(self.terms):,} terms of the corpus stands for. Pack this version of the "
                "corpus again, or fetch its shards."
            )
            raise IntegrityError(msg, {"column": self.name, "shard": int(shards[at])})
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """A column of numbers, or an array of obsm."""

    dtype: np.dtype[Any]
    """Of the values."""
    shape: tuple[int, ...]
    """Of one cell's value."""
    addresses: npt.NDArray[np.int64] = field(repr=False)
    """Of each shard's values, 0 where it has none."""
    kept: list[Any] = field(repr=False)
    """What the addresses point to."""

    def read(
        self, shards: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        """Give the value of each cell, NaN where there is none. Shape ``(n, *shape)``."""
        found = np.empty((len(shards), *self.shape), dtype=self.dtype)
        if found.dtype.kind == "f":
            found.fill(np.nan)
        flat = found.reshape(len(found), -1).view(np.uint8)
        gather_bytes(shards, places, self.addresses, flat)
        return found


def read_classes(shards: Sequence[Shard], name: str, terms: Sequence[str]) -> Codes:
    """Prepare the labels of a field as class integers, -1 for none.

    Raises
    ------
    SchemaError
        If a shard has no such column, or one without categories.
    """
    column = obs_column(name)
    codes = {term: i for i, term in enumerate(terms)} | dict.fromkeys(NO_CLASS, -1)
    found = [_column(shard, column) for shard in shards]
    for shard, pair in zip(shards, found, strict=True):
        if pair is None or pair[1] is None:
            problem = "has no column" if pair is None else "has no categories in column"
            msg = (
                f"{shard.path} {problem} {column!r}, which holds the labels of {name!r}. Pack the corpus "
                f"again, or leave {name!r} out of the labels."
            )
            raise SchemaError(msg, {"shard": str(shard.path), "column": column})
    return _codes(column, found, codes, tuple(terms))


def read_column(shards: Sequence[Shard], name: str) -> Codes | Values:
    """Prepare any column of obs. Categories are those of all shards, sorted.

    Truth values are categories where a shard misses some of them: those of others are then, too.

    Raises
    ------
    NotFoundError
        If no shard has it.
    SchemaError
        If it has categories in some shards and numbers in others.
    """
    found = [_column(shard, name) for shard in shards]
    having = [pair for pair in found if pair is not None]
    if not having:
        known = sorted({column for shard in shards for column in shard.columns})
        msg = f"No shard has a column {name!r} of obs. There are: {', '.join(known) or 'none'}."
        raise NotFoundError(msg, {"column": name})
    if any(categories is not None for _, categories in having):
        found = [None if pair is None else _with_categories(*pair) for pair in found]
        having = [pair for pair in found if pair is not None]
    if len({pair[1] is None for pair in having}) > 1:
        msg = (
            f"Column {name!r} holds categories in some shards and numbers in others. Curate the "
            "datasets to one of these, or leave the column out."
        )
        raise SchemaError(msg, {"column": name})
    if having[0][1] is None:
        return _values(name, [None if pair is None else pair[0] for pair in found])
    terms = tuple(sorted({str(term) for _, categories in having for term in categories or ()}))
    return _codes(name, found, {term: i for i, term in enumerate(terms)}, terms)


def read_obsm(shards: Sequence[Shard], name: str) -> Values:
    """Prepare an array of obsm.

    Raises
    ------
    NotFoundError
        If no shard has it.
    SchemaError
        If it has another width in some shards.
    """
    found = [_section(shard, f"obsm/{name}") for shard in shards]
    if all(array is None for array in found):
        msg = f"No shard has obsm {name!r}. Leave it out, or pack datasets that have it."
        raise NotFoundError(msg, {"obsm": name})
    return _values(name, found)


def _column(shard: Shard, name: str) -> tuple[npt.NDArray[Any], Sequence[str] | None] | None:
    return shard.column(name) if name in shard.columns else None


def _with_categories(
    values: npt.NDArray[Any], categories: Sequence[Any] | None
) -> tuple[npt.NDArray[Any], Sequence[Any] | None]:
    """Give truth values the categories that they have where some are missing."""
    is_truth = categories is None and values.dtype.kind == "b"
    return (values.view(np.int8), (False, True)) if is_truth else (values, categories)


def _section(shard: Shard, name: str) -> npt.NDArray[Any] | None:
    return shard.section(name) if name in shard.footer.sections else None


def _codes(
    name: str,
    found: Sequence[tuple[npt.NDArray[Any], Sequence[str] | None] | None],
    codes: dict[str, int],
    terms: tuple[str, ...],
) -> Codes:
    """Put the translations of all shards together; equal ones are there once."""
    table = np.zeros((len(found), 4), dtype=np.int64)
    parts, starts, n_used = [np.array([-1], dtype=np.int64)], {}, 1
    kept = []
    for facts, pair in zip(table, found, strict=True):
        if pair is None:
            facts[:] = (0, 1, 0, 1)
            continue
        values, categories = pair
        key = tuple(map(str, categories or ()))
        if key not in starts:
            parts.append(np.array([-1, *(codes.get(term, -2) for term in key)], dtype=np.int64))
            starts[key] = n_used
            n_used += len(parts[-1])
        held = values if values.dtype.itemsize <= 4 else values.astype(np.int32)
        kept.append(held)
        facts[:] = held.ctypes.data, held.dtype.itemsize, starts[key], len(key) + 1
    return Codes(name=name, terms=terms, table=table, classes=np.concatenate(parts), kept=kept)


def _values(name: str, found: Sequence[npt.NDArray[Any] | None]) -> Values:
    having = [array for array in found if array is not None]
    shapes = {array.shape[1:] for array in having}
    if len(shapes) > 1:
        msg = (
            f"{name!r} has other shapes in other shards: {', '.join(map(str, sorted(shapes)))}. "
            "Leave it out, or pack datasets that agree."
        )
        raise SchemaError(msg, {"name": name})
    dtype = np.result_type(*(array.dtype for array in having))
    if dtype.kind != "f" and len(having) < len(found):
        dtype = np.dtype(np.float64)  # has a value for none
    kept = [None if array is None else np.ascontiguousarray(array, dtype=dtype) for array in found]
    addresses = [0 if array is None else array.ctypes.data for array in kept]
    return Values(
        dtype=dtype, shape=shapes.pop(), addresses=np.array(addresses, dtype=np.int64), kept=kept
    )
