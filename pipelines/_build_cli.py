"""The command that makes a corpus of a recipe."""

from __future__ import annotations

import contextlib
from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ._console import Flag, Json, progress, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from ._build import Built
    from .engines import BuildWatch, Engine
    from .recipes import Recipe


def build(
    recipe: Path,
    /,
    *,
    dry_run: Flag = False,
    engine: Literal["local", "dask"] | None = None,
    scheduler: str | None = None,
    processes: int | None = None,
    retry_failed: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """Make the collection of a recipe: curate what is missing, and nothing else.

    A dataset that fails costs nothing but itself. A build that stops goes on where it was.
    Exit code 0 if everything is registered, 1 if something was refused.

    Parameters
    ----------
    recipe
        The YAML file.
    dry_run
        Only tell what would be done, how large it is and how long it may take.
    engine
        local: processes of this machine. dask: workers of a Dask cluster. What the recipe says by
        default, else one process.
    scheduler
        Of dask: address of a scheduler that runs, such as tcp://HOST:8786.
    processes
        Of local: datasets that are curated at once.
    retry_failed
        Try again what failed before.
    json
        Print the result as JSON.
    home
        The workspace.
    """
    from ._build import build as run
    from ._build_show import build_view
    from ._lamin import connect
    from .recipes import load_recipe

    asked = load_recipe(recipe)
    chosen = _engine(asked, engine, scheduler, processes)
    connect(home)
    if dry_run:
        return _tell(asked, chosen, retry_failed=retry_failed, as_json=json)
    with progress() as bar, _watching(bar) as (listing, watch, planned, packing):
        built: Built = run(
            asked,
            engine=chosen,
            retry_failed=retry_failed,
            listing=listing,
            watch=watch,
            planned=planned,
            packing=packing,
        )
    show(built.to_dict(), build_view(built), as_json=json)
    return int(any(outcome.status == "refused" for outcome in built.outcomes))


def _engine(
    recipe: Recipe, name: str | None, scheduler: str | None, processes: int | None
) -> Engine:
    from ._build import engine_of
    from .engines import DaskCluster, LocalProcesses

    if name is None and (scheduler or processes):
        name = "dask" if scheduler else "local"
    if scheduler is not None and name == "local":
        msg = "--scheduler is for --engine dask. Leave one of them out."
        raise InputError(msg, {"engine": name, "scheduler": scheduler})
    if processes is not None and (name == "dask" or processes < 1):
        msg = f"--processes {processes} is for --engine local, 1 or more. Correct it."
        raise InputError(msg, {"engine": name, "processes": processes})
    if scheduler is not None:
        return DaskCluster(scheduler)
    of_recipe = engine_of(recipe)
    if name == "dask":
        if isinstance(of_recipe, DaskCluster):
            return of_recipe
        msg = "--engine dask needs --scheduler ADDRESS, or engine.dask in the recipe. Add one."
        raise InputError(msg, {"engine": name})
    if name == "local":
        own = of_recipe.processes if isinstance(of_recipe, LocalProcesses) else 1
        return LocalProcesses(processes or own)
    return of_recipe


def _tell(recipe: Recipe, engine: Engine, *, retry_failed: bool, as_json: bool) -> int:
    from ._build_plan import expected, plan_recipe
    from ._build_show import plan_view
    from ._memory import current_memory
    from .engines import SlurmJobs, job_script

    with progress() as bar:
        task = bar.add_task("listing", total=None)
        plan = plan_recipe(
            recipe,
            current_memory(),
            retry_failed=retry_failed,
            progress=lambda name, n: bar.update(task, description=f"listing {name}", completed=n),
        )
    result = {
        "recipe": recipe.name,
        "hash": recipe.hash,
        "datasets": plan.to_dicts(),
        "expected": expected(plan.jobs, at_once=engine.at_once),
        "job_script": job_script(engine.slurm) if isinstance(engine, SlurmJobs) else None,
    }
    show(result, plan_view(result), as_json=as_json)
    return 0


@contextlib.contextmanager
def _watching(bar: Progress) -> Iterator[tuple[Any, BuildWatch, Any, Any]]:
    """Show a bar for all datasets, and one for each at work."""
    from .engines import BuildWatch

    whole = bar.add_task("listing", total=None)
    tasks: dict[int, Any] = {}

    def started(place: int, title: str) -> None:
        tasks[place] = bar.add_task(f"  {title}", total=None)

    def cells(place: int, done: int, n: int) -> None:
        bar.update(tasks[place], completed=done, total=n)

    def ended(place: int) -> None:
        if place in tasks:
            bar.remove_task(tasks.pop(place))
        bar.advance(whole)

    yield (
        lambda name, n: bar.update(whole, description=f"listing {name}", completed=n),
        BuildWatch(started=started, cells=cells, ended=ended),
        lambda plan: bar.reset(whole, description="datasets", total=len(plan.jobs)),
        lambda done, n: bar.update(whole, description="packing cells", completed=done, total=n),
    )
