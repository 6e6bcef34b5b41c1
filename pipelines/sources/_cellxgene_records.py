"""Records of the Discover Curation API: checked, and turned into datasets."""

from __future__ import annotations

import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import NotFoundError, SchemaError
from ...ontologies import get_organism
from ...ontologies.ids import normal_id
from ...ontologies.terms import current_id
from ..transfer import RemoteFile
from ._interface import SourceDataset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LICENCE = "CC BY 4.0"
NEWEST_SCHEMA = (7, 1)
"""The newest that these adapters were written for; a later minor version only adds."""
FIELDS = (
    "assay",
    "cell_type",
    "development_stage",
    "disease",
    "self_reported_ethnicity",
    "sex",
    "tissue",
)
OF_COLLECTION = {
    "collection_id": "collection_id",
    "collection_version_id": "collection_version_id",
    "collection_name": "name",
    "collection_doi": "doi",
    "published_at": "published_at",
    "revised_at": "revised_at",
    "visibility": "visibility",
}
"""What a dataset inside the document of a collection leaves to the collection, and its name there."""

Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$")]
Date = Annotated[datetime.datetime | None, Field(strict=False)]


class Term(BaseModel):
    """A label of the dataset."""

    model_config = ConfigDict(strict=True)
    ontology_term_id: str
    label: str | None = None
    tissue_type: str | None = None


class Asset(BaseModel):
    """A file of the dataset."""

    model_config = ConfigDict(strict=True)
    filetype: str
    url: str
    filesize: int | None = None


class Record(BaseModel):
    """A version of a dataset. Keys that are not named here are of no concern."""

    model_config = ConfigDict(strict=True)
    dataset_id: Id
    dataset_version_id: Id
    collection_id: Id
    collection_version_id: Id | None = None
    collection_name: str | None = None
    collection_doi: str | None = None
    title: str | None = None
    citation: str | None = None
    schema_version: Annotated[str, Field(pattern=r"^\d+\.\d+(\.\d+)?$")]
    cell_count: Annotated[int, Field(ge=0)] | None = None
    primary_cell_count: int | None = None
    published_at: Date = None
    revised_at: Date = None
    processing_status: str | None = None
    tombstone: bool | None = None
    visibility: str | None = None
    is_pre_analysis: bool | None = None
    is_primary_data: list[bool] | None = None
    raw_data_location: Annotated[str, Field(pattern=r"^(raw\.)?X$")] | None = None
    organism: list[Term] | None = None
    assay: list[Term] | None = None
    cell_type: list[Term] | None = None
    development_stage: list[Term] | None = None
    disease: list[Term] | None = None
    self_reported_ethnicity: list[Term] | None = None
    sex: list[Term] | None = None
    tissue: list[Term] | None = None
    assets: list[Asset] | None = None


def in_collection(dataset: Any, collection: Mapping[str, Any]) -> Any:
    """Complete the record of a dataset with what its collection says of all of them."""
    if not isinstance(dataset, dict):
        return dataset
    inherited = {name: collection.get(key) for name, key in OF_COLLECTION.items()}
    stated = {name: value for name, value in dataset.items() if value is not None}
    return {**inherited, **stated}


def dataset_of(raw: Any, *, at: str, where: str) -> SourceDataset:
    """Turn a record into a dataset. One that is malformed is listed, with the reason to skip it.

    Parameters
    ----------
    raw
        As the API gives it.
    at
        Base of the API: URLs without a scheme are relative to it.
    where
        The document and the place in it, for messages.

    Raises
    ------
    SchemaError
        If it has no usable ids.
    """
    try:
        record = Record.model_validate(raw)
    except ValidationError as error:
        return _malformed(raw, error, where)
    assets = record.assets or []
    found = [asset for asset in assets if asset.filetype == "H5AD"]
    others = sorted(asset.filetype for asset in assets if asset.filetype != "H5AD")
    skip = _reason(record, found, others)
    files: tuple[RemoteFile, ...] = ()
    if not skip:
        url = _address(found[0].url, at)
        skip = "" if url else f"its file {found[0].url!r} is neither https nor inside the mirror"
        size = found[0].filesize
        name = f"{record.dataset_version_id}.h5ad"
        known = size if size is not None and size > 0 else None
        files = () if skip else (RemoteFile(url=url, name=name, size=known),)
    released = record.revised_at or record.published_at
    return SourceDataset(
        source="cellxgene",
        id=record.dataset_id,
        key=f"cellxgene/{record.dataset_id}",
        version=record.dataset_version_id,
        title=record.title or f"Dataset {record.dataset_id}",
        files=files,
        licence=LICENCE,
        citation=record.citation or _citation(record),
        n_cells=record.cell_count,
        released=None if released is None else released.date(),
        terms=_terms(record),
        aliases=(
            f"cellxgene:dataset:{record.dataset_id}",
            f"cellxgene:collection:{record.collection_id}",
        ),
        skip=skip,
        extra={
            "collection_id": record.collection_id,
            "collection_version_id": record.collection_version_id,
            "schema_version": record.schema_version,
            "raw_data_location": record.raw_data_location,
            "is_primary_data": sorted(record.is_primary_data or []),
            "primary_cell_count": record.primary_cell_count,
            "is_pre_analysis": record.is_pre_analysis,
            "assets_left_out": others,
        },
    )


def _malformed(raw: Any, error: ValidationError, where: str) -> SourceDataset:
    problems = [
        f"{'.'.join(map(str, problem['loc'])) or 'the record'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    ids = raw if isinstance(raw, dict) else {}
    if any(problem.startswith(("dataset_", "the record")) for problem in problems):
        msg = (
            f"{where} is no record of a dataset: {'; '.join(problems[:5])}. The API is not what "
            "it was, or the mirror is damaged: compare it with the publisher's documentation."
        )
        raise SchemaError(msg, {"file": where, "problems": problems})
    return SourceDataset(
        source="cellxgene",
        id=ids["dataset_id"],
        key=f"cellxgene/{ids['dataset_id']}",
        version=ids["dataset_version_id"],
        title=str(ids.get("title") or ids["dataset_id"]),
        files=(),
        licence=LICENCE,
        citation=str(ids.get("citation") or "not stated"),
        terms={"organism": ()},
        skip=f"its record is malformed: {'; '.join(problems[:5])}",
    )


def _reason(record: Record, found: list[Asset], others: list[str]) -> str:
    """Say why a dataset is not to be ingested."""
    major, minor = map(int, record.schema_version.split(".")[:2])
    if record.tombstone:
        return "withdrawn by its publisher (tombstone)"
    if record.visibility not in {None, "PUBLIC"}:
        return f"not public (visibility {record.visibility})"
    if record.processing_status not in {None, "SUCCESS"}:
        return f"not whole at its publisher (processing_status {record.processing_status})"
    if not 2 <= major <= NEWEST_SCHEMA[0]:
        newest = ".".join(map(str, NEWEST_SCHEMA))
        return f"of schema {major}.{minor}, and 2.0 to {newest} are known here"
    if len(found) != 1:
        rest = f" (it has {', '.join(others)})" if others else ""
        return f"{len(found) or 'no'} H5AD assets in place of one{rest}"
    return "without cells" if record.cell_count == 0 else ""


def _address(url: str, at: str) -> str:
    """Give the URL of an asset; empty if it leads elsewhere than to the web or into the mirror."""
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"}:
        return url
    path = PurePosixPath(parts.path)
    is_inside = parts.path and not path.is_absolute() and ".." not in path.parts
    is_plain = not parts.scheme and not parts.netloc and "\\" not in url
    return f"{at}/{url}" if is_inside and is_plain else ""


def _citation(record: Record) -> str:
    names = (record.collection_name, record.title, record.collection_doi)
    parts = [part for part in names if part] or [record.dataset_id]
    return f"{'. '.join(parts)} (the record states no citation: made of names and DOI)"


def _terms(record: Record) -> dict[str, tuple[str, ...]]:
    """By field, the terms in use today."""
    organisms = {_species(term.ontology_term_id) for term in record.organism or []}
    found = {"organism": tuple(sorted(organisms))}
    for name in FIELDS:
        ids = {term.ontology_term_id for term in getattr(record, name) or []}
        found[name] = tuple(sorted({i for text in ids for i in _current(text)}))
    stated = {term.tissue_type or _kind(term.ontology_term_id) for term in record.tissue or []}
    kinds = {"primary cell culture" if kind == "cell culture" else kind for kind in stated}
    found["tissue_type"] = tuple(sorted(kinds))
    return found


def _kind(text: str) -> str:
    """Tell the tissue type until schema 4, from the suffix."""
    return next((kind for kind in ("cell culture", "organoid") if f"({kind})" in text), "tissue")


def _species(taxon: str) -> str:
    try:
        return get_organism(taxon).taxon_id
    except NotFoundError:
        return taxon


def _current(text: str) -> Iterable[str]:
    """Take joined ids and suffixes apart; words such as `unknown` are no terms."""
    for part in text.replace("||", ",").split(","):
        if (term := normal_id(part.partition(" (")[0])) is not None:
            yield current_id(term) or term
