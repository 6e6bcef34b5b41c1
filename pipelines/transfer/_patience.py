"""Trying again, for as long as it makes sense."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ...errors import TransferError
from ._errors import Retry, Stopped

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from ._values import TransferOptions

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """A budget: attempts in a row, and seconds, that bring nothing new."""

    options: TransferOptions
    budget_s: float
    stop: threading.Event

    def spend(self, url: str, work: Callable[[], T], *, reached: Callable[[], int] = int) -> T:
        """Do something until it works.

        Parameters
        ----------
        url
            As it may be shown.
        work
            Raises `Retry` if it may work the next time.
        reached
            Bytes that are here. More than ever before is progress, and the budget is full again.

        Raises
        ------
        TransferError
            If the budget is spent.
        """
        furthest, failures, since = reached(), 0, time.monotonic()
        while True:
            try:
                return work()
            except Retry as error:
                last = error
            failures += 1
            if reached() > furthest:
                furthest, failures, since = reached(), 0, time.monotonic()
            wait = self._wait(failures) if last.after_s is None else last.after_s
            spent = time.monotonic() - since
            if failures >= self.options.attempts or spent + wait > self.budget_s:
                break
            logger.info("step=transfer url=%s problem=%s wait_s=%.1f", url, last, wait)
            if self.stop.wait(wait):
                raise Stopped
        asked = "" if last.after_s is None else f"; the server asks to wait {last.after_s:,.0f} s"
        msg = (
            f"{url}: {last}{asked}. Given up after {failures} attempts and {spent:,.0f} s without "
            f"progress, with {reached():,} bytes here. The same command goes on from there."
        )
        raise TransferError(
            msg, {"url": url, "size": reached(), "attempts": failures, "problem": str(last)}
        )

    def _wait(self, failures: int) -> float:
        longest = min(self.options.wait_max_s, self.options.wait_s * 2.0 ** max(0, failures - 1))
        return longest * random.uniform(0.5, 1.0)  # many clients must not come back at once
