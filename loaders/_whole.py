"""Whole numbers among arguments."""

from __future__ import annotations

import operator

from ..errors import InputError

__all__ = ["whole"]


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
