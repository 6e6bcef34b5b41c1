"""Where files are published: web servers, S3, Google Cloud Storage.

S3 and GCS objects are described and listed by s3fs and gcsfs, and read over HTTP like all others,
from the (signed) URL that these make.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from ...errors import InputError
from ._checksums import from_base64
from ._errors import BUSY, Retry, not_found, of_status, refused
from ._names import public_url, scrub
from ._values import Stat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from ._http import Http
    from ._values import TransferOptions

AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""One of them has credentials; without, access is anonymous."""
GOOGLE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of a store."""

    stat: Stat
    checksums: tuple[str, ...] = ()
    """That the store has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How to read a file."""

    url: str = field(repr=False)
    """May be signed: not to be shown."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    resume: Mapping[str, str] | None = None
    """Further headers of a request for the rest of a version; none if there is no such request."""
    pinned: str = ""
    """The version, if the server answers 412 rather than with another one."""


class Store(Protocol):
    """What the three have in common."""

    scheme: str

    def find(self, url: str) -> Found:
        """Describe a file."""
        raise NotImplementedError

    def request(self, url: str, version: str) -> Request:
        """Tell how to read a version of a file."""
        raise NotImplementedError

    def version_of(self, headers: Mapping[str, str]) -> str:
        """Tell the version of an answer."""
        raise NotImplementedError

    def list(self, url: str) -> list[Stat]:
        """Describe the files whose names begin so."""
        raise NotImplementedError


class WebStore:
    """Files of web servers."""

    scheme = "http"

    def __init__(self, http: Http) -> None:
        self._http = http

    def find(self, url: str) -> Found:
        """Ask by HEAD, or by GET where that is not allowed."""

        def take(response: httpx.Response) -> Found | None:
            if response.request.method == "HEAD" and response.status_code not in {200, *BUSY}:
                return None
            if error := of_status(response.status_code, shown, "http", response.headers):
                raise error
            headers = response.headers
            length = headers.get("Content-Range", "").rpartition("/")[2]
            length = length if response.status_code == 206 else headers.get("Content-Length", "")
            size = int(length) if length.isdecimal() else None
            return Found(stat=Stat(url=shown, size=size, version=self.version_of(headers)))

        shown = public_url(url)
        found = self._http.ask(url, take, method="HEAD")
        return found or self._http.ask(url, take, headers={"Range": "bytes=0-0"})  # type: ignore[return-value]

    def request(self, url: str, version: str) -> Request:
        """Give the URL; only a strong ETag or a date stands for the same bytes."""
        strong = version and not version.startswith("W/")
        return Request(url=url, resume={"If-Range": version} if strong else None)

    def version_of(self, headers: Mapping[str, str]) -> str:
        """ETag or date."""
        return headers.get("ETag") or headers.get("Last-Modified") or ""

    def list(self, url: str) -> list[Stat]:
        """Refuse: the web has no list of files."""
        shown = public_url(url)
        msg = f"Files below {shown} cannot be listed over http. Use s3://, gs:// or a path."
        raise InputError(msg, {"url": shown})


class S3Store:
    """Objects of S3 and of what speaks like it (``AWS_ENDPOINT_URL``)."""

    scheme = "s3"

    def __init__(self, options: TransferOptions) -> None:
        import fsspec

        anonymous = not any(os.environ.get(name) for name in AWS_VARIABLES)
        own = any(os.environ.get(f"AWS_ENDPOINT_URL{end}") for end in ("", "_S3"))
        config: dict[str, Any] = {"retries": {"max_attempts": 2}}
        if not anonymous:
            config["signature_version"] = "s3v4"
        self._payer = {"RequestPayer": "requester"} if options.s3_requester_pays else {}
        self._files = fsspec.filesystem(
            "s3",
            anon=anonymous,
            requester_pays=options.s3_requester_pays,
            cache_regions=not own and not os.environ.get("AWS_DEFAULT_REGION"),
            use_listings_cache=False,
            skip_instance_cache=True,
            config_kwargs=config,
        )

    def find(self, url: str) -> Found:
        """Ask by HeadObject; the ETag of an object that came in one piece is its MD5."""
        info = _info(self._files, url, self.scheme)
        version = _plain(info["ETag"])
        simple = len(version) == 32 and set(version) <= set("0123456789abcdef")
        stat = Stat(url=public_url(url), size=int(info["size"]), version=version)
        return Found(stat=stat, checksums=(f"md5:{version}",) if simple else ())

    def request(self, url: str, version: str) -> Request:
        """Sign a URL, if there is anything to sign it with."""
        signed = _asked(lambda: self._files.url(url, **self._payer), url, self.scheme)
        headers = {"x-amz-request-payer": "requester"} if self._payer else {}
        if version:
            headers["If-Match"] = f'"{version}"'
        return Request(url=signed, headers=headers, resume={}, pinned=version)

    def version_of(self, headers: Mapping[str, str]) -> str:
        """ETag."""
        return _plain(headers.get("ETag", ""))

    def list(self, url: str) -> list[Stat]:
        """List objects, sorted by key."""
        return _below(self._files, url, self.scheme, lambda info: _plain(info["ETag"]))


class GcsStore:
    """Objects of Google Cloud Storage and of what speaks like it (``STORAGE_EMULATOR_HOST``)."""

    scheme = "gs"

    def __init__(self, options: TransferOptions) -> None:
        import fsspec

        self._project = options.gcs_project
        self._files = fsspec.filesystem(
            "gs",
            project="",
            access="read_only",
            token="google_default" if os.environ.get(GOOGLE_VARIABLE) else "anon",
            requester_pays=self._project or False,
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    def find(self, url: str) -> Found:
        """Ask for the metadata."""
        info = _info(self._files, url, self.scheme)
        stat = Stat(url=public_url(url), size=int(info["size"]), version=info["generation"])
        known = (("md5", "md5Hash"), ("crc32c", "crc32c"))
        sums = (from_base64(name, info[key]) for name, key in known if info.get(key))
        return Found(stat=stat, checksums=tuple(sums))

    def request(self, url: str, version: str) -> Request:
        """Ask for the content of one generation."""
        headers: dict[str, str] = {}
        _asked(lambda: self._files.credentials.apply(headers), url, self.scheme)
        wanted = f"&ifGenerationMatch={version}" if version else ""
        payer = f"&userProject={quote(self._project, safe='')}" if self._project else ""
        media = self._files.url(url) + wanted + payer
        return Request(url=media, headers=headers, resume={}, pinned=version)

    def version_of(self, headers: Mapping[str, str]) -> str:
        """Generation."""
        return headers.get("X-Goog-Generation", "")

    def list(self, url: str) -> list[Stat]:
        """List objects, sorted by name."""
        return _below(self._files, url, self.scheme, lambda info: str(info["generation"]))


def _plain(etag: str) -> str:
    return etag.strip('"')


def _info(files: Any, url: str, scheme: str) -> dict[str, Any]:
    info: dict[str, Any] = _asked(lambda: files.info(url), url, scheme)
    if info["type"] != "file":
        raise not_found(public_url(url))
    return info


def _below(
    files: Any, url: str, scheme: str, version: Callable[[dict[str, Any]], str]
) -> list[Stat]:
    found = _asked(lambda: files.find(url, detail=True), url, scheme)
    return [
        Stat(url=f"{scheme}://{name}", size=int(info["size"]), version=version(info))
        for name, info in sorted(found.items())
        if not name.endswith("/")
    ]


def _asked(call: Callable[[], Any], url: str, scheme: str) -> Any:
    """Call s3fs or gcsfs, whose errors are of many kinds and may hold anything."""
    failure: Exception
    try:
        return call()
    except FileNotFoundError:
        failure = not_found(public_url(url))
    except Exception as error:  # noqa: BLE001 - aiohttp, botocore, google.auth, requests …
        text = scrub(str(error))
        status = getattr(error, "code", None)
        denied = isinstance(error, PermissionError) or "Forbidden" in text or status in {401, 403}
        if denied or "requester pays" in text.lower() or "NoCredentials" in type(error).__name__:
            failure = refused(public_url(url), scheme)
        else:
            failure = Retry(f"{type(error).__name__}: {text[:300]}")
    raise failure  # out of the block: else it would carry the error with its request
