"""Confirmed mappings of other datasets, ready to be asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .label_index import LabelIndex, Strings
from .organs import organ_words
from .wording import word_key, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .label_memory import Confirmed

__all__ = ["REMEMBERED", "Evidence", "prepare_evidence"]

REMEMBERED = ("core", "soft", "head", "tail")
"""Forms of a label that are compared with confirmed labels word by word."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Confirmed mappings of other datasets, ready to be asked."""

    strings: Strings
    codes: tuple[dict[int, int], ...]
    """Terms of each string, with how often they were confirmed."""
    keyed: dict[str, dict[str, dict[int, int]]]
    """By form and key: terms with how often they were confirmed."""
    places: dict[str, tuple[tuple[int, frozenset[int]], ...]]
    """By key of the core: term and organs of each confirmed label."""
    prior: npt.NDArray[np.float32]
    """Log of how often each term was confirmed. Shape ``(n_terms,)``."""
    prior_here: dict[int, npt.NDArray[np.float32]]
    """The same among the labels of an organ."""


def prepare_evidence(
    confirmed: Sequence[Confirmed], index: LabelIndex, *, field: str
) -> Evidence | None:
    """Index confirmed mappings; those whose term the field cannot hold are left out.

    Returns
    -------
    The evidence, None if there is none.
    """
    code_of = {term_id: code for code, term_id in enumerate(index.ids)}
    usable = [(c, code_of[c.term_id]) for c in confirmed if c.term_id in code_of]
    if not usable:
        return None
    organs = organ_words()
    here = _tissues([c.tissue for c, _ in usable])
    by_string: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    keyed: dict[str, dict[str, dict[int, int]]] = {
        view: defaultdict(lambda: defaultdict(int)) for view in REMEMBERED
    }
    places: dict[str, list[tuple[int, frozenset[int]]]] = defaultdict(list)
    counts = np.zeros(len(index.ids))
    by_organ: dict[int, npt.NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(index.ids)))
    for (item, code), tissue in zip(usable, here, strict=True):
        words = wording(item.label, field=field)
        where = tissue | organs.of(words.context)
        for text in {words.core, words.full}:
            by_string[text][code] += 1
        for view in REMEMBERED:
            keyed[view][word_key(getattr(words, view))][code] += 1
        places[word_key(words.core)].append((code, where))
        counts[code] += 1
        for organ in where:
            by_organ[organ][code] += 1
    texts = sorted(by_string)
    return Evidence(
        strings=Strings(texts, like=index.strings),
        codes=tuple(dict(by_string[text]) for text in texts),
        keyed={view: {key: dict(codes) for key, codes in d.items()} for view, d in keyed.items()},
        places={key: tuple(items) for key, items in places.items()},
        prior=np.log1p(counts).astype(np.float32),
        prior_here={o: np.log1p(c).astype(np.float32) for o, c in by_organ.items()},
    )


def _tissues(tissues: Sequence[str]) -> list[frozenset[int]]:
    organs = organ_words()
    known = {tissue: organs.of_tissue(tissue) if tissue else frozenset() for tissue in set(tissues)}
    return [known[tissue] for tissue in tissues]
