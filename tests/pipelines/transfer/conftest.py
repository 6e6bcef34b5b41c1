"""Servers, and a transfer that does not wait for long."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.pipelines.transfer import Transfer, TransferOptions

from .servers import GcsServer, Server, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORGET = ("AWS_", "GOOGLE_", "STORAGE_", "CORPUSCLE_", "GCSFS_")


@pytest.fixture(autouse=True)
def _no_settings_of_whoever_runs_this(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(FORGET)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def web() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    with running(GcsServer()) as server:
        assert isinstance(server, GcsServer)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def make(cache: Path) -> Callable[..., Transfer]:
    """Make a transfer; unknown options are those of `TransferOptions`."""

    def transfer(**options: Any) -> Transfer:
        own = {
            name: options.pop(name)
            for name in ("cache_bytes", "max_bytes", "jobs", "budget_s")
            if name in options
        }
        quick = {"wait_s": 0.001, "wait_max_s": 0.01, "read_s": 5.0, **options}
        return Transfer(cache=cache, options=TransferOptions(**quick), **own)

    return transfer


@pytest.fixture
def transfer(make: Callable[..., Transfer]) -> Transfer:
    return make()


@pytest.fixture
def google_account(gcs: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Token that the account in the environment gets."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "reader@my-project.example.org",
        "client_id": "1",
        "token_uri": f"{gcs.url}/token",
    }
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    gcs.token = "ya29.t0ken-of-the-account"
    return gcs.token
