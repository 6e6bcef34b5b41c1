"""A curated dataset as a run of the registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from ._answers import DATASETS, DECISIONS
from ._raw_files import raw_files
from ._registrar import NewFile, NewRun
from ._versions import code_version
from .transfer import public_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..curation import Curated
    from ._job import Job, SourceAt
    from ._memory import MemoryVersion
    from .sources import SourceDataset
    from .transfer import Fetched

STEP = "corpuscle/ingest"


def hash_json(parts: Any) -> str:
    """Name some JSON-serialisable facts: BLAKE3 of them, sorted by key."""
    return blake3(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def hash_of(fetched: Sequence[Fetched]) -> str:
    """Name the content of some files: its hash if it is one."""
    hashes = [file.hash for file in fetched]
    return hashes[0] if len(hashes) == 1 else hash_json(hashes)


def registration(
    job: Job,
    fetched: Sequence[Fetched],
    curated: Curated,
    folder: Path,
    *,
    memory: MemoryVersion,
    seconds: Mapping[str, float],
) -> NewRun:
    """Describe what goes into the registry for one curated dataset."""
    report, dataset = curated.report, job.dataset
    data = NewFile(
        key=f"{DATASETS}{dataset.key}.h5ad",
        staged=curated.path,
        suffix=".h5ad",
        description=f"Curated: {report.organism['name']}, {report.n_cells:,} cells",
        kind="dataset",
        otype="AnnData",
        n_observations=report.n_cells,
        terms=curated.terms,
    )
    decisions = NewFile(
        key=f"{DECISIONS}{dataset.key}.sssom.tsv",
        staged=folder / "decisions.tsv",
        suffix=".tsv",
        description=f"Mapping decisions of {dataset.key}",
        kind="decisions",
    )
    params = {
        "source": public_url(dataset.files[0].url),
        "source_hash": report.source_hash,
        "from": _origin(job.source, dataset, fetched),
        "links": list(dataset.links),
        "aliases": list(dataset.aliases),
        "options": job.options.to_dict(),
        "code_version": code_version(),
        "classes": curated.classes,
        "report": report.to_dict(),
        "memory": {"version": memory.version, "uid": memory.uid},
        "seconds": {step: round(s, 3) for step, s in seconds.items()},
        "answers": curated.answers,
        "comparable": curated.comparable,
    }
    return NewRun(
        step=STEP,
        reference=job.reference,
        params=params,
        inputs=raw_files(dataset, fetched, folder, n_cells=report.n_cells_in),
        input_ids=[] if memory.id is None else [memory.id],
        outputs=[data, decisions],
    )


def _origin(source: SourceAt, dataset: SourceDataset, fetched: Sequence[Fetched]) -> dict[str, Any]:
    """Everything that finds the same bytes again, or tells that they are others."""
    told = dataset.to_dict()
    keys = ("source", "id", "version", "title", "licence", "citation", "released")
    files = [
        {"url": public_url(f.file.url), "size": f.size, "version": f.version, "hash": f.hash}
        for f in fetched
    ]
    asked = {
        "release": source.release,
        "mirror": None if source.at is None else public_url(source.at),
        "choices": dict(source.options),
    }
    return {**{key: told[key] for key in keys}, **asked, "files": files}
