"""What words mean: organisms, genes, terms, and what each field of a dataset may hold.

Pure: no network, no registry. Everything is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .ages import Age, parse_age
    from .fields import FIELDS, Vocabulary, vocabulary
    from .gene_tables import GENE_RELEASES, gene_table, gene_versions, use_gene_tables
    from .genes import resolve_genes
    from .hierarchy import NO_PATH, Hierarchy, label_hierarchy
    from .ids import normal_id
    from .labels import map_labels
    from .organism_evidence import OrganismEvidence, infer_organism
    from .organisms import ORGANISMS, Organism, get_organism
    from .terms import Ontology, current_id, ontology, ontology_versions, schema_versions

__all__ = [
    "FIELDS",
    "GENE_RELEASES",
    "NO_PATH",
    "ORGANISMS",
    "Age",
    "Hierarchy",
    "Ontology",
    "Organism",
    "OrganismEvidence",
    "Vocabulary",
    "current_id",
    "gene_table",
    "gene_versions",
    "get_organism",
    "infer_organism",
    "label_hierarchy",
    "map_labels",
    "normal_id",
    "ontology",
    "ontology_versions",
    "parse_age",
    "resolve_genes",
    "schema_versions",
    "use_gene_tables",
    "vocabulary",
]

_HOMES = {
    "Age": "ages",
    "FIELDS": "fields",
    "GENE_RELEASES": "gene_tables",
    "Hierarchy": "hierarchy",
    "NO_PATH": "hierarchy",
    "ORGANISMS": "organisms",
    "Ontology": "terms",
    "Organism": "organisms",
    "OrganismEvidence": "organism_evidence",
    "Vocabulary": "fields",
    "current_id": "terms",
    "gene_table": "gene_tables",
    "gene_versions": "gene_tables",
    "get_organism": "organisms",
    "infer_organism": "organism_evidence",
    "label_hierarchy": "hierarchy",
    "map_labels": "labels",
    "normal_id": "ids",
    "ontology": "terms",
    "ontology_versions": "terms",
    "parse_age": "ages",
    "resolve_genes": "genes",
    "schema_versions": "terms",
    "use_gene_tables": "gene_tables",
    "vocabulary": "fields",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
