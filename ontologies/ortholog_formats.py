"""What the columns and words of each publisher of orthologs mean."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from ..errors import NotFoundError
from .genes import resolve_genes
from .organisms import ORGANISMS
from .ortholog_edges import KEY, TEXT, canonical_taxon, mapped, oriented

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from .text_table import TextTable

_NAMES = {
    "anole lizard": "NCBITaxon:28377",
    "cat": "NCBITaxon:9685",
    "dog": "NCBITaxon:9615",
    "macaque": "NCBITaxon:9544",
    "platypus": "NCBITaxon:9258",
    "tropical clawed frog": "NCBITaxon:8364",
    "xenopus": "NCBITaxon:8364",
}
"""Species as Ensembl and HCOP call them, where `get_organism` does not know the name."""
_ENSEMBL_TYPES = {
    "ortholog_one2one": "1:1",
    "ortholog_one2many": "1:n",
    "ortholog_many2many": "n:m",
}
_DIRECT = ("FB:", "WB:")
"""Databases whose ids are the stable gene ids of their species."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is not in the file."""

    organism: str | None
    min_support: int
    cross_references: Mapping[str, str]


@dataclass(slots=True)
class Found:
    """Edges so far, and what did not become one."""

    parts: list[pd.DataFrame] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def keep(self, rows: pd.DataFrame, wrong: pd.Series[bool], reason: str) -> pd.DataFrame:
        """Count the rows that are wrong, and give the others."""
        bad = wrong.fillna(value=True).to_numpy(dtype=bool)
        self.left_out[reason] += int(bad.sum())
        return rows[~bad]

    def species(self, rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
        """Turn names of species into taxon ids, and leave out species nobody knows."""
        for name in columns:
            taxa = mapped(rows[name], _taxon)
            for species, n in rows.loc[taxa.isna(), name].value_counts().items():
                self.left_out[f"species_not_known: {species}"] += int(n)
            rows = rows.assign(**{name: taxa})[taxa.notna()]
        return rows

    def edges(self) -> pd.DataFrame:
        """Give all edges found, without those that lack a gene or are within one species."""
        import pandas as pd

        columns = ["gene_a", "taxon_a", "gene_b", "taxon_b"]
        if not self.parts:
            return pd.DataFrame(columns=columns, dtype=TEXT)
        rows = pd.concat(self.parts, ignore_index=True)
        for side in ("a", "b"):
            rows = self.keep(rows, rows[f"gene_{side}"].isna(), "no_gene_id")
        return self.keep(rows, rows["taxon_a"] == rows["taxon_b"], "same_species")


def _taxon(name: str) -> str | None:
    """Find the species that a publisher means."""
    plain = re.sub(r"\s*\(.*\)", "", name)  # Drosophila melanogaster (Fruit fly)
    for text in (name, plain):
        folded = text.replace("_", " ").strip().lower()
        try:
            return canonical_taxon(
                f"NCBITaxon:{folded}" if folded.isdigit() else _NAMES.get(folded, text)
            )
        except NotFoundError:
            continue
    return None


def _owner(gene_id: str) -> str | None:
    """Tell from its shape whose stable gene id a text is."""
    shape = re.fullmatch(r"(\D.*?)\d{5,11}", gene_id)
    return _owners().get(shape[1]) if shape else None


@cache
def _owners() -> dict[str, str]:
    return {prefix: o.taxon_id for o in ORGANISMS for prefix in o.gene_id_prefixes}


def _compara(table: TextTable, options: Options, found: Found) -> pd.DataFrame:
    del options
    columns = {
        "gene_a": "gene_stable_id",
        "taxon_a": "species",
        "gene_b": "homology_gene_stable_id",
        "taxon_b": "homology_species",
        "stated": "homology_type",
        "confidence": "is_high_confidence",
    }
    table.require(*columns.values(), format="compara")
    for chunk in table.chunks(columns):
        for kind, n in chunk.loc[~chunk["stated"].isin(_ENSEMBL_TYPES), "stated"].value_counts(
            dropna=False
        ).items():  # fmt: skip
            found.left_out[f"type: {kind}"] += int(n)
        rows = found.species(chunk[chunk["stated"].isin(_ENSEMBL_TYPES)], "taxon_a", "taxon_b")
        found.parts.append(_ensembl(rows))
    return _with_types(found.edges())


def _biomart(table: TextTable, options: Options, found: Found) -> pd.DataFrame:
    table.require("Gene stable ID", format="biomart")
    targets = [m[1] for name in table.columns if (m := re.fullmatch("(.+) gene stable ID", name))]
    if not targets:
        table.require("<Species> gene stable ID", format="biomart")
    for species in targets:
        columns = {"gene_a": "Gene stable ID", "gene_b": f"{species} gene stable ID"}
        for name, start in (("stated", "homology type"), ("confidence", "orthology confidence")):
            head = next((c for c in table.columns if c.startswith(f"{species} {start}")), None)
            if head is not None:
                columns[name] = head
        for chunk in table.chunks(columns):
            rows = found.keep(chunk, chunk["gene_b"].isna(), f"no_ortholog: {species}")
            rows = found.species(rows.assign(taxon_b=species), "taxon_b")
            owners = options.organism and canonical_taxon(options.organism)
            rows = rows.assign(taxon_a=owners or mapped(rows["gene_a"], _owner))
            rows = found.keep(rows, rows["taxon_a"].isna(), "organism_not_told_by_id")
            if "stated" in columns:
                kinds = rows["stated"].isin(_ENSEMBL_TYPES)
                rows = found.keep(rows, ~kinds & rows["stated"].notna(), "type: no ortholog")
            found.parts.append(_ensembl(rows))
    return _with_types(found.edges())


def _ensembl(rows: pd.DataFrame) -> pd.DataFrame:
    """Read Ensembl's words for type and confidence."""
    words = {"0": "low", "1": "high"}
    own = {name: rows[name].map(kinds).astype(TEXT) for name, kinds in (
        ("stated", _ENSEMBL_TYPES), ("confidence", words)) if name in rows}  # fmt: skip
    return rows.assign(**own).drop_duplicates()


def _with_types(rows: pd.DataFrame) -> pd.DataFrame:
    """Give Ensembl's types their direction, which only the pairs of the whole file tell."""
    import numpy as np
    import pandas as pd

    if "stated" not in rows or rows.empty:
        return rows
    rows = oriented(rows)
    pairs = rows[KEY].drop_duplicates()
    several = {}
    for side in ("a", "b"):
        gene = [*KEY[:2], f"gene_{side}"]
        n = pairs.groupby(gene).size()
        several[side] = pd.MultiIndex.from_frame(rows[gene]).isin(n.index[n > 1])
    stated = rows["stated"].astype(object).to_numpy()
    directed = np.select(
        [several["a"] & ~several["b"], several["b"] & ~several["a"]],
        ["1:n", "n:1"],
        default="n:m",
    )
    return rows.assign(type=np.where(stated == "1:n", directed, stated))


def _hcop(table: TextTable, options: Options, found: Found) -> pd.DataFrame:
    ends = [name for name in table.columns if name.endswith("_ensembl_gene")]
    other = next(
        (name for name in ends if name != "human_ensembl_gene"), "ortholog_species_..._gene"
    )
    columns = {"gene_a": "human_ensembl_gene", "gene_b": other, "support": "support"}
    constant = {"taxon_a": "human", "taxon_b": other.removesuffix("_ensembl_gene")}
    if constant["taxon_b"] == "ortholog_species":
        columns["taxon_b"] = constant.pop("taxon_b")
    table.require(*columns.values(), format="hcop")
    return _supported(table, columns, constant, options, found)


def _babelgene(table: TextTable, options: Options, found: Found) -> pd.DataFrame:
    names = ("human_ensembl", "ensembl", "support", "taxon_id")
    table.require(*names, format="babelgene")
    columns = dict(zip(("gene_a", "gene_b", "support", "taxon_b"), names, strict=True))
    return _supported(table, columns, {"taxon_a": "human"}, options, found)


def _alliance(table: TextTable, options: Options, found: Found) -> pd.DataFrame:
    columns = {
        "gene_a": "Gene1ID",
        "taxon_a": "Gene1SpeciesTaxonID",
        "gene_b": "Gene2ID",
        "taxon_b": "Gene2SpeciesTaxonID",
        "support": "Algorithms",
        "best": "IsBestScore",
        "best_back": "IsBestRevScore",
    }
    table.require(*columns.values(), format="alliance")

    def gene(curie: str) -> str | None:
        if curie.startswith(_DIRECT):
            return curie.partition(":")[2]
        return options.cross_references.get(curie)

    def prepare(chunk: pd.DataFrame) -> pd.DataFrame:
        for name in ("gene_a", "gene_b"):
            ids = mapped(chunk[name], gene)
            found.left_out["no_cross_reference"] += int((ids.isna() & chunk[name].notna()).sum())
            chunk = chunk.assign(**{name: ids})[ids.notna()]
        best = chunk["best"].str.startswith("Yes") & chunk["best_back"].str.startswith("Yes")
        words = best.map({True: "high", False: "low"}).astype(TEXT)
        return chunk.assign(confidence=words).drop(columns=["best", "best_back"])

    return _supported(table, columns, {}, options, found, prepare)


def _supported(
    table: TextTable,
    columns: Mapping[str, str],
    constant: Mapping[str, str],
    options: Options,
    found: Found,
    prepare: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Read pairs of which each row lists the sources; count the distinct ones of each pair."""
    for chunk in table.chunks(columns):
        rows = found.species(
            chunk.assign(**constant),
            "taxon_a",
            "taxon_b",
        )
        found.parts.append(prepare(rows) if prepare else rows)
    return supported_pairs(found.edges(), options.min_support, found.left_out)


def supported_pairs(rows: pd.DataFrame, min_support: int, left_out: Counter[str]) -> pd.DataFrame:
    """Count the distinct sources of each pair, and leave out pairs that have too few.

    Parameters
    ----------
    rows
        Genes, taxa and ``support``: names of sources, with ``,`` or ``|`` between them; a pair may
        be in several rows, and a source be named twice.
    min_support
        Least number of sources.
    left_out
        Gets the number of pairs left out, as ``support_below_<min_support>``.

    Returns
    -------
    One row per pair.
    """
    if rows.empty:
        return rows
    rows = oriented(rows)
    again = rows.duplicated(KEY, keep=False)
    joined = rows[again].groupby(KEY, sort=False)["support"].agg(_join_texts)
    pairs = rows.drop_duplicates(KEY).set_index(KEY)
    texts = joined.reindex(pairs.index).fillna(pairs["support"]).fillna("")
    pairs["support"] = texts.map({text: _count_sources(text) for text in texts.unique()})
    enough = pairs["support"] >= min_support
    left_out[f"support_below_{min_support}"] += int((~enough).sum())
    return pairs[enough].reset_index()


def _join_texts(texts: pd.Series[str]) -> str:
    return "|".join(texts.dropna())


def _count_sources(text: str) -> int:
    return len({part.strip() for part in re.split("[,|]", text)} - {""})


def _homologene(table: TextTable, options: Options, found: Found) -> pd.DataFrame:
    import pandas as pd

    del options
    columns = {"group": "HID", "taxon": "Taxonomy", "symbol": "Gene.Symbol"}
    if table.columns[0] == "0":
        columns = {"group": "0", "taxon": "1", "symbol": "3"}
    table.require(*columns.values(), format="homologene")
    rows = pd.concat([c.drop_duplicates() for c in table.chunks(columns)], ignore_index=True)
    rows = found.species(rows, "taxon")
    parts = []
    for taxon, genes in rows.groupby("taxon", sort=True):
        try:
            resolved = resolve_genes(genes["symbol"].fillna("").tolist(), organism=str(taxon))
        except NotFoundError:
            found.left_out[f"no_gene_table: {taxon}"] += len(genes)
            continue
        ids = pd.Series(resolved["gene_id"].to_numpy(), index=genes.index, dtype=TEXT)
        parts.append(found.keep(genes.assign(gene=ids), ids.isna(), "symbol_not_resolved"))
    if not parts:
        return pd.DataFrame(columns=KEY)
    genes = pd.concat(parts)[["group", "taxon", "gene"]].drop_duplicates()
    pairs = genes.merge(genes, on="group", suffixes=("_a", "_b"))
    return pairs[_number_of(pairs["taxon_a"]) < _number_of(pairs["taxon_b"])]


def _number_of(taxa: pd.Series[str]) -> pd.Series[int]:
    return taxa.str.rpartition(":")[2].astype("int64")


READERS: Mapping[str, Callable[[TextTable, Options, Found], pd.DataFrame]] = {
    "alliance": _alliance,
    "babelgene": _babelgene,
    "biomart": _biomart,
    "compara": _compara,
    "hcop": _hcop,
    "homologene": _homologene,
}
