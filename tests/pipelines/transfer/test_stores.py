"""Objects of S3 and of Google Cloud Storage."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from corpuscle.errors import IntegrityError, NotFoundError, TransferError
from corpuscle.pipelines.transfer import RemoteFile, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .servers import GcsObject, GcsServer, Server

CONTENT = np.random.default_rng(0).bytes(3_000_000)


def get(transfer: Transfer, url: str, **facts: Any) -> bytes:
    with transfer.fetch([RemoteFile(url=url, **facts)]) as (fetched,):
        return fetched.path.read_bytes()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Client of whoever publishes on a server of S3; we are told where it is, and no more."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="publisher",
        aws_secret_access_key="publisher",
    )
    client.create_bucket(Bucket="atlas")
    yield client
    for bucket in client.list_buckets()["Buckets"]:
        for item in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            client.delete_object(Bucket=bucket["Name"], Key=item["Key"])
        client.delete_bucket(Bucket=bucket["Name"])
    client.close()
    server.stop()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")


@pytest.mark.parametrize("signed", [False, True], ids=["anonymous", "signed"])
def test_an_object_of_s3_arrives(
    s3: Any, transfer: Transfer, signed: bool, request: pytest.FixtureRequest
) -> None:
    if signed:
        request.getfixturevalue("account")
    s3.put_object(Bucket="atlas", Key="x/a b+c#?.h5ad", Body=CONTENT, ACL="public-read")
    url = "s3://atlas/x/a b+c#?.h5ad"
    found = transfer.stat(url)
    assert (found.url, found.size, len(found.version)) == (url, len(CONTENT), 32)
    assert get(transfer, url) == CONTENT


def test_files_below_a_prefix_of_s3_are_listed(s3: Any, transfer: Transfer) -> None:
    for key in ("x/b", "x/y/a", "x/", "z/c"):
        s3.put_object(Bucket="atlas", Key=key, Body=b"abc", ACL="public-read")
    found = transfer.list("s3://atlas/x/")
    assert [f.url for f in found] == ["s3://atlas/x/b", "s3://atlas/x/y/a"]
    assert {(f.size, f.version) for f in found} == {(3, "900150983cd24fb0d6963f7d28e17f72")}


def test_an_object_of_s3_that_changed_is_begun_again(
    s3: Any, make: Callable[..., Transfer], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corpuscle.pipelines.transfer._stores import S3Store

    s3.put_object(Bucket="atlas", Key="a", Body=CONTENT, ACL="public-read")
    found = S3Store.find

    def change_after(self: S3Store, url: str) -> Any:
        """Change the object between the question and the download."""
        monkeypatch.setattr(S3Store, "find", found)
        before = found(self, url)
        s3.put_object(Bucket="atlas", Key="a", Body=CONTENT[::-1], ACL="public-read")
        return before

    monkeypatch.setattr(S3Store, "find", change_after)
    assert get(make(), "s3://atlas/a") == CONTENT[::-1]


def test_an_object_of_s3_that_is_not_there_is_told(s3: Any, transfer: Transfer) -> None:
    with pytest.raises(NotFoundError, match="s3://atlas/none"):
        get(transfer, "s3://atlas/none")
    with pytest.raises(NotFoundError, match="s3://nowhere/none"):
        transfer.stat("s3://nowhere/none")


def test_a_bucket_of_s3_whose_readers_pay_says_what_to_set(
    web: Server, transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", web.url)
    web.put("atlas/a", b"abc", head=403)
    with pytest.raises(TransferError, match=r"CORPUSCLE_S3_REQUESTER_PAYS=1.*AWS_ACCESS_KEY_ID"):
        get(transfer, "s3://atlas/a")


def test_requests_of_those_who_pay_say_so(
    s3: Any, account: None, make: Callable[..., Transfer]
) -> None:
    from corpuscle.pipelines.transfer._stores import S3Store
    from corpuscle.pipelines.transfer._values import TransferOptions

    s3.put_object(Bucket="atlas", Key="a", Body=CONTENT, ACL="public-read")
    assert get(make(s3_requester_pays=True), "s3://atlas/a") == CONTENT
    request = S3Store(TransferOptions(s3_requester_pays=True)).request("s3://atlas/a", "v")
    assert request.headers == {"x-amz-request-payer": "requester", "If-Match": '"v"'}
    assert "X-Amz-Signature=" in request.url
    assert request.url not in repr(request)


def test_the_md5_of_a_simple_object_is_compared_and_that_of_parts_is_none(
    s3: Any, transfer: Transfer
) -> None:
    upload = s3.create_multipart_upload(Bucket="atlas", Key="a", ACL="public-read")["UploadId"]
    pieces = [CONTENT[:0] + b"x" * 5 * 2**20, b"rest"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket="atlas", Key="a", UploadId=upload, PartNumber=number, Body=piece
            )["ETag"],
        }
        for number, piece in enumerate(pieces, 1)
    ]
    s3.complete_multipart_upload(
        Bucket="atlas", Key="a", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert transfer.stat("s3://atlas/a").version.endswith("-2")
    assert get(transfer, "s3://atlas/a") == b"".join(pieces)


@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_a_damaged_beginning_of_an_object_is_found_by_the_checksum_of_the_store(
    kind: str, make: Callable[..., Transfer], cache: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "s3":
        request.getfixturevalue("s3").put_object(Bucket="atlas", Key="a", Body=CONTENT)
        request.getfixturevalue("account")
    else:
        request.getfixturevalue("gcs").put_object("atlas", "a", CONTENT, pause_s=0.001)
    url = f"{kind}://atlas/a"
    note = cache / "parts"
    transfer = make()
    version = transfer.stat(url).version
    from corpuscle.pipelines.transfer._cache import Cache, _key

    Cache(cache, max_bytes=1)
    (note / f"{_key(url)}.part").write_bytes(b"\0" * 1000)
    facts = {"url": url, "version": version, "size": len(CONTENT)}
    (note / f"{_key(url)}.json").write_text(json.dumps(facts))
    assert get(transfer, url) == CONTENT


def test_an_object_of_gcs_that_is_cut_arrives_once(gcs: GcsServer, transfer: Transfer) -> None:
    cuts = np.random.default_rng(1).integers(0, len(CONTENT) // 60, size=50).tolist()
    page = gcs.put_object("atlas", "x/ä b#1.h5ad", CONTENT, cuts=cuts)
    assert get(transfer, "gs://atlas/x/ä b#1.h5ad") == CONTENT
    assert page.sent == len(CONTENT)
    assert "ifGenerationMatch=1" in page.gets[-1]["path"]


def test_an_object_of_gcs_that_changes_midway_is_begun_again(
    gcs: GcsServer, transfer: Transfer
) -> None:
    def change(page: GcsObject) -> None:
        page.content, page.generation, page.after_cut = CONTENT[::-1], 2, None

    gcs.put_object("atlas", "a", CONTENT, cuts=[1_000_000], after_cut=change)
    with transfer.fetch([RemoteFile(url="gs://atlas/a")]) as (fetched,):
        assert fetched.path.read_bytes() == CONTENT[::-1]
        assert fetched.version == "2"


@pytest.mark.parametrize("multipart", [True, False], ids=["crc32c", "md5 and crc32c"])
def test_bytes_of_gcs_that_are_not_what_it_says_are_refused(
    gcs: GcsServer, transfer: Transfer, cache: Path, multipart: bool
) -> None:
    page = gcs.put_object("atlas", "a", CONTENT, multipart=multipart)

    def flip(page: Any) -> None:
        page.content = b"\0" + CONTENT[1:]

    page.before = flip
    with pytest.raises(IntegrityError, match=r"gs://atlas/a is not what its publisher states"):
        get(transfer, "gs://atlas/a")
    assert list((cache / "parts").iterdir()) == []


def test_files_below_a_prefix_of_gcs_are_listed(gcs: GcsServer, transfer: Transfer) -> None:
    for name in ("x/b", "x/y/a", "x/c", "x/d", "z/c"):
        gcs.put_object("atlas", name, b"abc", generation=7)
    found = transfer.list("gs://atlas/x/")
    assert [f.url for f in found] == [f"gs://atlas/x/{name}" for name in ("b", "c", "d", "y/a")]
    assert {(f.size, f.version) for f in found} == {(3, "7")}


@pytest.mark.parametrize("act", ["stat", "list", "fetch"])
def test_a_bucket_of_gcs_whose_readers_pay_says_what_to_set(
    gcs: GcsServer, transfer: Transfer, act: str
) -> None:
    gcs.put_object("atlas", "x/a", CONTENT)
    gcs.requester_pays.add("atlas")
    acts: dict[str, Callable[[str], object]] = {
        "stat": transfer.stat,
        "list": transfer.list,
        "fetch": partial(get, transfer),
    }
    with pytest.raises(TransferError, match=r"CORPUSCLE_GCS_PROJECT.*GOOGLE_APPLICATION_CREDENTI"):
        acts[act]("gs://atlas/x/a")


def test_a_project_pays(gcs: GcsServer, google_account: str, make: Callable[..., Transfer]) -> None:
    page = gcs.put_object("atlas", "x/a", CONTENT)
    gcs.requester_pays.add("atlas")
    transfer = make(gcs_project="my-project")
    assert [f.url for f in transfer.list("gs://atlas/x")] == ["gs://atlas/x/a"]
    assert get(transfer, "gs://atlas/x/a") == CONTENT
    assert page.gets[-1]["Authorization"] == f"Bearer {google_account}"
    assert "userProject=my-project" in page.gets[-1]["path"]


def test_an_object_of_gcs_that_is_not_there_is_told(gcs: GcsServer, transfer: Transfer) -> None:
    with pytest.raises(NotFoundError, match="gs://atlas/none"):
        get(transfer, "gs://atlas/none")


def test_a_small_object_is_read(gcs: GcsServer, transfer: Transfer) -> None:
    gcs.put_object("atlas", "release.json", b"{}")
    assert transfer.read_bytes("gs://atlas/release.json", max_bytes=99) == b"{}"
