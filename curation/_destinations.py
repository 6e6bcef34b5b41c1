"""To which gene of another species each gene's counts go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import NotFoundError, OrganismError, SchemaError
from ..ontologies import gene_table
from ..ontologies.organisms import GUESTS
from ..ontologies.ortholog_choice import mutual_best, single_best
from ..ontologies.ortholog_edges import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from ..ontologies import Orthologs

LOSSES = (
    "not_of_organism",
    "no_ortholog",
    "low_confidence",
    "target_absent",
    "not_one2one",
    "ambiguous",
    "not_best",
)
"""Why a gene's counts go nowhere: the first that holds."""
GENE_FACTS = ("symbol", "biotype", "is_mito", "is_ribo", "is_hb", "kind")
"""Columns of var that come from the gene table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where the counts of each gene go."""

    source: str
    """Taxon whose genes were measured."""
    target: str
    """Taxon whose genes they go to."""
    origin: tuple[str, ...]
    """Source and release of the edges between the two."""
    genes: pd.DataFrame = field(repr=False)
    """One row per gene: ``target``, ``outcome``, ``type``; see `ProjectionReport.genes`."""
    targets: pd.Index[str] = field(repr=False)
    """The genes that counts go to, sorted."""

    @property
    def places(self) -> npt.NDArray[np.intp]:
        """Position of each gene's target in `targets`, or -1."""
        import pandas as pd

        return self.targets.get_indexer(pd.Index(self.genes["target"].astype(object)))


def find_destinations(
    var: pd.DataFrame, target: str, table: Orthologs, *, how: str, confidence: str
) -> Destinations:
    """Decide for every gene; see `project_genes` for the rules and the errors."""
    import pandas as pd

    source = _source_of(var, target)
    edges = table.between(source, target)
    if edges.empty:
        msg = (
            f"There are no orthologs between {source} and {target}; there are some of "
            f"{', '.join(table.taxa) or 'nothing'}. Read a table with "
            "corpuscle.ontologies.read_orthologs and pass it as orthologs."
        )
        raise NotFoundError(msg, {"source": source, "target": target, "known": list(table.taxa)})
    origin = edges["source"] + " " + edges["release"].fillna("")
    own = var["organism_ontology_term_id"].astype(object).eq(source).to_numpy()
    outcome = pd.Series("not_of_organism", index=var.index, dtype=object)
    outcome[own] = "no_ortholog"
    stages = {"low_confidence": edges}
    if confidence == "high":
        edges = edges[edges["confidence"] == "high"]
    stages["target_absent"] = edges
    present = _genes_of(target, edges).get_indexer(pd.Index(edges["ortholog"].astype(object)))
    edges = edges[present >= 0]
    stages["ambiguous" if how != "one2one" else "not_one2one"] = edges
    chosen = edges[_chosen(edges, how)]
    if how == "best":
        stages["not_best"] = edges[single_best(edges)]
    for reason, candidates in stages.items():
        outcome[own & var.index.isin(candidates["gene"])] = reason
    chosen = chosen[chosen["gene"].isin(var.index[own])].set_index("gene")  # not before choosing:
    # where a gene goes must not depend on what else a dataset has measured
    outcome[var.index.isin(chosen.index)] = "moved"
    to = chosen[["ortholog", "type"]].astype(object).reindex(var.index)
    genes = pd.DataFrame(
        {
            "target": pd.Categorical(to["ortholog"]),
            "outcome": pd.Categorical(outcome, categories=["moved", *LOSSES]),
            "type": pd.Categorical(to["type"], categories=TYPES),
        },
        index=var.index.rename("gene_id"),
    )
    targets = pd.Index(sorted(set(chosen["ortholog"])), dtype=object, name="gene_id")
    return Destinations(
        source=source,
        target=target,
        origin=tuple(sorted(set(origin.str.strip()))),
        genes=genes,
        targets=targets,
    )


def ortholog_names(
    genes: Sequence[str], source: str, target: str, *, how: str, confidence: str = "any"
) -> dict[str, str]:
    """Give the gene of another species that each gene's counts go to.

    Parameters
    ----------
    genes
        Stable ids of the source's genes, each once.
    source, target
        Taxon ids.
    how, confidence
        See `project_genes`.

    Returns
    -------
    Genes that go nowhere are not in it.

    Raises
    ------
    NotFoundError
        If there are no orthologs between the two.
    """
    import pandas as pd

    from ..ontologies import known_orthologs

    var = pd.DataFrame({"organism_ontology_term_id": source}, index=pd.Index(list(genes)))
    ways = find_destinations(var, target, known_orthologs(), how=how, confidence=confidence)
    moved = ways.genes.loc[ways.genes["outcome"] == "moved", "target"]
    return dict(zip(moved.index, moved.astype(str), strict=True))


def _source_of(var: pd.DataFrame, target: str) -> str:
    """Find whose genes they are."""
    column = "organism_ontology_term_id"
    if column not in var:
        msg = f"var has no column {column!r}: this is no curated dataset. Curate it first."
        raise SchemaError(msg, {"columns": [str(name) for name in var.columns]})
    if not var.index.is_unique:
        first = var.index[var.index.duplicated()][0]
        msg = f"var has gene {first!r} more than once: this is no curated dataset. Curate it first."
        raise SchemaError(msg, {"gene": str(first)})
    guests = {guest.taxon_id for guest in GUESTS}
    found = sorted(set(var[column].dropna().astype(str)) - guests)
    if len(found) != 1:
        msg = (
            f"Genes are of {', '.join(found) or 'no organism'}; project a dataset of one organism."
        )
        raise OrganismError(msg, {"organisms": found})
    if found[0] == target:
        msg = (
            f"The genes are of {target} already. Name another organism, or leave them as they are."
        )
        raise OrganismError(msg, {"organisms": found})
    return found[0]


def _genes_of(target: str, edges: pd.DataFrame) -> pd.Index[str]:
    """Give the genes there are; without a table of them, those of the edges."""
    import pandas as pd

    try:
        return gene_table(target).index
    except NotFoundError:
        return pd.Index(edges["ortholog"].unique())


def _chosen(edges: pd.DataFrame, how: str) -> pd.Series[bool]:
    """Tell which edges counts go along: at most one per gene."""
    if how == "sum":
        return single_best(edges)
    if how == "best":
        return mutual_best(edges)
    ones = edges["type"] == "1:1"
    own = edges[ones]
    twice = own.duplicated("gene", keep=False) | own.duplicated("ortholog", keep=False)
    ones[twice.index[twice]] = False  # a table that contradicts itself
    return ones


def projected_var(var: pd.DataFrame, ways: Destinations) -> pd.DataFrame:
    """Describe the genes of the target, in the columns that the curated dataset has.

    Parameters
    ----------
    var
        Of the curated dataset.
    ways
        What becomes of its genes.

    Returns
    -------
    One row per target, index sorted; the columns of `var` that describe a gene. ``source_id`` lists the genes that are summed in it, with
    ``|`` between them, ``resolution`` the types of the edges.
    """
    import pandas as pd

    moved = ways.genes[ways.genes["outcome"] == "moved"].astype(object)
    by_target = moved.assign(gene=moved.index).groupby("target", sort=True)
    try:
        table = gene_table(ways.target).reindex(ways.targets)
    except NotFoundError:
        table = pd.DataFrame(index=ways.targets)
    names = pd.Series(ways.targets, index=ways.targets)
    known = {
        name: table.get(name, pd.Series(None, index=names.index, dtype=object))
        for name in GENE_FACTS
    }
    known["symbol"] = known["symbol"].fillna(names).astype(object)
    known["organism_ontology_term_id"] = pd.Series(ways.target, index=names.index)
    known["source_id"] = by_target["gene"].agg("|".join)
    known["resolution"] = "ortholog " + by_target["type"].agg(
        lambda types: "|".join(sorted(set(types)))
    )
    columns = {name: known[name] for name in var.columns if name in known}
    for name, values in columns.items():
        if isinstance(var[name].dtype, pd.CategoricalDtype):
            columns[name] = values.astype(object).fillna("unknown").astype("category")
        elif name not in {"symbol", "source_id"}:
            columns[name] = values.astype(var[name].dtype)
    return pd.DataFrame(columns, index=ways.targets)
