"""The sources there are."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ...errors import NotFoundError

if TYPE_CHECKING:
    from ._interface import Source

SOURCES: dict[str, str] = {
    "cellxgene": "_cellxgene:CellxGene",
    "local": "_local:LocalSource",
    "scbasecount": "_scbasecount:ScBaseCount",
}
"""Name of each source, and the class: ``module:Class`` of this package."""


def get_source(name: str) -> type[Source]:
    """Give the class of a source.

    Raises
    ------
    NotFoundError
        If there is no such source.
    """
    if name not in SOURCES:
        msg = f"There is no source {name!r}. Sources: {', '.join(SOURCES)}."
        raise NotFoundError(msg, {"source": name})
    module, _, class_name = SOURCES[name].partition(":")
    found: type[Source] = getattr(import_module(f"{__package__}.{module}"), class_name)
    return found
