"""From the features of a file to stable genes, and whose genes they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GeneMappingError, OrganismError
from ..ontologies import get_organism, infer_organism, map_labels, resolve_genes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

    from ..ontologies import Organism, OrganismEvidence
    from ._options import CurationOptions
    from ._source import SourceFile

ID_COLUMNS = ("ensembl_id", "gene_ids", "gene_id", "feature_id")
"""Columns of var that hold stable ids by convention, in order of trust among equals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneMap:
    """Features of the file in terms of genes of the dataset."""

    column: str
    """Column of var that was read, or ``index``."""
    features: pd.DataFrame = field(repr=False)
    """What `resolve_genes` said, one row per feature, and `target`: its gene's position or -1."""
    var: pd.DataFrame = field(repr=False)
    """The curated dataset's var: one row per gene, index sorted."""

    def apply(self, rows: csr_matrix) -> csr_matrix:
        """Sum the features of each gene and leave out those without one.

        Parameters
        ----------
        rows
            Counts. Shape ``(n, n_features)``.

        Returns
        -------
        Counts with sorted indices. Shape ``(n, n_genes)``.
        """
        from scipy import sparse

        target = self.features["target"].to_numpy()
        source = np.flatnonzero(target >= 0)
        shape = (len(target), len(self.var))
        ones = np.ones(len(source), dtype=rows.dtype)
        mapped = sparse.csr_matrix(
            rows @ sparse.csr_matrix((ones, (source, target[source])), shape)
        )
        mapped.sort_indices()
        return mapped

    @property
    def max_per_gene(self) -> int:
        """The most features that are summed into one gene."""
        target = self.features["target"]
        counts = target[target >= 0].value_counts()
        return int(counts.max()) if len(counts) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismDecision:
    """Whose cells these are, and why."""

    organism: Organism
    method: str
    """``option``, ``obs``, ``uns`` or ``genes``."""
    reason: str
    """The evidence in words and figures."""
    dropped: npt.NDArray[np.bool_] = field(repr=False)
    """Cells stated to be of another organism. Shape ``(n_cells,)``."""


def gene_features(path: Path, var: pd.DataFrame, column: str | None) -> tuple[str, pd.Series[Any]]:
    """Find the texts that name the genes: the column with most stable ids, else the index.

    Returns
    -------
    The column's name (``index`` for the index) and one text per feature.

    Raises
    ------
    GeneMappingError
        If `column` does not exist, or two columns with equally many ids contradict each other.
    """
    import pandas as pd

    candidates = {"index": pd.Series(var.index.astype(str), dtype=object)}
    for name in var.columns:
        values = var[name]
        if values.dtype == object or isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
            texts = ["" if pd.isna(value) else str(value) for value in values]
            candidates[str(name)] = pd.Series(texts, dtype=object)
    if column is not None:
        if column not in candidates:
            msg = f"var of {path} has no text column {column!r}. It has {', '.join(candidates)}."
            raise GeneMappingError(msg, {"file": str(path), "column": column})
        return column, candidates[column]
    shares = {name: looks_like_id(texts) for name, texts in candidates.items()}
    best = max(shares.values())
    if shares["index"] >= 0.5 or best < 0.5:
        return "index", candidates["index"]
    ties = [name for name, share in shares.items() if share == best]
    ties.sort(key=lambda name: name not in ID_COLUMNS)  # stable: otherwise as in the file
    if any(not candidates[ties[0]].equals(candidates[other]) for other in ties[1:]):
        msg = (
            f"Columns {', '.join(ties)} of var in {path} hold different gene ids. "
            "Choose one with --gene-column."
        )
        raise GeneMappingError(msg, {"file": str(path), "columns": ties})
    return ties[0], candidates[ties[0]]


def looks_like_id(texts: pd.Series[Any]) -> float:
    """Share of the texts that have the shape of a stable gene id."""
    shape = r"(?:ENS[A-Z]*G\d{11}(?:\.\d+)?|WBGene\d{8}|FBgn\d{7}|ERCC-\d{5})"
    return float(texts.str.fullmatch(shape).mean()) if len(texts) else 0.0


def decide_organism(
    source: SourceFile,
    features: pd.Series[Any],
    options: CurationOptions,
    tried: Mapping[str, str],
) -> OrganismDecision:
    """Decide the one organism of a dataset from the option, obs, uns and the genes.

    What is stated must agree with the genes. Cells stated to be of another organism than the one
    whose genes were measured are marked as dropped.

    Parameters
    ----------
    source
        The open file.
    features
        Texts that name the genes.
    options
        What the curator decided.
    tried
        Verdict on each matrix that was looked at, for messages.

    Raises
    ------
    OrganismError
        If nothing says it, or what is said contradicts the genes.
    GeneMappingError
        If the features are no genes of any known organism.
    """
    evidence = infer_organism(list(features))
    stated, method, dropped = _stated(source, evidence, options)
    found = evidence.organism
    details = {"file": str(source.path), "tried": dict(tried), "genes": evidence.reason}
    if stated is None and found is None:
        best = max(evidence.shares.values(), default=0.0)
        if evidence.basis != "gene ids" and best < 0.2:
            msg = (
                f"The features of {source.path} are not genes: only {best:.1%} of {len(features):,} "
                f"are known to any organism (first feature: {str(features.iloc[0])!r}). Tried "
                f"{'; '.join(f'{name}: {reason}' for name, reason in tried.items())}. If gene names are in a column of var, name it "
                "with --gene-column."
            )
            raise GeneMappingError(msg, {**details, "first": str(features.iloc[0])})
        msg = (
            f"The organism of {source.path} is not stated in obs or uns, and its genes do not "
            f"decide it: {evidence.reason} Pass --organism."
        )
        raise OrganismError(msg, details)
    if stated is None:
        assert found is not None
        return OrganismDecision(
            organism=found, method="genes", reason=evidence.reason, dropped=dropped
        )
    if found is not None and found != stated and evidence.basis == "gene ids":
        msg = (
            f"{source.path} is stated to be {stated.name} ({method}), but its genes say "
            f"{found.name}: {evidence.reason} Correct what is stated, or pass --gene-column."
        )
        raise OrganismError(msg, details)
    reason = f"stated in {method}; {evidence.reason}"
    return OrganismDecision(organism=stated, method=method, reason=reason, dropped=dropped)


def _stated(
    source: SourceFile, evidence: OrganismEvidence, options: CurationOptions
) -> tuple[Organism | None, str, npt.NDArray[np.bool_]]:
    """Find the stated organism, where from, and the cells that are stated to be of another."""
    taxa = _taxon_per_cell(source, options)
    stated = sorted(set(taxa.dropna()))
    wanted = options.organism or options.constants.get("organism")
    if wanted is not None:
        organism, method = get_organism(wanted), "option"
    elif len(stated) == 1:
        organism, method = get_organism(stated[0]), "obs"
    elif stated:
        found = evidence.organism
        if found is None or evidence.basis != "gene ids" or found.taxon_id not in stated:
            msg = (
                f"obs of {source.path} states {len(stated)} organisms ({', '.join(stated)}), and a "
                "dataset has one. Split the file, or keep the cells of one with --organism."
            )
            raise OrganismError(msg, {"file": str(source.path), "stated": stated})
        organism, method = found, "obs"
    else:
        keys = [key for key in ("organism_ontology_term_id", "organism") if key in source.uns]
        if not keys:
            return None, "", np.zeros(len(taxa), dtype=np.bool_)
        organism, method = get_organism(str(source.uns[keys[0]])), "uns"
    same = taxa.isin([organism.taxon_id, *organism.variants]) | taxa.isna()
    return organism, method, np.asarray(~same, dtype=np.bool_)


def _taxon_per_cell(source: SourceFile, options: CurationOptions) -> pd.Series[Any]:
    """Taxon id that obs states for each cell; None where it states none or nothing we know."""
    import pandas as pd

    names = [options.columns["organism"]] if "organism" in options.columns else []
    for name in [*names, "organism_ontology_term_id", "organism"]:
        if name in source.obs:
            words = source.obs[name].astype(object)
            rows = map_labels(words.unique(), field="organism")
            rows = rows[rows["outcome"] == "mapped"]
            return words.map(dict(zip(rows["source_label"], rows["term_id"], strict=True)))
    return pd.Series([None] * len(source.obs), dtype=object)


def map_genes(
    source: SourceFile,
    var: pd.DataFrame,
    features: pd.Series[Any],
    column: str,
    organism: Organism,
    *,
    min_share: float,
) -> GeneMap:
    """Resolve every feature of a file.

    Raises
    ------
    GeneMappingError
        If less than `min_share` of the features are resolved.
    """
    table = resolve_genes(list(features), organism=organism.taxon_id)
    if "feature_types" in var:
        other = ~var["feature_types"].astype(str).isin(["Gene Expression", "nan", ""]).to_numpy()
        table.loc[other, ["gene_id", "outcome", "method"]] = [None, "unknown", "feature_type"]
    resolved = table["outcome"] == "resolved"
    share = float(resolved.mean()) if len(table) else 0.0
    if share < min_share or not resolved.any():
        first = table.loc[~resolved, "source_id"].iloc[0] if len(table) else ""
        msg = (
            f"Only {int(resolved.sum()):,} of {len(table):,} features of {source.path} are genes of "
            f"{organism.name} (read from {column}; first that is not: {first!r}). Name the column "
            "of var with --gene-column, or accept the loss with --min-gene-share."
        )
        details = {"file": str(source.path), "column": column, "first": first, "share": share}
        raise GeneMappingError(msg, details)
    genes = table[resolved].drop_duplicates("gene_id").set_index("gene_id").sort_index()
    target = genes.index.get_indexer(table["gene_id"])
    table["target"] = np.where(resolved.to_numpy(), target, -1)
    return GeneMap(column=column, features=table, var=_curated_var(genes, table))


def _curated_var(genes: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Describe each gene, with what the file called it and how it was resolved."""
    by_gene = table[table["target"] >= 0].groupby("gene_id", sort=True)
    var = genes[["symbol", "biotype", "is_mito", "organism_ontology_term_id"]].copy()
    var["source_id"] = by_gene["source_id"].agg("|".join)
    var["resolution"] = by_gene["method"].agg(lambda methods: "|".join(sorted(set(methods))))
    var["symbol"] = var["symbol"].astype(object).where(var["symbol"].notna(), var.index)
    for name in ("biotype", "organism_ontology_term_id", "resolution"):
        var[name] = var[name].astype(object).fillna("unknown").astype("category")
    var["is_mito"] = var["is_mito"].astype("boolean")
    return var
