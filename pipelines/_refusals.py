"""Datasets that could not be curated: kept as runs that failed."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from ..errors import CorpuscleError
from ._dataset_run import STEP
from ._outcome import outcome_of, reason_of
from ._registrar import COMPLETED, FAILED, NewRun
from ._versions import code_version
from .transfer import public_url

if TYPE_CHECKING:
    from ._job import Job
    from ._outcome import Outcome


def failed_run(job: Job, error: Exception) -> NewRun:
    """Describe a failure for the registry: the same job need not fail again."""
    params = {
        "dataset": job.dataset.key,
        "source": public_url(job.dataset.files[0].url),
        "options": job.options.to_dict(),
        "code_version": code_version(),
        "error": _reason(error),
    }
    return NewRun(step=STEP, reference=job.reference, params=params, failed=True)


def refusal(job: Job, error: Exception) -> Outcome:
    """Say that a dataset could not be curated."""
    return outcome_of(job.dataset, "refused", error=_reason(error))


def _reason(error: Exception) -> dict[str, Any]:
    if isinstance(error, CorpuscleError):
        return reason_of(error)
    msg = f"{type(error).__name__}: {error}. Nobody expected this: report it with the traceback."
    details = {"traceback": "".join(traceback.format_exception(error))}
    return {"kind": "unexpected", "message": msg, "details": details}


def known_refusal(job: Job) -> Outcome | None:
    """Find the failure of the same job, with this version of the code."""
    import lamindb as ln

    run = ln.Run.objects.filter(reference=job.reference, _status_code=FAILED).order_by("id").last()
    if run is None or run.params["code_version"] != code_version():
        return None
    return outcome_of(job.dataset, "refused", error=run.params["error"])


def open_failures() -> list[dict[str, Any]]:
    """List the datasets whose last attempt failed, sorted by name.

    Returns
    -------
    ``dataset``, ``source``, ``kind``, ``message``, ``at``: JSON-serialisable.
    """
    import lamindb as ln

    from ._answers import DATASETS

    failed = ln.Run.objects.filter(transform__key=STEP, _status_code=FAILED).order_by("id")
    last = {run.params["dataset"]: run for run in failed}
    keys = [f"{DATASETS}{name}.h5ad" for name in last]
    done = ln.Run.objects.filter(output_artifacts__key__in=keys, _status_code=COMPLETED)
    again = ln.Run.objects.filter(recreated_artifacts__key__in=keys, _status_code=COMPLETED)
    newest: dict[str, int] = {}
    for query, column in ((done, "output_artifacts__key"), (again, "recreated_artifacts__key")):
        for key, run_id in query.values_list(column, "id"):
            newest[key] = max(run_id, newest.get(key, 0))
    return [
        {
            "dataset": name,
            "source": run.params["source"],
            "kind": run.params["error"]["kind"],
            "message": run.params["error"]["message"],
            "at": run.finished_at.isoformat(timespec="seconds"),
        }
        for name, run in sorted(last.items())
        if newest.get(f"{DATASETS}{name}.h5ad", 0) < run.id
    ]
