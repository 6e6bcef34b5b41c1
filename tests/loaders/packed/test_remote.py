from __future__ import annotations

import http.server
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.errors import NotFoundError, TransferError
from corpuscle.loaders import PackedCorpus

from .test_reader import CELLS, contents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABELS = ["cell_type"]


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves ranges; counts them; fails or ignores them when told to."""

    asked: list[tuple[str, int]]
    fail_next = 0
    ignore_ranges = False

    def do_GET(self) -> None:
        kind = type(self)
        begin, end = None, None
        if (wanted := self.headers.get("Range")) and not kind.ignore_ranges:
            begin, end = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        try:
            with open(self.translate_path(self.path), "rb") as file:  # noqa: PTH123
                data = file.read()
        except OSError:
            self.send_error(404)
            return
        if kind.fail_next and begin is not None:
            kind.fail_next -= 1
            self.send_error(503)
            return
        part = data if begin is None else data[begin : (end or 0) + 1]
        kind.asked.append((self.path, len(part)))
        self.send_response(200 if begin is None else 206)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, format: str, *_: Any) -> None:
        pass


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[str, type[Ranges]]]:
    kind = type("OneServer", (Ranges,), {"asked": []})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(kind, directory=str(folder))
    ) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", kind
        running.shutdown()
        thread.join()


@pytest.fixture
def bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="publisher",
        aws_secret_access_key="publisher",
    )
    client.create_bucket(Bucket="atlas")
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"packed/{path.relative_to(folder)}"
            client.put_object(Bucket="atlas", Key=key, Body=path.read_bytes(), ACL="public-read")
    yield "s3://atlas/packed"
    client.close()
    server.stop()


@pytest.fixture
def google(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import gcsfs  # type: ignore[import-untyped]
    from gcp_storage_emulator.server import create_server  # type: ignore[import-untyped]

    server: Any = create_server("127.0.0.1", 0, in_memory=True, default_bucket="atlas")
    server.start()
    try:
        port = server._api._httpd.server_port
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        files = gcsfs.GCSFileSystem(token="anon", skip_instance_cache=True)
        files.put(str(folder), "atlas/packed", recursive=True)
        yield "gs://atlas/packed"
    finally:
        server.stop()


def test_batches_from_a_web_server_are_the_same(
    server: tuple[str, type[Ranges]], packed: PackedCorpus
) -> None:
    there = PackedCorpus.open(server[0])
    for threads in (0, 2):
        options: dict[str, Any] = {"labels": LABELS, "threads": threads}
        assert contents(there.loader(16, **options)) == contents(packed.loader(16, **options))


def test_batches_from_s3_are_the_same(bucket: str, packed: PackedCorpus) -> None:
    there = PackedCorpus.open(bucket)
    loader = there.loader(16, labels=LABELS, threads=2, block_size=8)
    assert contents(loader) == contents(packed.loader(16, labels=LABELS, block_size=8))


@pytest.mark.filterwarnings("ignore:google.cloud.storage._experimental:DeprecationWarning")
def test_batches_from_google_are_the_same(google: str, packed: PackedCorpus) -> None:
    loader = PackedCorpus.open(google).loader(16, labels=LABELS, threads=2)
    assert contents(loader) == contents(packed.loader(16, labels=LABELS))
    with pytest.raises(NotFoundError, match="no packed corpus"):
        PackedCorpus.open(f"{google}/nowhere")


def test_blocks_are_asked_for_once_and_together(server: tuple[str, type[Ranges]]) -> None:
    loader = PackedCorpus.open(server[0]).loader(180, shuffle=False)
    loader._reader.read(CELLS[:0], seed=0, epoch=0)
    server[1].asked.clear()
    first = contents(loader)
    assert len(server[1].asked) == 9  # once for each shard
    assert contents(loader) == first
    assert len(server[1].asked) == 9


def test_a_cache_without_room_asks_again(server: tuple[str, type[Ranges]]) -> None:
    loader = PackedCorpus.open(server[0], cache_bytes=0).loader(180, shuffle=False)
    first = contents(loader)
    server[1].asked.clear()
    assert contents(loader) == first
    assert len(server[1].asked) == 9


def test_failures_that_pass_are_not_seen(
    server: tuple[str, type[Ranges]], packed: PackedCorpus
) -> None:
    there = PackedCorpus.open(server[0])
    server[1].fail_next = 3
    assert contents([there.read(CELLS)]) == contents([packed.read(CELLS)])
    assert server[1].fail_next == 0


def test_a_server_without_ranges_is_refused(
    server: tuple[str, type[Ranges]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpuscle.loaders.packed._remote.ATTEMPTS", 2)
    server[1].ignore_ranges = True
    with pytest.raises(TransferError, match="ranges did not come"):
        PackedCorpus.open(server[0]).read(CELLS)


def test_what_is_not_there_is_said(server: tuple[str, type[Ranges]]) -> None:
    with pytest.raises(NotFoundError, match="no packed corpus"):
        PackedCorpus.open(f"{server[0]}/nowhere")
