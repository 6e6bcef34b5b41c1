"""Make a workspace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ._lamin import connect, create_instance
from ._seed import seed_registries
from ._workspace import Workspace

if TYPE_CHECKING:
    import os
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A workspace and whether this call made it."""

    workspace: Workspace
    created: bool


def init(
    folder: str | os.PathLike[str] = ".",
    *,
    storage: str | os.PathLike[str] | None = None,
    db: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Setup:
    """Make a workspace: a registry with ontologies, and a storage. Harmless when there is one.

    Nothing is asked of any network.

    Parameters
    ----------
    folder
        Where; made if it does not exist.
    storage
        Folder for the data; ``FOLDER/storage`` by default.
    db
        URL of a PostgreSQL database; an embedded SQLite database in the storage by default.
    progress
        Called with what is done next, and steps done and in all.

    Raises
    ------
    InputError
        If `storage` is no folder on this machine, or `db` is no PostgreSQL URL.
    """
    if storage is not None and "://" in str(storage):
        msg = f"Storage must be a folder on this machine, and {storage} is a URL. Mount it first."
        raise InputError(msg, {"storage": str(storage)})
    if db is not None and not db.startswith(("postgresql://", "postgres://")):
        msg = (
            "--db must be a URL postgresql://USER:PASSWORD@HOST:PORT/NAME. Leave it out for SQLite."
        )
        raise InputError(msg)
    workspace = Workspace(folder=Path(folder).expanduser().resolve())
    report = progress or (lambda _what, _done, _all: None)
    if workspace.ready:
        connect(workspace.folder)
        return Setup(workspace=workspace, created=False)
    workspace.state.mkdir(parents=True, exist_ok=True)
    place = Path(storage).expanduser().resolve() if storage else workspace.folder / "storage"
    place.mkdir(parents=True, exist_ok=True)
    report("creating the database", 0, 1)
    create_instance(workspace, storage=str(place), db=db)
    seed_registries(report)
    (workspace.state / "ready").touch()
    connect(workspace.folder)
    return Setup(workspace=workspace, created=True)
