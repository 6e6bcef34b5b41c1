"""File names and URLs of strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corpuscle.errors import InputError
from corpuscle.pipelines.transfer import RemoteFile
from corpuscle.pipelines.transfer._checksums import parse
from corpuscle.pipelines.transfer._names import default_name, identity, public_url, safe_name, scrub

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.pipelines.transfer import Transfer

    from .servers import Server

HOSTILE = {
    "up": "../../../etc/passwd",
    "absolute": "/etc/passwd",
    "nul": "a\0b.h5ad",
    "line": "a\nb.h5ad",
    "here": ".",
    "above": "..",
    "hidden": ".bashrc",
    "windows": "..\\..\\a.h5ad",
    "device": "CON.txt",
    "long": "x" * 5000 + ".h5ad",
    "not utf-8": "\udcff\udcfe.h5ad",
    "right to left": "a\u202edah5.exe",
    "home": "~",
    "option": "-rf *",
    "blank": " ",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_no_name_leaves_the_cache(web: Server, transfer: Transfer, cache: Path, name: str) -> None:
    web.put("a.bin", b"abc")
    with transfer.fetch([RemoteFile(url=f"{web.url}/a.bin", name=name)]) as (fetched,):
        assert fetched.path.resolve().parent.parent == (cache / "entries").resolve()
        assert fetched.path.name.isascii()
        assert len(fetched.path.name) <= 160
    assert safe_name(name) == fetched.path.name != name


def test_two_hostile_names_stay_two_and_keep_their_suffixes() -> None:
    first, second = safe_name("ä" * 400 + ".mtx.gz"), safe_name("ö" * 400 + ".mtx.gz")
    assert first != second
    assert first.endswith(".mtx.gz")
    assert safe_name("gene_count.run_4 (1).mtx.gz") == "gene_count.run_4 (1).mtx.gz"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/x/a.h5ad?token=1#f", "a.h5ad"),
        ("https://host/a%20b.h5ad", "a b.h5ad"),
        ("https://host/..%2f..%2fetc%2fpasswd", "passwd"),
        ("s3://bucket/x/a.h5ad", "a.h5ad"),
        ("gs://bucket/x/a.h5ad", "a.h5ad"),
    ],
)
def test_a_file_is_called_as_its_url_ends(url: str, name: str) -> None:
    assert default_name(url) == name


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host:1/a?b=1", "https://host:1/a?b=1"),
        ("https://host/a?X-Amz-Signature=s&X-Amz-Credential=c&versionId=4", "https://host/a?versionId=4"),
        ("https://host/a?X-Goog-Signature=s&x=1&access_token=t", "https://host/a?x=1"),
        ("https://host/a?AWSAccessKeyId=a&Signature=b&Expires=1", "https://host/a"),
        ("https://host/a?api_key=s&password=p&api%5Fkey=q", "https://host/a"),
        ("https://host/a?signal=1&assignment=2&keyword=3", "https://host/a?signal=1&assignment=2&keyword=3"),
        ("s3://bucket/a?b#c", "s3://bucket/a?b#c"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_what_opens_it(url: str, shown: str) -> None:
    assert public_url(url) == shown
    assert scrub(f"GET '{url}' failed") == f"GET '{shown}' failed"


def test_two_signatures_are_of_one_file_and_two_keys_are_not() -> None:
    assert identity("https://h/a?X-Amz-Signature=1") == identity("https://h/a?X-Amz-Signature=2")
    assert identity("https://h/a?key=1") != identity("https://h/a?key=2")


@pytest.mark.parametrize("checksum", ["md5", "md5:", "md5:xyz", "crc32:00000000", "sha256:00", ""])
def test_what_is_no_checksum_is_told(checksum: str) -> None:
    with pytest.raises(InputError, match="is no checksum"):
        parse(checksum)
