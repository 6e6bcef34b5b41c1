"""Groups of genes that correspond to each other across several species."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from ..errors import InputError, NotFoundError
from .ortholog_choice import single_best
from .ortholog_edges import canonical_taxon
from .orthologs import known_orthologs, taxon_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from .orthologs import Orthologs

__all__ = ["GroupRule", "ortholog_groups"]

GroupRule = Literal["anchor", "component", "one2one"]
"""How groups are made."""


def ortholog_groups(
    organisms: Sequence[str],
    how: GroupRule = "one2one",
    *,
    orthologs: Orthologs | None = None,
    anchor: str = "NCBITaxon:9606",
) -> pd.DataFrame:
    """Group the genes of several organisms.

    =============  ==============================================================================
    ``one2one``    genes connected by 1:1 edges, if no organism has two of them; not every
                   organism need have one, see ``n_organisms``
    ``component``  genes connected by any edges, however many of each organism
    ``anchor``     a gene of the anchor and every gene whose best edge to the anchor leads to it
    =============  ==============================================================================

    Parameters
    ----------
    organisms
        Two or more taxon ids or names.
    how
        The rule.
    orthologs
        The edges; those of `known_orthologs` by default: the shipped ones, and the workspace's.
    anchor
        Organism of the ``anchor`` rule. It need not be one of `organisms`: then its genes hold the
        groups together without being members.

    Returns
    -------
    One row per gene that has an edge the rule looks at (of the anchor: that is somebody's best),
    sorted by taxon number and gene; columns
    ``group_id`` (null: the rule does not put the gene anywhere), ``gene_id``,
    ``organism_ontology_term_id``, ``rule`` (`how`, or why there is no group: ``ambiguous`` if best
    edges are equal, ``several`` if an organism would have two genes), ``n_genes`` and
    ``n_organisms`` of the group (0 without one). A group is called after the rule and its gene of
    the anchor, or of the first organism that has one (the first gene, if there are several).

    Raises
    ------
    InputError
        If `how` is no rule, or fewer than two organisms are named.
    NotFoundError
        If an organism is not known, or there are no edges between the organisms.

    Examples
    --------
    >>> groups = ortholog_groups(["human", "mouse"]).set_index("gene_id")
    >>> groups.loc[["ENSG00000141510", "ENSMUSG00000059552"], "group_id"].tolist()
    ['one2one:ENSG00000141510', 'one2one:ENSG00000141510']
    """
    if how not in get_args(GroupRule):
        msg = f"how is {how!r}. Pass one of {', '.join(get_args(GroupRule))}."
        raise InputError(msg, {"how": how})
    taxa = sorted({canonical_taxon(name) for name in organisms}, key=taxon_number)
    if len(taxa) < 2:
        msg = f"Groups are of two or more organisms, not of {', '.join(taxa) or 'none'}."
        raise InputError(msg, {"organisms": taxa})
    table = known_orthologs() if orthologs is None else orthologs
    center = canonical_taxon(anchor)
    seen = {*taxa, center} if how == "anchor" else set(taxa)
    edges = table.edges
    inside = edges["taxon_a"].isin(seen) & edges["taxon_b"].isin(seen)
    if how == "anchor":
        inside &= edges["taxon_a"].eq(center) | edges["taxon_b"].eq(center)
    if how == "one2one":
        inside &= edges["type"].eq("1:1")
    edges = edges[inside]
    if edges.empty:
        msg = (
            f"There are no {'1:1 ' * (how == 'one2one')}edges between {', '.join(sorted(seen))}. "
            f"There are edges of {', '.join(table.taxa) or 'nothing'}: pass others as orthologs."
        )
        raise NotFoundError(msg, {"organisms": sorted(seen), "known": list(table.taxa)})
    genes = _anchored(table, taxa, center) if how == "anchor" else _connected(edges)
    if how == "one2one":
        twice = genes.duplicated(["label", "organism_ontology_term_id"], keep=False)
        bad = genes["label"].isin(genes.loc[twice, "label"])
        genes = genes.assign(label=genes["label"].mask(bad, -1))
    return _named(genes, how, taxa, center)


def _connected(edges: pd.DataFrame) -> pd.DataFrame:
    """Number the sets of genes that edges connect, across all species."""
    import numpy as np
    import pandas as pd
    from scipy import sparse

    ends = [
        edges[[f"taxon_{side}", f"gene_{side}"]].set_axis(
            ["organism_ontology_term_id", "gene_id"], axis=1
        )
        for side in ("a", "b")
    ]
    both = pd.concat(ends, ignore_index=True)
    codes = both.groupby(list(both), sort=False).ngroup().to_numpy()
    genes = both.drop_duplicates(ignore_index=True)  # in the order of the codes
    n = len(edges)
    graph = sparse.coo_matrix(
        (np.ones(n, dtype=np.int8), (codes[:n], codes[n:])), shape=(len(genes), len(genes))
    )
    labels: npt.NDArray[np.int32]
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    return genes.assign(label=labels.astype(np.int64))


def _anchored(table: Orthologs, taxa: Sequence[str], center: str) -> pd.DataFrame:
    """Put each gene to the anchor gene of its best edge; -1 if two are equally good."""
    import pandas as pd

    parts = []
    for taxon in taxa:
        if taxon != center:
            edges = table.between(taxon, center)
            best = edges[single_best(edges)].set_index("gene")["ortholog"]
            names = pd.Series(edges["gene"].unique())
            own = {"organism_ontology_term_id": taxon, "gene_id": names, "anchor": names.map(best)}
            parts.append(pd.DataFrame(own))
    genes = pd.concat(parts, ignore_index=True)
    if center in taxa:
        used = pd.Series(sorted(genes["anchor"].dropna().unique()))
        own = {"organism_ontology_term_id": center, "gene_id": used, "anchor": used}
        genes = pd.concat([genes, pd.DataFrame(own)], ignore_index=True)
    return genes.assign(label=pd.factorize(genes["anchor"])[0])


def _named(genes: pd.DataFrame, how: str, taxa: Sequence[str], center: str) -> pd.DataFrame:
    """Sort the genes, name and measure their groups."""
    order = {
        taxon: place
        for place, taxon in enumerate(sorted(taxa, key=lambda t: (t != center, taxon_number(t))))
    }
    number = genes["organism_ontology_term_id"].map(taxon_number)
    genes = genes.assign(_first=genes["organism_ontology_term_id"].map(order), _number=number)
    inside = genes["label"] >= 0
    leader = genes[inside].sort_values(["_first", "gene_id"]).drop_duplicates("label")
    names = leader.set_index("label")["anchor" if how == "anchor" else "gene_id"]
    groups = genes[inside].groupby("label")
    genes = genes.assign(
        group_id=(how + ":" + names.astype(object)).reindex(genes["label"]).to_numpy(),
        rule="ambiguous" if how == "anchor" else "several",
        n_genes=groups.size().reindex(genes["label"], fill_value=0).to_numpy(),
        n_organisms=groups["organism_ontology_term_id"]
        .nunique()
        .reindex(genes["label"], fill_value=0)
        .to_numpy(),
    )
    genes["rule"] = genes["rule"].mask(inside, how)
    genes = genes.sort_values(["_number", "gene_id"], ignore_index=True)
    columns = ["group_id", "gene_id", "organism_ontology_term_id", "rule", "n_genes", "n_organisms"]
    return genes[columns].astype(dict.fromkeys(columns[:4], object))
