"""URLs and file names of strangers, made fit to be shown and stored."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from blake3 import blake3

from ...errors import InputError

SIGNED = re.compile(
    r"x-(amz|goog)-.*|sig(nature)?|expires|policy|key-pair-id|awsaccesskeyid|googleaccessid", re.I
)
"""Names of parameters that make up a signature, which is another one the next time."""
SECRET = re.compile(
    r".*(token|secret|passw|pwd|credential|authori[sz]ation|session)s?.*|auth|(.*[-_])?(api)?key",
    re.I,
)
"""Names of parameters that let whoever reads them in."""
SECRET_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
MAX_NAME = 160
SCHEMES = ("http", "https", "s3", "gs", "file")


def scheme_of(url: str) -> str:
    """Tell how a file is reached: ``http``, ``s3``, ``gs`` or ``file``.

    Raises
    ------
    InputError
        If there is no way to reach it.
    """
    scheme, found, _ = url.partition("://")
    if not found:
        return "file"
    if scheme.lower() not in SCHEMES:
        msg = f"{public_url(url)} cannot be fetched. Use one of {', '.join(SCHEMES)}, or a path."
        raise InputError(msg, {"url": public_url(url)})
    return "http" if scheme.lower() == "https" else scheme.lower()


def local_path(url: str) -> Path:
    """Path of a ``file://`` URL or of what is a path already."""
    if not url.startswith("file://"):
        return Path(url).expanduser()
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        msg = f"{url} is on another machine. Use file:///PATH or a path."
        raise InputError(msg, {"url": url})
    return Path(unquote(parts.path))


def public_url(url: str) -> str:
    """Leave out user names, passwords, signatures and tokens."""
    return _without(url, SIGNED, SECRET)


def identity(url: str) -> str:
    """Leave out what differs between two signatures of the same URL. Only to be hashed."""
    return _without(url, SIGNED)


def _without(url: str, *kinds: re.Pattern[str]) -> str:
    if "://" not in url or url.startswith("file://"):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://…"
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme in {"s3", "gs"}:  # ? and # are letters like others in the names of objects
        return f"{parts.scheme}://{host}{url.partition('://')[2][len(parts.netloc) :]}"
    kept = [
        pair
        for pair in parts.query.split("&")
        if not any(kind.fullmatch(unquote(pair.partition("=")[0])) for kind in kinds)
    ]
    return urlunsplit((parts.scheme, host, parts.path, "&".join(kept), ""))


def scrub(text: str) -> str:
    """Leave secrets out of a message of a library."""
    text = re.sub(r"[a-z0-9+]+://[^\s'\"<>)]+", lambda found: public_url(found[0]), text)
    text = re.sub(r"(?i)\b(bearer|basic)\s+\S+", r"\1 …", text)
    for variable in SECRET_VARIABLES:
        if len(value := os.environ.get(variable, "")) >= 4:
            text = text.replace(value, "…")
    return text


def safe_name(name: str) -> str:
    """Make a file name that stays in its folder, on any file system, and tells what it was.

    A name that has to be changed gets eight digits of the hash of the original one, so that two
    names stay two.
    """
    kept = re.sub(r"[^A-Za-z0-9._+=@,() -]", "_", name).strip(" ")
    kept = re.sub(r"^\.+|\.+$", "_", kept)
    if RESERVED.match(kept):
        kept = f"_{kept}"
    if kept == name and 0 < len(name) <= MAX_NAME:
        return name
    suffix = re.search(r"(\.[A-Za-z0-9]{1,8}){0,2}$", kept)[0]  # type: ignore[index]
    stem = kept.removesuffix(suffix)[: MAX_NAME - 30] or "file"
    digest = blake3(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{stem}-{digest}{suffix}"


def default_name(url: str) -> str:
    """Last part of a URL, made safe."""
    if scheme_of(url) == "http":
        return safe_name(
            unquote(urlsplit(public_url(url)).path, errors="surrogateescape").rpartition("/")[2]
        )
    return safe_name(url.rstrip("/").rpartition("/")[2])
