"""What is kept, for how long, and how it is found to be damaged."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from corpuscle.errors import InputError, IntegrityError, NotFoundError, TransferError
from corpuscle.pipelines.transfer import RemoteFile, Transfer
from corpuscle.pipelines.transfer import _cache as module
from corpuscle.pipelines.transfer._cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines.transfer import Fetched

    from .servers import Page, Server


def fetch(transfer: Transfer, web: Server, *names: str) -> list[Fetched]:
    with transfer.fetch([RemoteFile(url=f"{web.url}/{name}") for name in names]) as found:
        return found


def names(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "entries").glob("*/*"))


@pytest.fixture
def pages(web: Server) -> dict[str, Page]:
    return {name: web.put(name, name.encode() * 1000) for name in "abcd"}


def test_what_is_there_is_not_fetched_again(
    web: Server, transfer: Transfer, pages: dict[str, Page]
) -> None:
    first, second = fetch(transfer, web, "a"), fetch(transfer, web, "a")
    assert first == second
    assert len(pages["a"].gets) == 1


def test_another_version_is_another_file(
    web: Server, transfer: Transfer, pages: dict[str, Page]
) -> None:
    with transfer.fetch([RemoteFile(url=f"{web.url}/a")]) as (first,):
        pages["a"].content, pages["a"].etag = b"new", '"v2"'
        (second,) = fetch(transfer, web, "a")
        assert first.path.read_bytes() == b"a" * 1000
        assert second.path.read_bytes() == b"new"


def test_a_file_without_a_version_is_always_fetched_again(
    web: Server, transfer: Transfer, pages: dict[str, Page]
) -> None:
    pages["a"].etag = None
    assert [f.version for f in fetch(transfer, web, "a")] == [""]
    pages["a"].content = b"new"
    assert [f.path.read_bytes() for f in fetch(transfer, web, "a")] == [b"new"]


def test_one_file_under_two_names_is_fetched_once(
    web: Server, transfer: Transfer, pages: dict[str, Page]
) -> None:
    files = [RemoteFile(url=f"{web.url}/a", name=name) for name in ("x.h5ad", "y.h5ad")]
    with transfer.fetch(files) as (x, y):
        assert (x.path.name, y.path.name) == ("x.h5ad", "y.h5ad")
        assert x.path.samefile(y.path)
    assert len(pages["a"].gets) == 1


def test_what_was_not_used_for_longest_is_evicted(
    web: Server, make: Callable[..., Transfer], cache: Path, pages: dict[str, Page]
) -> None:
    transfer = make(cache_bytes=2500)
    for name in ("a", "b", "a", "c"):
        fetch(transfer, web, name)
    assert names(cache) == ["a", "c"]


def test_what_is_in_use_is_not_evicted(
    web: Server, make: Callable[..., Transfer], cache: Path, pages: dict[str, Page]
) -> None:
    transfer = make(cache_bytes=1500)
    with transfer.fetch([RemoteFile(url=f"{web.url}/a")]) as (a,):
        with make(cache_bytes=1500).fetch([RemoteFile(url=f"{web.url}/{n}") for n in "bc"]) as bc:
            fetch(transfer, web, "d")
            assert all(f.path.exists() for f in (a, *bc))
        assert names(cache) == ["a"]
    assert names(cache) == ["a"]
    fetch(transfer, web, "d")
    assert names(cache) == ["d"]


def test_old_parts_are_deleted_and_young_ones_are_not(
    web: Server, transfer: Transfer, cache: Path, pages: dict[str, Page]
) -> None:
    Cache(cache, max_bytes=1)
    for name, days in (("old", 8), ("young", 6)):
        part = cache / "parts" / f"{name}.part"
        part.write_bytes(b"x")
        then = time.time() - days * 86400
        os.utime(part, (then, then))
    fetch(transfer, web, "a")
    assert [path.name for path in (cache / "parts").iterdir()] == ["young.part"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    path.write_bytes(b"\0" + path.read_bytes()[1:])


def lose(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [cut, flip, lose])
def test_a_damaged_file_is_fetched_again(
    web: Server,
    transfer: Transfer,
    pages: dict[str, Page],
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (before,) = fetch(transfer, web, "a")
    damage(before.path)
    (after,) = fetch(transfer, web, "a")
    assert after.path.read_bytes() == pages["a"].content
    assert len(pages["a"].gets) == 2
    assert "problem=damaged_in_cache" in caplog.text


@pytest.mark.parametrize("verify", [True, False])
def test_silent_damage_is_found_when_asked_for(
    web: Server, make: Callable[..., Transfer], pages: dict[str, Page], verify: bool
) -> None:
    (before,) = fetch(make(), web, "a")
    times = before.path.stat()
    flip(before.path)
    os.utime(before.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    fetch(make(verify_cached=verify), web, "a")
    assert len(pages["a"].gets) == (2 if verify else 1)


def test_what_is_stated_is_compared_with_the_cache_too(
    web: Server, transfer: Transfer, pages: dict[str, Page]
) -> None:
    fetch(transfer, web, "a")
    url = f"{web.url}/a"
    for file in (RemoteFile(url=url, size=1), RemoteFile(url=url, checksum=f"md5:{'0' * 32}")):
        with pytest.raises(IntegrityError), transfer.fetch([file]):
            pass


def test_an_index_that_is_no_database_is_told(
    web: Server, transfer: Transfer, cache: Path, pages: dict[str, Page]
) -> None:
    cache.mkdir()
    (cache / "index.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(IntegrityError, match=r"index.sqlite, cannot be used.*Delete"):
        fetch(transfer, web, "a")


def test_a_disk_that_is_full_leaves_nothing_half_written(
    web: Server, transfer: Transfer, cache: Path, pages: dict[str, Page]
) -> None:
    Cache(cache, max_bytes=1)
    part = cache / "parts" / f"{module._key(f'{web.url}/a')}.part"
    part.symlink_to("/dev/full")
    with pytest.raises(TransferError, match=r"No space left on device.*goes on from there"):
        fetch(transfer, web, "a")
    assert names(cache) == []
    part.unlink()
    assert fetch(transfer, web, "a")[0].path.read_bytes() == pages["a"].content


def test_a_file_that_cannot_fit_is_not_begun_and_evicts_nothing(
    web: Server, transfer: Transfer, cache: Path, pages: dict[str, Page]
) -> None:
    fetch(transfer, web, "a")
    huge = 2 * shutil.disk_usage(cache).total
    page = web.put("huge", b"x", headers={"Content-Length": str(huge)})
    with pytest.raises(TransferError, match=f"no room for {huge:,} bytes"):
        fetch(transfer, web, "huge")
    assert page.gets == []
    assert names(cache) == ["a"]


def test_local_files_are_given_as_they_are(transfer: Transfer, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "x").mkdir()
    path = tmp_path / "x" / "a b.txt"
    path.write_bytes(b"abc")
    files = [RemoteFile(url=str(path)), RemoteFile(url=path.as_uri(), size=3)]
    seen: list[tuple[int, int | None]] = []
    with transfer.fetch(files, on_progress=lambda *now: seen.append(now)) as found:
        assert [f.path for f in found] == [path, path]
    assert seen[-1] == (6, 6)
    assert [s.url for s in transfer.list(str(tmp_path / "x"))] == [str(path)]
    assert transfer.stat(path.as_uri()).size == 3
    assert transfer.read_bytes(str(path), max_bytes=3) == b"abc"
    assert not cache.exists()
    wrong = RemoteFile(url=str(path), checksum=f"sha1:{'0' * 40}")
    with pytest.raises(IntegrityError, match="sha1"), transfer.fetch([wrong]):
        pass
    for act in (transfer.stat, transfer.list):
        with pytest.raises(NotFoundError):
            act(str(tmp_path / "none"))


def test_a_cache_that_cannot_be_written_is_told(
    web: Server, transfer: Transfer, cache: Path, pages: dict[str, Page]
) -> None:
    cache.write_bytes(b"a file")
    with pytest.raises(TransferError, match=r"cannot be written.*CORPUSCLE_CACHE"):
        fetch(transfer, web, "a")


def test_the_environment_says_where_and_how_much(
    web: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pages: dict[str, Page]
) -> None:
    monkeypatch.setenv("CORPUSCLE_CACHE", str(tmp_path))
    monkeypatch.setenv("CORPUSCLE_MAX_BYTES", "1e3")
    (fetched,) = fetch(Transfer.from_environment(), web, "a")
    assert fetched.path.is_relative_to(tmp_path / "files" / "entries")
    monkeypatch.setenv("CORPUSCLE_MAX_BYTES", "999")
    with pytest.raises(TransferError, match=r"raise CORPUSCLE_MAX_BYTES"):
        fetch(Transfer.from_environment(), web, "b")


@pytest.mark.parametrize(
    ("name", "text"), [("JOBS", "0"), ("CACHE_BYTES", "a lot"), ("JOBS", "inf")]
)
def test_an_environment_that_makes_no_sense_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"CORPUSCLE_{name}", text)
    with pytest.raises(InputError, match=f"CORPUSCLE_{name}"):
        Transfer.from_environment()
