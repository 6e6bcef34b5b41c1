"""The steps by which `resolve_genes` finds a gene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .gene_form import FLAGS
from .gene_ids import id_owners
from .gene_lookup import Genes, genes_of
from .gene_names import ALIAS, PREVIOUS, SYMBOL
from .gene_tables import table_of
from .organisms import get_organism
from .other_features import OTHER_FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .gene_names import Names

    _Rows = npt.NDArray[np.intp]
    _Mask = npt.NDArray[np.bool_]

__all__ = ["resolve"]

_VERSIONED = r"^(ENS[A-Z]*G\d{11})\.\d+$"
_COPY_ON_Y = r"^(ENSG\d{11})(?:\.\d+)?_PAR_Y$"
_MADE_UNIQUE = r"^(.+)[-.]\d+$"
_RETIRED_PROBE = "DEPRECATED_"


def resolve(features: Sequence[str], organism: str, symbols: Sequence[str] | None) -> pd.DataFrame:
    """Do what `resolve_genes` promises."""
    known = get_organism(organism)
    genes = genes_of(known, table_of(known))
    source = pd.Series(list(features), dtype=object)
    found = _Findings.empty(len(source))
    found.settle(source.str.startswith(_RETIRED_PROBE, na=False).to_numpy(), "deprecated")
    _by_id(source, genes, found)
    if found.open.any():
        _by_name(source, genes, found)
    owners = id_owners(source[found.open | (found.method == "retired")]).reindex(source.index)
    if symbols is not None:
        is_id = (owners == known.taxon_id).to_numpy()
        _by_own_symbol(pd.Series(list(symbols), dtype=object), is_id, genes, found)
    found.settle((owners.notna() & (owners != known.taxon_id)).to_numpy(), "other_organism")
    return _describe(source, found, genes.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """What is known of each feature so far; what is decided stays."""

    row: _Rows
    method: npt.NDArray[np.object_]
    candidates: dict[int, tuple[int, ...]]
    """Rows of the genes, by place of an ambiguous feature."""

    @classmethod
    def empty(cls, n: int) -> _Findings:
        return cls(
            row=np.full(n, -1, dtype=np.intp),
            method=np.full(n, "none", dtype=object),
            candidates={},
        )

    @property
    def open(self) -> _Mask:
        """Features that nothing is known of yet."""
        return np.asarray(self.method == "none", dtype=np.bool_)

    def settle(self, features: _Mask, method: str, rows: _Rows | None = None) -> None:
        """Decide those of `features` that are open: their genes are `rows`, or none."""
        new = features & self.open
        self.method[new] = method
        if rows is not None:
            self.row[new] = rows[new]


def _by_id(source: pd.Series[str], genes: Genes, found: _Findings) -> None:
    for method, pattern in (("id", None), ("id_version", _VERSIONED)):
        rows = genes.rows_of(source if pattern is None else _extracted(source, pattern, found))
        retired = (rows >= 0) & genes.retired[rows]
        found.settle((rows >= 0) & ~retired, method, rows)
        for place in np.flatnonzero(retired & found.open):
            heirs = genes.heirs.get(int(rows[place]), ())
            found.method[place] = "retired_id" if heirs else "retired"
            if len(heirs) == 1:
                found.row[place] = heirs[0]
            elif heirs:
                found.candidates[int(place)] = heirs
    on_x = genes.rows_of(_extracted(source, _COPY_ON_Y, found))
    on_y = np.asarray([genes.copies.get(int(row), int(row)) for row in on_x], dtype=np.intp)
    found.settle((on_y >= 0) & ~genes.retired[on_y], "par_copy", on_y)


def _extracted(source: pd.Series[str], pattern: str, found: _Findings) -> pd.Series[str]:
    """Take the part of open features that a pattern names; null for others."""
    return source[found.open].str.extract(pattern, expand=False).reindex(source.index)


def _by_name(source: pd.Series[str], genes: Genes, found: _Findings) -> None:
    """Look at the names: what is exact, then what is no gene, then what differs in case."""
    names = genes.exact
    codes = np.where(found.open, names.codes(source), -1)
    known = found.open & (codes >= 0)
    speaking = names.speaking(codes[found.open], genes.n_annotations)
    _as_released(source, codes, speaking, genes, found)
    _today(names, codes, SYMBOL, "symbol", found)
    with_copy = np.isin(found.row, list(genes.copies)) & (found.method == "symbol")
    found.method[with_copy] = "symbol_par"
    _made_unique(source, codes, speaking, genes, found)
    _today(names, codes, PREVIOUS, "previous_symbol", found)
    for method, pattern in OTHER_FEATURES:
        if found.open.any():
            found.settle(source.str.fullmatch(pattern, na=False).to_numpy(), method)
    _today(names, codes, ALIAS, "alias", found)
    _without_case(source, genes, found)
    found.settle(known, "retired")


def _made_unique(
    source: pd.Series[str], codes: _Rows, speaking: int, genes: Genes, found: _Findings
) -> None:
    """Refuse names with a number that tells them from a twin: the twin is another gene."""
    names = genes.exact
    strange = found.open & (names.within(codes, speaking).n == 0)
    bare = _extracted(source, _MADE_UNIQUE, found)
    twins = strange & (bare.isin(source) & bare.notna()).to_numpy()
    found.settle(twins & (names.codes(bare.where(twins)) >= 0), "symbol_made_unique")


def _without_case(source: pd.Series[str], genes: Genes, found: _Findings) -> None:
    left = found.open
    if left.any():
        codes = np.full(len(source), -1, dtype=np.intp)
        codes[left] = genes.folded.codes(source[left].str.casefold())
        for level, method in ((SYMBOL, "symbol"), (PREVIOUS, "previous_symbol"), (ALIAS, "alias")):
            _today(genes.folded, codes, level, f"{method}_case", found)


def _today(names: Names, codes: _Rows, level: int, method: str, found: _Findings) -> None:
    if not (codes >= 0).any():
        return
    meaning = names.today(codes, level)
    _doubt(np.flatnonzero((meaning.n > 1) & found.open), names, codes, (level,), found)
    found.settle(meaning.n > 1, method)
    found.settle(meaning.n == 1, method, meaning.row)


def _doubt(
    places: _Rows, names: Names, codes: _Rows, levels: tuple[int, ...], found: _Findings
) -> None:
    """List the genes that ambiguous names may mean; the same name has the same list."""
    known: dict[int, tuple[int, ...]] = {}
    for place in places:
        code = int(codes[place])
        if code not in known:
            known[code] = names.candidates(code, *levels)
        found.candidates[int(place)] = known[code]


def _as_released(
    source: pd.Series[str], codes: _Rows, speaking: int, genes: Genes, found: _Findings
) -> None:
    """Settle what meant something else in the annotation of the file than it does by itself."""
    names = genes.exact
    then = names.within(codes, speaking)
    now, before = names.today(codes, SYMBOL), names.today(codes, PREVIOUS)
    n = np.where(now.n > 0, now.n, before.n)
    row = np.where(now.n > 0, now.row, before.row)
    agrees = (n == 1) & names.meant(codes, row, speaking)
    twins = source.str.extract(_MADE_UNIQUE, expand=False)
    twice = (then.n > 1) & (source.duplicated(keep=False) | source.isin(twins)).to_numpy()
    several = ((then.n > 1) & (n <= 1) & ~agrees | twice) & found.open
    _doubt(np.flatnonzero(several), names, codes, (SYMBOL, PREVIOUS), found)
    found.settle(several, "release_symbol")
    one = (then.n == 1) & ~agrees
    found.settle(one & genes.retired[then.row], "retired")
    found.settle(one, "release_symbol", then.row)


def _by_own_symbol(symbols: pd.Series[str], is_id: _Mask, genes: Genes, found: _Findings) -> None:
    """Let the file's own symbol stand in for an id that is no more, if no other feature has it."""
    if len(symbols) != len(found.row):
        msg = f"There are {len(symbols):,} symbols for {len(found.row):,} features."
        raise ValueError(msg)
    lost = is_id & (found.open | (found.method == "retired"))
    places = np.flatnonzero(lost & ~symbols.duplicated(keep=False).to_numpy())
    codes = genes.exact.codes(symbols.iloc[places])
    now, before = genes.exact.today(codes, SYMBOL), genes.exact.today(codes, PREVIOUS)
    n, rows = (np.where(now.n > 0, *pair) for pair in ((now.n, before.n), (now.row, before.row)))
    free = (n == 1) & ~np.isin(rows, found.row) & ~_repeated(rows)
    found.row[places[free]] = rows[free]
    found.method[places[free]] = "retired_id_symbol"


def _repeated(values: _Rows) -> _Mask:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1, dtype=np.bool_)


def _describe(source: pd.Series[str], found: _Findings, table: pd.DataFrame) -> pd.DataFrame:
    missing = found.row < 0

    def pick(values: Any) -> npt.NDArray[np.object_]:
        picked = np.asarray(values, dtype=object)[found.row]
        picked[missing] = None
        return picked

    candidates = np.empty(len(source), dtype=object)
    candidates[:] = [()] * len(source)
    ids = table.index.to_numpy(dtype=object)
    lists = {id(rows): rows for rows in found.candidates.values()}
    named = {key: tuple(ids[list(rows)]) for key, rows in lists.items()}
    for place, rows in found.candidates.items():
        candidates[place] = named[id(rows)]
    ambiguous = candidates.astype(bool)
    kind = pick(table["kind"])
    for other, _ in OTHER_FEATURES:
        kind[found.method == other] = other
    columns: dict[str, Any] = {"source_id": source, "gene_id": pick(table.index)}
    columns |= {name: pick(table[name]) for name in ("symbol", "biotype")}
    columns |= {name: table[name].array.take(found.row, allow_fill=True) for name in FLAGS}
    columns |= {
        "kind": kind,
        "organism_ontology_term_id": pick(table["organism_ontology_term_id"]),
        "outcome": np.where(ambiguous, "ambiguous", np.where(missing, "unknown", "resolved")),
        "method": found.method,
        "candidates": candidates,
    }
    return pd.DataFrame(columns)
