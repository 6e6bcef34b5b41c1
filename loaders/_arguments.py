"""Arguments out of their range."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["one_of", "whole"]


def one_of(value: object, allowed: Sequence[str], *, name: str) -> None:
    """See that a word is one of those allowed.

    Raises
    ------
    InputError
        If it is none.
    """
    if value not in allowed:
        msg = f"{name} is {value!r}. Choose {', '.join(map(repr, allowed))}."
        raise InputError(msg, {name: str(value)})


def whole(value: object, *, name: str, low: int) -> int:
    """Give a whole number of at least `low`, below 2**63.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        number = low - 1
    if not low <= number < 2**63:
        msg = f"{name} is {value!r}. Pass a whole number of at least {low}."
        raise InputError(msg, {name: value})
    return number
