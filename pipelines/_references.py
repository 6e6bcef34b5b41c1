"""Reference tables of a workspace: those that are shipped and those that were added."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..ontologies import GENE_RELEASES, gene_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneReference:
    """A gene table."""

    organism: str
    """Name of the table or of the organism."""
    release: str
    """Annotation it comes from."""
    n_genes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)


def list_genes() -> list[GeneReference]:
    """List the gene tables that this workspace knows."""
    return [
        GeneReference(organism=name, release=release, n_genes=len(gene_table(name)))
        for name, release in GENE_RELEASES.items()
    ]


def references_view(tables: Sequence[GeneReference]) -> Table:
    """Table for people."""
    from rich.table import Table

    view = Table(title="gene tables", title_justify="left")
    view.add_column("organism")
    view.add_column("release")
    view.add_column("genes", justify="right")
    for table in tables:
        view.add_row(table.organism, table.release, f"{table.n_genes:,}")
    return view
