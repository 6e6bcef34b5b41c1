"""Counts of one species in terms of another species' genes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ..errors import CountsError, GeneMappingError, InputError
from ..ontologies import get_organism, known_orthologs
from ._counts import EXACT_FLOAT32, EXACT_FLOAT64
from ._destinations import LOSSES, Destinations, find_destinations, projected_var
from ._matrix import CHUNK_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    from ..ontologies import Orthologs

    Values = npt.NDArray[np.float64]

How = Literal["one2one", "sum", "best"]
"""How counts are moved."""
Confidence = Literal["any", "high"]
"""Which orthologs are trusted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProjectionReport:
    """What became of every count. ``counts_in == counts_moved + sum(counts_lost.values())``."""

    source: str
    """Taxon whose genes were measured."""
    target: str
    """Taxon whose genes the counts are of now."""
    how: How
    """See `project_genes`."""
    confidence: Confidence
    """Which orthologs were trusted."""
    orthologs: tuple[str, ...]
    """Source and release of the edges between the two species."""
    n_cells: int
    """Cells: all of them are kept."""
    genes_in: int
    """Genes before."""
    genes_moved: int
    """Genes whose counts went to a gene of the target."""
    genes_lost: dict[str, int]
    """Genes whose counts did not, by reason."""
    genes_out: int
    """Genes after."""
    counts_in: int
    """Sum of all counts before."""
    counts_moved: int
    """Sum of all counts after."""
    counts_lost: dict[str, int]
    """Sum of the counts that are lost, by reason; the reasons of `genes_lost`."""
    lost_share: dict[str, float]
    """Share of a cell's counts that is lost: ``mean``, ``min``, ``median``, ``max`` over cells
    that have counts. Empty if none has."""
    left_out: tuple[str, ...]
    """Parts of the dataset that are of its genes and not carried over: layers and the like."""
    genes: pd.DataFrame = field(repr=False)
    """One row per gene before, in order; index ``gene_id``, columns ``target`` (or null),
    ``outcome`` (``moved`` or the reason), ``type`` of the edge (or null), all three categories,
    and ``counts``."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form, without the table of genes."""
        names = [name for name in self.__slots__ if name != "genes"]
        own = {name: getattr(self, name) for name in names}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in own.items()}


def project_genes(
    adata: AnnData,
    to: str = "NCBITaxon:9606",
    how: How = "one2one",
    *,
    orthologs: Orthologs | None = None,
    confidence: Confidence = "any",
) -> tuple[AnnData, ProjectionReport]:
    """Move the counts of a curated dataset to another species' genes.

    No count is split, duplicated or rescaled. Each gene's counts go to one gene of the target, or
    are lost and reported:

    ===========  =================================================================================
    ``one2one``  only along 1:1 edges. Every column of the result is one gene of the source
    ``best``     along edges that are the one best of both their genes, 1:1 or not. Every column
                 of the result is one gene of the source
    ``sum``      along the one best edge of each gene; genes that have the same best ortholog are
                 summed. Moves the most counts
    ===========  =================================================================================

    The best edge of a gene is that of the highest confidence, then of the highest support, then one
    that is also the best of the ortholog. Several that are equal make the gene ambiguous: its
    counts are lost, for any division of them would be invented.

    Reasons of loss: ``not_of_organism`` (spike-ins, viruses), ``no_ortholog``, ``low_confidence`` (or not stated),
    ``target_absent`` (the ortholog is not in the gene table of the target), ``not_one2one``,
    ``ambiguous``, ``not_best`` (a better gene has the same best ortholog). The first that holds is
    reported.

    Parameters
    ----------
    adata
        A curated dataset, in memory or backed: index of ``var`` are gene ids,
        ``var["organism_ontology_term_id"]`` says whose, ``X`` holds counts. It is not changed. It
        is read in chunks of rows; the result is in memory.
    to
        Taxon id or name of the target.
    how
        See above.
    orthologs
        The edges; those of `known_orthologs` by default: human and mouse, and the workspace's.
    confidence
        ``high`` trusts only edges whose source says so; what is not stated is not high.

    Returns
    -------
    A new dataset and the report. ``X`` is CSR, float32, or float64 if a count reaches 2**24. Genes
    are those that counts could go to, sorted: what was not measured is not zero. ``var`` has the
    curated columns, with the genes of the source in ``source_id``. ``obs`` and ``obsm`` stay: they
    describe the cells as measured (so ``n_counts`` is of the source). ``uns["corpuscle"]`` has
    ``projection``: ``report`` (JSON) and ``genes`` (table).

    Raises
    ------
    InputError
        If `how` or `confidence` is none of the above.
    SchemaError
        If `adata` is no curated dataset.
    CountsError
        If ``X`` holds anything but counts.
    OrganismError
        If genes are of no or several organisms, or of the target already.
    NotFoundError
        If the target is not known, or `orthologs` has no edges between the two.
    GeneMappingError
        If no gene can be moved.
    """
    for name, value, allowed in (("how", how, How), ("confidence", confidence, Confidence)):
        if value not in get_args(allowed):
            msg = f"{name} is {value!r}. Pass one of {', '.join(get_args(allowed))}."
            raise InputError(msg, {name: value})
    target = get_organism(to).taxon_id
    table = known_orthologs() if orthologs is None else orthologs
    ways = find_destinations(adata.var, target, table, how=how, confidence=confidence)
    if not len(ways.targets):
        lost = ", ".join(f"{reason} ({n:,})" for reason, n in _count(ways).items())
        msg = (
            f"None of {adata.n_vars:,} genes can be moved to {target} by {how!r}: {lost}. "
            "Use another rule, or other orthologs."
        )
        raise GeneMappingError(msg, {"target": target, "how": how})
    moved, per_gene, per_cell = _move(adata, ways)
    report = _report(adata, ways, per_gene, per_cell, how=how, confidence=confidence)
    return _dataset(adata, moved, ways, report), report


def _move(adata: AnnData, ways: Destinations) -> tuple[csr_matrix, Values, tuple[Values, Values]]:
    """Sum the columns of each target, and all counts by gene and by cell before and after."""
    from scipy import sparse

    place = ways.places
    inside = np.flatnonzero(place >= 0)
    ones = np.ones(len(inside))
    matrix = sparse.csr_matrix((ones, (inside, place[inside])), (len(place), len(ways.targets)))
    parts: list[csr_matrix] = []
    before: list[Values] = []
    after: list[Values] = []
    per_gene = np.zeros(len(place))
    for rows in _rows(adata):
        mapped = sparse.csr_matrix(rows @ matrix)
        mapped.sort_indices()
        per_gene += np.bincount(rows.indices, weights=rows.data, minlength=len(place))
        before.append(np.asarray(rows.sum(axis=1), dtype=np.float64).ravel())
        after.append(np.asarray(mapped.sum(axis=1), dtype=np.float64).ravel())
        small = mapped.data.max(initial=0) < EXACT_FLOAT32
        parts.append(mapped.astype(np.float32) if small else mapped)
    whole = sparse.csr_matrix(sparse.vstack(parts, format="csr"))
    return whole, per_gene, (np.concatenate(before), np.concatenate(after))


def _rows(adata: AnnData) -> Iterator[csr_matrix]:
    """Iterate over X: counts as float64, sorted, without duplicates and stored zeros."""
    from scipy import sparse

    step = max(1, CHUNK_VALUES // max(adata.n_vars, 1))
    for start in range(0, max(adata.n_obs, 1), step):
        values: Any = adata.X
        rows = sparse.csr_matrix(values[start : start + step]).astype(np.float64)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        data = rows.data
        good = (data >= 0) & (data < EXACT_FLOAT64) & (np.floor(data) == data)
        if not good.all():
            at = int(np.argmin(good))
            row = int(np.searchsorted(rows.indptr, at, side="right")) - 1
            msg = (
                f"X holds {data[at]:g} (row {start + row:,}, gene "
                f"{adata.var_names[rows.indices[at]]!r}): no count. Project raw counts."
            )
            raise CountsError(msg, {"row": start + row, "value": float(data[at])})
        yield rows


def _count(ways: Destinations) -> dict[str, int]:
    counts = ways.genes["outcome"].value_counts()
    return {reason: int(counts[reason]) for reason in LOSSES if counts[reason]}


def _report(
    adata: AnnData,
    ways: Destinations,
    per_gene: Values,
    per_cell: tuple[Values, Values],
    *,
    how: How,
    confidence: Confidence,
) -> ProjectionReport:
    genes = ways.genes.assign(counts=per_gene.astype(np.int64))
    by_outcome = genes.groupby("outcome", observed=True)["counts"].sum()
    lost = _count(ways)
    before, after = per_cell
    shares = 1 - after[before > 0] / before[before > 0]
    return ProjectionReport(
        source=ways.source,
        target=ways.target,
        how=how,
        confidence=confidence,
        orthologs=ways.origin,
        n_cells=adata.n_obs,
        genes_in=len(genes),
        genes_moved=int((genes["outcome"] == "moved").sum()),
        genes_lost=lost,
        genes_out=len(ways.targets),
        counts_in=int(before.sum()),
        counts_moved=int(after.sum()),
        counts_lost={reason: int(by_outcome[reason]) for reason in lost},
        lost_share=_summary(shares),
        left_out=tuple(
            f"{part}/{name}"
            for part in ("layers", "varm", "varp")
            for name in sorted(getattr(adata, part))
        )
        + (("raw",) if adata.raw is not None else ()),
        genes=genes,
    )


def _summary(shares: Values) -> dict[str, float]:
    if not len(shares):
        return {}
    values = shares.mean(), shares.min(), np.median(shares), shares.max()
    return dict(zip(("mean", "min", "median", "max"), map(float, values), strict=True))


def _dataset(
    adata: AnnData, moved: csr_matrix, ways: Destinations, report: ProjectionReport
) -> AnnData:
    from copy import deepcopy

    import anndata

    uns = deepcopy(dict(adata.uns))
    own = dict(uns.get("corpuscle") or {})
    record = {"report": json.dumps(report.to_dict(), sort_keys=True), "genes": report.genes}
    uns["corpuscle"] = {**own, "projection": record}
    return anndata.AnnData(
        X=moved,
        obs=adata.obs.copy(),
        var=projected_var(adata.var, ways),
        obsm={name: np.array(values) for name, values in adata.obsm.items()},
        uns=uns,
    )
