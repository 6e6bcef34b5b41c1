"""Which datasets declare to repeat others, and whose copies are kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A curated dataset, and what it declares about its cells."""

    uid: str
    key: str
    """Name for people."""
    path: Path
    n_cells: int
    links: frozenset[str] = frozenset()
    """Names of things whose cells it declares to repeat."""
    aliases: frozenset[str] = frozenset()
    """Names by which others may call it, or what holds it."""


def targets_of(datasets: Sequence[Compared]) -> dict[str, list[str]]:
    """By dataset: those it declares to repeat, unless they say the same of it."""
    called = defaultdict(list)
    for dataset in datasets:
        for alias in dataset.aliases:
            called[alias].append(dataset.uid)
    found = {
        dataset.uid: {uid for link in dataset.links for uid in called[link]} - {dataset.uid}
        for dataset in datasets
    }
    return {a: sorted(b for b in to if a not in found[b]) for a, to in found.items()}


def keeping_order(datasets: Sequence[Compared], targets: dict[str, list[str]]) -> list[int]:
    """Largest first, then by name; but what is repeated comes before what repeats it."""
    number = {dataset.uid: i for i, dataset in enumerate(datasets)}
    by_size = sorted(datasets, key=lambda dataset: (-dataset.n_cells, dataset.key, dataset.uid))
    wished = {dataset.uid: i for i, dataset in enumerate(by_size)}
    order: dict[str, None] = {}
    for dataset in by_size:
        way = [(dataset.uid, iter(sorted(targets[dataset.uid], key=wished.__getitem__)))]
        open_ = {dataset.uid}
        while way:
            uid, rest = way[-1]
            following = next((t for t in rest if t not in order and t not in open_), None)
            if following is None:
                order.setdefault(uid)
                way.pop()
            else:
                open_.add(following)
                way.append((following, iter(sorted(targets[following], key=wished.__getitem__))))
    return [number[uid] for uid in order]
