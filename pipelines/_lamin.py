"""The one place that talks to LaminDB's inner parts: connection, patches, fast rows.

LaminDB is used as a local registry that never needs a network. Everything here that is not its
documented interface is checked by tests against the pinned release.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from ..errors import ConflictError
from ._workspace import find_workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ._workspace import Workspace

OWNER = "anonymous"
"""LaminDB's name for somebody without an account on its hub."""
NAME = "corpuscle"
"""Name of the instance in every workspace; settings live in the workspace, so names never meet."""

PAGE = 1000
"""Rows that are sent to PostgreSQL at once."""

_connected: list[Workspace] = []
"""The workspace of this process, once there is one."""


def connect(folder: str | os.PathLike[str] | None = None) -> Workspace:
    """Connect this process to the registry of a workspace.

    Afterwards ``import lamindb as ln`` works on that registry.

    Parameters
    ----------
    folder
        The workspace. By default the one that this process is connected to, else the one that
        `find_workspace` finds.

    Raises
    ------
    NotFoundError
        If there is no workspace.
    ConflictError
        If LaminDB is already connected to something else: one process, one registry.
    """
    if folder is None and _connected:
        _use_references()
        return _connected[-1]
    workspace = find_workspace(folder)
    prepare(workspace)
    import lamindb  # noqa: F401 - connects on import, by the variables that `prepare` has set

    _open_database()
    _connected[:] = [workspace]
    _use_references()
    return workspace


def connected() -> Workspace:
    """Give the workspace that this process is connected to."""
    return _connected[-1]


def _use_references() -> None:
    """Let genes mean what the tables of the workspace say."""
    from ._references import use_references

    use_references()


def prepare(workspace: Workspace) -> None:
    """Point LaminDB at a workspace, before it is imported."""
    settings = str(workspace.state)
    if "lamindb_setup" in sys.modules and os.environ.get("LAMIN_SETTINGS_DIR") != settings:
        msg = (
            f"LaminDB was imported before Corpuscle could connect it to {workspace.folder}. "
            "Call corpuscle.connect(FOLDER) first, in a fresh process: one process, one registry."
        )
        raise ConflictError(msg, {"folder": str(workspace.folder)})
    cache = workspace.state / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    os.environ["LAMIN_SETTINGS_DIR"] = settings
    os.environ["LAMIN_CACHE_DIR"] = str(cache)
    if (workspace.state / ".lamin" / f"instance--{OWNER}--{NAME}.env").exists():
        os.environ["LAMIN_CURRENT_INSTANCE"] = f"{OWNER}/{NAME}"
    _patch()


def _patch() -> None:
    """Keep LaminDB off the network and off standard output.

    `InstanceSettings.is_on_hub` asks the hub over the network whether it knows an instance, also
    for a local anonymous one, and fails offline. No setting turns that off. We never register on
    the hub, so the answer is what is already known, or no. For the same reason every database
    counts as local: for another one, LaminDB wants a login at the hub. (It would also insist on
    TLS; for a database elsewhere, say so in its URL: ``?sslmode=require``.)
    """
    import lamindb_setup
    from lamindb_setup.core import _settings_instance

    settings: Any = _settings_instance
    settings.InstanceSettings.is_on_hub = property(lambda self: bool(self._is_on_hub))
    settings.is_local_db_url = lambda _url: True
    lamindb_setup.logger.set_verbosity(0)


def create_instance(workspace: Workspace, *, storage: str, db: str | None) -> None:
    """Create the database, with LaminDB's and bionty's tables, and its storage folder."""
    prepare(workspace)
    import lamindb_setup

    # It leaves a marker in the working folder. If LaminDB was imported before, it looks at every
    # name of every module, and torch warns about its deprecated ones.
    with contextlib.chdir(workspace.state), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        lamindb_setup.init(storage=storage, db=db, name=NAME, modules="bionty")
    os.environ["LAMIN_CURRENT_INSTANCE"] = f"{OWNER}/{NAME}"
    import lamindb  # noqa: F401

    _open_database()


def _open_database() -> None:
    """Make SQLite safe for several processes: writers queue instead of failing."""
    from django.db import connection

    if connection.vendor == "sqlite":
        options = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 60,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        }
        if connection.settings_dict.get("OPTIONS") != options:
            connection.close()
            connection.settings_dict["OPTIONS"] = options


@contextlib.contextmanager
def transaction(lock: str | None = None) -> Iterator[None]:
    """Write to the registry as one: all of it or nothing.

    Parameters
    ----------
    lock
        Name of what is versioned. Processes that name the same wait for each other, so that a
        chain of versions cannot fork. SQLite has one writer anyway.

    Raises
    ------
    ConflictError
        If other processes kept the database for a minute.
    OSError
        If the disk is full.
    """
    from django.db import OperationalError, connection
    from django.db import transaction as django_transaction

    try:
        with django_transaction.atomic():
            if lock is not None and connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])
            yield
    except OperationalError as error:
        if "full" in str(error):
            raise OSError(errno.ENOSPC, f"the registry cannot grow: {error}") from error
        if "locked" in str(error):
            msg = "Other processes keep the registry busy. Run the same command again."
            raise ConflictError(msg) from error
        raise


def insert(model: type[Any], columns: Mapping[str, Any], *, n_rows: int) -> None:
    """Insert rows column by column, without `SQLRecord.__init__` and Django's cost per field.

    Measured: 79,000 genes in about a second, against 8 s through ``bulk_create`` and minutes
    through ``Model(...).save()``.

    Parameters
    ----------
    model
        A registry of LaminDB or bionty, or the table of a many-to-many link.
    columns
        Values by attribute name (``run_id``): a list with one value per row, or one value for all.
        Columns that are not named get their defaults.
    n_rows
        Number of rows.

    Raises
    ------
    TypeError
        If a name is no column of the registry.
    """
    from django.db import connection

    left = dict(columns)
    names: list[str] = []
    values: list[Iterable[Any]] = []
    for column in model._meta.concrete_fields:
        if column.primary_key and column.attname not in left:
            continue
        value = left.pop(column.attname) if column.attname in left else _default(column)
        prepare_value = column.get_db_prep_save
        if isinstance(value, list):
            kinds = {type(item) for item in value}
            if not kinds <= {str, int, float, type(None)}:
                value = [prepare_value(item, connection) for item in value]
            values.append(value)
        else:
            values.append(itertools.repeat(prepare_value(value, connection), n_rows))
        names.append(connection.ops.quote_name(column.column))
    if left:
        msg = f"{model.__name__} has no column {', '.join(left)}"
        raise TypeError(msg)
    if not n_rows:
        return
    places = ", ".join(["%s"] * len(names))
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES "
    rows = list(zip(*values, strict=True))
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.executemany(f"{statement}({places})", rows)
            return
        for start in range(0, n_rows, PAGE):  # its executemany sends row after row
            page = rows[start : start + PAGE]
            several = ", ".join([f"({places})"] * len(page))
            cursor.execute(f"{statement}{several}", list(itertools.chain.from_iterable(page)))


def _default(column: Any) -> Any:
    from django.db.models import NOT_PROVIDED
    from django.utils import timezone

    if column.has_default():
        return column.get_default()
    return None if column.db_default is NOT_PROVIDED else timezone.now()
