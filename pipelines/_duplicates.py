"""The same cell twice: which datasets repeat cells of others, and which copies a corpus keeps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ..errors import InputError, SchemaError
from ._copies import NON_PRIMARY, PRIMARY, Cells, Copies, copies_in, read_cells, spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

Policy = Literal["flag", "keep_primary", "drop"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
SAME_COUNTS = 0.01
"""Least share of a linking dataset's cells with copies for its counts to be of the same reads."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two datasets with cells in common. Shares are of the cells that can be compared."""

    a: str
    """Name of a dataset; of two that link, the one that does."""
    b: str
    n_a: int
    """Cells of `a` with a copy in `b`."""
    n_b: int
    """Cells of `b` with a copy in `a`."""
    share_a: float
    share_b: float
    how: Literal["fingerprint", "declared", "both"]
    """``declared``: `a` says that it repeats `b`, and no counts tell which cells."""


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
    targets = _targets(datasets)
    order = _keeping_order(datasets, targets)
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
    tally = _Tally(ordered, linked)
    with _Table(out, [dataset.uid for dataset in ordered]) as table:
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
                for rows, kept in _declared(ordered[a].path, tally.listed[a], policy):
                    tally.n_excluded[a] += np.count_nonzero(~kept)
                    table.declare(a, rows, to[0], kept)
    facts = [
        DatasetCopies(
            uid=dataset.uid,
            key=dataset.key,
            n_cells=found.n_cells,
            n_shallow=found.n_shallow if found.compared else found.n_cells,
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


def same_cells(before: Path, after: Path, folder: Path) -> Pair:
    """Compare two versions of a dataset: only its schema changed if both shares are 1.

    Parameters
    ----------
    before, after
        Curated files.
    folder
        See `find_duplicates`.
    """
    versions = [
        Compared(uid=name, key=name, path=path, n_cells=sum(len(p) for _, _, p in read_cells(path)))
        for name, path in (("before", before), ("after", after))
    ]
    found = find_duplicates(versions, folder).pairs
    if not found:
        return Pair(
            a="before", b="after", n_a=0, n_b=0, share_a=0.0, share_b=0.0, how="fingerprint"
        )
    pair = found[0]
    if pair.a == "before":
        return pair
    return replace(
        pair,
        a="before",
        b="after",
        n_a=pair.n_b,
        n_b=pair.n_a,
        share_a=pair.share_b,
        share_b=pair.share_a,
    )


def _targets(datasets: Sequence[Compared]) -> dict[str, list[str]]:
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


def _keeping_order(datasets: Sequence[Compared], targets: dict[str, list[str]]) -> list[int]:
    """Largest first, then by name; but what is repeated comes before what repeats it."""
    number = {dataset.uid: i for i, dataset in enumerate(datasets)}
    by_size = sorted(
        datasets, key=lambda dataset: (-dataset.n_cells, dataset.key, dataset.uid)
    )
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
                way.append(
                    (following, iter(sorted(targets[following], key=wished.__getitem__)))
                )
    return [number[uid] for uid in order]


def _refuse_old(
    datasets: Sequence[Compared], compared: Sequence[bool], policy: Policy
) -> None:
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
    return ~copies.is_first & called


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


class _Tally:
    """Counts over all partitions."""

    def __init__(self, datasets: Sequence[Compared], linked: Sequence[Sequence[int]]) -> None:
        from scipy import sparse

        n = len(datasets)
        self.datasets, self.linked = datasets, linked
        self.cells: Any = sparse.csr_matrix((n, n), dtype=np.int64)
        """Cells of one dataset with a copy in another."""
        self.n_repeated = np.zeros(n, dtype=np.int64)
        self.n_matched = np.zeros(n, dtype=np.int64)
        """Non-primary cells with a copy."""
        self.n_excluded = np.zeros(n, dtype=np.int64)
        self.whole: set[int] = set()
        """Datasets all of whose cells are declared copies."""
        self.listed = {
            i: np.zeros(dataset.n_cells, dtype=np.bool_)
            for i, dataset in enumerate(datasets)
            if linked[i]
        }
        """By linking dataset: cells that are copies by their fingerprints, the first left out."""

    def add(self, copies: Copies) -> None:
        from scipy import sparse

        n = len(self.datasets)
        run = np.cumsum(copies.is_first) - 1
        shape = (int(run[-1]) + 1 if len(run) else 0, n)
        ones = np.ones(len(run), dtype=np.int64)
        counts = sparse.csr_matrix((ones, (run, copies.dataset)), shape)  # sums repeats
        present = counts.astype(np.bool_).astype(np.int64)
        self.cells = self.cells + counts.T @ present
        self.n_repeated += np.asarray((counts - present).sum(axis=0)).ravel()
        non_primary = copies.dataset[copies.primary == NON_PRIMARY]
        self.n_matched += np.bincount(non_primary, minlength=n)
        again = ~copies.is_first
        for i, listed in self.listed.items():
            listed[copies.row[again & (copies.dataset == i)]] = True

    def leave_out(self, copies: Copies, left_out: npt.NDArray[np.bool_]) -> None:
        self.n_excluded += np.bincount(copies.dataset[left_out], minlength=len(self.datasets))

    def n_in(self, a: int, to: Sequence[int]) -> int:
        return int(self.cells[[a]][:, to].sum())

    def pairs(self, comparable: npt.NDArray[np.int64]) -> list[Pair]:
        found = self.cells.tocoo()
        n = dict(zip(zip(found.row.tolist(), found.col.tolist(), strict=True), found.data.tolist(), strict=True))
        declared = {(a, b) for a, to in enumerate(self.linked) for b in to}
        both = {(a, b) for a, b in n if a < b and (b, a) not in declared and (a, b) not in declared}
        pairs = [
            Pair(
                a=self.datasets[a].key,
                b=self.datasets[b].key,
                n_a=n.get((a, b), 0),
                n_b=n.get((b, a), 0),
                share_a=n.get((a, b), 0) / max(int(comparable[a]), 1),
                share_b=n.get((b, a), 0) / max(int(comparable[b]), 1),
                how="fingerprint" if (a, b) not in declared else "both" if (a, b) in n else "declared",
            )
            for a, b in declared | both
        ]
        return sorted(pairs, key=lambda pair: (-pair.n_a, pair.a, pair.b))


class _Table:
    """Writes the copies to a Parquet file, a group for each partition."""

    def __init__(self, path: Path | None, uids: Sequence[str]) -> None:
        self.path, self.uids = path, list(uids)
        self.writer: Any = None

    def __enter__(self) -> _Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        uid = pa.dictionary(pa.int32(), pa.string())
        self.schema = pa.schema(
            {
                "dataset": uid,
                "row": pa.uint32(),
                "same_as_dataset": uid,
                "same_as_row": pa.uint32(),
                "kept": pa.bool_(),
            }
        )
        if self.path is not None:
            self.writer = pq.ParquetWriter(self.path, self.schema, compression="zstd")
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def add(self, copies: Copies, left_out: npt.NDArray[np.bool_]) -> None:
        if self.writer is None:
            return
        again = np.flatnonzero(~copies.is_first)
        again = again[np.lexsort((copies.row[again], copies.dataset[again]))]
        first = copies.first[again]
        columns = copies.dataset[again], copies.row[again], copies.dataset[first]
        self._write(*columns, copies.row[first], ~left_out[again])

    def declare(
        self, a: int, rows: npt.NDArray[np.int64], b: int, kept: npt.NDArray[np.bool_]
    ) -> None:
        if self.writer is not None:
            a_s, b_s = np.full(len(rows), a), np.full(len(rows), b)
            self._write(a_s, rows.astype(np.uint32), b_s, None, kept)

    def _write(
        self,
        dataset: npt.NDArray[np.int64],
        row: npt.NDArray[np.uint32],
        same_as: npt.NDArray[np.int64],
        same_row: npt.NDArray[np.uint32] | None,
        kept: npt.NDArray[np.bool_],
    ) -> None:
        import pyarrow as pa

        if not len(row):
            return
        uids = pa.array(self.uids, pa.string())

        def named(codes: npt.NDArray[np.int64]) -> Any:
            return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), uids)

        other = pa.nulls(len(row), pa.uint32()) if same_row is None else pa.array(same_row)
        arrays = [named(dataset), pa.array(row), named(same_as), other, pa.array(kept)]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
