"""Which gene a name means: today, before, and in the annotation that a file was made with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from .gene_form import GeneFile

    _Rows = npt.NDArray[np.intp]

__all__ = ["Meaning", "Names", "names_of"]

SYMBOL, PREVIOUS, ALIAS = 0, 1, 2
"""How a gene bears a name, most trusted first."""

# An annotation speaks as well as the best one if at most so many more names are strange to it:
# names of other origin are in every file, and neighbouring releases differ by hundreds.
_STRANGE = 2
_STRANGE_SHARE = 0.001
_MIN_KNOWN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What texts mean."""

    n: _Rows
    """Genes that a text means. Shape ``(n_texts,)``."""
    row: _Rows
    """The gene, where it is one; else any of them, or -1. Shape ``(n_texts,)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of the genes of one organism; entry by entry a name, a gene, how, and where."""

    texts: pd.Index[str] = field(repr=False)
    """The distinct names."""
    code: _Rows = field(repr=False)
    """By entry: place in `texts`, ascending."""
    row: _Rows = field(repr=False)
    """By entry: row of the gene, which for a retired one is that of its successor."""
    level: npt.NDArray[np.int8] = field(repr=False)
    """By entry: `SYMBOL`, `PREVIOUS` or `ALIAS`."""
    mask: npt.NDArray[np.uint16] = field(repr=False)
    """By entry: annotations in which the gene bore the name, bit by bit."""
    gone: npt.NDArray[np.bool_] = field(repr=False)
    """By entry: whether the gene is retired and nobody knows what it became."""

    def codes(self, texts: pd.Series[str]) -> _Rows:
        """Find texts among the names, -1 where there is none."""
        import pandas as pd

        return self.texts.get_indexer(pd.Index(texts))

    def today(self, codes: _Rows, level: int) -> Meaning:
        """Tell what names mean today, borne as `level` says, by genes that there are."""
        return self._mean(codes, (self.level == level) & ~self.gone)

    def within(self, codes: _Rows, annotations: int) -> Meaning:
        """Tell what names meant in some annotations, given as bits."""
        return self._mean(codes, (self.mask & np.uint16(annotations)) > 0)

    def meant(self, codes: _Rows, rows: _Rows, annotations: int) -> npt.NDArray[np.bool_]:
        """Tell whether names meant these genes in some annotations, given as bits."""
        pairs = _pair(self.code, self.row)[(self.mask & np.uint16(annotations)) > 0]
        return np.asarray(np.isin(_pair(codes, rows), pairs), dtype=np.bool_)

    def candidates(self, code: int, *levels: int) -> tuple[int, ...]:
        """Rows of the genes that there are which bear a name as one of `levels` says."""
        part = slice(*np.searchsorted(self.code, [code, code + 1]))
        rows = self.row[part][np.isin(self.level[part], levels) & ~self.gone[part]]
        return tuple(sorted({int(row) for row in rows}))

    def speaking(self, codes: _Rows, n_annotations: int) -> int:
        """Find the annotations that a file may have been made with: those that know its names.

        Parameters
        ----------
        codes
            Names of the file; -1 for texts that are none.
        n_annotations
            How many annotations there are.

        Returns
        -------
        Bits of the annotations that know most names; none if even those know less than half.
        """
        distinct = np.unique(codes[codes >= 0])
        masks = np.zeros(len(self.texts), dtype=np.uint16)
        np.bitwise_or.at(masks, self.code, self.mask)
        known = [
            int(((masks[distinct] >> np.uint16(bit)) & 1).sum()) for bit in range(n_annotations)
        ]
        best = max(known, default=0)
        if not best or best < _MIN_KNOWN * len(codes):
            return 0
        least = best - max(_STRANGE, _STRANGE_SHARE * best)
        return sum(1 << bit for bit, n in enumerate(known) if n >= least)

    def folded(self) -> Names:
        """Give the same names without regard to case."""
        return _sorted(
            self.texts.str.casefold().to_numpy(dtype=object)[self.code],
            self.row,
            self.level,
            self.mask,
            self.gone,
        )

    def _mean(self, codes: _Rows, entries: npt.NDArray[np.bool_]) -> Meaning:
        pairs = np.unique(_pair(self.code, self.row)[entries])
        code, row = pairs >> 32, pairs & 0xFFFFFFFF
        n = np.bincount(code, minlength=len(self.texts) + 1).astype(np.intp)
        first = np.full(len(self.texts) + 1, -1, dtype=np.intp)
        first[code[::-1]] = row[::-1]
        return Meaning(n=n[codes], row=first[codes])  # the last place is for -1


def _pair(codes: _Rows, rows: _Rows) -> npt.NDArray[np.int64]:
    return codes.astype(np.int64) << 32 | rows.astype(np.int64) & 0xFFFFFFFF


def names_of(file: GeneFile) -> Names:
    """Collect the names of a gene table; rows are those of the table."""
    import pandas as pd

    flat = file.flat(["gene_id", "symbol", "status", "par_copy_of", "symbol_in"])
    ids = pd.Index(flat["gene_id"])
    targets = _targets(file, flat, ids)
    symbol_rows = np.flatnonzero(flat["symbol"].notna())
    old_rows, old_names = file.lists("previous_symbols")
    _, old_masks = file.lists("previous_in")
    alias_rows, aliases = file.lists("aliases")
    symbols = flat["symbol"].to_numpy(dtype=object)[symbol_rows]
    is_retired = flat["status"].eq("retired").to_numpy()
    texts = np.concatenate([symbols, old_names, aliases]).astype(object)
    level = np.repeat([SYMBOL, PREVIOUS, ALIAS], [len(symbols), len(old_names), len(aliases)])
    rows = np.concatenate([symbol_rows, old_rows, alias_rows]).astype(np.intp)
    level = np.where(is_retired[rows] & (level == SYMBOL), PREVIOUS, level)
    mask = np.concatenate(
        [flat["symbol_in"].to_numpy()[symbol_rows], old_masks, np.zeros(len(aliases))]
    ).astype(np.uint16)
    level[_shadowed(texts, level)] = -1
    entry, target = targets.of(rows)
    keep = entry[level[entry] >= 0]
    return _sorted(
        texts[keep],
        target[level[entry] >= 0],
        level[keep].astype(np.int8),
        mask[keep],
        is_retired[target[level[entry] >= 0]],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Targets:
    """The rows that a row's names point to: itself, the gene on X, or the successors."""

    row: _Rows
    target: _Rows

    def of(self, rows: _Rows) -> tuple[_Rows, _Rows]:
        """For each of `rows` each of its targets: place in `rows`, and target."""
        start = np.searchsorted(self.row, rows)
        count = np.searchsorted(self.row, rows, side="right") - start
        entry = np.repeat(np.arange(len(rows)), count)
        offset = np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
        return entry, self.target[start[entry] + offset]


def _targets(file: GeneFile, flat: pd.DataFrame, ids: pd.Index[str]) -> _Targets:
    import pandas as pd

    rows, successors = file.lists("replaced_by")
    heirs = ids.get_indexer(pd.Index(successors))
    rows, heirs = rows[heirs >= 0], heirs[heirs >= 0]
    own = np.arange(len(ids), dtype=np.intp)
    original = ids.get_indexer(pd.Index(flat["par_copy_of"]))
    own = np.where(original >= 0, original, own)
    plain = np.setdiff1d(np.arange(len(ids)), rows)
    row, target = np.concatenate([plain, rows]), np.concatenate([own[plain], heirs])
    order = np.argsort(row, kind="stable")
    return _Targets(row=row[order], target=target[order])


def _shadowed(texts: npt.NDArray[Any], level: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Find the aliases that are somebody's current symbol if case is ignored."""
    import pandas as pd

    folded = pd.Series(texts, dtype=object).str.casefold()
    return np.asarray((level == ALIAS) & folded.isin(folded[level == SYMBOL]).to_numpy())


def _sorted(
    texts: npt.NDArray[Any],
    row: _Rows,
    level: npt.NDArray[np.int8],
    mask: npt.NDArray[np.uint16],
    gone: npt.NDArray[np.bool_],
) -> Names:
    import pandas as pd

    code, distinct = pd.factorize(texts)
    order = np.argsort(code, kind="stable")
    return Names(
        texts=pd.Index(distinct),
        code=code[order].astype(np.intp),
        row=row[order],
        level=level[order],
        mask=mask[order],
        gone=gone[order],
    )
