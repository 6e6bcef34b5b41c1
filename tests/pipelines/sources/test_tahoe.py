"""Tahoe-100M through the interface of all sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from corpuscle.pipelines.examples._tahoe import SHARDS, write_tahoe, write_tahoe_shards

from .conformance import Conformance

if TYPE_CHECKING:
    from pathlib import Path

    from corpuscle.pipelines.sources import Source


class TestPlates(Conformance):
    name = "tahoe"
    write = staticmethod(write_tahoe)


class TestShards(Conformance):
    name = "tahoe"
    options: ClassVar[dict[str, str]] = {"form": "parquet"}
    write = staticmethod(write_tahoe_shards)

    def make(self, at: str, cache: Path, **changes: Any) -> Source:
        return super().make(f"{at}/{SHARDS}", cache, **changes)
