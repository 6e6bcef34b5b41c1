"""Whose cells a file holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GeneMappingError, LabelMappingError, NotFoundError, OrganismError
from ..ontologies import get_organism, infer_organism, map_labels
from ._categories import text_categories

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pandas as pd

    from ..ontologies import Organism, OrganismEvidence
    from ._options import CurationOptions
    from ._source import SourceFile

MIN_GENES = 0.2
"""Where no organism knows a larger share of the features, they are not called genes."""
KEYS = ("organism_ontology_term_id", "organism")
"""What CELLxGENE calls the organism, in obs and in uns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismDecision:
    """Whose cells these are, and why."""

    organism: Organism
    method: str
    """``option``, ``source``, ``obs``, ``uns`` or ``genes``."""
    reason: str
    """The evidence in words and figures."""
    dropped: npt.NDArray[np.bool_] = field(repr=False)
    """Cells stated to be of another organism. Shape ``(n_cells,)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """What obs says of each cell."""

    taxa: npt.NDArray[np.object_]
    """Taxon id, or None where obs says nothing or nothing we know. Shape ``(n_cells,)``."""
    words: tuple[str, ...]
    """What it says that is no organism we know."""
    unknown: npt.NDArray[np.bool_]
    """Cells of which it says so. Shape ``(n_cells,)``."""

    @property
    def taxon_ids(self) -> list[str]:
        return sorted({taxon for taxon in self.taxa if taxon is not None})


def decide_organism(
    source: SourceFile,
    features: pd.Series[Any],
    options: CurationOptions,
    tried: Mapping[str, str],
) -> OrganismDecision:
    """Decide the one organism of a dataset from the option, obs, uns and the genes.

    What is stated must agree with the genes. Cells stated to be of another organism than the one
    whose genes were measured are marked as dropped.

    Parameters
    ----------
    source
        The open file.
    features
        Texts that name the genes.
    options
        What the curator decided.
    tried
        Verdict on each matrix that was looked at, for messages.

    Raises
    ------
    OrganismError
        If nothing says it, what is said is no organism we know, or it contradicts the genes.
    GeneMappingError
        If the features are no genes of any known organism.
    LabelMappingError
        If the column that the curator named does not exist.
    """
    evidence = infer_organism(features)
    cells = _stated_in_obs(source, options)
    stated, method = _stated(source, cells, evidence, options)
    if stated is None:
        found = _by_genes(source, features, evidence, tried)
        return OrganismDecision(
            organism=found,
            method="genes",
            reason=evidence.reason,
            dropped=np.zeros(len(cells.taxa), dtype=np.bool_),
        )
    if evidence.organism not in {None, stated} and evidence.basis == "gene ids":
        msg = (
            f"{source.path} is stated to be {stated.name} ({method}), but its genes say "
            f"otherwise: {evidence.reason} Correct what is stated, or pass --gene-column."
        )
        raise OrganismError(msg, _details(source, tried, evidence))
    same = np.isin(cells.taxa, [stated.taxon_id]) | (cells.taxa == None)  # noqa: E711 # each entry
    if cells.taxon_ids:
        same &= ~cells.unknown
    said = source.uns.get(KEYS[0], stated.taxon_id) if method == "uns" else stated.taxon_id
    words = "" if said == stated.taxon_id else f" as {said}"
    reason = f"stated in {method}{words}; {evidence.reason}"
    return OrganismDecision(organism=stated, method=method, reason=reason, dropped=~same)


def _by_genes(
    source: SourceFile,
    features: pd.Series[Any],
    evidence: OrganismEvidence,
    tried: Mapping[str, str],
) -> Organism:
    if evidence.organism is not None:
        return evidence.organism
    details = _details(source, tried, evidence)
    best = max(evidence.shares.values(), default=0.0)
    if evidence.basis != "gene ids" and best < MIN_GENES:
        first = str(features.iloc[0])
        verdicts = "; ".join(f"{name}: {reason}" for name, reason in tried.items())
        msg = (
            f"The features of {source.path} are not genes: only {best:.1%} of {len(features):,} "
            f"are known to any organism (first feature: {first!r}). Tried {verdicts}. "
            "If gene names are in a column of var, name it with --gene-column."
        )
        raise GeneMappingError(msg, {**details, "first": first})
    msg = (
        f"The organism of {source.path} is not stated in obs or uns, and its genes do not "
        f"decide it: {evidence.reason} Pass --organism."
    )
    raise OrganismError(msg, details)


def _details(
    source: SourceFile, tried: Mapping[str, str], evidence: OrganismEvidence
) -> dict[str, object]:
    return {"file": str(source.path), "tried": dict(tried), "genes": evidence.reason}


def _stated(
    source: SourceFile, cells: _Stated, evidence: OrganismEvidence, options: CurationOptions
) -> tuple[Organism | None, str]:
    """Find the stated organism and where it is stated."""
    wanted = options.organism or options.constants.get("organism")
    if wanted is not None:
        return _known(source, "--organism", wanted), "option"
    if source.facts is not None and source.facts.organism is not None:
        return _known(source, source.facts.says, source.facts.organism), "source"
    if cells.words:
        msg = (
            f"obs of {source.path} states organisms that we do not know: {cells.words[0]!r} and "
            f"{len(cells.words) - 1} more, in {int(cells.unknown.sum()):,} cells. "
            "Correct them, or pass --organism."
        )
        raise OrganismError(msg, {"file": str(source.path), "unknown": list(cells.words)})
    stated = cells.taxon_ids
    if len(stated) == 1:
        return get_organism(stated[0]), "obs"
    if stated:
        found = evidence.organism
        if found is None or evidence.basis != "gene ids" or found.taxon_id not in stated:
            msg = (
                f"obs of {source.path} states {len(stated)} organisms ({', '.join(stated)}), and a "
                "dataset has one. Split the file, or keep the cells of one with --organism."
            )
            raise OrganismError(msg, {"file": str(source.path), "stated": stated})
        return found, "obs"
    return _stated_in_uns(source), "uns"


def _stated_in_uns(source: SourceFile) -> Organism | None:
    said = {key: source.uns[key] for key in KEYS if key in source.uns}
    found = [_known(source, f"uns[{key!r}]", text) for key, text in said.items()]
    if len(set(found)) > 1:
        texts = " and ".join(f"{key} {text!r}" for key, text in said.items())
        msg = f"uns of {source.path} says {texts}. Correct one, or pass --organism."
        raise OrganismError(msg, {"file": str(source.path), "stated": list(said.values())})
    return found[0] if found else None


def _known(source: SourceFile, where: str, text: str) -> Organism:
    try:
        return get_organism(text)
    except NotFoundError as error:
        msg = f"{where} of {source.path} is {text!r}. {error} Pass one of them as --organism."
        raise OrganismError(msg, {"file": str(source.path), "organism": text}) from error


def _stated_in_obs(source: SourceFile, options: CurationOptions) -> _Stated:
    """Read the first column that states an organism of any cell."""
    named = options.columns.get("organism")
    if named is not None and named not in source.obs:
        msg = (
            f"obs of {source.path} has no column {named!r} (--column organism={named}). "
            f"It has {', '.join(source.obs.columns)}."
        )
        raise LabelMappingError(msg, {"file": str(source.path), "column": named})
    result = _Stated(
        taxa=np.full(len(source.obs), None, dtype=object),
        words=(),
        unknown=np.zeros(len(source.obs), dtype=np.bool_),
    )
    for name in [named] if named is not None else [key for key in KEYS if key in source.obs]:
        found = _taxa(source.obs[name])
        if found.taxon_ids:
            return found
        result = found if found.words else result
    return result


def _taxa(column: pd.Series[Any]) -> _Stated:
    labels = text_categories(column)
    rows = map_labels(list(labels.categories), field="organism")
    taxa = [row.term_id if row.outcome == "mapped" else None for row in rows.itertuples()]
    unknown = [row.outcome != "mapped" and row.method != "missing" for row in rows.itertuples()]
    return _Stated(
        taxa=np.asarray([*taxa, None], dtype=object)[labels.codes],
        words=tuple(
            str(t)
            for t, is_unknown in zip(rows["source_label"], unknown, strict=True)
            if is_unknown
        ),
        unknown=np.asarray([*unknown, False], dtype=np.bool_)[labels.codes],
    )
