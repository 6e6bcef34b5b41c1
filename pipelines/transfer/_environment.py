"""Variables of the environment."""

from __future__ import annotations

import os

from ...errors import InputError

YES = frozenset({"1", "true", "yes", "on"})


def integer(name: str, default: int) -> int:
    """Read a number.

    Raises
    ------
    InputError
        If it is none.
    """
    text = os.environ.get(name, "")
    try:
        return int(float(text)) if text else default
    except (ValueError, OverflowError):
        msg = f"{name} is {text!r}, which is no number. Correct or unset it."
        raise InputError(msg, {"variable": name, "value": text}) from None


def switch(name: str) -> bool:
    """Read whether something is switched on."""
    return os.environ.get(name, "").lower() in YES
