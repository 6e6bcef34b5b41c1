"""What is open: labels without a term, where they are, what they could mean."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from ..curation import CurationOptions
from ..errors import LabelMappingError, NotFoundError
from ..ontologies import DECIDED_FIELDS, ontology, vocabulary
from ._answers import answers_now, decisions_of, is_outdated
from ._collect import find_datasets, name_of
from ._memory import current_memory
from .sources._local import dataset_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ._memory import MemoryVersion

TISSUES = 3
"""Tissues named beside a label, those of most cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A term that an open label could mean."""

    term_id: str
    label: str
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLabel:
    """A label that waits for a decision."""

    field: str
    label: str
    """The author's words, exactly."""
    organism: str
    """Taxon id that the decision will be for; empty for all, where the vocabulary is the same."""
    outcome: str
    """``ambiguous`` or ``unmapped``."""
    method: str
    n_cells: int
    datasets: tuple[str, ...]
    organisms: tuple[str, ...]
    """Taxon ids of these datasets."""
    tissues: tuple[str, ...]
    """Names of the tissues of their cells, those of most cells first."""
    candidates: tuple[Candidate, ...]

    @property
    def key(self) -> str:
        """Short name of the label, by which a sheet finds it again."""
        return label_key(self.field, self.label)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {"key": self.key, **asdict(self)}


def label_key(name: str, label: str) -> str:
    """Name a label of a field: a letter, and ten hexadecimal digits of its hash."""
    return "k" + blake3(f"{name}\0{label}".encode()).hexdigest(length=5)


def known_labels() -> dict[str, tuple[str, str]]:
    """List field and label of everything in the latest versions of the datasets, by key."""
    found = {}
    for artifact in find_datasets():
        table = decisions_of(artifact.run_id, name_of(artifact))
        for name, label in zip(table["field"], table["subject_label"], strict=True):
            if name in DECIDED_FIELDS and label:
                found[label_key(name, label)] = (str(name), str(label))
    return found


def open_labels(
    *, fields: Sequence[str] = (), patterns: Sequence[str] = (), limit: int | None = None
) -> list[OpenLabel]:
    """List the labels that have no term in the latest versions of the datasets, most cells first.

    Labels that somebody decided since are not open any more, even if the dataset was not curated
    again yet.

    Parameters
    ----------
    fields
        Only these fields.
    patterns
        Only datasets of these names, with ``*`` and ``?`` as in a shell.
    limit
        At most so many labels.

    Raises
    ------
    LabelMappingError
        If there is no such field.
    """
    for name in fields:
        if name not in DECIDED_FIELDS:
            msg = f"{name!r} is no field to review. Choose from {', '.join(DECIDED_FIELDS)}."
            raise LabelMappingError(msg, {"field": name})
    memory = current_memory()
    found: dict[tuple[str, str, str], _Place] = {}
    for artifact in find_datasets(patterns=patterns):
        _add_open(found, artifact, memory, fields or DECIDED_FIELDS)
    items = [_open_label(key, place) for key, place in found.items()]
    items.sort(key=lambda item: (-item.n_cells, item.field, item.label, item.organism))
    return items[:limit]


@dataclass(slots=True, kw_only=True)
class _Place:
    """Where an open label was seen."""

    rows: list[dict[Any, Any]] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    organisms: set[str] = field(default_factory=set)
    tissues: Counter[str] = field(default_factory=Counter)


def _add_open(
    found: dict[tuple[str, str, str], _Place],
    artifact: Any,
    memory: MemoryVersion,
    fields: Sequence[str],
) -> None:
    table = decisions_of(artifact.run_id, name_of(artifact))
    taxon = organism_of(artifact)
    is_open = (
        table["field"].isin(fields)
        & (table["outcome"] != "mapped")
        & ~table["method"].isin(["missing", "memory"])
        & (table["n_cells"] > 0)
    )
    decided = {
        (a["field"], a["label"])
        for a in answers_now(artifact.run, name_of(artifact), table, memory)
    }
    tissue = table[(table["field"] == "tissue") & (table["outcome"] == "mapped")]
    tissues = Counter(dict(zip(tissue["object_label"], tissue["n_cells"], strict=True)))
    for row in table[is_open].to_dict("records"):
        if (row["field"], row["subject_label"]) in decided:
            continue
        scope = taxon if depends_on_organism(row["field"], taxon) else ""
        place = found.setdefault((row["field"], row["subject_label"], scope), _Place())
        place.rows.append(row)
        place.organisms.add(taxon)
        if name_of(artifact) not in place.datasets:
            place.datasets.append(name_of(artifact))
            place.tissues += tissues


def _open_label(key: tuple[str, str, str], place: _Place) -> OpenLabel:
    name, label, organism = key
    ids = dict.fromkeys(i for row in place.rows for i in row["candidates"].split("|") if i)
    tissues = sorted(place.tissues.items(), key=lambda item: (-item[1], item[0]))
    return OpenLabel(
        field=name,
        label=label,
        organism=organism,
        outcome=min(row["outcome"] for row in place.rows),  # ambiguous says more than unmapped
        method=place.rows[0]["method"],
        n_cells=sum(int(row["n_cells"]) for row in place.rows),
        datasets=tuple(place.datasets),
        organisms=tuple(sorted(place.organisms)),
        tissues=tuple(name for name, _ in tissues[:TISSUES]),
        candidates=tuple(candidate(term_id) for term_id in ids),
    )


def candidate(term_id: str) -> Candidate:
    """Describe a term; an id of no ontology that is loaded here stands for itself."""
    prefix = term_id.partition(":")[0].partition("_")[0]
    try:
        store = ontology(prefix)
        return Candidate(
            term_id=term_id, label=store.label(term_id), definition=store.definition(term_id)
        )
    except NotFoundError:
        return Candidate(term_id=term_id, label="", definition="")


@cache
def depends_on_organism(name: str, taxon: str) -> bool:
    """Tell whether a field holds other terms for an organism than for any."""
    if name not in _BY_ORGANISM:
        return False
    return vocabulary(name, taxon).labels.keys() != vocabulary(name).labels.keys()


_BY_ORGANISM = frozenset(
    {"cell_type", "tissue", "development_stage", "self_reported_ethnicity", "sex"}
)


def organism_of(artifact: Any) -> str:
    """Taxon id of a dataset."""
    return str(artifact.run.params["report"]["organism"]["taxon_id"])


def outdated(memory: MemoryVersion) -> list[Any]:
    """Find the datasets that the next ingestion will curate again because of decisions."""
    return [a for a in find_datasets() if is_outdated(a.run, name_of(a), memory)]


def ingest_commands(artifacts: Iterable[Any]) -> list[str]:
    """Write the commands that curate datasets again, with the options they were made with."""
    groups: dict[str, list[str]] = {}
    for artifact in artifacts:
        params = artifact.run.params
        options = _flags(params["options"])
        origin = params.get("from", {"source": "local"})
        if origin["source"] != "local":
            options += "".join(f" {flag} {shlex.quote(str(v))}" for flag, v in _choice(origin))
            groups[f"{options}#{artifact.uid}"] = [origin["source"]]
        elif dataset_name(Path(params["source"])) != name_of(artifact):
            options += f" --name {shlex.quote(name_of(artifact))}"
            groups[f"{options}#{artifact.uid}"] = [params["source"]]  # a name is for one file
        else:
            groups.setdefault(options, []).append(params["source"])
    return [
        f"corpuscle ingest {' '.join(map(shlex.quote, sources))}{options.partition('#')[0]}"
        for options, sources in groups.items()
    ]


def _choice(origin: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Give the options of the command line that choose a dataset of a source."""
    yield from ((f"--{name}", origin[name]) for name in ("release", "mirror") if origin[name])
    yield from (("--option", f"{key}={value}") for key, value in origin["choices"].items() if value)
    yield "--id", origin["id"]


def _flags(options: Mapping[str, Any]) -> str:
    """Write `CurationOptions` as options of the command line."""
    return "".join(f" {flag} {shlex.quote(str(value))}" for flag, value in _pairs(options))


def _pairs(options: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name in CurationOptions.__dataclass_fields__:
        if name not in options:
            continue
        if name in ("columns", "constants"):
            flag = "--column" if name == "columns" else "--set"
            yield from ((flag, f"{key}={value}") for key, value in options[name].items())
        else:
            yield f"--{name.replace('_', '-')}", options[name]
