"""Fetching remote files."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...curation import content_hash
from ...errors import InputError, TransferError
from . import _local
from ._cache import Cache, check_entry
from ._checksums import Digests, parse
from ._download import Download
from ._environment import integer, switch
from ._errors import GCS_PROJECT, S3_REQUESTER_PAYS, check_encoding, of_status
from ._names import default_name, identity, local_path, public_url, safe_name, scheme_of
from ._part import Part
from ._patience import Patience
from ._pool import run_all
from ._values import Fetched, RemoteFile, Stat, TransferOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx

    from ._http import Http
    from ._stores import Store

CACHE_BYTES = 100 * 2**30
MAX_BYTES = 64 * 2**30
"""The largest file that is known (Tahoe-100M) is half as large."""
BUDGET_S = 300


class Transfer:
    """Brings remote files here.

    Parameters
    ----------
    cache
        Folder for what is fetched; the user's cache folder by default. Any number of processes
        may share one.
    cache_bytes
        Size of the cache. What was not used for longest is deleted when more is needed; what is
        in use is not, even if that is more.
    max_bytes
        A larger file is refused.
    jobs
        Files that are fetched at once.
    budget_s
        Seconds without any progress after which a file is given up.
    options
        What rarely needs another value.

    Raises
    ------
    InputError
        If `jobs` is less than one.
    """

    def __init__(
        self,
        *,
        cache: Path | None = None,
        cache_bytes: int = CACHE_BYTES,
        max_bytes: int = MAX_BYTES,
        jobs: int = 4,
        budget_s: float = BUDGET_S,
        options: TransferOptions | None = None,
    ) -> None:
        if jobs < 1:
            msg = f"jobs is {jobs}: at least one file is fetched at once. Correct CORPUSCLE_JOBS."
            raise InputError(msg, {"jobs": jobs})
        self._folder = cache
        self._cache_bytes = cache_bytes
        self._max_bytes = max_bytes
        self._jobs = jobs
        self._budget_s = budget_s
        self._options = options or TransferOptions()
        self._lock = threading.RLock()
        self._http_: Http | None = None
        self._stores: dict[str, Store] = {}

    @classmethod
    def from_environment(cls, *, max_bytes: int | None = None) -> Transfer:
        """Make one from variables of the environment.

        ``CORPUSCLE_CACHE`` (folder), ``CORPUSCLE_CACHE_BYTES``, ``CORPUSCLE_MAX_BYTES``,
        ``CORPUSCLE_JOBS``, ``CORPUSCLE_BUDGET_S``, ``CORPUSCLE_VERIFY_CACHE`` (1: hash files of
        the cache before they are used), ``CORPUSCLE_GCS_PROJECT`` (who pays for requester-pays
        buckets of Google), ``CORPUSCLE_S3_REQUESTER_PAYS`` (1: the account of the credentials
        pays). Credentials and endpoints are read from the variables of AWS (``AWS_…``) and
        Google (``GOOGLE_APPLICATION_CREDENTIALS``, ``STORAGE_EMULATOR_HOST``).

        Parameters
        ----------
        max_bytes
            In place of ``CORPUSCLE_MAX_BYTES``, where a smaller limit makes sense.

        Raises
        ------
        InputError
            If one of them is no number.
        """
        folder = os.environ.get("CORPUSCLE_CACHE")
        return cls(
            cache=Path(folder).expanduser() / "files" if folder else None,
            cache_bytes=integer("CORPUSCLE_CACHE_BYTES", CACHE_BYTES),
            max_bytes=max_bytes or integer("CORPUSCLE_MAX_BYTES", MAX_BYTES),
            jobs=integer("CORPUSCLE_JOBS", 4),
            budget_s=integer("CORPUSCLE_BUDGET_S", BUDGET_S),
            options=TransferOptions(
                verify_cached=switch("CORPUSCLE_VERIFY_CACHE"),
                gcs_project=os.environ.get(GCS_PROJECT, ""),
                s3_requester_pays=switch(S3_REQUESTER_PAYS),
            ),
        )

    @contextlib.contextmanager
    def fetch(
        self,
        files: Sequence[RemoteFile],
        *,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> Iterator[list[Fetched]]:
        """Bring files here; they stay at least until the context ends.

        What the cache has in the version that the server has is not fetched again, and what an
        earlier attempt left is gone on with. Local files are given as they are.

        Parameters
        ----------
        files
            What to fetch.
        on_progress
            Called in this thread with the bytes that are here and the bytes in all, or None
            while they are not known.

        Yields
        ------
        In the order of `files`.

        Raises
        ------
        NotFoundError
            If a server does not have a file.
        TransferError
            If a file cannot be read, is too large, does not fit on the disk, or the budget is
            spent. What came stays, and the next call goes on from there.
        IntegrityError
            If size or checksum are not those that are stated.
        InputError
            If a URL or a checksum is none.
        """
        for file in files:
            scheme_of(file.url)
            if file.checksum:
                parse(file.checksum)
        stop, done = threading.Event(), [0] * len(files)
        sizes = [file.size for file in files]

        def one(number: int, cache: Cache | None, session: str) -> Fetched:
            file, tick, expect = (
                files[number],
                partial(done.__setitem__, number),
                partial(sizes.__setitem__, number),
            )
            if cache is None or scheme_of(file.url) == "file":
                local = _local.fetch(file)
                expect(local.size)
                tick(local.size)
                return local
            return self._remote(file, cache, session, stop, tick, expect)

        def beat() -> None:
            if on_progress is not None:
                known = [size for size in sizes if size is not None]
                on_progress(sum(done), sum(known) if len(known) == len(sizes) else None)

        remote = any(scheme_of(file.url) != "file" for file in files)
        cache = self._cache() if remote else None
        with cache.session() if cache else contextlib.nullcontext("") as session:
            tasks = [partial(one, number, cache, session) for number in range(len(files))]
            yield run_all(tasks, jobs=self._jobs, stop=stop, beat=beat)

    @contextlib.contextmanager
    def make(
        self, file: RemoteFile, write: Callable[[Path], None], *, version: str
    ) -> Iterator[Fetched]:
        """Keep a file in the cache that is written here, from what is at its URL.

        Parameters
        ----------
        file
            The URL, and the name of the file.
        write
            Called with the path to write to, if the cache does not have the file.
        version
            Another one whenever the content is another.

        Yields
        ------
        The file, which stays at least until the context ends.
        """
        key, cache = identity(f"{file.url}#{file.name}"), self._cache()
        with cache.session() as session:
            with cache.writing(key, threading.Event()) as path:
                entry = cache.get(key, version, name=file.name, session=session)
                if entry is None:
                    cache.make_room(0)
                    write(path)
                    entry = cache.add(
                        key,
                        version,
                        part=path,
                        name=file.name,
                        hash_=content_hash(path),
                        checksum="",
                        session=session,
                    )
            yield Fetched(
                path=entry.path, file=file, size=entry.size, version=version, hash=entry.hash
            )

    def stat(self, url: str) -> Stat:
        """Describe a file.

        Raises
        ------
        NotFoundError, TransferError, InputError
            As `fetch`.
        """
        scheme = scheme_of(url)
        if scheme == "file":
            return _local.stat(url)
        store = self._store(scheme)
        return self._patience().spend(public_url(url), lambda: store.find(url)).stat

    def list(self, url: str) -> list[Stat]:
        """Describe the files below a prefix of S3 or GCS, or in a folder, sorted by URL.

        Raises
        ------
        NotFoundError, TransferError, InputError
            As `fetch`; InputError also for http, which has no lists.
        """
        scheme = scheme_of(url)
        if scheme == "file":
            return _local.list_files(url)
        store = self._store(scheme)
        return self._patience().spend(public_url(url), lambda: store.list(url))

    def read_bytes(
        self, url: str, *, max_bytes: int, params: Mapping[str, str] | None = None
    ) -> bytes:
        """Read a small document, which is not kept.

        Parameters
        ----------
        max_bytes
            A larger one is refused.
        params
            Query of an http URL.

        Raises
        ------
        NotFoundError, TransferError, InputError
            As `fetch`.
        """
        shown, scheme = public_url(url), scheme_of(url)

        def too_large() -> TransferError:
            msg = f"{shown} is larger than {max_bytes:,} bytes. Check the URL."
            return TransferError(msg, {"url": shown, "max_bytes": max_bytes})

        def take(response: httpx.Response) -> bytes:
            if error := of_status(response.status_code, shown, scheme, response.headers):
                raise error
            check_encoding(response.headers, shown)
            read = bytearray()
            for chunk in response.iter_raw():
                read += chunk
                if len(read) > max_bytes:
                    raise too_large()
            return bytes(read)

        query = params if scheme == "http" else None  # nothing is added to what is signed

        def ask() -> bytes:
            request = store.request(url, "")
            return self._http().ask(request.url, take, headers=request.headers, params=query)

        if scheme == "file":
            if (_local.stat(url).size or 0) > max_bytes:
                raise too_large()
            return local_path(url).read_bytes()
        store = self._store(scheme)
        return self._patience().spend(shown, ask)

    def _remote(
        self,
        file: RemoteFile,
        cache: Cache,
        session: str,
        stop: threading.Event,
        tick: Callable[[int], None],
        expect: Callable[[int | None], None],
    ) -> Fetched:
        scheme, shown = scheme_of(file.url), public_url(file.url)
        store, patience = self._store(scheme), self._patience(stop)
        name = safe_name(file.name) if file.name else default_name(file.url)
        key = identity(file.url)
        with cache.writing(key, stop) as path:
            found = patience.spend(shown, lambda: store.find(file.url))
            version = found.stat.version
            entry = cache.get(
                key, version, name=name, session=session, verify=self._options.verify_cached
            )
            if entry is None:
                size = found.stat.size if file.size is None else file.size
                expect(size)
                digests = Digests()
                part = Part(path, digests)
                cache.make_room(max(0, (size or 0) - part.left_over()))
                download = Download(
                    file=file,
                    found=found,
                    store=store,
                    http=self._http(),
                    part=part,
                    digests=digests,
                    max_bytes=self._max_bytes,
                    stop=stop,
                    tick=tick,
                )
                version = download.run(patience).version
                entry = cache.add(
                    key,
                    version,
                    part=path,
                    name=name,
                    hash_=digests.content_hash,
                    checksum=file.checksum or "",
                    session=session,
                )
            else:
                check_entry(entry, file, shown)
        expect(entry.size)
        tick(entry.size)
        return Fetched(
            path=entry.path, file=file, size=entry.size, version=version, hash=entry.hash
        )

    def _patience(self, stop: threading.Event | None = None) -> Patience:
        return Patience(
            options=self._options, budget_s=self._budget_s, stop=stop or threading.Event()
        )

    def _cache(self) -> Cache:
        import platformdirs

        folder = self._folder or Path(platformdirs.user_cache_dir("corpuscle")) / "files"
        return Cache(folder, max_bytes=self._cache_bytes)

    def _http(self) -> Http:
        from ._http import Http

        with self._lock:
            if self._http_ is None:
                self._http_ = Http(self._options)
                weakref.finalize(self, self._http_.close)
            return self._http_

    def _store(self, scheme: str) -> Store:
        from ._stores import GcsStore, S3Store, WebStore

        with self._lock:
            if scheme not in self._stores:
                http = self._http()  # first: it silences the loggers of the others too
                made: dict[str, Callable[[], Store]] = {
                    "http": lambda: WebStore(http),
                    "s3": lambda: S3Store(self._options),
                    "gs": lambda: GcsStore(self._options),
                }
                self._stores[scheme] = made[scheme]()
            return self._stores[scheme]
