"""The folder that holds everything of one registry."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotFoundError

STATE = ".corpuscle"
"""Folder inside a workspace that marks it and holds its settings."""
HOME_VARIABLE = "CORPUSCLE_HOME"
"""Environment variable that names the workspace, wherever one works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A folder with a registry. Made by ``corpuscle init``."""

    folder: Path

    @property
    def state(self) -> Path:
        """Settings of the registry and its cache."""
        return self.folder / STATE

    @property
    def ready(self) -> bool:
        """Whether ``corpuscle init`` has finished here."""
        return (self.state / "ready").exists()


def find_workspace(folder: str | os.PathLike[str] | None = None) -> Workspace:
    """Find the workspace: the folder given, else ``CORPUSCLE_HOME``, else up from here.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    named = folder or os.environ.get(HOME_VARIABLE)
    start = Path(named or ".").expanduser().resolve()
    for candidate in (start,) if named else (start, *start.parents):
        workspace = Workspace(folder=candidate)
        if workspace.ready:
            return workspace
    where = (
        "is not a Corpuscle workspace" if named else "and its parents hold no Corpuscle workspace"
    )
    msg = (
        f"{start} {where}. Make one with `corpuscle init {start}`, go into one, "
        f"or set {HOME_VARIABLE} to its folder."
    )
    raise NotFoundError(msg, {"folder": str(start)})
