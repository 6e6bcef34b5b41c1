"""Real servers that do what real servers do to us."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEP = 2**14


@dataclass
class Page:
    """A file of a server, and what happens to those who ask for it."""

    content: bytes
    etag: str | None = '"v1"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    """For each GET, after how many bytes the connection ends; the next ones are whole."""
    reset: bool = False
    """Whether it ends by a reset rather than a close."""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers of the first answers."""
    headers: dict[str, str | None] = field(default_factory=dict)
    """Lies: put in place of the right ones, or left out."""
    head: int = 200
    """Status of answers to HEAD."""
    pause_s: float = 0.0
    """Wait after each 16 KiB."""
    before: Callable[[Page], None] | None = None
    """Called before each GET."""
    after_cut: Callable[[Page], None] | None = None
    extra: bytes = b""
    """Sent after the end."""
    gets: list[dict[str, str]] = field(default_factory=list)
    """Headers of the GETs that came."""
    sent: int = 0
    """Bytes of bodies that were sent."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_HEAD(self) -> None:
        page = self.server.page(self.path)
        if page is None or page.head != 200:
            self.refuse(404 if page is None else page.head, {})
            return
        self.start(200, page, {"Content-Length": str(len(page.content))})

    def do_GET(self) -> None:
        page = self.server.page(self.path)
        if page is None:
            self.refuse(404, {})
            return
        page.gets.append(self.told())
        if page.before:
            page.before(page)
        if page.refusals:
            self.refuse(*page.refusals.pop(0))
            return
        self.give(page)

    def told(self) -> dict[str, str]:
        return {"path": self.path, **{name.title(): text for name, text in self.headers.items()}}

    def give(self, page: Page) -> None:
        content, first = page.content, 0
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if wanted and page.ranges and condition in {None, page.etag}:
            first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
            if first >= len(content):
                self.refuse(416, {})
                return
            body = content[first : last + 1]
            span = f"bytes {first}-{first + len(body) - 1}/{len(content)}"
            self.start(206, page, {"Content-Length": str(len(body)), "Content-Range": span})
        else:
            body = content
            self.start(200, page, {"Content-Length": str(len(body))})
        end = page.cuts.pop(0) if page.cuts else None
        self.send(page, (body + page.extra)[:end])
        if end is not None:
            self.cut(page)

    def send(self, page: Page, body: bytes) -> None:
        for start in range(0, len(body), STEP):
            piece = body[start : start + STEP]
            self.wfile.write(piece)
            page.sent += len(piece)
            if page.pause_s:
                time.sleep(page.pause_s)

    def cut(self, page: Page) -> None:
        self.close_connection = True
        if page.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        if page.after_cut:
            page.after_cut(page)

    def start(self, status: int, page: Page, headers: dict[str, str]) -> None:
        self.send_response(status)
        told = {**headers, "ETag": page.etag, **page.headers}
        for name, value in told.items():
            if value is not None:
                self.send_header(name, value)
        if told.get("Content-Length") is None:
            self.close_connection = True
        self.end_headers()

    def refuse(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Pages by path."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[Handler] = Handler) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.pages: dict[str, Page] = {}

    def page(self, path: str) -> Page | None:
        return self.pages.get(urlsplit(path).path)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, name: str, content: bytes, **how: Any) -> Page:
        self.pages[f"/{name}"] = Page(content, **how)
        return self.pages[f"/{name}"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that are killed go without a word


@contextmanager
def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class GcsObject(Page):
    generation: int = 1
    multipart: bool = False
    """Made of several: has no MD5."""

    def describe(self, bucket: str, name: str) -> dict[str, Any]:
        crc = google_crc32c.value(self.content).to_bytes(4, "big")
        facts = {
            "kind": "storage#object",
            "name": name,
            "bucket": bucket,
            "size": str(len(self.content)),
            "generation": str(self.generation),
            "metageneration": "1",
            "crc32c": base64.b64encode(crc).decode(),
            "updated": "2026-01-02T03:04:05.678Z",
        }
        if not self.multipart:
            md5 = hashlib.md5(self.content, usedforsecurity=False).digest()
            facts["md5Hash"] = base64.b64encode(md5).decode()
        return facts


class GcsHandler(Handler):
    """The part of the JSON protocol that reads objects."""

    server: GcsServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append((self.path, dict(self.headers)))
        found = re.fullmatch(r"(/download)?/storage/v1/b/([^/]+)/o(?:/(.+))?", parts.path)
        if found is None:
            self.fail(404, "Not Found")
            return
        media, bucket, name = found[1], found[2], unquote(found[3] or "")
        if bucket in self.server.requester_pays:
            if "userProject" not in query:
                text = "Bucket is a requester pays bucket but no user project provided."
                self.fail(400, text)
                return
            if not self.headers.get("Authorization"):
                self.fail(403, "Anonymous caller does not have serviceusage.services.use access.")
                return
        if not name:
            self.list_objects(bucket, query)
            return
        page = self.server.objects.get((bucket, name))
        if page is None:
            self.fail(404, f"No such object: {bucket}/{name}")
        elif not media:
            self.answer(page.describe(bucket, name))
        elif query.get("ifGenerationMatch") not in {None, str(page.generation)}:
            self.fail(412, "At least one of the pre-conditions you specified did not hold.")
        else:
            page.gets.append(self.told())
            if page.before:
                page.before(page)
            page.etag = f"CK{page.generation}EAE="
            page.headers = {**page.headers, "X-Goog-Generation": str(page.generation)}
            self.give(page)

    def do_POST(self) -> None:
        """Exchange the assertion of a service account for a token."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"access_token": self.server.token, "expires_in": 3600, "token_type": "Bearer"})

    def list_objects(self, bucket: str, query: dict[str, str]) -> None:
        below = sorted(
            (name, page)
            for (of, name), page in self.server.objects.items()
            if of == bucket and name.startswith(query.get("prefix", ""))
        )
        start, size = int(query.get("pageToken", 0)), 2
        items = [page.describe(bucket, name) for name, page in below[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(below) else {}
        self.answer({"kind": "storage#objects", "items": items, **more})

    def answer(self, value: Any) -> None:
        self.refuse(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def fail(self, status: int, message: str) -> None:
        error = {"error": {"code": status, "message": message}}
        self.refuse(status, {"Content-Type": "application/json"}, json.dumps(error).encode())


class GcsServer(Server):
    token = "unset"

    def __init__(self) -> None:
        super().__init__(GcsHandler)
        self.objects: dict[tuple[str, str], GcsObject] = {}
        self.requester_pays: set[str] = set()
        self.asked: list[tuple[str, dict[str, str]]] = []

    def put_object(self, bucket: str, name: str, content: bytes, **how: Any) -> GcsObject:
        self.objects[bucket, name] = GcsObject(content, **how)
        return self.objects[bucket, name]
