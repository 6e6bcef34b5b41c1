"""``corpuscle duplicates``: which datasets hold the same cells."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures
from typing import TYPE_CHECKING

from ._console import Flag, Json, Pairs, progress, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress


def report_to(bar: Progress) -> Callable[[str, int, int], None]:
    """Make a progress bar of what `find_duplicates` tells."""
    task = bar.add_task("reading fingerprints", total=None)
    return lambda what, done, n: bar.update(task, description=what, completed=done, total=n)


def duplicates(
    *,
    dataset: Pairs | None = None,
    revisions: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """Find cells that are in several curated datasets, or in one several times.

    Parameters
    ----------
    dataset
        Name of a dataset, with * and ? as in a shell. May be repeated. All by default.
    revisions
        Compare each dataset with its version before instead.
    json
        Print the result as JSON.
    home
        The workspace.
    """
    from ._collect import compared, find_datasets
    from ._duplicates import find_duplicates
    from ._duplicates_show import duplicates_view, revisions_view
    from ._lamin import connect
    from ._revisions import find_revisions
    from ._staging import staging

    connect(home)
    found = find_datasets(patterns=dataset or ())
    if revisions:
        pairs = find_revisions(found)
        show([pair.to_dict() for pair in pairs], revisions_view(pairs), as_json=json)
        return 0
    with progress() as bar, staging() as folder:
        result = find_duplicates(
            [compared(artifact) for artifact in found], folder, progress=report_to(bar)
        ).to_dict()
    show(result, duplicates_view(result), as_json=json)
    return 0
