"""What batches look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import InputError
from ._arguments import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Check", "Form", "Output", "Scaling", "Tokens"]

Output = Literal["csr", "dense", "ragged", "tokens"]
"""How counts are given."""
Check = Literal["first read", "always", "never"]
"""When bytes are compared with their hash."""
Choose = Literal["top", "random", "random+unexpressed"]
"""Which genes of a cell become tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Which genes of a cell become tokens.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    length: int = 2048
    """Tokens of a cell; cells with fewer are padded. Of no meaning with a list."""
    choose: Choose | Sequence[str] = "top"
    """``"top"``: the highest counts, of equal ones the first in the vocabulary; in the order of the
    vocabulary. ``"random"``: expressed genes by chance. ``"random+unexpressed"``: the same, and as
    many as have room of those that were measured and are zero. Or a list: these genes of every cell,
    with ``mask`` where they were measured. Chance depends on the loader's seed, the epoch and the
    cell, and on nothing else."""
    n_unexpressed: int = 0
    """Places that ``"random+unexpressed"`` keeps for genes that are zero."""

    def __post_init__(self) -> None:
        if isinstance(self.choose, str):
            one_of(self.choose, get_args(Choose), name="choose")
        else:
            object.__setattr__(self, "choose", tuple(self.choose))
        if self.length < 1 or not 0 <= self.n_unexpressed <= self.length:
            msg = (
                f"length is {self.length!r} and n_unexpressed {self.n_unexpressed!r}. Pass a length of "
                "at least 1, and no more unexpressed genes than that."
            )
            raise InputError(msg, {"length": self.length})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What is done to counts, in this order; by default nothing.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    total: float | None = None
    """Scale each cell so that all its counts, also those of genes that were not asked for, have
    this sum."""
    log1p: bool = False
    """Take ``log(1 + x)``."""
    n_bins: int | None = None
    """Replace the non-zero values of each cell by the number of the bin they are in, 1 to
    ``n_bins - 1``: bins are bounded by quantiles of the cell's own values, as scGPT does it."""

    def __post_init__(self) -> None:
        if (self.total is not None and not 0 < self.total < 2**53) or (
            self.n_bins is not None and not 2 <= self.n_bins <= 2**15
        ):
            msg = (
                f"total is {self.total!r} and n_bins {self.n_bins!r}. Pass a positive total, and "
                "2 to 32,768 bins."
            )
            raise InputError(msg, {"total": self.total, "n_bins": self.n_bins})

    def __bool__(self) -> bool:
        return self != Scaling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a batch holds, and how.

    Raises
    ------
    InputError
        If a value is none of those allowed.
    """

    output: Output = "csr"
    """``"csr"``: sparse X; ``"dense"``; ``"ragged"``: ids and counts of all cells one after the
    other; ``"tokens"``."""
    labels: Sequence[str] = ()
    """Fields to give as class integers."""
    genes: Sequence[str] | None = None
    """The vocabulary; None for all genes, sorted."""
    renamed: Mapping[str, str] | None = None
    """Other names of genes, see `PackedCorpus.projected`."""
    tokens: Tokens = Tokens()
    """Which genes, if `output` is ``"tokens"``."""
    scaling: Scaling = Scaling()
    """What is done to counts."""
    obs: Sequence[str] = ()
    """Columns of obs to add."""
    obsm: Sequence[str] = ()
    """Arrays of obsm to add, such as ``spatial``."""
    measured: bool = False
    """Whether to add which genes were measured in each cell."""
    check: Check = "first read"
    """When bytes are compared with their hash."""

    def __post_init__(self) -> None:
        one_of(self.output, get_args(Output), name="output")
        one_of(self.check, get_args(Check), name="check")
        for name in ("labels", "obs", "obsm"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.genes is not None:
            object.__setattr__(self, "genes", tuple(self.genes))
