"""A build that is going on, for whoever asks for the status."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from ._lamin import transaction
from ._registrar import STARTED, begin_run, end_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEP = "corpuscle/build"
SAME_S = 5.0
"""Two processes of one number are born further apart: the clock they are told by may be set."""


@dataclass(slots=True)
class Building:
    """The run of a build."""

    run_id: int
    params: dict[str, Any]

    def tell(self, *, done: int, refused: int, running: Sequence[str]) -> None:
        """Write down how far it is."""
        import lamindb as ln

        self.params |= {"done": done, "refused": refused, "running": list(running)}
        with transaction():
            ln.Run.objects.filter(id=self.run_id).update(params=self.params)


@contextlib.contextmanager
def building(recipe: str, recipe_hash: str, engine: str, n_jobs: int) -> Iterator[Building]:
    """Register a build as long as it goes on."""
    params = _params(recipe, recipe_hash, engine, n_jobs)
    run_id, _ = begin_run(STEP, params)
    is_whole = False
    try:
        yield Building(run_id, params)
        is_whole = True
    finally:
        end_run(run_id, failed=not is_whole)


def _params(recipe: str, recipe_hash: str, engine: str, n_jobs: int) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "recipe_hash": recipe_hash,
        "engine": engine,
        "host": platform.node(),
        "pid": os.getpid(),
        "born": psutil.Process().create_time(),
        "planned": n_jobs,
        "done": 0,
        "refused": 0,
        "running": [],
    }


def end_killed(recipe: str) -> None:
    """Say of the builds of a recipe whose process is gone that they have failed.

    Called when it is built again: until then, `builds` tells of them.
    """
    for build in builds():
        if build["recipe"] == recipe and build["state"] == "killed":
            end_run(build["run_id"], failed=True)


def builds() -> list[dict[str, Any]]:
    """List the builds that have begun and not ended, the last one first.

    Returns
    -------
    How far each is; ``state`` is ``running``, ``killed`` where its process is gone, or
    ``running or killed on HOST`` where that cannot be seen from here.
    """
    import lamindb as ln

    runs = ln.Run.objects.filter(transform__key=STEP, _status_code=STARTED).order_by("-id")
    return [
        {
            **{name: value for name, value in run.params.items() if name != "born"},
            "run_id": run.id,
            "state": _state(run.params),
            "started": run.started_at.isoformat(timespec="seconds"),
        }
        for run in runs
    ]


def _state(params: dict[str, Any]) -> str:
    if params["host"] != platform.node():
        return f"running or killed on {params['host']}"
    try:
        process = psutil.Process(params["pid"])
        is_it = abs(process.create_time() - params["born"]) < SAME_S
        is_it = is_it and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        is_it = False
    return "running" if is_it else "killed"
