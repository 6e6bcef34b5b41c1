"""What is to be done about a dataset, and the registration of what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..curation import content_hash, versions
from ..errors import ConflictError
from ..ontologies import get_organism
from ._answers import DATASETS, is_outdated, made_by
from ._dataset_run import hash_json
from ._job import Job, SourceAt
from ._outcome import Outcome, Status, outcome_of
from ._registrar import FAILED, register
from ._seed import ensure_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..curation import CurationOptions
    from ._job import Finished
    from ._memory import MemoryVersion
    from .sources import Source, SourceDataset


def plan(
    source: Source, dataset: SourceDataset, options: CurationOptions, memory: MemoryVersion
) -> Job | Outcome:
    """Tell what is to be done about a dataset: a job, or nothing and why.

    Raises
    ------
    ConflictError
        If it would be taken for a new version of another dataset.
    """
    if dataset.skip:
        reason = {"kind": "skipped", "message": dataset.skip, "details": {}}
        return outcome_of(dataset, "skipped", error=reason)
    reference = identity(_content(dataset), dataset.key, options)
    done = _find_done(reference, dataset.key, memory)
    if done is not None:
        return outcome_of(dataset, "unchanged", **done)
    _refuse_other_source(dataset)
    return Job(
        source=SourceAt.of(source),
        dataset=dataset,
        options=options,
        reference=f"{reference}/{memory.uid}" if memory.uid else reference,
    )


def register_jobs(done: Sequence[tuple[Job, Finished]]) -> list[Outcome]:
    """Register curated datasets, all in one transaction, in the order given."""
    for taxon in sorted({finished.report.organism["taxon_id"] for _, finished in done}):
        ensure_genes(get_organism(taxon))
    outcomes = []
    for (job, finished), (made, _) in zip(
        done, register([finished.run for _, finished in done]), strict=True
    ):
        new: Status = "new" if made.version == "1" else "revised"
        outcomes.append(
            outcome_of(
                job.dataset,
                new if made.new else "unchanged",
                version=made.version,
                uid=made.uid,
                report=finished.report.to_dict(),
            )
        )
    return outcomes


def identity(source_hash: str, dataset: str, options: CurationOptions) -> str:
    """Name the result of a curation: the same inputs and memory give the same bytes."""
    parts = {
        "source": source_hash,
        "dataset": dataset,
        "options": options.to_dict(),
        "versions": {key: value for key, value in versions().items() if key != "corpuscle"},
    }
    return hash_json(parts)


def _content(dataset: SourceDataset) -> str:
    """Name the content of a dataset before it is fetched: its bytes if it is here, else its version."""
    if not dataset.version:
        return content_hash(Path(dataset.files[0].url))
    files = [(file.name, file.size, file.checksum) for file in dataset.files]
    return hash_json([dataset.source, dataset.id, dataset.version, files, dict(dataset.extra)])


def _find_done(reference: str, dataset: str, memory: MemoryVersion) -> dict[str, Any] | None:
    """Find the dataset that the last run made from the same inputs, if it would be the same now.

    It would not if the memory answers otherwise about any of its labels.
    """
    import lamindb as ln

    runs = ln.Run.objects.filter(reference__startswith=reference, reference_type="corpuscle")
    run = runs.exclude(_status_code=FAILED).order_by("id").last()
    if run is None:
        return None
    made = made_by(run.id, f"{DATASETS}{dataset}.h5ad")
    if made is None or is_outdated(run, dataset, memory):
        return None
    return {"version": made.version_tag, "uid": made.uid, "report": run.params["report"]}


def _refuse_other_source(dataset: SourceDataset) -> None:
    """Refuse to take another file of the same name for a new version of a dataset."""
    import lamindb as ln

    key = f"{DATASETS}{dataset.key}.h5ad"
    latest = ln.Artifact.objects.filter(key=key, is_latest=True).select_related("run").first()
    if latest is None or dataset.version or "named" in dataset.extra:
        return
    path, before = dataset.files[0].url, latest.run.params["source"]
    if before != path:
        msg = (
            f"Dataset {dataset.key!r} came from {before}, and {path} has the same name. If it is a "
            f"new version of it, pass --name {dataset.key}; if it is another dataset, pass another "
            "--name."
        )
        raise ConflictError(msg, {"file": path, "dataset": dataset.key, "before": before})
