"""Where a release of the Census is: read from its own documents, never from an alias."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from ...errors import InputError, NotFoundError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..transfer import Transfer

PUBLIC = "https://census.cellxgene.cziscience.com/cellxgene-census/v1"
MAX_BYTES = 16 * 2**20
BUILD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PROVIDERS = ("S3", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One build, and where it is."""

    build: str
    """Such as ``2025-11-08``: what never changes, unlike ``stable`` and ``latest``."""
    soma: str
    """URI of the SOMA store."""
    h5ads: str
    """URI of the folder of source files."""
    region: str | None
    """Of the bucket."""

    @property
    def date(self) -> datetime.date | None:
        """When it was built, where its name tells."""
        try:
            return datetime.date.fromisoformat(self.build)
        except ValueError:
            return None


def find_release(transfer: Transfer, at: str, name: str, *, mirror: str = "") -> Release:
    """Resolve the name of a release.

    Parameters
    ----------
    transfer
        What reads the documents.
    at
        URL or folder with ``release.json`` and ``mirrors.json``.
    name
        A build, or an alias such as ``stable``.
    mirror
        One of ``mirrors.json``; its default if empty.

    Raises
    ------
    NotFoundError
        If there is no such release or mirror, or no such document.
    InputError
        If the release was retracted.
    SchemaError
        If a document is not what it was.
    TransferError
        If they cannot be read.
    """
    where = f"{at}/release.json"
    releases = _document(transfer, where)
    found = _follow(releases, name, where)
    if found.get("flags", {}).get("retracted"):
        raise _retracted(name, found)
    build = _text(found, "release_build", where, name)
    if not BUILD.fullmatch(build):
        raise _odd(where, f"release_build of {name!r}", build, "a date such as 2025-11-08")
    place = _mirror(transfer, at, mirror)
    soma, region = _resolve(found, "soma", place, where, name)
    h5ads, _ = _resolve(found, "h5ads", place, where, name)
    return Release(build=build, soma=soma, h5ads=h5ads, region=region)


def _document(transfer: Transfer, url: str) -> dict[str, Any]:
    text = transfer.read_bytes(url, max_bytes=MAX_BYTES)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _odd(url, "the document", text[:40].decode("utf-8", "replace"), "JSON") from error
    if not isinstance(document, dict):
        raise _odd(url, "the document", type(document).__name__, "an object by name")
    return document


def _follow(releases: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """Follow aliases, which may lead to aliases."""
    found: Any = releases.get(name)
    seen = {name}
    while isinstance(found, str) and found not in seen:
        seen.add(found)
        found = releases.get(found)
    if found is None:
        builds = ", ".join(sorted(releases, reverse=True))
        msg = f"{where} has no release {name!r}. It has: {builds}. Pass one of them as --release."
        raise NotFoundError(msg, {"release": name, "known": sorted(releases)})
    if not isinstance(found, dict):
        raise _odd(where, f"release {name!r}", found, "a release or the name of one")
    return found


def _retracted(name: str, found: Mapping[str, Any]) -> InputError:
    why = found.get("retraction") or {}
    instead = why.get("replaced_by") or "stable"
    msg = (
        f"Release {name} of the Census was retracted on {why.get('date', 'an unknown date')}: "
        f"{why.get('reason', 'no reason is given')} ({why.get('info_url', 'no address')}). "
        f"Use --release {instead}."
    )
    return InputError(msg, {"release": name, "replaced_by": instead})


def _mirror(transfer: Transfer, at: str, name: str) -> Mapping[str, Any]:
    where = f"{at}/mirrors.json"
    mirrors = _document(transfer, where)
    chosen = name or _text(mirrors, "default", where, "default")
    found = mirrors.get(chosen)
    if chosen == "default" or found is None:
        known = sorted(set(mirrors) - {"default"})
        msg = f"{where} has no mirror {chosen!r}. It has: {', '.join(known)}."
        raise NotFoundError(msg, {"mirror": chosen, "known": known})
    if not isinstance(found, dict) or found.get("provider") not in PROVIDERS:
        raise _odd(where, f"mirror {chosen!r}", found, f"provider {' or '.join(PROVIDERS)}")
    _text(found, "base_uri", where, chosen)
    return found


def _resolve(
    found: Mapping[str, Any], kind: str, mirror: Mapping[str, Any], where: str, name: str
) -> tuple[str, str | None]:
    """Put a relative address below the mirror; older releases have absolute ones only."""
    place = found.get(kind)
    if not isinstance(place, dict):
        raise _odd(where, f"{kind} of {name!r}", place, "uri and relative_uri")
    if relative := place.get("relative_uri"):
        base = urlsplit(str(mirror["base_uri"]))
        path = urljoin(base.path, str(relative))  # as the publisher's own package joins them
        uri, region = urlunsplit((base.scheme, base.netloc, path, "", "")), mirror.get("region")
    else:
        uri, region = _text(place, "uri", where, f"{kind} of {name!r}"), place.get("s3_region")
    return f"{uri.rstrip('/')}/", region


def _text(values: Mapping[str, Any], key: str, where: str, name: str) -> str:
    text = values.get(key)
    if not isinstance(text, str) or not text:
        raise _odd(where, f"{key} of {name!r}", text, "a text")
    return text


def _odd(where: str, what: str, found: object, expected: str) -> SchemaError:
    msg = (
        f"{what} in {where} is {found!r}; expected {expected}. "
        "Check the address given as --at, or wait for a version of Corpuscle that knows the form."
    )
    return SchemaError(msg, {"file": where, "field": what, "found": repr(found)})
