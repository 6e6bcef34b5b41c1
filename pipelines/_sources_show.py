"""Sources and what they offer, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from ..ontologies import get_organism
from ._show import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from .sources import Source, SourceDataset

MOST = 50
"""Datasets in a table for people; ``--json`` has all."""


def source_facts(source: type[Source]) -> dict[str, Any]:
    """Say what a source is; JSON-serialisable."""
    return {
        "name": source.name,
        "title": source.title,
        "releases": list(source.releases),
        "choices": {name: list(values) for name, values in source.choices.items()},
        "licence": source.licence,
        "citation": source.citation,
        "homepage": source.homepage,
    }


def sources_view(facts: Sequence[dict[str, Any]]) -> RenderableType:
    """List the sources."""
    rows = [
        (
            fact["name"],
            fact["title"],
            ", ".join(fact["releases"]) or "-",
            "; ".join(f"{n}={'|'.join(v) or 'TEXT'}" for n, v in fact["choices"].items()) or "-",
            fact["licence"],
        )
        for fact in facts
    ]
    view = table("Sources", ("source", "what", "releases", "choices", "licence"), rows)
    for column in view.columns:
        column.no_wrap = False
    return Group(view, Text("next: corpuscle sources SOURCE; corpuscle ingest SOURCE --dry-run"))


def datasets_view(source: Source, datasets: Sequence[SourceDataset]) -> RenderableType:
    """List the datasets of a source, and why some are not to be ingested."""
    rows = [
        (
            escape(dataset.id),
            dataset.version,
            ", ".join(get_organism(t).common for t in dataset.terms.get("organism", ())) or "?",
            "?" if dataset.n_cells is None else f"{dataset.n_cells:,}",
            "?" if dataset.size is None else size(dataset.size),
            escape(dataset.title)
            if not dataset.skip
            else f"[dim]skipped: {escape(dataset.skip)}[/]",
        )
        for dataset in datasets[:MOST]
    ]
    columns = ("id", "version", "organism", "cells", "size", "title")
    view = table(f"{source.title} {source.release}", columns, rows, numeric=columns[3:5])
    view.columns[-1].no_wrap = False
    n_cells = sum(dataset.n_cells or 0 for dataset in datasets if not dataset.skip)
    n_skipped = sum(bool(dataset.skip) for dataset in datasets)
    more = f", the first {MOST} shown (--json has all)" if len(datasets) > MOST else ""
    total = f"{len(datasets):,} datasets{more}, {n_skipped:,} of them skipped; {n_cells:,} cells"
    return Group(view, Text(total), Text(f"licence: {source.licence}\ncite: {source.citation}"))


def size(n_bytes: int) -> str:
    """Write a number of bytes for people."""
    from rich.filesize import decimal

    return decimal(n_bytes)
