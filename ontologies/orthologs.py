"""Which gene of one species corresponds to which gene of another: a table of edges."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError, SchemaError
from .ortholog_edges import COLUMNS, canonical_taxon, derived_types, normal_edges, reversed_type

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd

__all__ = [
    "Orthologs",
    "combine_orthologs",
    "known_orthologs",
    "reciprocal_best",
    "shipped_orthologs",
    "use_orthologs",
    "without_retired",
]

SHIPPED = Path(__file__).resolve().parent / "data" / "orthologs_human_mouse.parquet"
"""The one table that comes with the package."""

_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": ["taxon_a", "taxon_b", "type", "source", "release", "confidence"],
    "column_encoding": {"gene_a": "DELTA_BYTE_ARRAY", "gene_b": "DELTA_BYTE_ARRAY"},
}
_LEFT_OUT = b"corpuscle.left_out"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Orthologs:
    """Pairs of genes of two species. An edge has no direction: it is stored once, found twice."""

    edges: pd.DataFrame = field(repr=False)
    """One row per pair, sorted, the species with the smaller taxon number first. Columns
    ``gene_a``, ``taxon_a``, ``gene_b``, ``taxon_b``, ``type`` (``1:1``, ``1:n``, ``n:1``, ``n:m``:
    genes of a to genes of b), ``source``, ``release`` (or null), ``confidence`` (``low`` <
    ``high``, or null: not stated), ``support`` (distinct sources that name the pair, or null)."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows of the source that are no edges here, by reason."""

    @classmethod
    def of(cls, edges: pd.DataFrame, left_out: Mapping[str, int] | None = None) -> Orthologs:
        """Validate edges and bring them into the one form there is.

        Pairs that occur more than once, in whatever direction, become one edge: of the highest
        confidence and support, of type ``n:m`` if the types differ, with all sources and releases.

        Parameters
        ----------
        edges
            The columns of `edges` in any order; ``source`` is needed, ``type`` may be missing or
            null and is then derived from the edges that are there, the rest may be missing.
        left_out
            What the edges lack of their source, by reason.

        Raises
        ------
        SchemaError
            If a column is missing, or a value is not what its column holds.
        """
        counts = {str(k): int(v) for k, v in sorted((left_out or {}).items()) if v}
        return cls(edges=normal_edges(edges), left_out=MappingProxyType(counts))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Orthologs:
        """Read a file written by `write`.

        Raises
        ------
        NotFoundError
            If there is no file.
        SchemaError
            If the file holds something else.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                table, metadata = file.read(), file.metadata.metadata or {}
        except FileNotFoundError as error:
            msg = f"There is no file {path}. Check the path."
            raise NotFoundError(msg, {"file": str(path)}) from error
        except (pa.ArrowInvalid, OSError) as error:
            msg = f"{path} is no Parquet file of orthologs: {error}. Write it with Orthologs.write."
            raise SchemaError(msg, {"file": str(path)}) from error
        try:
            return cls.of(table.to_pandas(), json.loads(metadata.get(_LEFT_OUT, b"{}")))
        except SchemaError as error:
            error.add_note(f"It was read from {path}.")
            raise

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a Parquet file; the same edges and the same pyarrow give the same bytes.

        Danger
        ------
        A file at `path` is replaced.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        text = self.edges.astype({"type": "string[pyarrow]", "confidence": "string[pyarrow]"})
        kinds = {"support": pa.int32()}
        schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
        table = pa.Table.from_pandas(text, schema=schema, preserve_index=False)
        left_out = json.dumps(dict(self.left_out), sort_keys=True).encode()
        unfinished = Path(path).with_name(f".{Path(path).name}.unfinished")
        try:
            pq.write_table(
                table.replace_schema_metadata({_LEFT_OUT: left_out}), unfinished, **_PARQUET
            )
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    @property
    def taxa(self) -> tuple[str, ...]:
        """Species that have edges, sorted by taxon number."""
        found = {*self.edges["taxon_a"].unique(), *self.edges["taxon_b"].unique()}
        return tuple(sorted(found, key=taxon_number))

    def between(self, organism: str, other: str) -> pd.DataFrame:
        """Give the edges from one species to another.

        Parameters
        ----------
        organism, other
            Taxon ids, or names that `get_organism` accepts.

        Returns
        -------
        Columns ``gene`` (of `organism`), ``ortholog`` (of `other`), ``type`` (in this direction),
        ``source``, ``release``, ``confidence``, ``support``; sorted by both genes. Empty if there
        are none.

        Raises
        ------
        NotFoundError
            If a name is of no organism we know.
        """
        first, second = canonical_taxon(organism), canonical_taxon(other)
        ahead = taxon_number(first) < taxon_number(second)
        a, b = (first, second) if ahead else (second, first)
        edges = self.edges
        here = edges[(edges["taxon_a"] == a) & (edges["taxon_b"] == b)]
        here = here.drop(columns=["taxon_a", "taxon_b"])
        names = {"gene_a": "gene", "gene_b": "ortholog"}
        if not ahead:
            names = {"gene_b": "gene", "gene_a": "ortholog"}
            here = here.assign(type=reversed_type(here["type"]))
        here = here.rename(columns=names).sort_values(["gene", "ortholog"], ignore_index=True)
        front = ["gene", "ortholog", "type"]
        return here[[*front, *(name for name in here if name not in front)]]


def taxon_number(taxon: str) -> int:
    """Give the number in a taxon id."""
    return int(taxon.rpartition(":")[2])


@cache
def shipped_orthologs() -> Orthologs:
    """Give the orthologs that come with the package: human and mouse.

    Returns
    -------
    The table; `build_orthologs` says how it was made.
    """
    return Orthologs.read(SHIPPED)


_added: list[Path] = []
"""Tables of the workspace; they stand before the shipped one."""


def use_orthologs(*paths: str | os.PathLike[str]) -> None:
    """Use these tables in this process, before the shipped one and instead of those used so far.

    They are read when they are first needed. `corpuscle.connect` does it for the tables of the
    workspace.

    Parameters
    ----------
    paths
        Files written by `Orthologs.write`, in order of trust. None: the shipped table alone.
    """
    _added[:] = map(Path, paths)


def known_orthologs() -> Orthologs:
    """Give the orthologs in use: those of `use_orthologs`, and the shipped ones in their gaps.

    Returns
    -------
    One table, see `combine_orthologs`.

    Raises
    ------
    NotFoundError
        If a file is no more there.
    SchemaError
        If a file holds something else.
    """
    return _read_all(tuple(_added)) if _added else shipped_orthologs()


@lru_cache(maxsize=1)
def _read_all(paths: tuple[Path, ...]) -> Orthologs:
    return combine_orthologs(*map(Orthologs.read, paths), shipped_orthologs())


def combine_orthologs(*tables: Orthologs) -> Orthologs:
    """Fill the gaps of one table with the next.

    Sources contradict each other, and a mixture would be right about nothing. So an edge of a
    later table counts only if neither of its genes has an edge between the same two species in an
    earlier one; what a table says about a gene is never completed or contradicted by another.

    Parameters
    ----------
    tables
        In order of trust.

    Returns
    -------
    One table; ``left_out`` also has what gave way, as ``known_from_another_table``.
    """
    import pandas as pd

    if not tables:
        return Orthologs.of(pd.DataFrame(columns=list(COLUMNS)))
    kept, left_out = [tables[0].edges], dict(tables[0].left_out)
    known = {*_sides(kept[0], "a"), *_sides(kept[0], "b")}
    for table in tables[1:]:
        covered = _sides(table.edges, "a").isin(known) | _sides(table.edges, "b").isin(known)
        kept.append(table.edges[~covered])
        for reason, n in (*table.left_out.items(), ("known_from_another_table", covered.sum())):
            left_out[reason] = left_out.get(reason, 0) + int(n)
        known |= {*_sides(kept[-1], "a"), *_sides(kept[-1], "b")}
    return Orthologs.of(pd.concat(kept, ignore_index=True), left_out)


def _sides(edges: pd.DataFrame, side: str) -> pd.Series[str]:
    """Name each gene of one side together with the two species of its edge."""
    return edges["taxon_a"] + "|" + edges["taxon_b"] + "|" + edges[f"gene_{side}"]


def reciprocal_best(orthologs: Orthologs) -> Orthologs:
    """Keep the pairs that no other pair of either gene has more support than.

    Parameters
    ----------
    orthologs
        Edges with support.

    Returns
    -------
    The edges kept, their types derived anew; the others are counted as ``not_reciprocal_best``.
    """
    edges = orthologs.edges
    support = edges["support"].fillna(0)
    between = ["taxon_a", "taxon_b"]
    best = support.eq(support.groupby([edges[c] for c in (*between, "gene_a")]).transform("max"))
    best &= support.eq(support.groupby([edges[c] for c in (*between, "gene_b")]).transform("max"))
    kept = edges[best].reset_index(drop=True)
    n = len(edges) - len(kept)
    left_out = {**orthologs.left_out, "not_reciprocal_best": n}
    return Orthologs.of(kept.assign(type=derived_types(kept)), left_out)


def without_retired(orthologs: Orthologs) -> tuple[Orthologs, pd.DataFrame]:
    """Leave out edges of genes that are not in the gene table of their species.

    Parameters
    ----------
    orthologs
        Any table. Species without a gene table are not looked at.

    Returns
    -------
    The edges that stay, and those that do not.
    """
    from . import gene_table

    edges = orthologs.edges
    gone = edges["gene_a"].isna()
    for taxon in orthologs.taxa:
        try:
            genes = gene_table(taxon).index
        except NotFoundError:
            continue
        for side in ("a", "b"):
            gone |= edges[f"taxon_{side}"].eq(taxon) & ~edges[f"gene_{side}"].isin(genes)
    left_out = {**orthologs.left_out, "retired_gene": int(gone.sum())}
    return Orthologs.of(edges[~gone], left_out), edges[gone].reset_index(drop=True)
