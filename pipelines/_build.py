"""A recipe becomes a collection: what is missing is curated, and nothing else."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import CorpuscleError
from ..ontologies import tables_in_use
from ._build_plan import plan_recipe
from ._building import building, end_killed
from ._collect import collect
from ._job import Finished, Job, Shared
from ._lamin import connect
from ._memory import current_memory
from ._origin import Origin
from ._pack import pack
from ._plan import register_jobs
from ._refusals import failed_run, refusal
from ._registrar import register
from ._staging import staging
from ._versions import code_version
from .engines import BuildWatch, DaskCluster, Engine, LocalProcesses, SlurmJobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ._build_plan import BuildPlan
    from ._collect import Collected
    from ._outcome import Outcome
    from ._pack import Packed
    from .engines._engine import Result
    from .recipes import Recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What became of a recipe."""

    recipe: str
    hash: str
    """See `Recipe.hash`."""
    outcomes: tuple[Outcome, ...]
    """Of each dataset, in the order of the recipe."""
    collection: Collected | None
    """None if no dataset could be had."""
    packed: Packed | None = None
    """Its training form, if the recipe asks for it."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "recipe": self.recipe,
            "hash": self.hash,
            "datasets": [outcome.to_dict() for outcome in self.outcomes],
            "collection": None if self.collection is None else self.collection.to_dict(),
            "packed": None if self.packed is None else self.packed.to_dict(),
        }


def engine_of(recipe: Recipe) -> Engine:
    """Make the engine that a recipe asks for: one process of this machine by default."""
    asked = recipe.engine
    if asked is None or asked.dask is None:
        return LocalProcesses(1 if asked is None or asked.local is None else asked.local.processes)
    if asked.dask.slurm is not None:
        return SlurmJobs(asked.dask.slurm)
    return DaskCluster(str(asked.dask.scheduler))


def build(
    recipe: Recipe,
    *,
    engine: Engine | None = None,
    retry_failed: bool = False,
    listing: Callable[[str, int], None] | None = None,
    watch: BuildWatch | None = None,
    planned: Callable[[BuildPlan], None] | None = None,
    packing: Callable[[int, int], None] | None = None,
) -> Built:
    """Curate what a recipe names and the registry has not got, and make its collection.

    A dataset that fails costs nothing but itself; it is not tried again unless asked, or another
    version of the code does it. What is registered stays if the build stops.

    Parameters
    ----------
    recipe
        The recipe, see `load_recipe`.
    engine
        In place of the one that the recipe asks for.
    retry_failed
        Whether what failed before is tried again.
    listing
        Called with the name of each source, and how many datasets are listed.
    watch
        Told about datasets at work.
    planned
        Called with the plan before anything is done.
    packing
        Called with cells that are packed, and cells in all.

    Raises
    ------
    CorpuscleError
        If a source cannot be listed, or the engine cannot work.
    """
    plan = plan_recipe(recipe, current_memory(), retry_failed=retry_failed, progress=listing)
    if planned is not None:
        planned(plan)
    engine, jobs = engine or engine_of(recipe), plan.jobs
    end_killed(recipe.name)
    made: dict[int, Outcome] = {}
    if jobs:
        name = type(engine).__name__
        with building(recipe.name, recipe.hash, name, len(jobs)) as told, staging() as folder:
            shared = Shared(
                folder=folder,
                memory=plan.memory,
                setup=tables_in_use(),
                code_version=code_version(),
            )
            for batch in in_order(jobs, engine.run(jobs, shared, watch or BuildWatch())):
                if batch:
                    made.update(_register(jobs, batch))
                told.tell(
                    done=sum(outcome.status != "refused" for outcome in made.values()),
                    refused=sum(outcome.status == "refused" for outcome in made.values()),
                    running=[jobs[place].dataset.key for place in engine.running()],
                )
    done = iter(made[place] for place in range(len(jobs)))
    outcomes = tuple(next(done) if isinstance(item, Job) else item for item in plan.items)
    # of several versions of a dataset, the last
    uids = {outcome.dataset: outcome.uid for outcome in outcomes if outcome.uid}
    origin = Origin(recipe=recipe, uids=sorted(uids.values()), memory=plan.memory)
    collection = collect(recipe.name, duplicates=recipe.duplicates, origin=origin) if uids else None
    return Built(
        recipe=recipe.name,
        hash=recipe.hash,
        outcomes=outcomes,
        collection=collection,
        packed=None if collection is None else _pack(recipe, collection, engine, packing),
    )


def _pack(
    recipe: Recipe,
    collection: Collected,
    engine: Engine,
    progress: Callable[[int, int], None] | None,
) -> Packed | None:
    """Write the training form, if the recipe asks for it."""
    if recipe.pack is None:
        return None
    name = f"{collection.name}@{collection.version}"
    out = recipe.pack.out
    return pack(
        collection.name,
        connect().folder / "packed" / name if out is None else recipe.place(out),
        version=collection.version,
        options=recipe.pack.options(),
        processes=engine.processes if isinstance(engine, LocalProcesses) else None,
        progress=progress,
    )


def in_order(jobs: Sequence[Job], batches: Iterable[list[Result]]) -> Iterator[list[Result]]:
    """Hold back versions of a dataset until those before them are done.

    An empty batch is a sign of life, and is given on.
    """
    chains: dict[str, deque[int]] = {}
    for place, job in enumerate(jobs):
        chains.setdefault(job.dataset.key, deque()).append(place)
    held: dict[int, Finished | Exception] = {}
    for batch in batches:
        held.update(batch)
        ready = []
        for place, _ in sorted(batch, key=lambda result: result[0]):
            chain = chains[jobs[place].dataset.key]
            while chain and chain[0] in held:
                first = chain.popleft()
                ready.append((first, held.pop(first)))
        if ready or not batch:
            yield ready


def _register(jobs: Sequence[Job], batch: Sequence[Result]) -> dict[int, Outcome]:
    """Register datasets and failures; what cannot be registered is a failure of its own."""
    done = [(place, result) for place, result in batch if isinstance(result, Finished)]
    failed = [(place, result) for place, result in batch if isinstance(result, Exception)]
    made: dict[int, Outcome] = {}
    try:
        outcomes = register_jobs([(jobs[place], finished) for place, finished in done])
        made.update(zip((place for place, _ in done), outcomes, strict=True))
    except CorpuscleError as error:
        if len(done) == 1:
            failed.append((done[0][0], error))
        else:
            for one in done:
                made |= _register(jobs, [one])
    register([failed_run(jobs[place], error) for place, error in failed])
    made |= {place: refusal(jobs[place], error) for place, error in failed}
    for place, _ in batch:
        logger.info("step=build dataset=%s status=%s", made[place].dataset, made[place].status)
    return made
