"""What a recipe still needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import CorpuscleError
from ._ingest import refuse_namesake
from ._job import Job
from ._outcome import Outcome, outcome_of, reason_of
from ._plan import plan
from ._refusals import known_refusal
from .sources import Wanted, get_source
from .sources._local import LocalSource
from .sources._wanted import first_taken
from .transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..curation import CurationOptions
    from ._memory import MemoryVersion
    from .recipes import Recipe, SourceEntry
    from .sources import Source, SourceDataset

CELLS_PER_S, BYTES_PER_S = 700.0, 20e6
"""Of one process, where a workspace has not measured its own."""
RECENT = 200
"""Datasets that rates are taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """Every dataset of a recipe: what there is, and what is to be done."""

    items: tuple[Job | Outcome, ...]
    """In the order of the recipe."""
    memory: MemoryVersion

    @property
    def jobs(self) -> list[Job]:
        """What is to be done."""
        return [item for item in self.items if isinstance(item, Job)]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Describe each dataset: JSON-serialisable."""
        return [
            {
                **outcome_of(item.dataset, "planned").to_dict(),
                "size": item.dataset.size,
                "n_cells": item.dataset.n_cells,
            }
            if isinstance(item, Job)
            else {
                **item.to_dict(),
                "size": None,
                "n_cells": None if item.report is None else item.report["n_cells"],
            }
            for item in self.items
        ]


def plan_recipe(
    recipe: Recipe,
    memory: MemoryVersion,
    *,
    retry_failed: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> BuildPlan:
    """List the sources of a recipe and see what is missing.

    Parameters
    ----------
    recipe
        The recipe.
    memory
        Decisions of curators.
    retry_failed
        Whether what failed before is tried again.
    progress
        Called with the name of each source, and how many datasets are listed.

    Raises
    ------
    CorpuscleError
        If a source cannot be listed; the message begins with the line of the recipe.
    """
    items: list[Job | Outcome] = []
    seen: dict[str, SourceDataset] = {}
    known: set[str] = set()
    for source, dataset, options in _listed(recipe):
        try:
            item = plan(source, dataset, options, memory)
            if isinstance(item, Job):
                if item.reference in known:  # another entry of the recipe has it too
                    continue
                known.add(item.reference)
                if not retry_failed:
                    item = known_refusal(item) or item
            elif item.uid:
                if item.uid in known:
                    continue
                known.add(item.uid)
            refuse_namesake(dataset, seen)
        except CorpuscleError as error:
            item = outcome_of(dataset, "refused", error=reason_of(error))
        items.append(item)
        if progress is not None:
            progress(source.name, len(items))
    return BuildPlan(items=tuple(items), memory=memory)


def _listed(recipe: Recipe) -> Iterator[tuple[Source, SourceDataset, CurationOptions]]:
    transfer = Transfer.from_environment()
    for place, entry in enumerate(recipe.sources):
        try:
            source = _open(recipe, entry, transfer)
            for organism in entry.organism or (None,):
                options = recipe.options(entry, organism)
                for dataset in first_taken(source.datasets(_wanted(entry, organism)), entry.limit):
                    yield source, dataset, options
        except CorpuscleError as error:
            where = recipe.where("sources", place)
            msg = f"{where}: {error.message}"
            raise type(error)(msg, error.details) from error


def _open(recipe: Recipe, entry: SourceEntry, transfer: Transfer) -> Source:
    if entry.source == "local":
        genome = recipe.options(entry, None).genome
        return LocalSource(paths=[recipe.place(path) for path in entry.paths], genome=genome)
    return get_source(entry.source)(
        transfer,
        release=entry.release,
        at=None if entry.mirror is None else recipe.place(entry.mirror),
        options=entry.options,
    )


def _wanted(entry: SourceEntry, organism: str | None) -> Wanted:
    if entry.source == "local":  # what files hold is not known before they are read
        return Wanted(ids=entry.ids)
    return Wanted.of(
        organism=organism,
        terms={name: getattr(entry, name) for name in ("tissue", "assay", "disease")},
        ids=entry.ids,
        released_before=entry.released_before,
    )


def expected(jobs: list[Job], *, at_once: int) -> dict[str, Any]:
    """Estimate how long jobs take, from what this workspace has measured.

    Returns
    -------
    ``n_jobs``, ``bytes``, ``n_cells`` (of those that tell), ``n_untold``, the rates of one
    process, how many datasets they were ``measured_on``, and ``seconds`` with `at_once` processes.
    """
    cells_per_s, bytes_per_s, n_measured = _rates()
    sizes = [job.dataset.size for job in jobs]
    cells = [job.dataset.n_cells for job in jobs]
    n_bytes, n_cells = (sum(n or 0 for n in told) for told in (sizes, cells))
    seconds = (n_cells / cells_per_s + n_bytes / bytes_per_s) / at_once
    return {
        "n_jobs": len(jobs),
        "bytes": n_bytes,
        "n_cells": n_cells,
        "n_untold": sum(n is None for n in cells),
        "cells_per_s": round(cells_per_s, 1),
        "bytes_per_s": round(bytes_per_s),
        "measured_on": n_measured,
        "at_once": at_once,
        "seconds": round(seconds, 1),
    }


def _rates() -> tuple[float, float, int]:
    """Tell cells curated and bytes fetched in a second, and the datasets that say so."""
    import lamindb as ln

    from ._dataset_run import STEP

    runs = ln.Run.objects.filter(transform__key=STEP, params__seconds__isnull=False)
    found = [run.params for run in runs.order_by("-id")[:RECENT]]
    fetched = [params for params in found if params["from"]["source"] != "local"]
    curate = sum(params["seconds"]["curate"] for params in found)
    fetch = sum(params["seconds"]["fetch"] for params in fetched)
    n_cells = sum(params["report"]["n_cells_in"] for params in found)
    n_bytes = sum(file["size"] for params in fetched for file in params["from"]["files"])
    return (
        n_cells / curate if curate else CELLS_PER_S,
        n_bytes / fetch if fetch else BYTES_PER_S,
        len(found),
    )
