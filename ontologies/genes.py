"""From what a file calls a feature to the gene it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import NotFoundError
from .organisms import GUESTS, ORGANISMS, Organism, get_organism

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    _Rows: TypeAlias = npt.NDArray[np.intp]
    _Objects: TypeAlias = npt.NDArray[np.object_]

__all__ = ["GENE_RELEASES", "gene_table", "resolve_genes"]

GENE_RELEASES: Mapping[str, str] = MappingProxyType(
    {
        "caenorhabditis_elegans": "ensembl-114",
        "callithrix_jacchus": "ensembl-114",
        "danio_rerio": "ensembl-114",
        "drosophila_melanogaster": "ensembl-114",
        "ercc": "ercc",
        "gorilla_gorilla": "ensembl-114",
        "homo_sapiens": "gencode-48",
        "macaca_fascicularis": "ensembl-114",
        "macaca_mulatta": "ensembl-114",
        "microcebus_murinus": "ensembl-114",
        "mus_musculus": "gencode-M37",
        "oryctolagus_cuniculus": "ensembl-114",
        "pan_troglodytes": "ensembl-114",
        "rattus_norvegicus": "ensembl-114",
        "sars_cov_2": "ensembl-101",
        "sus_scrofa": "ensembl-114",
    }
)
"""Release of the annotation each gene table comes from, by name of the table."""

_DATA = Path(__file__).resolve().parent / "data"
_VERSIONED = r"^(ENS[A-Z]*G\d{11})\.\d+$"
_MADE_UNIQUE = r"^(.+)-\d+$"
_ID_SHAPE = r"^(\D.*?)\d{5,11}(?:\.\d+)?$"
_RETIRED_PROBE = "DEPRECATED_"


def gene_table(organism: str) -> pd.DataFrame:
    """Give the genes of an organism.

    Parameters
    ----------
    organism
        Any name `get_organism` accepts; also ``ercc`` and ``sars_cov_2`` or their taxon ids.

    Returns
    -------
    One row per gene, index ``gene_id`` in ascending order; columns ``symbol`` (null if the gene
    has none), ``biotype``, ``is_mito`` (nullable boolean; null means not known). A copy.

    Raises
    ------
    NotFoundError
        If the organism is unknown or no table of its genes is shipped.
    """
    guests = {name: g for g in GUESTS for name in (g.taxon_id, g.genes, g.name, g.common)}
    return _read_table(_table_of(guests.get(organism) or get_organism(organism))).copy()


def resolve_genes(features: Sequence[str], *, organism: str) -> pd.DataFrame:
    """Find the gene of every feature, and say how it was found.

    Methods in order of trust; the first that knows the feature decides:

    - ``id``: a stable id of the organism, of an ERCC spike-in or of SARS-CoV-2
    - ``id_version``: an Ensembl id whose version was cut off
    - ``symbol``: a symbol, ``symbol_case``: a symbol if case is ignored
    - ``symbol_made_unique``: a symbol of the file, told from its twin by ``-1``, ``-2``, ...
    - ``other_organism``, ``deprecated``, ``none``: nothing, because the id belongs to another
      organism, the probe was withdrawn, or nobody knows the text

    Parameters
    ----------
    features
        What the file says, one text per feature. Repetitions are fine.
    organism
        Any name `get_organism` accepts.

    Returns
    -------
    One row per feature, in order. Columns ``source_id``, ``gene_id``, ``symbol``, ``biotype``,
    ``is_mito`` (nullable boolean), ``organism_ontology_term_id``, ``outcome`` (``resolved``,
    ``ambiguous`` or ``unknown``), ``method``, ``candidates`` (tuple of gene ids; of an ambiguous
    feature only). What is not resolved has None instead of a gene: nothing is guessed.

    Raises
    ------
    NotFoundError
        If the organism is unknown or no table of its genes is shipped.

    Examples
    --------
    >>> resolve_genes(["ENSG00000141510.18", "CSF2RA"], organism="human").outcome.tolist()
    ['resolved', 'ambiguous']
    """
    import pandas as pd

    known = get_organism(organism)
    genes = _genes_of(known)
    source = pd.Series(list(features), dtype=object)
    found = _Findings.empty(len(source))
    found.refuse(source.str.startswith(_RETIRED_PROBE, na=False), "deprecated")
    found.by_id(genes.rows_of(source), "id")
    found.by_id(genes.rows_of(source.str.extract(_VERSIONED, expand=False)), "id_version")
    found.by_symbol(source, genes.exact, "symbol")
    found.by_symbol(source.str.casefold(), genes.folded, "symbol_case")
    bare = source.str.extract(_MADE_UNIQUE, expand=False)
    found.by_symbol(bare.where(bare.isin(source)), genes.exact, "symbol_made_unique")
    owners = id_owners(source).fillna(known.taxon_id)
    found.refuse(owners != known.taxon_id, "other_organism")
    return _describe(source, found, genes.table)


def id_owners(features: pd.Series[str]) -> pd.Series[str]:
    """Tell from its shape whose stable gene id a text is.

    Parameters
    ----------
    features
        Texts, with or without version.

    Returns
    -------
    Taxon id, or null for what does not look like a gene id. Same index as `features`.
    """
    owners = {
        prefix: organism.taxon_id
        for organism in (*ORGANISMS, *GUESTS)
        for prefix in organism.gene_id_prefixes
    }
    return features.str.extract(_ID_SHAPE, expand=False).map(owners)


def table_path(slug: str) -> Path:
    """Give the file of a gene table.

    Parameters
    ----------
    slug
        Name of the table, a key of `GENE_RELEASES`.

    Returns
    -------
    Path of the Parquet file.
    """
    return _DATA / f"genes_{slug}.parquet"


def _table_of(organism: Organism) -> str:
    if organism.genes is None:
        msg = (
            f"No gene table of {organism.common} ({organism.taxon_id}) is shipped. "
            f"There are tables of: {', '.join(GENE_RELEASES)}."
        )
        raise NotFoundError(msg, {"organism": organism.taxon_id, "tables": list(GENE_RELEASES)})
    return organism.genes


@cache
def _read_table(slug: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(table_path(slug))
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    return frame.set_index("gene_id")


def _as_index(texts: pd.Series[str]) -> pd.Index[str]:
    import pandas as pd

    return pd.Index(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Symbols:
    """Symbols of one table, each with the rows that bear it."""

    names: pd.Index[str]
    first: _Rows
    shared: dict[int, tuple[str, ...]]

    @classmethod
    def of(cls, symbols: pd.Series[str]) -> _Symbols:
        """Index `symbols`, gene ids being their index; a null is no symbol."""
        import numpy as np
        import pandas as pd

        rows = np.flatnonzero(symbols.notna())
        codes, names = pd.factorize(symbols.to_numpy()[rows])
        first = np.full(len(names), -1, dtype=np.intp)
        first[codes[::-1]] = rows[::-1]
        shared: dict[int, tuple[str, ...]] = {}
        for row in np.flatnonzero(np.bincount(codes)[codes] > 1) if len(codes) else ():
            code = int(codes[row])
            shared[code] = (*shared.get(code, ()), str(symbols.index[rows[row]]))
        return cls(names=pd.Index(names), first=first, shared=shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Genes:
    """What `resolve_genes` looks things up in: one organism and the guests."""

    table: pd.DataFrame
    exact: _Symbols
    folded: _Symbols

    def rows_of(self, ids: pd.Series[str]) -> _Rows:
        """Find the row of every gene id, -1 where there is none."""
        return self.table.index.get_indexer(_as_index(ids))


@cache
def _genes_of(organism: Organism) -> _Genes:
    import pandas as pd

    own = _read_table(_table_of(organism))
    parts = [
        _read_table(_table_of(part)).assign(organism_ontology_term_id=part.taxon_id)
        for part in (organism, *GUESTS)
    ]
    table = pd.concat(parts)
    return _Genes(
        table=table,
        exact=_Symbols.of(own["symbol"]),
        folded=_Symbols.of(own["symbol"].str.casefold()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """What is known of each feature so far; what is decided stays."""

    row: _Rows
    method: _Objects
    candidates: _Objects

    @classmethod
    def empty(cls, n: int) -> _Findings:
        import numpy as np

        candidates = np.empty(n, dtype=object)
        candidates[:] = [()] * n
        return cls(
            row=np.full(n, -1, dtype=np.intp),
            method=np.full(n, "none", dtype=object),
            candidates=candidates,
        )

    def refuse(self, features: pd.Series[bool], method: str) -> None:
        self.method[features.to_numpy(dtype=bool) & (self.method == "none")] = method

    def by_id(self, rows: _Rows, method: str) -> None:
        new = (rows >= 0) & (self.method == "none")
        self.row[new] = rows[new]
        self.method[new] = method

    def by_symbol(self, texts: pd.Series[str], symbols: _Symbols, method: str) -> None:
        import numpy as np

        codes = symbols.names.get_indexer(_as_index(texts))
        hits = np.flatnonzero((codes >= 0) & (self.method == "none"))
        several = np.isin(codes[hits], list(symbols.shared))
        self.method[hits] = method
        self.row[hits[~several]] = symbols.first[codes[hits[~several]]]
        for hit in hits[several]:
            self.candidates[hit] = symbols.shared[int(codes[hit])]


def _describe(source: pd.Series[str], found: _Findings, table: pd.DataFrame) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    missing = found.row < 0

    def pick(values: Any) -> _Objects:
        picked = np.asarray(values, dtype=object)[found.row]
        picked[missing] = None
        return picked

    ambiguous = found.candidates.astype(bool)
    return pd.DataFrame(
        {
            "source_id": source,
            "gene_id": pick(table.index),
            "symbol": pick(table["symbol"]),
            "biotype": pick(table["biotype"]),
            "is_mito": table["is_mito"].array.take(found.row, allow_fill=True),
            "organism_ontology_term_id": pick(table["organism_ontology_term_id"]),
            "outcome": np.where(ambiguous, "ambiguous", np.where(missing, "unknown", "resolved")),
            "method": found.method,
            "candidates": found.candidates,
        }
    )
