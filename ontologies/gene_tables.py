"""The gene tables: those that are shipped, and those that a workspace adds."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ..errors import NotFoundError
from .gene_form import read_table
from .organisms import GUESTS, ORGANISMS, Organism, get_organism

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd

    from .gene_form import GeneFile

__all__ = ["GENE_RELEASES", "gene_table", "gene_versions", "use_gene_tables"]

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
"""Release of the annotation each shipped gene table comes from, by name of the table."""


class TableFile(NamedTuple):
    """A file, and a hash of its content where that may change under its name."""

    path: Path
    content: str = ""


_DATA = Path(__file__).resolve().parent / "data"
_HIDDEN = ["symbol_in", "previous_in"]
_added: dict[str, TableFile] = {}
"""Tables of the workspace by taxon id; they stand before those that are shipped."""


def gene_table(organism: str, *, retired: bool = False) -> pd.DataFrame:
    """Give the genes of an organism.

    Parameters
    ----------
    organism
        Any name `get_organism` accepts; also ``ercc`` and ``sars_cov_2`` or their taxon ids.
    retired
        Whether to give the retired genes as well.

    Returns
    -------
    One row per gene, index ``gene_id`` in ascending order; columns:

    - ``symbol``: null if the gene has none; of a retired gene, the last it had
    - ``biotype``, ``version`` and ``length`` (Int32) as in the annotation, null if not known
    - ``release``: annotation of the row; of a retired gene, the last that had it
    - ``status``: ``current`` or ``retired``; ``replaced_by``: what a retired gene became, a tuple,
      empty if that is not known
    - ``aliases``, ``previous_symbols``: tuples
    - ``is_mito``, ``is_ribo``, ``is_hb``: nullable booleans, null means not known: encoded by the
      mitochondrion, protein of the cytosolic ribosome, haemoglobin of red cells
    - ``kind``: ``endogenous``, ``spike-in`` or ``virus``
    - ``par_copy_of``: for a human gene of the pseudoautosomal regions of Y, the gene on X

    A copy.

    Raises
    ------
    NotFoundError
        If the organism is unknown or there is no table of its genes.
    """
    guests = {name: g for g in GUESTS for name in (g.taxon_id, g.genes, g.name, g.common)}
    rows = gene_file(guests.get(organism) or get_organism(organism)).frame()
    rows = rows.set_index("gene_id").drop(columns=_HIDDEN)
    return rows if retired else rows[rows["status"] == "current"].copy()


def use_gene_tables(tables: Mapping[str, str | os.PathLike[str]]) -> None:
    """Use these tables in this process, before the shipped ones and instead of those used so far.

    `corpuscle.connect` does it for the tables of the workspace.

    Parameters
    ----------
    tables
        Files of `write_table` by taxon id.

    Raises
    ------
    NotFoundError
        If a taxon is unknown or a file does not exist.
    SchemaError
        If a file is no gene table.
    """
    from blake3 import blake3

    found: dict[str, TableFile] = {}
    for taxon, given in tables.items():
        path = Path(given)
        if not path.exists():
            msg = f"There is no gene table {path} for {taxon}. Add the genes again."
            raise NotFoundError(msg, {"organism": taxon, "file": str(path)})
        table = TableFile(path, blake3(path.read_bytes()).hexdigest()[:12])
        _read(table)
        found[get_organism(taxon).taxon_id] = table
    _added.clear()
    _added.update(found)


def gene_versions() -> dict[str, str]:
    """Tell the release of every gene table in use.

    Returns
    -------
    By name of the table, or taxon id of an added one: the release, for an added one followed by
    the hash of its content.
    """
    shipped = {o.genes: o.taxon_id for o in ORGANISMS if o.genes is not None}
    found = {n: r for n, r in GENE_RELEASES.items() if shipped.get(n) not in _added}
    found |= {taxon: f"{_read(t).release}+{t.content}" for taxon, t in _added.items()}
    return dict(sorted(found.items()))


def gene_file(organism: Organism) -> GeneFile:
    """Give the table of an organism as it lies in its file.

    Parameters
    ----------
    organism
        An organism or a guest.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    return _read(table_of(organism))


def has_genes(organism: Organism) -> bool:
    """Tell whether there is a gene table of an organism."""
    return organism.genes is not None or organism.taxon_id in _added


def table_of(organism: Organism) -> TableFile:
    """Tell which file is the gene table of an organism or a guest; what is cached goes by it.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    if organism.taxon_id in _added:
        return _added[organism.taxon_id]
    if organism.genes is None:
        known = [*GENE_RELEASES, *(get_organism(taxon).common for taxon in _added)]
        msg = (
            f"No gene table of {organism.common} ({organism.taxon_id}) is shipped, and none was "
            f"added. There are tables of: {', '.join(known)}. Add one with `corpuscle references "
            f"add-genes --organism {organism.taxon_id} FILE_OR_URL`."
        )
        raise NotFoundError(msg, {"organism": organism.taxon_id, "tables": known})
    return TableFile(_DATA / f"genes_{organism.genes}.parquet")


@cache
def _read(table: TableFile) -> GeneFile:
    return read_table(table.path)
