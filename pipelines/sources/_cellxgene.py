"""Single datasets of CELLxGENE, from the Discover Curation API."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from ...curation import open_source
from ...errors import InputError, SchemaError
from ._interface import Source, SourceDataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...curation import SourceFile
    from ..transfer import Transfer
    from ._wanted import Wanted

API = "https://api.cellxgene.cziscience.com/curation/v1"
MAX_DOCUMENT = 256 * 2**20
"""Bytes of a document. The list of all public datasets was some tens of MB in 2026."""


class CellxGene(Source):
    """Datasets of CELLxGENE Discover: all that are public, or those of a collection.

    In a mirror, the endpoint ``datasets`` is the document ``datasets.json``, and so on; over HTTP
    it is asked for without the ending. URLs of files without a scheme are relative to the mirror.
    """

    name = "cellxgene"
    title = "CELLxGENE Discover"
    licence = "CC BY 4.0"
    citation = (
        "CZI Cell Science Program et al., CZ CELLxGENE Discover, Nucleic Acids Res. 53:D886 (2025); "
        "and the citation of each dataset"
    )
    homepage = "https://cellxgene.cziscience.com"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "collection": (),
        "dataset_version": (),
        "versions": ("latest", "all"),
    }

    def __init__(
        self,
        transfer: Transfer,
        *,
        release: str | None = None,
        at: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(transfer, release=release, at=at or API, options=options)
        given = {name: self.options[name] for name in ("collection", "dataset_version")}
        for name, value in given.items():
            if value and not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", value):
                msg = f"{name}={value} is no id of {self.title}. Copy it from {self.homepage}."
                raise InputError(msg, {"source": self.name, "option": f"{name}={value}"})
        if given["dataset_version"] and (given["collection"] or self.options["versions"] == "all"):
            msg = "dataset_version names one version: leave out collection and versions=all."
            raise InputError(msg, {"source": self.name, "options": dict(self.options)})

    def datasets(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """List the datasets by id; with ``versions=all`` every version of each, the oldest first.

        Raises
        ------
        TransferError
            If the API cannot be reached.
        SchemaError
            If its documents are not as documented.
        """
        if version := self.options["dataset_version"]:
            found = self._listed([self._document(f"dataset_versions/{version}", dict)], version)
        elif collection := self.options["collection"]:
            found = self._of_collection(collection)
        else:
            found = self._listed(self._document("datasets", list), "datasets")
        for dataset in sorted(found, key=lambda dataset: dataset.id):
            for version_of_it in self._versions(dataset, wanted):
                if wanted.has(version_of_it):
                    yield version_of_it

    def _of_collection(self, collection: str) -> list[SourceDataset]:
        from ._cellxgene_records import in_collection

        endpoint = f"collections/{collection}"
        document = self._document(endpoint, dict)
        records = document.get("datasets")
        if not isinstance(records, list):
            raise self._unlike(endpoint, f"datasets is {_name(records)}, not a list")
        return self._listed([in_collection(record, document) for record in records], endpoint)

    def _versions(self, dataset: SourceDataset, wanted: Wanted) -> list[SourceDataset]:
        is_latest = self.options["versions"] == "latest"
        if is_latest or dataset.skip or not wanted.has_id(dataset.id):
            return [dataset]
        endpoint = f"datasets/{dataset.id}/versions"
        found = self._listed(self._document(endpoint, list), endpoint, of=dataset.id)
        return found[::-1]  # they come with the newest first

    def _listed(self, records: list[Any], endpoint: str, of: str = "") -> list[SourceDataset]:
        """Check and turn records into datasets; of one dataset there is one, or all versions."""
        from ._cellxgene_records import dataset_of

        at = str(self.at)
        found = [
            dataset_of(record, at=at, where=f"{at}/{endpoint}[{place}]")
            for place, record in enumerate(records)
        ]
        seen: set[str] = set()
        for dataset in found:
            name = dataset.version if of else dataset.id
            if name in seen or (of and dataset.id != of):
                raise self._unlike(endpoint, f"{name!r} comes twice, or is of another dataset")
            seen.add(name)
        return found

    def _document(self, endpoint: str, kind: type) -> Any:
        is_api = str(self.at).startswith(("http://", "https://"))
        url = f"{self.at}/{endpoint}" if is_api else f"{self.at}/{endpoint}.json"
        text = self.transfer.read_bytes(url, max_bytes=MAX_DOCUMENT)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._unlike(endpoint, f"it is no JSON: {error}") from error
        if not isinstance(document, kind):
            raise self._unlike(endpoint, f"it is {_name(document)}, not {kind.__name__}")
        return document

    def _unlike(self, endpoint: str, what: str) -> SchemaError:
        msg = (
            f"{self.at}/{endpoint} is not what the Curation API gives: {what}. "
            "Check the address of the mirror, or try again later."
        )
        return SchemaError(msg, {"source": self.name, "file": f"{self.at}/{endpoint}"})

    @staticmethod
    def open(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
        """Open a dataset of schema 2.0 to 7.1 and compare it with its record.

        Raises
        ------
        SchemaError
            If the file is not the one of the record, or not as its schema says.
        """
        from ._cellxgene_schema import with_facts

        file = open_source(paths[0])
        try:
            return with_facts(file, dataset)
        except BaseException:
            file.__exit__()
            raise


def _name(value: object) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"
