"""The command line."""

from __future__ import annotations

import errno
import logging
import sys
from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures
from typing import Literal

from cyclopts import App, CycloptsError

from ..errors import CorpuscleError, IntegrityError
from ._add_orthologs import command as add_orthologs
from ._build_cli import build
from ._console import Flag, Json, Pairs, complain, err, out, progress, show
from ._diff_cli import diff
from ._duplicates_cli import duplicates, report_to
from ._ingest_cli import ingest, sources
from ._pack_cli import pack, verify
from ._references_cli import references
from ._review_cli import decision, review, upgrade

app = App(
    name="corpuscle",
    help="Curated corpora for single-cell foundation models, with their lineage.",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)
lineage = App(name="lineage", help="Tell which datasets fed a model, and which models a dataset.")
app.command(lineage)
app.command(references)
references.command(add_orthologs, name="add-orthologs")
references.command(upgrade)
app.command(review)
app.command(ingest)
app.command(build)
app.command(pack)
app.command(verify)
app.command(sources)
app.command(diff)
app.command(duplicates)
lineage.command(decision)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors become a line on stderr and an exit code.

    0 done, 1 failed or something was refused, 2 wrong usage, 3 damaged data, 130 interrupted.
    ``--debug`` shows the traceback, ``--verbose`` what is done.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug, verbose = _take(words, "--debug"), _take(words, "--verbose")
    if debug or verbose:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        complain("usage", f"{str(error).rstrip('.')}. See `corpuscle --help`.")
        code = 2
    except CorpuscleError as error:
        if debug:
            raise
        complain(error.kind, error.message)
        code = 3 if isinstance(error, IntegrityError) else 1
    except OSError as error:
        if debug:
            raise
        reason = "The disk is full" if error.errno == errno.ENOSPC else str(error)
        complain("system", f"{reason}. What is registered stays; run the same command again.")
        code = 1
    except KeyboardInterrupt:
        err.print("interrupted: what is registered stays; run the same command again to go on")
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _take(words: list[str], flag: str) -> bool:
    found = flag in words
    words[:] = [word for word in words if word != flag]
    return found


@app.command
def init(
    folder: Path | None = None,
    /,
    *,
    storage: str | None = None,
    db: str | None = None,
    json: Json = False,
) -> int:
    """Make a workspace: a registry with ontologies, and a storage. Harmless when there is one.

    Parameters
    ----------
    folder
        Where. This folder by default.
    storage
        Folder for the data. FOLDER/storage by default.
    db
        URL of a PostgreSQL database. An embedded SQLite database by default.
    json
        Print the result as JSON.
    """
    from ._setup import init as make
    from ._show import setup_view

    with progress() as bar:
        task = bar.add_task("connecting", total=None)
        setup = make(
            folder or ".",
            storage=storage,
            db=db,
            progress=lambda what, done, n: bar.update(
                task, description=what, completed=done, total=n
            ),
        )
    result = {"folder": str(setup.workspace.folder), "created": setup.created}
    show(result, setup_view(setup), as_json=json)
    return 0


@app.command
def collect(
    name: str,
    /,
    *,
    dataset: Pairs | None = None,
    organism: str | None = None,
    term: Pairs | None = None,
    duplicates: Literal["flag", "keep_primary", "drop"] = "flag",
    dry_run: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """Make or revise a collection from the latest curated datasets: all, or those of a query.

    Parameters
    ----------
    name
        Name of the collection.
    dataset
        Name of a dataset, with * and ? as in a shell. May be repeated.
    organism
        Only datasets of this organism.
    term
        FIELD=TERM: only datasets with cells of this term. May be repeated.
    duplicates
        What to do about cells that are there twice: flag only tells; drop keeps the first copy;
        keep_primary leaves out the copies that say that they are not primary.
    dry_run
        Only tell what the version would hold.
    json
        Print the result as JSON.
    home
        The workspace.
    """
    from ..curation import parse_assignments
    from ..ontologies import FIELDS
    from ._collect import collect as run
    from ._lamin import connect
    from ._show import collect_view

    terms = parse_assignments(term or (), option="--term", fields=FIELDS)
    connect(home)
    with progress() as bar:
        collected = run(
            name,
            patterns=dataset or (),
            organism=organism,
            terms=terms,
            duplicates=duplicates,
            dry_run=dry_run,
            progress=report_to(bar),
        )
    show(collected.to_dict(), collect_view(collected, dry_run=dry_run), as_json=json)
    return 0


@app.command
def status(*, json: Json = False, home: Path | None = None) -> int:
    """Show what the registry holds: datasets, collections, models.

    Parameters
    ----------
    json
        Print it as JSON.
    home
        The workspace.
    """
    from ._lamin import connect
    from ._lineage import status as look
    from ._show import status_view

    workspace = connect(home)
    found = look()
    show(found, status_view(workspace, found), as_json=json)
    return 0


@lineage.command
def model(key: str, /, *, json: Json = False, home: Path | None = None) -> int:
    """Tell which datasets fed a model, with how many cells.

    Parameters
    ----------
    key
        KEY for the latest version of the model, or KEY@VERSION.
    json
        Print it as JSON.
    home
        The workspace.
    """
    from ._lamin import connect
    from ._lineage import lineage_of_model
    from ._show import lineage_view

    connect(home)
    found = lineage_of_model(key)
    show(found.to_dict(), lineage_view(found), as_json=json)
    return 0


@lineage.command
def dataset(key: str, /, *, json: Json = False, home: Path | None = None) -> int:
    """Tell which models a dataset fed, with how many of its cells.

    Parameters
    ----------
    key
        KEY for all versions of the dataset, or KEY@VERSION.
    json
        Print it as JSON.
    home
        The workspace.
    """
    from ._lamin import connect
    from ._lineage import lineage_of_dataset
    from ._show import lineage_view

    connect(home)
    found = lineage_of_dataset(key)
    show(found.to_dict(), lineage_view(found), as_json=json)
    return 0


@app.command
def demo(folder: Path | None = None, /, *, data: Path | None = None) -> int:
    """Show it all in two minutes: messy files, a corpus, a training run, its lineage.

    Parameters
    ----------
    folder
        Workspace to make or go on with. ./demo by default.
    data
        Folder of single-cell files. Five small datasets are generated by default.
    """
    from ._demo import run

    run(folder, data=data, say=out.print, wait=out.status)
    return 0
