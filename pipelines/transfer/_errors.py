"""What can happen on the way, and what it means for the next attempt."""

from __future__ import annotations

import email.utils
import time
from pathlib import PurePath
from typing import TYPE_CHECKING

from ...errors import CorpuscleError, NotFoundError, TransferError

if TYPE_CHECKING:
    from collections.abc import Mapping

GCS_PROJECT = "CORPUSCLE_GCS_PROJECT"
S3_REQUESTER_PAYS = "CORPUSCLE_S3_REQUESTER_PAYS"
PAYER = {
    "gs": (
        "If its readers pay, name the Google Cloud project to bill in "
        f"{GCS_PROJECT}; credentials are read from the file in GOOGLE_APPLICATION_CREDENTIALS."
    ),
    "s3": (
        f"If its readers pay, set {S3_REQUESTER_PAYS}=1; credentials are read from "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
    ),
    "http": "Check the URL; if it was signed, ask for a new one.",
}
BUSY = {408, 425, 429, 500, 502, 503, 504}
CHANGED = {412, 416}


class Retry(Exception):
    """It may work the next time."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s
        """Seconds that the server asks to wait."""


class Changed(Retry):
    """What is here is no beginning of what is there: only from zero."""


class Stopped(Exception):
    """Somebody asked to stop."""


def of_status(status: int, url: str, scheme: str, headers: Mapping[str, str]) -> Exception | None:
    """Error for an HTTP status; none if there is an answer in it."""
    details: dict[str, object] = {"url": url, "status": status}
    if status in {200, 206}:
        return None
    if status in {404, 410}:
        return not_found(url)
    if status in {401, 403} or (status == 400 and scheme == "gs"):
        return refused(url, scheme, status)
    if status in CHANGED:
        return Changed(f"the file changed (status {status})")
    if status in BUSY:
        return Retry(f"the server answered {status}", after_s=retry_after(headers))
    return TransferError(f"{url} was answered with status {status}. Check the URL.", details)


def check_encoding(headers: Mapping[str, str], url: str) -> None:
    """Refuse bytes that were compressed on the way: their length and hash mean nothing.

    Servers that say gzip of a file that is called .gz mean the file.
    """
    encoding = headers.get("Content-Encoding", "identity").lower()
    packed = PurePath(url.partition("?")[0]).suffix in {".gz", ".tgz", ".bgz"}
    if encoding != "identity" and not (packed and encoding in {"gzip", "x-gzip"}):
        msg = (
            f"{url} is sent with Content-Encoding {encoding}, though the file as it is was asked "
            "for. Download it yourself and give its path."
        )
        raise TransferError(msg, {"url": url, "encoding": encoding})


def not_found(url: str) -> CorpuscleError:
    """Error for what is not there."""
    what = "URL" if "://" in url else "path"
    return NotFoundError(f"There is no {url}. Check the {what}.", {"url": url})


def refused(url: str, scheme: str, status: int = 403) -> CorpuscleError:
    """Error for what may not be read."""
    msg = f"{url} may not be read (status {status}). {PAYER[scheme]}"
    return TransferError(msg, {"url": url, "status": status})


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a ``Retry-After``, which may be a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
