"""``corpuscle references``: the tables that say what genes are."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the signatures

from cyclopts import App

from ._console import Flag, Json, show

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


@references.command
def add_genes(
    source: str,
    /,
    *,
    organism: str,
    release: str | None = None,
    dry_run: Flag = False,
    json: Json = False,
    home: Path | None = None,
) -> int:
    """Add the genes of an organism: an Ensembl GTF, a BioMart export, or a plain table.

    From then on, files of the organism can be ingested in this workspace; files that were curated
    with another table of it are curated anew when they are ingested again.

    Parameters
    ----------
    source
        File or URL; may be compressed by gzip. A table has a header and at least gene_id.
    organism
        Taxon id or name.
    release
        Annotation it is of, as ensembl-114. Told from the name of a file of Ensembl or GENCODE.
    dry_run
        Only read and check.
    json
        Print the result as JSON.
    home
        The workspace.
    """
    from ._lamin import connect
    from ._references import add_genes as add
    from ._references import added_view

    connect(home)
    added = add(source, organism=organism, release=release, dry_run=dry_run)
    show(added.to_dict(), added_view(added), as_json=json)
    return 0
