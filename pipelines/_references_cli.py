"""``corpuscle references``: the tables that say what genes are."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures

from cyclopts import App

from ._console import Json, show

references = App(name="references", help="List the reference tables, and add those of a species.")


@references.command(name="list")
def list_(*, json: Json = False, home: Path | None = None) -> int:
    """List the gene tables, shipped and added, with release and number of genes.

    Parameters
    ----------
    json
        Print it as JSON.
    home
        The workspace.
    """
    from ._lamin import connect
    from ._references import list_genes, references_view

    connect(home)
    tables = list_genes()
    show([table.to_dict() for table in tables], references_view(tables), as_json=json)
    return 0
