"""What opens a door is nowhere to be read: not in errors, logs, output or the cache."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import CorpuscleError
from corpuscle.pipelines.transfer import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corpuscle.pipelines.transfer import Transfer

    from .servers import GcsServer, Page, Server

ROOT = Path(__file__).resolve().parents[3]
SECRET = "hunter2hunter2"
CONTENT = b"abc" * 100_000
QUERY = f"?X-Amz-Signature={SECRET}&token={SECRET}&api_key={SECRET}&x=1"


def everything(error: BaseException | None) -> Iterator[str]:
    """All that an error and those behind it hold."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        now = waiting.pop()
        if now is None or id(now) in seen:
            continue
        seen.add(id(now))
        yield f"{now!s} {now!r} {now.args!r} {vars(now)!r} {getattr(now, '__notes__', '')}"
        request = getattr(now, "_request", None)
        yield f"{getattr(request, 'url', '')!s} {getattr(request, 'headers', '')!s}"
        yield "".join(traceback.format_exception(now))
        waiting += [now.__cause__, now.__context__]


def on_disk(cache: Path) -> Iterator[bytes]:
    for path in cache.rglob("*"):
        yield bytes(path.relative_to(cache))
        if path.is_file():
            yield path.read_bytes()


def check(
    secrets: list[str], error: BaseException | None, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [*everything(error), caplog.text]
    for secret in secrets:
        assert not [text for text in texts if secret in text]
        assert not [blob for blob in on_disk(cache) if secret.encode() in blob]


def outcome(transfer: Transfer, url: str, **facts: Any) -> CorpuscleError | None:
    try:
        with transfer.fetch([RemoteFile(url=url, **facts)]) as (fetched,):
            assert fetched.path.read_bytes() == CONTENT
    except CorpuscleError as error:
        return error
    return None


CASES: dict[str, dict[str, Any]] = {
    "arrives": {},
    "is cut": {"cuts": [1000]},
    "is cut for good": {"cuts": [1000, 0, 0, 0, 0]},
    "is forbidden": {"refusals": [(403, {})]},
    "is not there": {"refusals": [(404, {})]},
    "is busy": {"refusals": [(503, {})] * 9},
    "is redirected": {"refusals": [(302, {"Location": f"ftp://u:{SECRET}@h/{QUERY}"})] * 9},
    "goes in circles": {"refusals": [(302, {"Location": f"/a.bin{QUERY}"})] * 99},
    "is packed": {"headers": {"Content-Encoding": "gzip"}},
    "has no length": {"headers": {"Content-Length": None}, "head": 405, "ranges": False},
    "speaks nonsense": {"headers": {"Content-Length": f"{SECRET}, {SECRET}"}},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_signed_url_is_nowhere(
    web: Server,
    make: Callable[..., Transfer],
    cache: Path,
    caplog: pytest.LogCaptureFixture,
    case: dict[str, Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    web.put("a.bin", CONTENT, **case)
    host = web.url.removeprefix("http://")
    error = outcome(make(attempts=3), f"http://user:{SECRET}@{host}/a.bin{QUERY}")
    assert (error is None) == (case in (CASES["arrives"], CASES["is cut"]))
    check([SECRET], error, cache, caplog)


@pytest.mark.parametrize("facts", [{"size": 1}, {"checksum": f"md5:{'0' * 32}"}])
def test_a_signed_url_is_not_in_an_error_of_integrity(
    web: Server, make: Callable[..., Transfer], cache: Path, caplog: Any, facts: dict[str, Any]
) -> None:
    web.put("a.bin", CONTENT)
    error = outcome(make(), f"{web.url}/a.bin{QUERY}", **facts)
    assert error is not None
    check([SECRET], error, cache, caplog)


@pytest.mark.parametrize("port", ["9", "99999", "x"])
def test_a_signed_url_that_leads_nowhere_is_not_shown(
    make: Callable[..., Transfer], cache: Path, caplog: Any, port: str
) -> None:
    error = outcome(make(attempts=2), f"http://user:{SECRET}@127.0.0.1:{port}/a.bin{QUERY}")
    assert error is not None
    check([SECRET], error, cache, caplog)


@pytest.mark.parametrize("head", [200, 403, 404, 500])
def test_keys_of_aws_are_nowhere(
    web: Server,
    make: Callable[..., Transfer],
    cache: Path,
    caplog: Any,
    monkeypatch: pytest.MonkeyPatch,
    head: int,
) -> None:
    """The server is one that answers like S3 in what we look at, and sees what we send."""
    caplog.set_level(logging.DEBUG)
    secrets = ["AKIAHUNTER2", "s3cretaccesskey", "sessi0ntoken"]
    for name, value in zip(
        ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"), secrets, strict=True
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", web.url)
    page = web.put("atlas/a", CONTENT, head=head, cuts=[1000, 0])
    error = outcome(make(attempts=2), "s3://atlas/a")
    assert (error is None) == (head == 200)
    if head == 200:
        assert "AKIAHUNTER2" in page.gets[0]["path"]
        assert "sessi0ntoken" in page.gets[0]["path"]
    check([*secrets, "X-Amz-Signature", "Signature="], error, cache, caplog)


@pytest.mark.parametrize("name", ["a", "none"])
def test_the_token_of_google_is_nowhere(
    gcs: GcsServer,
    google_account: str,
    make: Callable[..., Transfer],
    cache: Path,
    caplog: Any,
    name: str,
) -> None:
    def tell(page: Page) -> None:
        assert google_account in page.gets[-1]["Authorization"]

    caplog.set_level(logging.DEBUG)
    gcs.put_object("atlas", "a", CONTENT, cuts=[1000, 0], before=tell)
    error = outcome(make(attempts=3), f"gs://atlas/{name}")
    assert (error is None) == (name == "a")
    assert any(
        google_account in headers.get("authorization", "")
        or google_account in headers.get("Authorization", "")
        for _, headers in gcs.asked
    )
    check([google_account], error, cache, caplog)


def test_a_process_that_fails_prints_no_secret(web: Server, cache: Path) -> None:
    web.put("a.bin", CONTENT, refusals=[(503, {})] * 99)
    code = f"""
import logging
from pathlib import Path
from corpuscle.pipelines.transfer import *
logging.basicConfig(level=logging.DEBUG)
transfer = Transfer(cache=Path({str(cache)!r}), options=TransferOptions(attempts=3, wait_s=0.01))
transfer.read_bytes({f"{web.url}/a.bin{QUERY}"!r}, max_bytes=9)
"""
    done = subprocess.run(
        [sys.executable, "-"], input=code, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "TransferError" in done.stderr
    assert "step=transfer" in done.stderr
    assert SECRET not in done.stderr + done.stdout
