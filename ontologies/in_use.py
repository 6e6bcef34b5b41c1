"""The tables a process uses, for another process to use the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import gene_tables, orthologs
from .gene_tables import use_gene_tables
from .orthologs import use_orthologs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["tables_in_use"]


def tables_in_use() -> Callable[[], None]:
    """Give a function that makes another process use the gene and ortholog tables of this one.

    It can be pickled, and equal tables give equal bytes.
    """
    genes = {taxon: str(table.path) for taxon, table in sorted(gene_tables._added.items())}
    return partial(_use, genes, tuple(map(str, orthologs._added)))


def _use(genes: dict[str, str], ortholog_tables: tuple[str, ...]) -> None:
    use_gene_tables(genes)
    use_orthologs(*ortholog_tables)
