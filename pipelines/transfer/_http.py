"""Requests over HTTP: redirects that are safe, and errors that tell no secrets."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING

from ...errors import InputError, TransferError
from ._errors import Retry
from ._names import public_url, scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeVar

    import httpx

    from ._values import TransferOptions

    T = TypeVar("T")

TALKATIVE = ("httpx", "httpcore", "botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec", "urllib3", "google.auth", "google.oauth2")  # fmt: skip
"""Loggers that write whole requests, with their signatures and tokens, below WARNING."""


class Http:
    """One pool of connections."""

    def __init__(self, options: TransferOptions) -> None:
        import httpx

        for name in TALKATIVE:
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.WARNING))
        # gcsfs writes tracebacks of what is an error of ours
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
        self._max_redirects = options.max_redirects
        self._client = httpx.Client(
            follow_redirects=False,
            timeout=httpx.Timeout(options.read_s, connect=options.connect_s),
            headers={"User-Agent": "corpuscle", "Accept-Encoding": "identity"},
        )
        self.close: Callable[[], None] = self._client.close

    def ask(
        self,
        url: str,
        take: Callable[[httpx.Response], T],
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> T:
        """Send a request and give the answer, whose body is still to be read, to a function.

        Raises
        ------
        Retry
            If the connection cannot be made or breaks.
        TransferError
            If a redirect leads astray.
        InputError
            If the URL is none.
        """
        import httpx

        failure: Exception
        try:
            with self._answer(url, method, headers, params) as response:
                return take(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            shown = public_url(url)
            failure = InputError(f"{shown} is no URL. Check how it is spelt.", {"url": shown})
        except httpx.TransportError as error:
            failure = Retry(scrub(str(error)).rstrip(".") or type(error).__name__)
        raise failure  # out of the block: else it would carry the error with its request

    @contextlib.contextmanager
    def _answer(
        self,
        url: str,
        method: str,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
    ) -> Iterator[httpx.Response]:
        import httpx

        start = httpx.URL(url).copy_merge_params(dict(params or {}))
        request = self._client.build_request(method, start, headers=headers)
        for _ in range(self._max_redirects + 1):
            response = self._client.send(request, stream=True)
            with contextlib.closing(response):
                if response.next_request is None:
                    yield response
                    return
                _check_redirect(start, request.url, response.next_request.url)
                request = response.next_request
        shown = public_url(url)
        msg = f"{shown} is redirected more than {self._max_redirects} times. Check the URL."
        raise TransferError(msg, {"url": shown})


def _check_redirect(start: httpx.URL, before: httpx.URL, after: httpx.URL) -> None:
    """Follow neither to unencrypted nor to local places."""
    allowed = {"https"} if before.scheme == "https" else {"http", "https"}
    problem = ""
    if after.scheme not in allowed:
        problem = f"from {before.scheme} to {after.scheme}"
    elif _is_private(after.host) and not _is_private(start.host):
        problem = f"to the private address {after.host}"
    if problem:
        shown = public_url(str(start))
        msg = f"{shown} is redirected {problem}, which is not followed. Check the URL."
        raise TransferError(msg, {"url": shown, "redirect": public_url(str(after))})


def _is_private(host: str) -> bool:
    """Tell loopback, link-local and private addresses; a name that nobody knows is none."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(a.partition("%")[0]).is_global for a in found)
