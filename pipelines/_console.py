"""What every command shares: its consoles, how it reports, the kinds of its options."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.progress import Progress

WIDE = None if sys.stdout.isatty() else 160
"""Width of what is written to a file or pipe, which has none."""
out = Console(width=WIDE)
err = Console(stderr=True)

Json = Annotated[bool, Parameter(name="--json", negative=())]
Flag = Annotated[bool, Parameter(negative=())]
Pairs = Annotated[list[str], Parameter(consume_multiple=False, negative=())]


def complain(kind: str, message: str) -> None:
    """Write one error to standard error."""
    from rich.markup import escape

    err.print(f"[red]{kind} error[/red] {escape(message)}", highlight=False, soft_wrap=True)


def show(result: Any, view: RenderableType, *, as_json: bool) -> None:
    """Write a result to standard output: for programs or for people."""
    if as_json:
        print(json.dumps(result, indent=1))
    else:
        out.print(view)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Progress bars on a terminal; nothing elsewhere."""
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(
        *columns, console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        yield bar
