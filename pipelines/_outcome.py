"""What became of a dataset, and what is told meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .transfer import public_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import CorpuscleError
    from .sources import SourceDataset

Status = Literal["new", "revised", "unchanged", "refused", "skipped", "planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one dataset."""

    source: str
    """Path or URL of its data."""
    dataset: str
    """Name of the dataset."""
    status: Status
    version: str = ""
    """Version of the curated dataset."""
    uid: str = ""
    """Its identifier in the registry."""
    report: dict[str, Any] | None = None
    """What curation did, see `CurationReport`."""
    error: dict[str, Any] | None = None
    """Why it was refused or skipped: ``kind``, ``message``, ``details``."""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is told while datasets are ingested."""

    start: Callable[[int, int, str], None] | None = None
    """Before each dataset: its number, how many there are, its name."""
    cells: Callable[[int, int], None] | None = None
    """Cells done and cells in all of the dataset at hand."""
    bytes: Callable[[int, int | None], None] | None = None
    """Bytes fetched and bytes in all of the dataset at hand."""


def outcome_of(dataset: SourceDataset, status: Status, **facts: Any) -> Outcome:
    """Say what became of a dataset."""
    where = public_url(dataset.files[0].url) if dataset.files else dataset.id
    return Outcome(source=where, dataset=dataset.key, status=status, **facts)


def reason_of(error: CorpuscleError) -> dict[str, Any]:
    """Give an error the form of `Outcome.error`."""
    return {"kind": error.kind, "message": error.message, "details": error.details}
