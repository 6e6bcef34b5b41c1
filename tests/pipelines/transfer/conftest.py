"""Servers, and a transfer that does not wait for long."""

from __future__ import annotations

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


Make = "Callable[..., Transfer]"


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
