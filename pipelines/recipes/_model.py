"""The parts of a recipe. What is not named here is refused."""

from __future__ import annotations

import dataclasses
import datetime  # noqa: TC003 - pydantic reads the annotations
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from blake3 import blake3
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    create_model,
    field_validator,
    model_validator,
)

from ...curation import CurationOptions, QualityRules, StructureOptions
from ...errors import CorpuscleError
from ...loaders import PackOptions
from ...ontologies import FIELDS
from ..sources import SOURCES

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
SPLIT_BY = Literal["donor", "dataset", "tissue", "organism"]


def _words(value: Any) -> Any:
    """Take one word for a list of one."""
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Part(BaseModel):
    """A part of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _part_of(options: type, *, without: tuple[str, ...] = ()) -> Any:
    """Make a part whose keys are the fields of a dataclass."""
    hints = get_type_hints(options, localns=_names())
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        if field.name not in without:
            empty = field.default is dataclasses.MISSING
            default = Field(default_factory=dict) if empty else field.default
            fields[field.name] = (hints[field.name], default)
    return create_model(options.__name__, __base__=Part, **fields)


def _names() -> dict[str, Any]:
    from collections.abc import Mapping

    return {"Mapping": Mapping, "QualityRules": QualityRules, "StructureOptions": StructureOptions}


CurationPart = _part_of(CurationOptions, without=("organism", "quality", "structure"))
QualityPart = _part_of(QualityRules)
StructurePart = _part_of(StructureOptions)


class Policies(Part):
    """How datasets are curated: what is said of a source holds before what is said of all."""

    curation: CurationPart | None = None  # type: ignore[valid-type]  # made of a dataclass
    quality: QualityPart | None = None  # type: ignore[valid-type]  # made of a dataclass
    structure: StructurePart | None = None  # type: ignore[valid-type]  # made of a dataclass

    @field_validator("curation")
    @classmethod
    def _check_fields(cls, value: Any) -> Any:
        for name in () if value is None else (*value.columns, *value.constants):
            if name not in FIELDS:
                msg = f"{name!r} is no field. Fields: {', '.join(FIELDS)}"
                raise ValueError(msg)
        try:
            CurationOptions(**(value.model_dump() if value else {})).check()
        except CorpuscleError as error:
            raise ValueError(error.message) from error
        return value


class SourceEntry(Policies):
    """Datasets of one source."""

    source: str
    release: str | None = None
    mirror: str | None = None
    options: dict[str, str] = {}
    organism: Words = ()
    tissue: Words = ()
    assay: Words = ()
    disease: Words = ()
    ids: Words = ()
    released_before: datetime.date | None = None
    limit: PositiveInt | None = None
    paths: Words = ()

    @field_validator("source")
    @classmethod
    def _check_source(cls, value: str) -> str:
        if value not in SOURCES:
            msg = f"there is no source {value!r}. Sources: {', '.join(SOURCES)}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _check_paths(self) -> SourceEntry:
        if (self.source == "local") != bool(self.paths):
            msg = "paths are for the source local, which needs them"
            raise ValueError(msg)
        if self.source == "local":
            given = {"release", "mirror", "options", "tissue", "assay", "disease"}
            if idle := sorted(
                given & self.model_fields_set | {"released_before"} & self.model_fields_set
            ):
                msg = f"{', '.join(idle)} cannot choose among files"
                raise ValueError(msg)
            if len(self.organism) > 1:
                msg = "files of several organisms are several entries"
                raise ValueError(msg)
        return self


class SplitRule(Part):
    """How a corpus is divided for training."""

    by: SPLIT_BY
    fractions: dict[str, float]
    seed: int = 0

    @field_validator("fractions")
    @classmethod
    def _check_fractions(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not share > 0 for share in value.values()) or not math.isclose(
            math.fsum(value.values()), 1, abs_tol=1e-9
        ):
            msg = f"fractions must be above 0 and sum to 1, not {math.fsum(value.values()):g}"
            raise ValueError(msg)
        return value


class LocalEngine(Part):
    """Processes of this machine."""

    processes: PositiveInt = 1


class Slurm(Part):
    """Jobs of a SLURM cluster; each is a node or a part of one."""

    jobs: PositiveInt
    cores: PositiveInt
    memory: str = Field(pattern=r"^[0-9.]+ ?[kKMGT](i?B)?$")
    """Of a job, such as ``240GB``."""
    processes: PositiveInt = 1
    """Datasets that a job curates at once, each with its share of the memory."""
    walltime: str = Field(default="24:00:00", pattern=r"^(\d+-)?\d+(:\d\d){0,2}$")
    queue: str | None = None
    account: str | None = None
    interface: str | None = None
    """Network that the jobs and this machine share, such as ``ib0``."""
    directives: Words = ()
    """More lines for ``#SBATCH``."""
    prologue: Words = ()
    """Commands before the workers start, such as ``module load``."""
    log_directory: str | None = None
    local_directory: str | None = None


class DaskEngine(Part):
    """Workers of a Dask cluster: one that runs, or one of SLURM jobs."""

    scheduler: str | None = None
    slurm: Slurm | None = None

    @model_validator(mode="after")
    def _check_one(self) -> DaskEngine:
        if (self.scheduler is None) == (self.slurm is None):
            msg = "dask needs either scheduler, an address, or slurm"
            raise ValueError(msg)
        return self


class EnginePart(Part):
    """Where datasets are curated."""

    local: LocalEngine | None = None
    dask: DaskEngine | None = None

    @model_validator(mode="after")
    def _check_one(self) -> EnginePart:
        if (self.local is None) == (self.dask is None):
            msg = "engine needs either local or dask"
            raise ValueError(msg)
        return self


class PackPart(_part_of(PackOptions)):  # type: ignore[misc]  # made of a dataclass
    """The training form that is written in the end."""

    out: str | None = None
    """Folder; ``packed/NAME@VERSION`` of the workspace by default."""

    def options(self) -> PackOptions:
        """Give what the packing takes."""
        return PackOptions(**self.model_dump(exclude={"out"}))

    @model_validator(mode="after")
    def _check_values(self) -> PackPart:
        try:
            self.options()
        except CorpuscleError as error:
            raise ValueError(error.message) from error
        return self


class Recipe(Policies):
    """A corpus: sources, how they are curated, and what becomes of them."""

    name: str = Field(pattern=NAME)
    """Of the collection."""
    notes: str = ""
    sources: tuple[SourceEntry, ...]
    duplicates: Literal["flag", "keep_primary", "drop"] = "flag"
    splits: SplitRule | None = None
    engine: EnginePart | None = None
    pack: PackPart | None = None

    @field_validator("sources")
    @classmethod
    def _check_some(cls, value: tuple[SourceEntry, ...]) -> tuple[SourceEntry, ...]:
        if not value:
            msg = "a recipe needs at least one source"
            raise ValueError(msg)
        return value

    _path: Path = Path()
    _text: str = ""
    _lines: dict[tuple[str | int, ...], int] = {}

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def text(self) -> str:
        """What the file said when it was read: it may say something else when a build ends."""
        return self._text

    @property
    def hash(self) -> str:
        """Name what is asked for: the same wherever it is computed, and whatever formats the file."""
        asked = self.model_dump(mode="json", exclude={"engine", "pack"}, exclude_defaults=True)
        return blake3(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def where(self, *keys: str | int) -> str:
        """Tell file, line and path of a part, for messages."""
        from ._load import at

        return at(self._path, self._lines, keys)

    def place(self, text: str) -> str:
        """Give a path or URL of the recipe: paths are relative to its file."""
        return text if "://" in text else str(self._path.parent / Path(text).expanduser())

    def options(self, entry: SourceEntry, organism: str | None) -> CurationOptions:
        """Give the decisions of the curator about datasets of an entry."""

        def given(part: str) -> dict[str, Any]:
            merged: dict[str, Any] = {}
            for level in (self, entry):
                if (found := getattr(level, part)) is not None:
                    merged |= {name: getattr(found, name) for name in found.model_fields_set}
            return merged

        quality, structure = given("quality"), given("structure")
        asked = [part for part in ("quality", "structure") if self._asks(entry, part)]
        return CurationOptions(
            organism=organism,
            **given("curation"),
            quality=QualityRules(**quality) if "quality" in asked else None,
            structure=StructureOptions(**structure) if "structure" in asked else None,
        )

    def _asks(self, entry: SourceEntry, part: str) -> bool:
        return getattr(self, part) is not None or getattr(entry, part) is not None
