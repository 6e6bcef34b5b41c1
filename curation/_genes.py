"""From the features of a file to stable genes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GeneMappingError, NotFoundError
from ..ontologies import resolve_genes

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd
    from scipy.sparse import csr_matrix

    from ..ontologies import Organism

ID_COLUMNS = ("ensembl_id", "gene_ids", "gene_id", "feature_id")
"""Columns of var that hold stable ids by convention, in order of trust among equals."""
FLAGS = ["is_mito", "is_ribo", "is_hb"]
"""Nullable booleans of a gene."""
SYMBOL_COLUMNS = (
    "feature_name",
    "gene_symbol",
    "gene_symbols",
    "gene_name",
    "gene_names",
    "gene_short_name",
    "symbol",
)
"""Columns of var that hold symbols by convention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneMap:
    """Features of the file in terms of genes of the dataset."""

    column: str
    """Column of var that was read, or ``index``."""
    features: pd.DataFrame = field(repr=False)
    """What `resolve_genes` said, one row per feature, and `target`: its gene's position or -1."""
    var: pd.DataFrame = field(repr=False)
    """The curated dataset's var: one row per gene, index sorted."""
    max_per_gene: int
    """The most features that are summed into one gene."""

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

        from ._kernels import moved

        target = self.features["target"].to_numpy()
        if self.max_per_gene <= 1 and rows.data.dtype.kind == "f":
            indptr, indices, data = moved(
                rows.indptr, rows.indices, rows.data, target.astype(np.int64)
            )
            mapped = sparse.csr_matrix((data, indices, indptr), (rows.shape[0], len(self.var)))
            mapped.sort_indices()
            return mapped
        source = np.flatnonzero(target >= 0)
        shape = (len(target), len(self.var))
        ones = np.ones(len(source), dtype=rows.dtype)
        mapped = sparse.csr_matrix(
            rows @ sparse.csr_matrix((ones, (source, target[source])), shape)
        )
        mapped.sort_indices()
        return mapped


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneFeatures:
    """What a file calls its features."""

    column: str
    """Column of var that was read, or ``index``."""
    texts: pd.Series[Any] = field(repr=False)
    """One text per feature, without surrounding blanks."""
    is_gene: npt.NDArray[np.bool_] = field(repr=False)
    """False for antibodies, peaks and guides. Shape ``(n_features,)``."""
    symbols: pd.Series[Any] | None = field(default=None, repr=False)
    """The file's symbols beside its ids, where it has both."""

    @property
    def genes(self) -> pd.Series[Any]:
        """Texts of the features that are genes."""
        return self.texts.loc[self.is_gene]


def gene_features(path: Path, var: pd.DataFrame, column: str | None) -> GeneFeatures:
    """Find the texts that name the genes: the column with most stable ids, else the index.

    Parameters
    ----------
    path
        The file, for messages.
    var
        Its features.
    column
        The column to read, ``index`` for the index. A column that is itself called ``index`` is
        known as ``column:index``.

    Raises
    ------
    GeneMappingError
        If `column` does not exist, or two columns with equally many ids contradict each other.
    """
    is_gene = _is_gene(var)
    candidates = _text_columns(var)
    if column is not None:
        if column not in candidates:
            msg = (
                f"var of {path} has no text column {column!r}. It has {', '.join(candidates)}: "
                "pass one of them as --gene-column."
            )
            raise GeneMappingError(msg, {"file": str(path), "column": column})
        return _features(column, candidates, is_gene)
    shares = {name: looks_like_id(texts.loc[is_gene]) for name, texts in candidates.items()}
    best = max(shares.values())
    chosen = "index"
    if shares["index"] < 0.5 <= best:
        ties = [name for name, share in shares.items() if share == best]
        ties.sort(key=lambda name: name not in ID_COLUMNS)  # stable: otherwise as in the file
        chosen, *others = ties
        ids = _without_version(candidates[chosen])
        if any(not ids.equals(_without_version(candidates[other])) for other in others):
            msg = (
                f"Columns {', '.join(ties)} of var in {path} hold different gene ids. "
                "Choose one with --gene-column."
            )
            raise GeneMappingError(msg, {"file": str(path), "columns": ties})
    return _features(chosen, candidates, is_gene)


def _features(
    column: str, candidates: dict[str, pd.Series[Any]], is_gene: npt.NDArray[np.bool_]
) -> GeneFeatures:
    """Take the symbols along if the texts are ids: by convention, else from the index."""
    texts = candidates[column]
    others = [name for name in (*SYMBOL_COLUMNS, "index") if name in candidates and name != column]
    symbols = None
    if others and looks_like_id(texts.loc[is_gene]) >= 0.5:
        symbols = candidates[others[0]]
    return GeneFeatures(column=column, texts=texts, is_gene=is_gene, symbols=symbols)


def _text_columns(var: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    import pandas as pd

    columns = {"index": [str(name).strip() for name in var.index]}
    for name in var.columns:
        values = var[name]
        if values.dtype == object or isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
            pairs = zip(values.astype(object), values.isna(), strict=True)
            texts = ["" if is_missing else str(value).strip() for value, is_missing in pairs]
            columns["column:index" if name == "index" else str(name)] = texts
    return {name: pd.Series(texts, dtype=object) for name, texts in columns.items()}


def _is_gene(var: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell genes from antibodies, peaks and guides, where 10x's column does."""
    import pandas as pd

    every = np.ones(len(var), dtype=np.bool_)
    if "feature_types" not in var:
        return every
    types = ["" if pd.isna(kind) else str(kind).strip().lower() for kind in var["feature_types"]]
    if "gene expression" not in types:  # not written by Cell Ranger: it may mean anything
        return every
    return np.asarray([kind in {"gene expression", ""} for kind in types], dtype=np.bool_)


def _without_version(texts: pd.Series[Any]) -> pd.Series[Any]:
    return texts.str.replace(r"\.\d+$", "", regex=True)


def looks_like_id(texts: pd.Series[Any]) -> float:
    """Share of the texts that have the shape of a stable gene id."""
    shape = r"ENS[A-Z]*G\d{11}(?:\.\d+)?|WBGene\d{8}|FBgn\d{7}|ERCC-\d{5}"
    found = map(re.compile(shape).fullmatch, texts)
    return sum(match is not None for match in found) / max(len(texts), 1)


def map_genes(
    path: Path, features: GeneFeatures, organism: Organism, *, min_share: float
) -> GeneMap:
    """Resolve every feature of a file.

    Raises
    ------
    GeneMappingError
        If less than `min_share` of the genes among the features are resolved, or there is no
        table of the genes of `organism`.
    """
    import pandas as pd

    try:
        table = resolve_genes(
            list(features.texts),
            organism=organism.taxon_id,
            symbols=None if features.symbols is None else list(features.symbols),
        )
    except NotFoundError as error:
        msg = f"The genes of {path} cannot be resolved: {error}"
        raise GeneMappingError(msg, {"file": str(path), **error.details}) from error
    _forget(table, ~features.is_gene)
    resolved = table["outcome"] == "resolved"
    n_resolved, n_genes = int(resolved.sum()), int(features.is_gene.sum())
    share = n_resolved / max(n_genes, 1)
    if share < min_share or not n_resolved:
        first = next(iter(table.loc[features.is_gene & ~resolved, "source_id"]), "")
        msg = (
            f"Only {n_resolved:,} of {n_genes:,} features of {path} are genes of {organism.name} "
            f"(read from {features.column}; first that is not: {first!r}). Name the column "
            "of var with --gene-column, or accept the loss with --min-gene-share."
        )
        details = {"file": str(path), "column": features.column, "first": first, "share": share}
        raise GeneMappingError(msg, details)
    genes = table[resolved].drop_duplicates("gene_id").set_index("gene_id").sort_index()
    target = genes.index.get_indexer(pd.Index(table["gene_id"]))
    table["target"] = np.where(resolved, target, -1)
    return GeneMap(
        column=features.column,
        features=table,
        var=_curated_var(genes, table),
        max_per_gene=int(np.bincount(target[resolved]).max()),
    )


def _forget(table: pd.DataFrame, rows: npt.NDArray[np.bool_]) -> None:
    """Take the gene from features that are none, though one may bear their name."""
    import pandas as pd

    table.loc[rows, ["outcome", "method"]] = ["unknown", "feature_type"]
    for column in ("gene_id", "symbol", "biotype", "kind", "organism_ontology_term_id"):
        table.loc[rows, column] = None
    table.loc[rows, FLAGS] = pd.NA
    table["candidates"] = [
        () if row else c for row, c in zip(rows, table["candidates"], strict=True)
    ]


def _curated_var(genes: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Describe each gene, with what the file called it and how it was resolved."""
    import pandas as pd

    named = table[table["target"] >= 0]
    is_shared = named["gene_id"].duplicated(keep=False)
    alone, by_gene = named[~is_shared].set_index("gene_id"), named[is_shared].groupby("gene_id")
    var = genes[["symbol", "biotype", *FLAGS, "kind", "organism_ontology_term_id"]].copy()
    var["source_id"] = pd.concat([alone["source_id"], by_gene["source_id"].agg("|".join)])
    methods = by_gene["method"].agg(lambda methods: "|".join(sorted(set(methods))))
    var["resolution"] = pd.concat([alone["method"], methods])
    symbols = zip(var["symbol"], var.index, strict=True)
    var["symbol"] = [gene if symbol is None else symbol for symbol, gene in symbols]
    for name in ("biotype", "kind", "organism_ontology_term_id", "resolution"):
        var[name] = var[name].astype(object).fillna("unknown").astype("category")
    for name in FLAGS:
        var[name] = var[name].astype("boolean")
    return var
