"""Packed corpora: the form that training reads, see ``docs/packed-format.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from ._corpus import PackedCorpus

__all__ = ["PackedCorpus"]

__getattr__, __dir__ = lazy_names(__name__, {"PackedCorpus": "_corpus"})
