"""Curated corpora for single-cell foundation models, with their lineage."""

from __future__ import annotations
