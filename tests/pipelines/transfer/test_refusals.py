"""What servers say instead of sending a file, and where they send us."""

from __future__ import annotations

import email.utils
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from corpuscle.errors import InputError, NotFoundError, TransferError
from corpuscle.pipelines.transfer import RemoteFile
from corpuscle.pipelines.transfer._http import _check_redirect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines.transfer import Transfer

    from .servers import Server


def get(transfer: Transfer, url: str) -> bytes:
    with transfer.fetch([RemoteFile(url=url)]) as (fetched,):
        return fetched.path.read_bytes()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(web: Server, transfer: Transfer, status: int) -> None:
    page = web.put("a.bin", b"abc", refusals=[(status, {})] * 3)
    assert get(transfer, f"{web.url}/a.bin") == b"abc"
    assert len(page.gets) == 4


@pytest.mark.parametrize("date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_honoured(web: Server, transfer: Transfer, date: bool) -> None:
    after = email.utils.formatdate(time.time() + 3, usegmt=True) if date else "1"
    web.put("a.bin", b"abc", refusals=[(503, {"Retry-After": after})])
    started = time.monotonic()
    assert get(transfer, f"{web.url}/a.bin") == b"abc"
    assert 0.9 < time.monotonic() - started < 15


def test_a_retry_after_beyond_the_budget_is_not_waited_for(
    web: Server, make: Callable[..., Transfer]
) -> None:
    web.put("a.bin", b"abc", refusals=[(429, {"Retry-After": "3600"})])
    started = time.monotonic()
    with pytest.raises(TransferError, match=r"asks to wait 3,600 s. Given up after 1 attempts"):
        get(make(budget_s=5.0), f"{web.url}/a.bin")
    assert time.monotonic() - started < 15


def test_the_budget_is_of_time_without_progress(web: Server, make: Callable[..., Transfer]) -> None:
    content, started = b"x" * 200_000, time.monotonic()
    web.put("slow.bin", content, pause_s=0.1, cuts=[20_000] * 9)
    assert get(make(budget_s=1.5, attempts=3), f"{web.url}/slow.bin") == content
    assert time.monotonic() - started > 1.5
    web.put("dead.bin", content, refusals=[(503, {})] * 999)
    started = time.monotonic()
    with pytest.raises(TransferError, match=r"status|answered 503"):
        get(make(budget_s=0.5, attempts=9999), f"{web.url}/dead.bin")
    assert 0.3 < time.monotonic() - started < 15


@pytest.mark.parametrize("status", [401, 403, 404, 410, 400])
def test_a_refusal_is_final(web: Server, transfer: Transfer, status: int) -> None:
    page = web.put("a.bin", b"abc", refusals=[(status, {})] * 9)
    error = NotFoundError if status in {404, 410} else TransferError
    with pytest.raises(error, match=f"{web.url}/a.bin.*Check the URL"):
        get(transfer, f"{web.url}/a.bin")
    assert len(page.gets) == 1


def test_a_server_that_is_not_there_is_told(make: Callable[..., Transfer]) -> None:
    with pytest.raises(TransferError, match="Connection refused"):
        get(make(attempts=2), "http://127.0.0.1:9/a.bin")


def test_a_server_that_falls_silent_is_left(web: Server, make: Callable[..., Transfer]) -> None:
    page = web.put("a.bin", b"x" * 100_000)
    page.before = lambda page: time.sleep(1.0 if len(page.gets) == 1 else 0)
    assert get(make(read_s=0.3), f"{web.url}/a.bin") == page.content


@pytest.mark.parametrize("url", ["ftp://host/a", "http://", "http://[::1/a", "ssh://u:secret@h/a"])
def test_what_is_no_url_is_told(transfer: Transfer, url: str) -> None:
    with pytest.raises(InputError) as caught:
        get(transfer, url)
    assert "secret" not in str(caught.value)


def test_redirects_are_followed(web: Server, transfer: Transfer) -> None:
    web.put("b.bin", b"abc", cuts=[1])
    web.put("a.bin", b"", refusals=[(302, {"Location": "/b.bin"})] * 9, head=405)
    with transfer.fetch([RemoteFile(url=f"{web.url}/a.bin")]) as (fetched,):
        assert (fetched.path.name, fetched.path.read_bytes()) == ("a.bin", b"abc")


def test_redirects_in_a_circle_end(web: Server, transfer: Transfer) -> None:
    web.put("a.bin", b"", refusals=[(302, {"Location": "/a.bin"})] * 99)
    with pytest.raises(TransferError, match="redirected more than 5 times"):
        get(transfer, f"{web.url}/a.bin")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host/a", "s3://bucket/a"])
def test_redirects_lead_to_no_other_kind_of_place(
    web: Server, transfer: Transfer, target: str, cache: Path
) -> None:
    web.put("a.bin", b"", refusals=[(302, {"Location": target})] * 9)
    with pytest.raises(TransferError, match="is redirected from http to"):
        get(transfer, f"{web.url}/a.bin")
    assert list((cache / "entries").iterdir()) == []


@pytest.mark.parametrize(
    ("start", "after", "followed"),
    [
        ("https://example.org/a", "https://example.org/b", True),
        ("https://example.org/a", "http://example.org/b", False),
        ("http://example.org/a", "https://example.org/b", True),
        ("http://127.0.0.1/a", "http://127.0.0.1:81/b", True),
        ("http://8.8.8.8/a", "http://127.0.0.1/b", False),
        ("http://8.8.8.8/a", "http://169.254.169.254/latest/meta-data", False),
        ("http://8.8.8.8/a", "http://10.0.0.1/b", False),
        ("http://8.8.8.8/a", "http://[::1]/b", False),
        ("http://8.8.8.8/a", "http://[::ffff:127.0.0.1]/b", False),
        ("http://8.8.8.8/a", "http://2130706433/b", False),
        ("http://8.8.8.8/a", "http://localhost/b", False),
        ("http://8.8.8.8/a", "http://1.1.1.1/b", True),
    ],
)
def test_redirects_lead_neither_to_open_nor_to_private_places(
    start: str, after: str, followed: bool
) -> None:
    urls = httpx.URL(start), httpx.URL(start), httpx.URL(after)
    if followed:
        _check_redirect(*urls)
    else:
        with pytest.raises(TransferError, match="is redirected"):
            _check_redirect(*urls)


def test_a_file_that_is_compressed_on_the_way_is_refused(web: Server, transfer: Transfer) -> None:
    web.put("a.csv", b"abc", headers={"Content-Encoding": "gzip"})
    with pytest.raises(TransferError, match="Content-Encoding gzip"):
        get(transfer, f"{web.url}/a.csv")
    web.put("a.mtx.gz", b"abc", headers={"Content-Encoding": "x-gzip"})  # what Apache says of it
    assert get(transfer, f"{web.url}/a.mtx.gz") == b"abc"


@pytest.mark.parametrize("honest", [True, False], ids=["announced", "not announced"])
def test_a_file_that_is_too_large_is_refused(
    web: Server, make: Callable[..., Transfer], cache: Path, honest: bool
) -> None:
    length = {} if honest else {"Content-Length": None, "Transfer-Encoding": None}
    page = web.put("a.bin", b"x" * 2**22, headers=length, head=405, ranges=False, pause_s=0.001)
    file = RemoteFile(url=f"{web.url}/a.bin", checksum=f"md5:{'0' * 32}")
    transfer = make(max_bytes=2**20)
    with pytest.raises(TransferError, match="larger than 1,048,576 bytes"), transfer.fetch([file]):
        pass
    assert page.sent < 2**22
    assert list((cache / "parts").glob("*.part")) == []


def test_a_document_is_read_without_a_trace(web: Server, transfer: Transfer, cache: Path) -> None:
    page = web.put("api", b'{"a": 1}', refusals=[(503, {})])
    read = transfer.read_bytes(f"{web.url}/api?x=1", max_bytes=99, params={"y": "2 3"})
    assert read == b'{"a": 1}'
    assert page.gets[-1]["path"] in {"/api?x=1&y=2%203", "/api?x=1&y=2+3"}
    assert not cache.exists()
    with pytest.raises(TransferError, match="larger than 7 bytes"):
        transfer.read_bytes(f"{web.url}/api", max_bytes=7)
    with pytest.raises(NotFoundError):
        transfer.read_bytes(f"{web.url}/none", max_bytes=7)


def test_the_web_has_no_lists(web: Server, transfer: Transfer) -> None:
    with pytest.raises(InputError, match="cannot be listed over http"):
        transfer.list(f"{web.url}/")
