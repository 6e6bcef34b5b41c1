"""Reference tables of a workspace: those that are shipped and those that were added."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..ontologies import (
    GENE_RELEASES,
    ORGANISMS,
    gene_table,
    gene_versions,
    get_organism,
    use_gene_tables,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from rich.table import Table

    from ..ontologies import Organism
    from .transfer import Fetched

GENES = "references/genes/"
"""Prefix of the keys of gene tables in the registry."""
STEP = "corpuscle/add-genes"
MAX_BYTES = 4 * 2**30
"""Largest file that is fetched; the largest GTF of Ensembl is a tenth of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneReference:
    """A gene table."""

    taxon_id: str
    organism: str
    """Its name."""
    origin: str
    """``shipped`` or ``added``."""
    release: str
    """Annotation it comes from; of an added one, with the hash of its content."""
    n_genes: int
    """Current genes."""
    n_retired: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedGenes:
    """What adding a gene table did, or would do."""

    taxon_id: str
    organism: str
    source: str
    """Path or URL."""
    release: str
    n_genes: int
    n_retired: int
    """Genes of the table before that the new one has no more."""
    n_mito: int
    status: str
    """``new``, ``revised``, ``unchanged`` or ``planned``."""
    version: str = ""
    """Version in the registry."""
    uid: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)


def use_references() -> None:
    """Use the tables of genes and orthologs that are registered in the workspace, and no others."""
    import lamindb as ln

    from ._add_orthologs import use_workspace_orthologs
    from ._staging import storage_root

    latest = ln.Artifact.objects.filter(key__startswith=GENES, is_latest=True)
    rows = list(latest.values_list("key", "uid", "suffix"))
    use_gene_tables(
        {
            f"NCBITaxon:{Path(key).stem}": storage_root() / ".lamindb" / f"{uid}{suffix}"
            for key, uid, suffix in rows
        }
    )
    use_workspace_orthologs()


def add_genes(
    source: str, *, organism: str, release: str | None = None, dry_run: bool = False
) -> AddedGenes:
    """Read the genes of an organism from a file and register them for this workspace.

    What an earlier table of the organism knew is kept: its symbols as previous symbols, and genes
    that are no more as retired ones.

    Parameters
    ----------
    source
        Path or URL; see `read_genes` for what may be in it.
    organism
        Taxon id or name.
    release
        Annotation it is of; told from the name of a file of Ensembl or GENCODE by default.
    dry_run
        Only read and check.

    Raises
    ------
    InputError
        If the file is no gene table of that organism, or its release is not known.
    NotFoundError
        If there is no such file, or the organism is unknown.
    TransferError, IntegrityError
        If a download fails.
    """
    from .transfer import RemoteFile, Transfer, public_url

    known = get_organism(organism)
    transfer = Transfer.from_environment(max_bytes=MAX_BYTES)
    with transfer.fetch([RemoteFile(url=source)]) as (file,):
        found = _release(file.path, release)
        return _add(file, public_url(source), known, found, dry_run=dry_run)


def _release(path: Path, release: str | None) -> str:
    from ..ontologies.gene_files import release_of

    found = release or release_of(path.name)
    if found is None:
        msg = f"The name of {path.name} does not tell its release. Pass --release, as ensembl-114."
        raise InputError(msg, {"file": str(path)})
    return found


def _add(
    file: Fetched, source: str, organism: Organism, release: str, *, dry_run: bool
) -> AddedGenes:
    from ..ontologies.gene_files import read_genes
    from ..ontologies.gene_merge import carry_over
    from ..ontologies.gene_tables import gene_file, has_genes

    rows, annotations = (
        read_genes(file.path, organism=organism.taxon_id, release=release),
        [release],
    )
    if has_genes(organism):
        rows, annotations = carry_over(rows, gene_file(organism), release)
    current = rows["status"] == "current"
    added: dict[str, Any] = {
        "taxon_id": organism.taxon_id,
        "organism": organism.name,
        "source": source,
        "release": release,
        "n_genes": int(current.sum()),
        "n_retired": int((~current).sum()),
        "n_mito": int(rows["is_mito"].eq(True).sum()),  # noqa: FBT003 - a value, not an option
    }
    if dry_run:
        return AddedGenes(**added, status="planned")
    done = _register(file.hash, rows, annotations, added)
    use_references()
    return AddedGenes(**added | done)


def _register(
    source_hash: str, rows: pd.DataFrame, annotations: Sequence[str], added: dict[str, Any]
) -> dict[str, Any]:
    import lamindb as ln

    from ..ontologies.gene_form import write_table
    from ._registrar import NewFile, NewRun, register
    from ._staging import staging
    from ._versions import code_version

    key = f"{GENES}{added['taxon_id'].removeprefix('NCBITaxon:')}.parquet"
    before = ln.Artifact.objects.filter(key=key, is_latest=True).values_list("id", flat=True)
    with staging() as folder:
        staged = folder / "genes.parquet"
        write_table(staged, rows, release=added["release"], annotations=annotations)
        table = NewFile(
            key=key,
            staged=staged,
            suffix=".parquet",
            description=f"Genes of {added['organism']}: {added['release']}",
            kind="genes",
            n_observations=added["n_genes"],
        )
        params = {**added, "source_hash": source_hash, "code_version": code_version()}
        run = NewRun(step=STEP, params=params, input_ids=list(before), outputs=[table])
        ((registered,),) = register([run])
    status = "unchanged" if not registered.new else "revised" if before else "new"
    return {"status": status, "version": registered.version, "uid": registered.uid}


def list_genes() -> list[GeneReference]:
    """List the gene tables that this workspace knows."""
    versions = gene_versions()
    found = []
    for name, release in versions.items():
        table = gene_table(name, retired=True)
        current = int((table["status"] == "current").sum())
        taxon_id, organism = _name(name)
        found.append(
            GeneReference(
                taxon_id=taxon_id,
                organism=organism,
                origin="shipped" if name in GENE_RELEASES else "added",
                release=release,
                n_genes=current,
                n_retired=len(table) - current,
            )
        )
    return found


def _name(table: str) -> tuple[str, str]:
    from ..ontologies.organisms import GUESTS

    organisms = (*ORGANISMS, *GUESTS)
    (found,) = (o for o in organisms if table in {o.genes, o.taxon_id})
    return found.taxon_id, found.name


def references_view(tables: Sequence[GeneReference]) -> Table:
    """Table for people."""
    from rich.table import Table

    view = Table(title="gene tables", title_justify="left")
    for column in ("organism", "taxon", "origin", "release"):
        view.add_column(column)
    view.add_column("genes", justify="right")
    view.add_column("retired", justify="right")
    for t in tables:
        counts = (f"{t.n_genes:,}", f"{t.n_retired:,}")
        view.add_row(t.organism, t.taxon_id, t.origin, t.release, *counts)
    return view


def added_view(added: AddedGenes) -> str:
    """Lines for people."""
    lines = [
        f"{added.status}: {added.n_genes:,} genes of {added.organism}, {added.release}",
        f"{added.n_mito:,} mitochondrial, {added.n_retired:,} retired since the table before",
    ]
    if not added.n_mito:
        lines.append("no gene is known to be mitochondrial: pct_counts_mito will be missing")
    return "\n".join(lines)
