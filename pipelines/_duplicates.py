"""The same cell twice: which datasets repeat cells of others, and which copies a corpus keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ..errors import InputError, SchemaError
from ._copies import NON_PRIMARY, PRIMARY, Cells, copies_in, read_cells, spool
from ._copy_links import Compared, keeping_order, targets_of
from ._copy_table import CopyTable
from ._copy_tally import Pair, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ._copies import Copies

Policy = Literal["flag", "keep_primary", "drop"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
SAME_COUNTS = 0.01
"""Least share of a linking dataset's cells with copies for its counts to be of the same reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCopies:
    """What was found about the cells of one dataset."""

    uid: str
    key: str
    n_cells: int
    n_shallow: int
    """Cells with too few genes to be compared."""
    n_non_primary: int
    """Cells that say that they are copies."""
    n_unmatched: int
    """Those of them without a copy here."""
    n_repeated: int
    """Cells that repeat another of the same dataset."""
    n_excluded: int
    """Cells that the policy leaves out."""
    compared: bool
    """False if it was curated before cells had fingerprints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Which datasets repeat cells of which, and what a policy makes of it."""

    policy: Policy
    pairs: tuple[Pair, ...]
    """Most cells first."""
    datasets: tuple[DatasetCopies, ...]
    """As they were given."""

    @property
    def n_excluded(self) -> int:
        """Cells that are left out."""
        return sum(dataset.n_excluded for dataset in self.datasets)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "policy": self.policy,
            "n_excluded": self.n_excluded,
            "pairs": [asdict(pair) for pair in self.pairs],
            "datasets": [asdict(dataset) for dataset in self.datasets],
        }


def find_duplicates(
    datasets: Sequence[Compared],
    folder: Path,
    *,
    policy: Policy = "flag",
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Duplicates:
    """Find cells that are in several datasets, or in one several times.

    Cells are copies if they have the same fingerprint. A dataset that declares to repeat others,
    of whose cells less than `SAME_COUNTS` have copies there, was made anew from the same reads:
    all its cells are declared copies.

    Parameters
    ----------
    datasets
        What to compare. Files are read once, in chunks.
    folder
        An empty folder for 16 bytes a cell; what is written there is removed.
    policy
        ``flag`` keeps all. ``drop`` keeps the first of the copies: of a dataset that declares to
        repeat none of the others, then a primary cell, then one that does not say, then one of
        the largest dataset, then of the first by name. ``keep_primary`` keeps the first too, and
        every copy that is not called non-primary by itself or, saying nothing, by a declared link.
    out
        Parquet file for the copies, the first left out: ``dataset``, ``row``, ``same_as_dataset``,
        ``same_as_row`` (null for declared copies), ``kept``.
    progress
        Called with what is done, how much of it and of how much.

    Raises
    ------
    InputError
        If there is no such policy.
    SchemaError
        If cells are to be left out, and a dataset has no fingerprints.
    """
    if policy not in POLICIES:
        msg = f"{policy!r} is no policy for duplicates. Choose from {', '.join(POLICIES)}."
        raise InputError(msg, {"policy": policy})
    targets = targets_of(datasets)
    order = keeping_order(datasets, targets)
    ordered = [datasets[i] for i in order]
    place = {dataset.uid: i for i, dataset in enumerate(ordered)}
    linked = [[place[uid] for uid in targets[dataset.uid]] for dataset in ordered]
    files = [
        Cells(path=dataset.path, links=bool(to))
        for dataset, to in zip(ordered, linked, strict=True)
    ]
    n_cells = sum(dataset.n_cells for dataset in datasets)
    done = 0

    def read(n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress("reading fingerprints", done, n_cells)

    spooled, parts = spool(files, folder, n_cells=n_cells, progress=read)
    _refuse_old(ordered, [facts.compared for facts in spooled], policy)
    tally = Tally(ordered, linked)
    with CopyTable(out, [dataset.uid for dataset in ordered]) as table:
        for number, part in enumerate(parts):
            copies = copies_in(part)
            part.unlink()
            tally.add(copies)
            left_out = _left_out(copies, policy)
            tally.leave_out(copies, left_out)
            table.add(copies, left_out)
            if progress is not None:
                progress("comparing cells", number + 1, len(parts))
        comparable = np.array([facts.n_cells - facts.n_shallow for facts in spooled])
        for a, to in enumerate(linked):
            if to and tally.n_in(a, to) < SAME_COUNTS * comparable[a]:
                tally.whole.add(a)
                for rows, kept in _declared(ordered[a].path, tally.listed(a), policy):
                    tally.n_excluded[a] += np.count_nonzero(~kept)
                    table.declare(a, rows, to[0], kept)
    facts = [
        DatasetCopies(
            uid=dataset.uid,
            key=dataset.key,
            n_cells=found.n_cells,
            n_shallow=found.n_shallow,
            n_non_primary=found.n_non_primary,
            n_unmatched=0 if i in tally.whole else found.n_non_primary - int(tally.n_matched[i]),
            n_repeated=int(tally.n_repeated[i]),
            n_excluded=int(tally.n_excluded[i]),
            compared=found.compared,
        )
        for i, (dataset, found) in enumerate(zip(ordered, spooled, strict=True))
    ]
    return Duplicates(
        policy=policy,
        pairs=tuple(tally.pairs(comparable)),
        datasets=tuple(facts[place[dataset.uid]] for dataset in datasets),
    )


def _refuse_old(datasets: Sequence[Compared], compared: Sequence[bool], policy: Policy) -> None:
    old = [d.key for d, is_compared in zip(datasets, compared, strict=True) if not is_compared]
    if old and policy != "flag":
        msg = (
            f"{len(old):,} of {len(datasets):,} datasets were curated before cells had fingerprints "
            f"(first: {old[0]!r}), so {policy!r} would keep copies among them. Ingest them again."
        )
        raise SchemaError(msg, {"datasets": old, "policy": policy})


def _left_out(copies: Copies, policy: Policy) -> npt.NDArray[np.bool_]:
    if policy == "flag":
        return np.zeros(len(copies.row), dtype=np.bool_)
    if policy == "drop":
        return ~copies.is_first
    called = (copies.primary == NON_PRIMARY) | copies.links & (copies.primary != PRIMARY)
    left_out: npt.NDArray[np.bool_] = ~copies.is_first & called
    return left_out


def _declared(
    path: Path, listed: npt.NDArray[np.bool_], policy: Policy
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """Give the rows of a declared copy that are not copies otherwise, and which of them stay."""
    for start, _, primary in read_cells(path):
        rows = np.flatnonzero(~listed[start : start + len(primary)])
        kept = np.full(len(rows), policy == "flag")
        if policy == "keep_primary":
            kept = primary[rows] == PRIMARY
        yield rows + start, kept
