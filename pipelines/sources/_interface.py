"""What every source of datasets can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import InputError, NotFoundError
from ..transfer import public_url

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ...curation import SourceFile
    from ..transfer import Fetched, RemoteFile, Transfer
    from ._wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDataset:
    """A dataset that a source offers."""

    source: str
    """Name of the source."""
    id: str
    """What the source calls it, in every version."""
    key: str
    """Name of the dataset in the registry, ``SOURCE/ID``."""
    version: str
    """Version that the source gives it; changes whenever its content may have."""
    title: str
    files: tuple[RemoteFile, ...]
    """What to fetch, the data first."""
    licence: str
    citation: str
    """What the licence or the publisher asks to cite."""
    n_cells: int | None = None
    released: datetime.date | None = None
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By field: all the term ids that its cells are known to have, before reading."""
    links: tuple[str, ...] = ()
    """Names of datasets and collections whose cells it says it repeats: see `aliases`."""
    aliases: tuple[str, ...] = ()
    """Names of it and of what holds it: ``cellxgene:dataset:UUID``, ``cellxgene:collection:UUID``."""
    skip: str = ""
    """Why it is not to be ingested; empty if it is."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else the adapter needs to open it: JSON-serialisable."""

    @property
    def size(self) -> int | None:
        """Bytes of all files, where the source tells them."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "source": self.source,
            "id": self.id,
            "key": self.key,
            "version": self.version,
            "title": self.title,
            "urls": [public_url(file.url) for file in self.files],
            "size": self.size,
            "n_cells": self.n_cells,
            "licence": self.licence,
            "citation": self.citation,
            "released": None if self.released is None else self.released.isoformat(),
            "terms": {name: list(terms) for name, terms in self.terms.items()},
            "links": list(self.links),
            "aliases": list(self.aliases),
            "skip": self.skip,
        }


class Source(ABC):
    """A publisher of datasets.

    Parameters
    ----------
    transfer
        What fetches files.
    release
        One of `releases`; the first by default.
    at
        Base URL or folder of a mirror, laid out as the publisher's. The publisher's by default.
    options
        Choices of this source, see `choices`.

    Raises
    ------
    InputError
        If there is no such choice.
    NotFoundError
        If there is no such release.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    homepage: ClassVar[str]
    releases: ClassVar[tuple[str, ...]] = ()
    """The newest first; empty if the source is not released as a whole."""
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Name of each choice, and what it may be: the first is the default; empty if anything."""

    def __init__(
        self,
        transfer: Transfer,
        *,
        release: str | None = None,
        at: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.transfer = transfer
        self.at = None if at is None else at.rstrip("/")
        self.release = self._release(release)
        self.options = self._options(options or {})

    def _release(self, release: str | None) -> str:
        if release is None:
            return self.releases[0] if self.releases else ""
        if release not in self.releases:
            known = ", ".join(self.releases) or "none: it is not released as a whole"
            msg = f"{self.name} has no release {release!r}. Releases: {known}."
            raise NotFoundError(msg, {"source": self.name, "release": release})
        return release

    def _options(self, options: Mapping[str, str]) -> dict[str, str]:
        for name, value in options.items():
            if name not in self.choices or (self.choices[name] and value not in self.choices[name]):
                known = "; ".join(
                    f"{choice}={'|'.join(values) or 'TEXT'}"
                    for choice, values in self.choices.items()
                )
                msg = f"{self.name} has no choice {name}={value}. It has: {known or 'none'}."
                raise InputError(msg, {"source": self.name, "option": f"{name}={value}"})
        defaults = {name: values[0] if values else "" for name, values in self.choices.items()}
        return {**defaults, **options}

    @abstractmethod
    def datasets(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """List what is wanted, in the same order each time.

        What could be wanted and cannot be ingested is listed too, with `SourceDataset.skip`.

        Raises
        ------
        TransferError
            If the source cannot be reached.
        SchemaError
            If its tables are not what they were.
        """

    def fetch(
        self,
        dataset: SourceDataset,
        *,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> AbstractContextManager[Sequence[Fetched]]:
        """Bring the files of a dataset here; they stay until the context is left."""
        return self.transfer.fetch(dataset.files, on_progress=on_progress)

    @staticmethod
    @abstractmethod
    def open(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
        """Open the files of a dataset, without any network.

        Parameters
        ----------
        dataset
            One of `datasets`.
        paths
            Its files, in the order of ``dataset.files``.

        Returns
        -------
        Raw counts in chunks of rows, with obs and var; `SourceFile.facts` is what the source says.

        Raises
        ------
        SchemaError
            If a file is not as the source describes it.
        """
