"""What became of the genes of older annotations, and what the genes of today were called."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from .gene_records import Record
    from .gene_sources import Annotation

__all__ = ["History"]

# A retired gene became the gene that covers its place: each covers at least half of the other, on
# the same strand, and no other gene covers half as much. Where the symbol tells the successor as
# well, this agrees with it in 98 % of 394 human genes; most of the rest are micro-RNAs, whose
# antisense twins have each other's names.
_MIN_SHARED = 0.5
_MAX_RIVAL = 0.25


class History:
    """The past of one organism's genes.

    Parameters
    ----------
    genes
        The current genes: index ``gene_id``; column ``symbol``.
    places
        Their places, see `Annotation`, or None.
    par_copies
        Gene on X by id of its copy on Y.
    annotations
        Older annotations, oldest first.
    """

    def __init__(
        self,
        genes: pd.DataFrame,
        places: pd.DataFrame | None,
        par_copies: Mapping[str, str],
        annotations: Sequence[Annotation],
    ) -> None:
        self.symbols = dict(zip(genes.index, genes["symbol"], strict=True))
        self.par_copies = par_copies
        self.annotations = annotations
        self.owners = self._owners_of_symbols()
        self.successors: dict[str, tuple[str, ...]] = {}
        """By retired id: the genes it became; empty if that is not known."""
        self.previous: dict[str, set[str]] = defaultdict(set)
        """Previous symbols by gene."""
        self.aliases: dict[str, set[str]] = defaultdict(set)
        """Aliases by gene."""
        self._places = _by_strand(places) if places is not None else {}
        self._at: dict[Any, Any] = places.to_dict("index") if places is not None else {}
        self._chromosomes = set(places["chrom"]) if places is not None else set()

    def learn(self, records: Iterable[Record]) -> None:
        """Take in a nomenclature, then find the successors of the retired genes."""
        said: dict[str, set[str]] = defaultdict(set)
        for record in records:
            gene = self._gene_of(record)
            if gene is None:
                continue
            self.previous[gene] |= {record.symbol, *record.previous}
            self.aliases[gene] |= {alias for alias in record.aliases if len(alias) > 1}
            for retired in (*record.gene_ids, *record.former_ids):
                if retired not in self.symbols:
                    said[retired].add(gene)
        symbols = set(self.symbols.values())
        for name, genes in self._names().items():
            if name not in symbols and len(genes) == 1:
                self.owners[name] = next(iter(genes))
        old = {gene for annotation in self.annotations for gene in annotation.genes.index}
        for retired in sorted(old - set(self.symbols)):
            became = self._successor(retired)
            self.successors[retired] = (became,) if became else ()
        for retired, genes in said.items():
            if not self.successors.get(retired):
                self.successors[retired] = tuple(sorted(genes))

    def _names(self) -> dict[str, set[str]]:
        """Genes by previous symbol, those of the nomenclature alone."""
        found: dict[str, set[str]] = defaultdict(set)
        for gene, names in self.previous.items():
            for name in names:
                found[name].add(gene)
        return found

    def _owners_of_symbols(self) -> dict[str, str]:
        """Genes by symbol where one gene bears it, a copy on Y aside."""
        found: dict[str, set[str]] = defaultdict(set)
        for gene, symbol in self.symbols.items():
            if symbol is not None and gene not in self.par_copies:
                found[symbol].add(gene)
        return {symbol: next(iter(genes)) for symbol, genes in found.items() if len(genes) == 1}

    def _gene_of(self, record: Record) -> str | None:
        known = [gene for gene in record.gene_ids if gene in self.symbols]
        if len(known) == 1:
            return known[0]
        return self.owners.get(record.symbol) if not known else None

    def _successor(self, retired: str) -> str | None:
        """Find the gene that bears a symbol of a retired one and took its place, or covers it."""
        place = self._place(retired)
        for annotation in reversed(self.annotations):
            if retired in annotation.genes.index:
                symbol: Any = annotation.genes.at[retired, "symbol"]
                heir = self.owners.get(symbol)
                if heir is not None and self._took_place(heir, symbol, place, annotation):
                    return heir
        return self._covering(place) if place is not None else None

    def _took_place(
        self, heir: str, symbol: str, place: Mapping[Any, Any] | None, annotation: Annotation
    ) -> bool:
        if place is not None and place["chrom"] in self._chromosomes:
            return heir in self._at and _meet(self._at[heir], place)
        # a copy on an alternate locus shares its symbol; an id of before is not beside its heir
        return bool(annotation.genes["symbol"].get(heir, symbol) == symbol)

    def _place(self, retired: str) -> dict[Any, Any] | None:
        for annotation in reversed(self.annotations):
            if annotation.places is not None and retired in annotation.places.index:
                place: dict[Any, Any] = annotation.places.loc[retired].to_dict()
                return place
        return None

    def _covering(self, place: Mapping[Any, Any]) -> str | None:
        ids, starts, ends = self._places.get((place["chrom"], place["strand"]), _NOWHERE)
        shared = np.minimum(ends, place["end"]) - np.maximum(starts, place["start"]) + 1
        longer = np.maximum(ends - starts, place["end"] - place["start"]) + 1
        shares = shared / longer
        if not len(shares) or shares.max() < _MIN_SHARED:
            return None
        best = int(shares.argmax())
        shares[best] = 0
        return str(ids[best]) if shares.max() < _MAX_RIVAL else None


_NOWHERE = (np.empty(0, dtype=object), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def _by_strand(places: pd.DataFrame) -> dict[tuple[str, str], tuple[Any, Any, Any]]:
    groups: Any = places.groupby(["chrom", "strand"])  # by pairs; its type says by anything
    return {
        (str(key[0]), str(key[1])): (
            part.index.to_numpy(dtype=object),
            part["start"].to_numpy(dtype=np.int64),
            part["end"].to_numpy(dtype=np.int64),
        )
        for key, part in groups
    }


def _meet(a: Mapping[Any, Any], b: Mapping[Any, Any]) -> bool:
    same = a["chrom"] == b["chrom"] and a["strand"] == b["strand"]
    return bool(same and a["start"] <= b["end"] and b["start"] <= a["end"])
