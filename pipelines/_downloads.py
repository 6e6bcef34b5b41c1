"""Files from the web."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..errors import TransferError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 4 * 2**30
"""Largest file that is fetched; the largest GTF of Ensembl is a tenth of it."""
TIMEOUT_S = 60
CHUNK = 2**20


def is_url(text: str) -> bool:
    """Tell a URL from a path."""
    return text.startswith(("http://", "https://"))


def fetch(url: str, folder: Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Download a file into a folder, under the name it has there.

    Parameters
    ----------
    url
        ``http://`` or ``https://``.
    folder
        Where it goes.
    max_bytes
        A larger file is refused.

    Returns
    -------
    Its path.

    Raises
    ------
    TransferError
        If the server cannot be reached or refuses, the file is too large, or less of it comes
        than was announced.
    """
    path = folder / (unquote(urlsplit(url).path).rpartition("/")[2] or "download")
    request = urllib.request.Request(url, headers={"User-Agent": "corpuscle"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer, path.open("wb") as file:
            announced = int(answer.headers.get("Content-Length") or -1)
            if announced > max_bytes:
                raise _too_large(url, max_bytes)
            size = 0
            while chunk := answer.read(CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(url, max_bytes)
                file.write(chunk)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ValueError) as error:
        msg = f"{url} could not be downloaded: {error}. Check the URL, or download it yourself."
        raise TransferError(msg, {"url": url}) from error
    if announced >= 0 and size != announced:
        msg = f"{url} broke off after {size:,} of {announced:,} bytes. Run the same command again."
        raise TransferError(msg, {"url": url, "size": size, "announced": announced})
    return path


def _too_large(url: str, max_bytes: int) -> TransferError:
    msg = f"{url} is larger than {max_bytes:,} bytes: no gene table. Check the URL."
    return TransferError(msg, {"url": url, "max_bytes": max_bytes})
