"""Which organism the features of a file speak for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from .gene_ids import id_owners
from .gene_tables import gene_file, has_genes, table_of
from .organisms import GUESTS, ORGANISMS, Organism, get_organism

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["OrganismEvidence", "infer_organism"]

_MIN_ID_SHARE = 0.5
_MAX_FOREIGN_ID_SHARE = 0.01
_MIN_SYMBOL_SHARE = 0.8
_MIN_SYMBOLS = 50
_SIGNIFICANCE = 1e-3

# How often a symbol of the true organism is found in another organism's table but not in its own,
# because it was renamed in one and not the other: 8 to 19 of 10,338 to 16,727 features in real
# files, 0.8 to 1.2 per thousand, and a little room.
_STRAY_RATE = 0.0015


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismEvidence:
    """What the features of a file say about its organism."""

    organism: Organism | None
    """The organism, or None if the features do not decide."""

    basis: Literal["gene ids", "symbols", "none"]
    """What was compared; ``none`` if the features are neither."""

    shares: Mapping[str, float]
    """Share of the features each organism knows, by taxon id, largest first."""

    feature_share: float
    """Share of the features the best organism knows."""

    n_features: int
    """Distinct features compared; spike-ins and virus are left out."""

    ignoring_case: bool
    """True if symbols agree only when case is ignored."""

    reason: str
    """One sentence with the figures."""


def infer_organism(features: Iterable[str]) -> OrganismEvidence:
    """Tell the organism of a file from its features, if they leave no doubt.

    Stable gene ids decide if at least half of the features are ids of one organism and at most
    1 % are ids of any other. Otherwise symbols, of today and of older annotations, are compared
    with every gene table, first as written, then ignoring case. They decide if all of this holds:

    - one organism knows at least 80 % of the features and at least 50 of them;
    - against every other organism, more features are known to the best one only than renamed
      symbols explain: a Poisson count of mean ``0.0015 * n_features`` reaches that number with a
      probability below 0.001;
    - no other organism alone knows more features, by its symbols of today, than renamed symbols
      explain. (Of few organisms we know older symbols: those would count against the others.)

    The rate was measured: files of a known organism show 8 to 19 features per 10,338 to 16,727
    which only another organism knows.

    Parameters
    ----------
    features
        Gene ids or symbols. Repetitions count once.

    Returns
    -------
    The evidence; its `organism` is None if there is doubt.

    Examples
    --------
    >>> infer_organism(["ENSMUSG00000064351", "ERCC-00002"]).organism.common
    'mouse'
    """
    import pandas as pd

    guests = [guest.taxon_id for guest in GUESTS]
    texts = pd.Series(pd.unique(pd.Series(list(features), dtype=object).dropna()), dtype=object)
    owners = id_owners(texts)
    own = ~owners.isin(guests)
    if not own.any():
        return _doubt("none", {}, 0, "There are no features to tell an organism from.")
    return (
        _by_ids(owners[own])
        or _by_symbols(texts[own], ignoring_case=False)
        or _by_symbols(texts[own], ignoring_case=True)
        or _undecided(texts[own])
    )


def _by_ids(owners: pd.Series[str]) -> OrganismEvidence | None:
    counts = owners.value_counts()
    n = len(owners)
    if counts.empty or counts.iloc[0] < _MIN_ID_SHARE * n:
        return None
    shares = {str(taxon): float(count) / n for taxon, count in counts.items()}
    best, *others = [(get_organism(taxon), share) for taxon, share in shares.items()]
    reason = f"{counts.iloc[0]:,} of {n:,} features ({best[1]:.0%}) are gene ids of {best[0].name}"
    if others and others[0][1] > _MAX_FOREIGN_ID_SHARE:
        reason += f", but {others[0][1]:.0%} are gene ids of {others[0][0].name}."
        return _doubt("gene ids", shares, n, reason)
    return OrganismEvidence(
        organism=best[0],
        basis="gene ids",
        shares=shares,
        feature_share=best[1],
        n_features=n,
        ignoring_case=False,
        reason=f"{reason}.",
    )


def _by_symbols(features: pd.Series[str], *, ignoring_case: bool) -> OrganismEvidence | None:
    known = _membership(features, ignoring_case=ignoring_case)
    now = _membership(features, ignoring_case=ignoring_case, only_today=True)
    n = len(features)
    counts = {taxon: int(hits.sum()) for taxon, hits in known.items()}
    best = max(counts, key=lambda taxon: counts[taxon])
    if counts[best] < max(_MIN_SYMBOLS, _MIN_SYMBOL_SHARE * n):
        return None
    rivals = {
        taxon: (int((known[best] & ~hits).sum()), int((now[taxon] & ~known[best]).sum()))
        for taxon, hits in known.items()
        if taxon != best
    }
    if not all(_is_noise(theirs, n) and not _is_noise(ours, n) for ours, theirs in rivals.values()):
        return None
    nearest = min(rivals, key=lambda taxon: rivals[taxon][0])
    ours, theirs = rivals[nearest]
    organism = get_organism(best)
    reason = (
        f"{counts[best]:,} of {n:,} features ({counts[best] / n:.0%}) are symbols of "
        f"{organism.name}{' if case is ignored' if ignoring_case else ''}; {ours:,} of them are "
        f"not known in the nearest other organism, {get_organism(nearest).name}, "
        f"which alone knows {theirs:,}."
    )
    return OrganismEvidence(
        organism=organism,
        basis="symbols",
        shares=_shares(counts, n),
        feature_share=counts[best] / n,
        n_features=n,
        ignoring_case=ignoring_case,
        reason=reason,
    )


def _undecided(features: pd.Series[str]) -> OrganismEvidence:
    n = len(features)
    known = _membership(features, ignoring_case=True)
    shares = _shares({taxon: int(hits.sum()) for taxon, hits in known.items()}, n)
    best, second, *_ = shares
    reason = (
        f"Ignoring case, {shares[best]:.0%} of {n:,} features are symbols of "
        f"{get_organism(best).name} and {shares[second]:.0%} of {get_organism(second).name}: "
        f"too few, or too alike, to decide."
    )
    return _doubt("symbols" if shares[best] else "none", shares, n, reason)


def _doubt(
    basis: Literal["gene ids", "symbols", "none"], shares: dict[str, float], n: int, reason: str
) -> OrganismEvidence:
    return OrganismEvidence(
        organism=None,
        basis=basis,
        shares=shares,
        feature_share=max(shares.values(), default=0.0),
        n_features=n,
        ignoring_case=basis == "symbols",
        reason=reason,
    )


def _shares(counts: dict[str, int], n: int) -> dict[str, float]:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return {taxon: count / n for taxon, count in ordered}


def _is_noise(count: int, n_features: int) -> bool:
    """Tell whether renamed symbols alone explain `count` features."""
    from scipy.special import gammainc

    # P(Poisson(m) >= k) is the regularised lower incomplete gamma function P(k, m)
    return count == 0 or float(gammainc(count, _STRAY_RATE * n_features)) >= _SIGNIFICANCE


def _membership(
    features: pd.Series[str], *, ignoring_case: bool, only_today: bool = False
) -> dict[str, npt.NDArray[np.bool_]]:
    """Tell which features each organism has, or had, a gene of that name for, by taxon id."""
    import pyarrow as pa
    import pyarrow.compute

    pc: Any = pyarrow.compute  # its functions are made at run time
    texts = pa.array(features.astype(str), type=pa.string())
    texts = pc.utf8_lower(texts) if ignoring_case else texts
    return {
        organism.taxon_id: pc.is_in(
            texts,
            value_set=_symbols(
                organism, table_of(organism), ignoring_case=ignoring_case, only_today=only_today
            ),
        ).to_numpy(zero_copy_only=False)
        for organism in ORGANISMS
        if has_genes(organism)
    }


@cache
def _symbols(organism: Organism, key: object, *, ignoring_case: bool, only_today: bool) -> Any:
    """Symbols of the genes of today, and those that genes bore in older annotations."""
    import pyarrow as pa
    import pyarrow.compute

    del key  # it tells tables of one organism apart
    pc: Any = pyarrow.compute
    file = gene_file(organism)
    if only_today:
        column = file.table.filter(pc.equal(file.table["status"], "current"))["symbol"]
    else:
        _, before = file.lists("previous_symbols")
        _, borne = file.lists("previous_in")
        names = pa.array(before[borne > 0], type=pa.string())
        column = pa.chunked_array([*file.table["symbol"].chunks, names])
    column = column.drop_null()
    return pc.unique(pc.utf8_lower(column) if ignoring_case else column)
