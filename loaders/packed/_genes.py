"""How the genes of the shards become those that were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

__all__ = ["Renaming", "name_genes"]

SAME, RISING, SOME, ANY = range(4)
"""As in `_row`, which this must not import: it would import numba."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """Tables that the compiled functions read; `L` gene lists, a vocabulary of `V` genes."""

    genes: tuple[str, ...]
    """The vocabulary."""
    places: npt.NDArray[np.int32]
    """Place of each gene of each list in the vocabulary, -1 for genes that were not asked for."""
    starts: npt.NDArray[np.int64]
    """Where each list begins in `places`. Shape ``(L + 1,)``."""
    kinds: npt.NDArray[np.int64]
    """What renaming does to the ids of a row, by list. Shape ``(L,)``."""
    bits: npt.NDArray[np.uint64]
    """Genes of the vocabulary that each list has, 64 to a word. Shape ``(L, ceil(V / 64))``."""

    def measured(self) -> npt.NDArray[np.bool_]:
        """The same, one value for each gene. Shape ``(L, V)``."""
        flat = np.unpackbits(self.bits.view(np.uint8), axis=1, bitorder="little")
        return flat[:, : len(self.genes)].astype(bool)


def name_genes(
    lists: Sequence[Sequence[str]],
    genes: Sequence[str] | None = None,
    *,
    renamed: Mapping[str, str] | None = None,
) -> Renaming:
    """Make the tables.

    Parameters
    ----------
    lists
        Gene ids of the shards: each list once.
    genes
        The vocabulary, in the order wanted; None for all genes of the lists, sorted.
    renamed
        Other names of genes, as of their orthologs. Genes that are not in it are left out; counts
        of genes that get one name are summed.

    Raises
    ------
    InputError
        If a gene is twice in the vocabulary.
    NotFoundError
        If no list has any gene of it.
    """
    named: list[list[str]] = [
        [renamed.get(gene, "") for gene in names] if renamed is not None else list(names)
        for names in lists
    ]
    vocabulary = sorted(set().union(*named) - {""}) if genes is None else list(genes)
    place = {gene: i for i, gene in enumerate(vocabulary)}
    if len(place) < len(vocabulary):
        repeat = next(gene for i, gene in enumerate(vocabulary) if place[gene] != i)
        msg = f"{repeat!r} is twice among the {len(vocabulary):,} genes. List each column once."
        raise InputError(msg, {"gene": repeat})
    columns = [np.array([place.get(gene, -1) for gene in names], np.int32) for names in named]
    if lists and not any((own >= 0).any() for own in columns):
        msg = (
            f"None of the {len(vocabulary):,} genes asked for is in the corpus (first: "
            f"{next(iter(vocabulary), None)!r}; the corpus has {lists[0][0] if lists[0] else None!r}). "
            "Pass stable ids, such as Ensembl's."
        )
        raise NotFoundError(msg, {"genes": vocabulary[:5]})
    bits = np.zeros((len(lists), -(-len(vocabulary) // 64) * 64), dtype=np.uint8)
    for flags, own in zip(bits, columns, strict=True):
        flags[own[own >= 0]] = 1
    return Renaming(
        genes=tuple(vocabulary),
        places=np.concatenate([np.empty(0, np.int32), *columns]),
        starts=np.cumsum([0, *map(len, columns)]),
        kinds=np.array([_kind(own) for own in columns], dtype=np.int64),
        bits=np.packbits(bits, axis=1, bitorder="little").view(np.uint64),
    )


def _kind(places: npt.NDArray[np.int32]) -> int:
    kept = places[places >= 0]
    if (np.diff(kept) <= 0).any():
        return ANY
    if len(kept) < len(places):
        return SOME
    return SAME if (kept == np.arange(len(kept))).all() else RISING
