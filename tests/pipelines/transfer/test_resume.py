"""Downloads that are cut, changed and lied about."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from corpuscle.curation import content_hash
from corpuscle.errors import IntegrityError, TransferError
from corpuscle.pipelines.transfer import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines.transfer import Fetched, Transfer

    from .servers import Page, Server

MIB = 2**20


def random_bytes(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def get(transfer: Transfer, url: str, **facts: Any) -> tuple[Fetched, bytes]:
    with transfer.fetch([RemoteFile(url=url, **facts)]) as (fetched,):
        return fetched, fetched.path.read_bytes()


def test_a_file_that_is_cut_a_hundred_times_arrives_once(web: Server, transfer: Transfer) -> None:
    content = random_bytes(8 * MIB)
    cuts = np.random.default_rng(1).integers(0, len(content) // 60, size=100).tolist()
    page = web.put("a.bin", content, cuts=cuts)
    fetched, here = get(transfer, f"{web.url}/a.bin")
    assert here == content
    assert fetched.hash == content_hash(fetched.path)
    assert len(page.gets) == 101
    assert page.sent - len(content) <= 100 * MIB
    assert page.sent == len(content)  # in fact nothing is fetched twice


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_hundred_downloads_that_are_cut_at_random_offsets_are_identical(
    web: Server, transfer: Transfer, ranges: bool, reset: bool
) -> None:
    rng = np.random.default_rng(2)
    content = {f"{i}.bin": random_bytes(int(rng.integers(1, 300_000)), i) for i in range(100)}
    pages = {
        name: web.put(name, data, ranges=ranges, cuts=[int(rng.integers(len(data)))], reset=reset)
        for name, data in content.items()
    }
    with transfer.fetch([RemoteFile(url=f"{web.url}/{name}") for name in content]) as found:
        assert [f.path.name for f in found] == list(content)
        assert {f.path.name: f.path.read_bytes() for f in found} == content
    again = sum(page.sent for page in pages.values()) - sum(map(len, content.values()))
    if ranges:
        assert again <= 100 * MIB
        assert again == 0 or reset
    assert all(len(page.gets) == 2 for page in pages.values())


def test_the_rest_is_asked_for_on_condition_that_the_file_is_the_same(
    web: Server, transfer: Transfer
) -> None:
    page = web.put("a.bin", random_bytes(100_000), cuts=[40_000])
    get(transfer, f"{web.url}/a.bin")
    first, second = page.gets
    assert "Range" not in first
    assert (second["Range"], second["If-Range"]) == ("bytes=40000-", '"v1"')
    assert {g["Accept-Encoding"] for g in page.gets} == {"identity"}


def change(page: Page) -> None:
    page.content, page.etag, page.after_cut = random_bytes(90_000, 9), '"v2"', None


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_file_that_changes_midway_is_begun_again(
    web: Server, transfer: Transfer, ranges: bool
) -> None:
    page = web.put("a.bin", random_bytes(100_000), cuts=[40_000], after_cut=change, ranges=ranges)
    fetched, here = get(transfer, f"{web.url}/a.bin")
    assert here == page.content
    assert fetched.version == '"v2"'


def test_a_server_that_ignores_if_range_is_found_out_by_the_version(
    web: Server, transfer: Transfer
) -> None:
    def swap(page: Page) -> None:  # 206 for the new file, under the old condition
        page.content, page.after_cut = random_bytes(100_000, 9), None
        page.headers = {"ETag": '"v2"'}

    page = web.put("a.bin", random_bytes(100_000), cuts=[40_000], after_cut=swap)
    _, here = get(transfer, f"{web.url}/a.bin")
    assert here == page.content


def test_a_file_that_changes_all_the_time_is_given_up(
    web: Server, make: Callable[..., Transfer]
) -> None:
    def change_again(page: Page) -> None:
        number = len(page.gets)
        page.content, page.etag = random_bytes(100_000, number), f'"{number}"'

    web.put("a.bin", random_bytes(100_000), cuts=[40_000] * 99, after_cut=change_again)
    with pytest.raises(TransferError, match=r"Given up after 5 attempts"):
        get(make(attempts=5), f"{web.url}/a.bin")


def test_without_an_etag_nothing_is_patched_together(web: Server, transfer: Transfer) -> None:
    page = web.put("a.bin", random_bytes(100_000), etag=None, cuts=[40_000])
    assert get(transfer, f"{web.url}/a.bin")[1] == page.content
    assert [g.get("Range") for g in page.gets] == [None, None]


def test_without_an_etag_the_date_stands_for_the_file(web: Server, transfer: Transfer) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    page = web.put("a.bin", b"abc" * 999, etag=None, headers={"Last-Modified": date})
    assert get(transfer, f"{web.url}/a.bin")[0].version == date
    get(transfer, f"{web.url}/a.bin")
    assert len(page.gets) == 1


LIES: dict[str, dict[str, str | None]] = {
    "begins elsewhere": {"Content-Range": "bytes 39999-99998/100000"},
    "another total": {"Content-Range": "bytes 40000-99999/123456"},
    "no total": {"Content-Range": "bytes 40000-99999/*"},
    "no range": {"Content-Range": None},
    "nonsense": {"Content-Range": "lines 1-2/3"},
    "another length": {"Content-Length": "50000"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_wrong_rest_is_not_appended(
    web: Server, transfer: Transfer, lie: dict[str, str | None]
) -> None:
    def lie_now(page: Page) -> None:
        page.headers, page.after_cut = lie, None

    def tell_the_truth(page: Page) -> None:
        if len(page.gets) > 2:
            page.headers = {}

    page = web.put(
        "a.bin", random_bytes(100_000), cuts=[40_000], after_cut=lie_now, before=tell_the_truth
    )
    assert get(transfer, f"{web.url}/a.bin")[1] == page.content
    assert "Range" not in page.gets[2]


def test_an_answer_that_is_shorter_than_it_says_is_never_taken_for_whole(
    web: Server, make: Callable[..., Transfer], cache: Path
) -> None:
    web.put("a.bin", b"x" * 1000, headers={"Content-Length": "2000"}, ranges=False)
    with pytest.raises(TransferError, match=r"1,000 bytes here. The same command goes on"):
        get(make(attempts=3, read_s=0.3), f"{web.url}/a.bin")
    assert list((cache / "entries").iterdir()) == []


def test_an_answer_that_is_longer_than_was_announced_is_found_out(
    web: Server, make: Callable[..., Transfer]
) -> None:
    def no_length(page: Page) -> None:
        page.headers, page.extra = {"Content-Length": None}, b"more"

    web.put("a.bin", b"x" * 1000, before=no_length)
    with pytest.raises(TransferError, match=r"longer than the 1,000 bytes"):
        get(make(attempts=3), f"{web.url}/a.bin", size=1000)


def test_two_lengths_for_one_version_are_found_out(
    web: Server, make: Callable[..., Transfer]
) -> None:
    def shrink(page: Page) -> None:
        page.content = b"x" * 500

    web.put("a.bin", b"x" * 1000, before=shrink)
    with pytest.raises(TransferError, match="announces 1,000 bytes, then 500"):
        get(make(attempts=1), f"{web.url}/a.bin")


def test_without_any_length_a_file_is_refused(web: Server, transfer: Transfer) -> None:
    page = web.put("a.bin", b"x" * 1000, headers={"Content-Length": None}, head=405)
    page.ranges = False
    with pytest.raises(TransferError, match="without its length"):
        get(transfer, f"{web.url}/a.bin")
    right = f"md5:{hashlib.md5(page.content, usedforsecurity=False).hexdigest()}"
    assert get(transfer, f"{web.url}/a.bin", checksum=right)[1] == page.content


def test_where_head_is_refused_the_first_byte_tells(web: Server, transfer: Transfer) -> None:
    web.put("a.bin", b"x" * 1000, head=405)
    found = transfer.stat(f"{web.url}/a.bin")
    assert (found.size, found.version) == (1000, '"v1"')


def test_a_damaged_beginning_is_thrown_away_and_fetched_again(
    web: Server, make: Callable[..., Transfer], cache: Path
) -> None:
    content = random_bytes(100_000)
    right = f"sha256:{hashlib.sha256(content).hexdigest()}"
    page = web.put("a.bin", content, cuts=[40_000, 0])
    with pytest.raises(TransferError, match="with 40,000 bytes here"):
        get(make(attempts=1), f"{web.url}/a.bin", checksum=right)
    (part,) = (cache / "parts").glob("*.part")
    part.write_bytes(b"\0" + part.read_bytes()[1:])
    assert get(make(), f"{web.url}/a.bin", checksum=right)[1] == content
    assert [g.get("Range") for g in page.gets] == [None, "bytes=40000-", "bytes=40000-", None]


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "crc32c"])
def test_a_checksum_is_compared(
    web: Server, transfer: Transfer, cache: Path, algorithm: str
) -> None:
    content = random_bytes(100_000)
    web.put("a.bin", content)
    wrong = f"{algorithm}:{'0' * {'md5': 32, 'sha1': 40, 'sha256': 64, 'crc32c': 8}[algorithm]}"
    with pytest.raises(IntegrityError) as caught:
        get(transfer, f"{web.url}/a.bin", checksum=wrong)
    details = caught.value.details
    assert details["url"] == f"{web.url}/a.bin"
    assert details["expected"] == wrong.partition(":")[2]
    assert list((cache / "entries").iterdir()) == list((cache / "parts").iterdir()) == []
    right = f"{algorithm}:{details['found']}"
    assert get(transfer, f"{web.url}/a.bin", checksum=right)[1] == content


def test_a_stated_size_is_compared_before_anything_is_read(web: Server, transfer: Transfer) -> None:
    page = web.put("a.bin", random_bytes(3 * MIB), pause_s=0.01)
    with pytest.raises(IntegrityError, match="size 5 expected, 3145728 found"):
        get(transfer, f"{web.url}/a.bin", size=5)
    assert page.sent < 3 * MIB


def test_an_empty_file_is_a_file(web: Server, transfer: Transfer) -> None:
    web.put("a.bin", b"")
    assert get(transfer, f"{web.url}/a.bin")[1] == b""
