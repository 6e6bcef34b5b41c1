"""The genes of an organism, ready to be looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from .gene_form import FLAGS
from .gene_names import names_of
from .gene_tables import gene_file
from .organisms import GUESTS, Organism

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from .gene_names import Names

__all__ = ["Genes", "genes_of"]


@dataclass(frozen=True, kw_only=True)
class Genes:
    """What `resolve_genes` looks things up in: one organism and the guests."""

    table: pd.DataFrame = field(repr=False)
    """Rows of the organism first; index gene id."""
    exact: Names = field(repr=False)
    heirs: dict[int, tuple[int, ...]] = field(repr=False)
    """By row of a retired gene: rows of those it became."""
    copies: dict[int, int] = field(repr=False)
    """By row of a gene on X: row of its copy on Y."""
    n_annotations: int

    @cached_property
    def folded(self) -> Names:
        """The names without regard to case."""
        return self.exact.folded()

    @cached_property
    def retired(self) -> npt.NDArray[np.bool_]:
        """Whether a row is a retired gene."""
        return self.table["status"].eq("retired").to_numpy()

    def rows_of(self, ids: pd.Series[str]) -> npt.NDArray[np.intp]:
        """Find the row of every gene id, -1 where there is none."""
        import pandas as pd

        return self.table.index.get_indexer(pd.Index(ids))


@cache
def genes_of(organism: Organism, key: object) -> Genes:
    """Prepare the genes of an organism, and the guests, `key` being its `table_of`."""
    import pandas as pd

    del key  # it tells tables of one organism apart
    columns = ["gene_id", "symbol", "biotype", *FLAGS, "kind", "status"]
    parts = [
        gene_file(part).flat(columns).assign(organism_ontology_term_id=part.taxon_id)
        for part in (organism, *GUESTS)
    ]
    own = gene_file(organism)
    table = pd.concat(parts, ignore_index=True).set_index("gene_id")
    rows, successors = own.lists("replaced_by")
    heirs: dict[int, tuple[int, ...]] = {}
    for row, heir in zip(rows, table.index.get_indexer(pd.Index(successors)), strict=True):
        if heir >= 0:
            heirs[int(row)] = (*heirs.get(int(row), ()), int(heir))
    original = table.index.get_indexer(pd.Index(own.flat(["par_copy_of"])["par_copy_of"]))
    copies = {int(original[row]): int(row) for row in np.flatnonzero(original >= 0)}
    return Genes(
        table=table,
        exact=names_of(own),
        heirs=heirs,
        copies=copies,
        n_annotations=len(own.annotations),
    )
