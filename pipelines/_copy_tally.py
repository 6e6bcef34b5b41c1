"""How many cells of each dataset have copies, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._copies import NON_PRIMARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ._copies import Copies
    from ._copy_links import Compared


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

    def turned(self) -> Pair:
        """The same, seen from the other dataset."""
        return Pair(
            a=self.b,
            b=self.a,
            n_a=self.n_b,
            n_b=self.n_a,
            share_a=self.share_b,
            share_b=self.share_a,
            how=self.how,
        )


class Tally:
    """Counts over all partitions."""

    def __init__(self, datasets: Sequence[Compared], linked: Sequence[Sequence[int]]) -> None:
        from scipy import sparse

        n, no = len(datasets), np.zeros(0, dtype=np.int64)
        self.datasets, self.linked = datasets, linked
        self.cells: Any = sparse.csr_matrix((no, (no, no)), (n, n))
        """Cells of one dataset with a copy in another."""
        self.n_repeated = np.zeros(n, dtype=np.int64)
        self.n_matched = np.zeros(n, dtype=np.int64)
        """Non-primary cells with a copy."""
        self.n_excluded = np.zeros(n, dtype=np.int64)
        self.whole: set[int] = set()
        """Datasets all of whose cells are declared copies."""
        sizes = [d.n_cells if to else 0 for d, to in zip(datasets, linked, strict=True)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._listed = np.zeros(self._starts[-1], dtype=np.bool_)

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
        again = ~copies.is_first & copies.links
        self._listed[self._starts[copies.dataset[again]] + copies.row[again]] = True

    def listed(self, a: int) -> npt.NDArray[np.bool_]:
        """Tell which cells of a linking dataset are copies by fingerprint, the first left out."""
        return self._listed[self._starts[a] : self._starts[a + 1]]

    def leave_out(self, copies: Copies, left_out: npt.NDArray[np.bool_]) -> None:
        self.n_excluded += np.bincount(copies.dataset[left_out], minlength=len(self.datasets))

    def n_in(self, a: int, to: Sequence[int]) -> int:
        return int(self.cells[[a]][:, to].sum())

    def pairs(self, comparable: npt.NDArray[np.int64]) -> list[Pair]:
        found = self.cells.tocoo()
        n = dict(
            zip(
                zip(found.row.tolist(), found.col.tolist(), strict=True),
                found.data.tolist(),
                strict=True,
            )
        )
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
                how="fingerprint"
                if (a, b) not in declared
                else "both"
                if (a, b) in n
                else "declared",
            )
            for a, b in declared | both
        ]
        return sorted(pairs, key=lambda pair: (-pair.n_a, pair.a, pair.b))
