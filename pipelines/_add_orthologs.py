"""Orthologs of further species in a workspace."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SchemaError
from ..ontologies import read_orthologs, use_orthologs
from ..ontologies.ortholog_readers import OrthologFormat  # noqa: TC001 - cyclopts reads it
from ._console import Flag, Json, show

if TYPE_CHECKING:
    import os

    from rich.console import RenderableType

    from ..ontologies import Orthologs

ORTHOLOGS = "references/orthologs/"
"""Prefix of the keys of ortholog tables in the registry."""
STEP = "corpuscle/add-orthologs"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedOrthologs:
    """What adding orthologs did, or would do."""

    key: str
    """Name in the registry."""
    source: str
    """Path of the file."""
    release: str | None
    organisms: tuple[str, ...]
    """Taxa that have edges."""
    types: dict[str, int]
    """Edges by type."""
    left_out: dict[str, int]
    """Rows of the file that are no edges, by reason."""
    status: str
    """``new``, ``revised``, ``unchanged`` or ``planned``."""
    version: str = ""
    """Version in the registry."""
    uid: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {**asdict(self), "organisms": list(self.organisms)}


def add_orthologs(
    format: OrthologFormat,
    path: str | os.PathLike[str],
    *,
    release: str | None = None,
    organism: str | None = None,
    min_support: int = 2,
    best_only: bool = False,
    cross_references: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
) -> AddedOrthologs:
    """Read orthologs from a file and register them for this workspace.

    They get the key ``references/orthologs/<source>.parquet``; of two species alone, their taxon
    numbers follow the source, so that the pairs of one source stand side by side. Adding the same
    again makes a new version of it.

    Parameters
    ----------
    format, path, release, organism, min_support, best_only
        See `read_orthologs`.
    cross_references
        Table of two columns with a header: CURIE and gene id.
    dry_run
        Only read and check.

    Raises
    ------
    InputError
        As of `read_orthologs`.
    NotFoundError
        If there is no file.
    """
    references = None if cross_references is None else read_pairs(Path(cross_references))
    table = read_orthologs(
        path,
        format,
        release=release,
        organism=organism,
        min_support=min_support,
        best_only=best_only,
        cross_references=references,
    )
    if dry_run:
        return _added(table, path, release, status="planned")
    from ..curation import content_hash
    from ._registrar import NewFile, NewRun, register
    from ._staging import staging

    key = _key(table)
    params = {
        "source": str(path),
        "source_hash": content_hash(Path(path)),
        "format": format,
        "release": release,
        "min_support": min_support,
        "best_only": best_only,
    }
    with staging() as folder:
        staged = folder / Path(key).name
        table.write(staged)
        file = NewFile(
            key=key,
            staged=staged,
            suffix=".parquet",
            description=f"orthologs of {', '.join(table.taxa)}"[:255],
            kind="reference",
            n_observations=len(table.edges),
        )
        ((registered,),) = register([NewRun(step=STEP, params=params, outputs=[file])])
    status = (
        "unchanged" if not registered.new else "new" if registered.version == "1" else "revised"
    )
    use_workspace_orthologs()
    return _added(
        table, path, release, status=status, version=registered.version, uid=registered.uid
    )


def use_workspace_orthologs() -> None:
    """Let `ortholog_groups` and `project_genes` use the workspace's tables, before the shipped.

    Of every table the newest version, in order of their keys.
    """
    import lamindb as ln

    from ._staging import storage_root

    latest = ln.Artifact.objects.filter(key__startswith=ORTHOLOGS, is_latest=True)
    rows = sorted(latest.values_list("key", "uid", "suffix"))
    folder = storage_root() / ".lamindb"
    use_orthologs(*(folder / f"{uid}{suffix}" for _, uid, suffix in rows))


def read_pairs(path: Path) -> dict[str, str]:
    """Read a table of two columns.

    Raises
    ------
    SchemaError
        If it has fewer columns, or gives a CURIE two gene ids.
    """
    import pandas as pd

    from ..ontologies.text_table import TextTable

    table = TextTable.open(path)
    if len(table.columns) < 2:
        msg = f"{path} has one column. Pass a table with a header: CURIE and gene id."
        raise SchemaError(msg, {"file": str(path), "columns": list(table.columns)})
    curie, gene = table.columns[:2]
    pairs = pd.concat(table.chunks({"curie": curie, "gene": gene})).dropna().drop_duplicates()
    twice = pairs.loc[pairs["curie"].duplicated(), "curie"]
    if len(twice):
        msg = (
            f"{len(twice):,} ids of {path} have two gene ids (first: {twice.iloc[0]!r}). "
            "Keep the one that is meant."
        )
        raise SchemaError(msg, {"file": str(path), "first": twice.iloc[0]})
    return dict(zip(pairs["curie"], pairs["gene"], strict=True))


def _key(table: Orthologs) -> str:
    sources = sorted(set(table.edges["source"]))
    taxa = [taxon.rpartition(":")[2] for taxon in table.taxa] if len(table.taxa) == 2 else []
    return f"{ORTHOLOGS}{'-'.join([*sources, *taxa])}.parquet"


def _added(
    table: Orthologs,
    path: str | os.PathLike[str],
    release: str | None,
    *,
    status: str,
    version: str = "",
    uid: str = "",
) -> AddedOrthologs:
    types = table.edges["type"].value_counts(sort=False)
    return AddedOrthologs(
        key=_key(table),
        source=str(path),
        release=release,
        organisms=table.taxa,
        types={str(kind): int(n) for kind, n in types.items()},
        left_out=dict(table.left_out),
        status=status,
        version=version,
        uid=uid,
    )


def added_view(added: AddedOrthologs) -> RenderableType:
    """Show what was added to people."""
    from ._show import table

    what = [(f"edges {kind}", n) for kind, n in added.types.items()]
    what += [(f"left out: {reason}", n) for reason, n in added.left_out.items()]
    return table(f"{added.key}: {added.status}", ("what", "number"), what)


def command(
    format: OrthologFormat,
    file: Path,
    /,
    *,
    release: str | None = None,
    organism: str | None = None,
    min_support: int = 2,
    best_only: Flag = False,
    cross_references: Path | None = None,
    dry_run: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """Add the orthologs of further species: tables of Compara, BioMart, HCOP and others.

    Parameters
    ----------
    format
        Publisher of the table.
    file
        The table, plain or gzipped.
    release
        Release of the source.
    organism
        The organism that a BioMart export starts from.
    min_support
        Least number of distinct sources that name a pair.
    best_only
        Keep only pairs that neither gene has a better supported alternative to.
    cross_references
        Table of two columns, CURIE and gene id: needed for the Alliance.
    dry_run
        Only read and check.
    json
        Print the result as JSON.
    home
        The workspace.
    """
    from ._lamin import connect

    connect(home)
    added = add_orthologs(
        format,
        file,
        release=release,
        organism=organism,
        min_support=min_support,
        best_only=best_only,
        cross_references=cross_references,
        dry_run=dry_run,
    )
    show(added.to_dict(), added_view(added), as_json=json)
    return 0
