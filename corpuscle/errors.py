"""What can go wrong, as one tree.

CorpuscleError
├── InputError            the caller's data is wrong           (also ValueError)
│   ├── CountsError       no matrix of the file holds raw counts
│   ├── GeneMappingError  features are not genes we know
│   ├── LabelMappingError labels or their columns cannot be used
│   ├── OrganismError     the organism is not stated, or stated twice
│   ├── QualityError      a dataset is too small or too poor for the rules
│   └── SchemaError       a file does not have the shape it should
├── NotFoundError         no such dataset, corpus, term, file  (also KeyError)
├── IntegrityError        bytes differ from what was recorded
├── ConflictError         somebody or something else is there first
├── CrashError            a process that read a file died, hung, or needed too much memory
└── TransferError         download or upload failed after retries
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ConflictError",
    "CorpuscleError",
    "CountsError",
    "CrashError",
    "GeneMappingError",
    "InputError",
    "IntegrityError",
    "LabelMappingError",
    "NotFoundError",
    "OrganismError",
    "QualityError",
    "SchemaError",
    "TransferError",
]


class CorpuscleError(Exception):
    """Base of every error that Corpuscle raises on purpose.

    Parameters
    ----------
    message
        What was wrong with which value, where, and what to do next.
    details
        The same facts for programs: JSON-serialisable values by name. Empty by default.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message, dict(details or {}))

    @property
    def message(self) -> str:
        """The text without notes."""
        return str(self.args[0])

    @property
    def details(self) -> dict[str, object]:
        """Facts for programs."""
        return dict(self.args[1])

    def __str__(self) -> str:
        return self.message


class InputError(CorpuscleError, ValueError):
    """The caller's data is wrong."""

    kind = "input"


class CountsError(InputError):
    """No matrix of the file holds raw counts."""

    kind = "counts"


class GeneMappingError(InputError):
    """Features are not genes we know."""

    kind = "genes"


class LabelMappingError(InputError):
    """Labels or their columns cannot be used."""

    kind = "labels"


class OrganismError(InputError):
    """The organism is not stated, or stated twice."""

    kind = "organism"


class QualityError(InputError):
    """A dataset is too small or too poor for the rules."""

    kind = "quality"


class SchemaError(InputError):
    """A file does not have the shape it should."""

    kind = "schema"


class NotFoundError(CorpuscleError, KeyError):
    """There is no such dataset, corpus, term or file."""

    kind = "not_found"


class IntegrityError(CorpuscleError):
    """Bytes differ from what was recorded."""

    kind = "integrity"


class ConflictError(CorpuscleError):
    """Somebody or something else is there first."""

    kind = "conflict"


class CrashError(CorpuscleError, RuntimeError):
    """A process that read a file died, hung, or needed too much memory."""

    kind = "crash"


class TransferError(CorpuscleError, OSError):
    """A download or upload failed after its retries."""

    kind = "transfer"
