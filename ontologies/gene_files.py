"""Gene tables from files of others: Ensembl's GTF, BioMart's exports, plain tables."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from ..errors import GeneMappingError, SchemaError
from .gene_form import finish_table
from .gene_ids import id_owners
from .gene_marks import mark_haemoglobin, mark_mitochondrial, mark_ribosomal
from .organisms import GUESTS, get_organism

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from .organisms import Organism

__all__ = ["read_genes", "release_of"]

_HEADERS = {
    "gene_id": ("gene_id", "gene stable id", "gene stable id version", "ensembl_id", "ensembl_gene_id", "id"),
    "symbol": ("symbol", "gene_symbol", "gene name", "gene_name", "name"),
    "biotype": ("biotype", "gene_biotype", "gene type", "gene_type"),
    "chromosome": ("chromosome", "chrom", "chromosome/scaffold name", "seqname"),
    "aliases": ("aliases", "alias", "gene synonym", "synonyms"),
    "previous_symbols": ("previous_symbols", "previous symbols", "prev_symbol"),
}  # fmt: skip
"""Headers that we know, in lower case, by what they hold."""
_ATTRIBUTE = re.compile(r'(gene_id|gene_name|gene_version|gene_biotype|gene_type) "([^"]*)"')
_VERSIONED = re.compile(r"(ENS[A-Z]*G\d{11})\.(\d+)")
_COPY_ON_Y = re.compile(r"(ENSG\d{11})(?:\.\d+)?_PAR_Y")
_RELEASES = (
    (re.compile(r"gencode\.v(M?\d+)\."), "gencode-{}"),
    (re.compile(r"\.(\d{2,3})\.(?:chr\.|abinitio\.)?gtf(?:\.gz)?$"), "ensembl-{}"),
)
_MAX_FOREIGN = 0.01
# Their symbols do not follow those of vertebrates: in plants RPL4 is a protein of the plastid.
_OTHER_NAMES = ("NCBITaxon:3702", "NCBITaxon:4577", "NCBITaxon:39947", "NCBITaxon:4081", "NCBITaxon:6183")  # fmt: skip


def release_of(name: str) -> str | None:
    """Tell the release from the name that Ensembl and GENCODE give a file.

    Examples
    --------
    >>> release_of("Bos_taurus.ARS-UCD1.3.114.gtf.gz")
    'ensembl-114'
    """
    for pattern, form in _RELEASES:
        if match := pattern.search(name):
            return form.format(match[1])
    return None


def read_genes(path: str | os.PathLike[str], *, organism: str, release: str) -> pd.DataFrame:
    """Read the genes of an organism from a file.

    Parameters
    ----------
    path
        GTF with lines for genes, or a table with a header, tab- or comma-separated: a BioMart
        export (``Gene stable ID``, ``Gene name``, ``Gene type``, ``Chromosome/scaffold name``,
        ``Gene Synonym``) or columns ``gene_id``, ``symbol``, ``biotype``, ``chromosome``,
        ``aliases``, ``previous_symbols`` (those two separated by ``|``), of which ``gene_id`` must
        be there. May be compressed by gzip. It is read line by line.
    organism
        Any name `get_organism` accepts.
    release
        Annotation the genes are of.

    Returns
    -------
    Rows as `finish_table` gives them. ``length`` is null; ``is_mito`` is null unless the file
    tells chromosomes or biotypes and one gene is mitochondrial; ``is_ribo`` and ``is_hb`` are
    null where symbols do not follow those of vertebrates.

    Raises
    ------
    SchemaError
        If the columns are wrong, there are no genes, an id comes twice, or a gene has two symbols.
    GeneMappingError
        If the ids are of another organism.
    NotFoundError
        If the organism is unknown.
    """
    import pandas as pd

    known = get_organism(organism)
    place = Path(path)
    try:
        rows = list(_rows(place))
    except (EOFError, OSError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        msg = f"{place} cannot be read as text: {error}. Get it again."
        raise SchemaError(msg, {"file": str(place)}) from error
    genes = pd.DataFrame(rows, columns=["version", "par_copy_of", *_HEADERS])
    if genes.empty:
        msg = f"{place} holds no genes: no line of a GTF is of a gene, or the table has no rows."
        raise SchemaError(msg, {"file": str(place)})
    _refuse_repeated(genes["gene_id"], place)
    _refuse_foreign(genes["gene_id"], known, place)
    genes["symbol"] = genes["symbol"].mask(genes["symbol"] == genes["gene_id"], None)
    chromosomes = genes.set_index("gene_id")["chromosome"]
    some = chromosomes.dropna()
    genes["is_mito"] = mark_mitochondrial(genes, chromosomes if len(some) else None)
    if known.taxon_id not in _OTHER_NAMES:
        genes["is_ribo"], genes["is_hb"] = mark_ribosomal(genes), mark_haemoglobin(genes)
    genes["symbol_in"] = genes["symbol"].notna().astype("uint16")
    genes["previous_in"] = [(0,) * len(names) for names in genes["previous_symbols"]]
    return finish_table(genes.assign(release=release))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with _open(path) as file:
        start = list(itertools.islice(file, 200))
        lines = itertools.chain(start, file)
        if any(line.count("\t") == 8 and _ATTRIBUTE.search(line) for line in start):
            yield from _gtf_rows(lines)
        else:
            yield from _table_rows(lines, path)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        binary: Any = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        with io.TextIOWrapper(binary, encoding="utf-8-sig") as text:
            yield text


def _gtf_rows(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        parts = line.split("\t", 8)
        if len(parts) == 9 and parts[2] == "gene":
            said = dict(_ATTRIBUTE.findall(parts[8]))
            yield _row(
                said.get("gene_id", ""),
                version=said.get("gene_version"),
                symbol=said.get("gene_name"),
                biotype=said.get("gene_biotype") or said.get("gene_type"),
                chromosome=parts[0],
            )


def _table_rows(lines: Iterator[str], path: Path) -> Iterator[dict[str, Any]]:
    header = next(lines, "")
    dialect: type[csv.Dialect] = csv.excel_tab if "\t" in header else csv.excel
    (names,) = csv.reader([header.strip("\r\n")], dialect) if header.strip() else ([],)
    places = _columns(names)
    if "gene_id" not in places:
        msg = (
            f"{path} has no column of gene ids. It has {', '.join(names[:9]) or 'no columns'}; "
            "name one gene_id (BioMart: Gene stable ID), and others symbol, biotype, chromosome, "
            "aliases, previous_symbols."
        )
        raise SchemaError(msg, {"file": str(path), "columns": names})
    genes: dict[str, dict[str, Any]] = {}
    is_biomart = "gene stable id" in {name.strip().lower() for name in names}
    for number, cells in enumerate(csv.reader(lines, dialect), start=2):
        if cells and len(cells) != len(names):
            msg = f"Line {number} of {path} has {len(cells)} cells, and the header {len(names)}."
            raise SchemaError(msg, {"file": str(path), "line": number})
        if cells:
            row = _row(**{name: cells[place].strip() for name, place in places.items()})
            if is_biomart and row["gene_id"] in genes:  # one line per transcript or synonym
                _join(genes[row["gene_id"]], row, path)
            else:
                genes[row["gene_id"] if is_biomart else str(number)] = row
    yield from genes.values()


def _columns(names: list[str]) -> dict[str, int]:
    lower = [name.strip().lower() for name in names]
    return {
        kind: lower.index(header)
        for kind, headers in _HEADERS.items()
        for header in reversed(headers)
        if header in lower
    }


def _join(gene: dict[str, Any], row: dict[str, Any], path: Path) -> None:
    for name in ("symbol", "biotype", "chromosome"):
        if gene[name] != row[name]:
            msg = f"{gene['gene_id']} has two of {name} in {path}: {gene[name]} and {row[name]}."
            raise SchemaError(msg, {"file": str(path), "gene": gene["gene_id"]})
    for name in ("aliases", "previous_symbols"):
        gene[name] = tuple(sorted({*gene[name], *row[name]}))


def _row(
    gene_id: str,
    *,
    version: str | None = None,
    symbol: str | None = None,
    biotype: str | None = None,
    chromosome: str | None = None,
    aliases: str = "",
    previous_symbols: str = "",
) -> dict[str, Any]:
    copy, versioned = _COPY_ON_Y.fullmatch(gene_id), _VERSIONED.fullmatch(gene_id)
    if copy:
        gene_id = f"{copy[1]}_PAR_Y"
    elif versioned:
        gene_id, version = versioned[1], versioned[2]
    return {
        "gene_id": gene_id,
        "version": int(version) if version and version.isdigit() else None,
        "par_copy_of": copy[1] if copy else None,
        "symbol": symbol or None,
        "biotype": biotype or None,
        "chromosome": chromosome or None,
        "aliases": _split(aliases),
        "previous_symbols": _split(previous_symbols),
    }


def _split(text: str) -> tuple[str, ...]:
    return tuple(sorted({part.strip() for part in text.split("|")} - {""}))


def _refuse_repeated(ids: pd.Series[str], path: Path) -> None:
    empty = int((ids == "").sum())
    if empty:
        msg = f"{empty:,} genes of {path} have no id. Correct the file."
        raise SchemaError(msg, {"file": str(path), "empty": empty})
    twice = ids[ids.duplicated()]
    if len(twice):
        msg = f"{len(twice):,} ids come more than once in {path}, first {twice.iloc[0]}."
        raise SchemaError(msg, {"file": str(path), "first": twice.iloc[0]})


def _refuse_foreign(ids: pd.Series[str], organism: Organism, path: Path) -> None:
    guests = [guest.taxon_id for guest in GUESTS]
    owners = id_owners(ids)
    foreign = owners.notna() & ~owners.isin([organism.taxon_id, *guests])
    if any(prefix.startswith("ENS") for prefix in organism.gene_id_prefixes):
        foreign |= owners.isna() & ids.str.fullmatch(r"ENS[A-Z]+G\d{11}")
    share = float(np.mean(foreign))
    if share > _MAX_FOREIGN:
        first = str(ids[foreign].iloc[0])
        msg = (
            f"{share:.0%} of the ids in {path} are not of {organism.name} (first: {first}). "
            "Pass the right --organism, or the right file."
        )
        raise GeneMappingError(msg, {"file": str(path), "first": first, "share": share})
