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
from ._touched import is_touched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    content = _content(dataset)
    reference = identity(content, dataset.key, options)
    done = _find_done(reference, dataset.key, memory)
    if done is None:
        done = _find_untouched(content, dataset.key, options, memory)
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


def identity(
    source_hash: str,
    dataset: str,
    options: CurationOptions,
    *,
    made_with: Mapping[str, str] | None = None,
) -> str:
    """Name the result of a curation: the same inputs and memory give the same bytes.

    `made_with` are the versions of everything else, those of today by default.
    """
    made_with = made_with or versions()
    parts = {
        "source": source_hash,
        "dataset": dataset,
        "options": options.to_dict(),
        "versions": {key: value for key, value in made_with.items() if key != "corpuscle"},
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
    return _facts(made, run)


def _find_untouched(
    content: str, dataset: str, options: CurationOptions, memory: MemoryVersion
) -> dict[str, Any] | None:
    """Find the latest version of a dataset, if it is of the same inputs and would be the same now.

    Ontologies and gene tables are others than when it was made, but not in what they say of it.
    """
    import lamindb as ln
    from django.db.models import Q

    key = f"{DATASETS}{dataset}.h5ad"
    made = ln.Artifact.objects.filter(key=key, is_latest=True).first()
    if made is None:
        return None
    of_it = Q(output_artifacts=made) | Q(recreated_artifacts=made)
    run = ln.Run.objects.filter(of_it, reference_type="corpuscle").order_by("id").last()
    if run is None or "report" not in run.params:
        return None
    before = run.params["report"]["versions"]
    reference = identity(content, dataset, options, made_with=before)
    if not str(run.reference).startswith(reference):
        return None
    if is_outdated(run, dataset, memory) or is_touched(run, dataset, memory):
        return None
    return _facts(made, run)


def _facts(made: Any, run: Any) -> dict[str, Any]:
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
