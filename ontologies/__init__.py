"""What words mean: organisms, genes, terms, and what each field of a dataset may hold.

Pure: no network, no registry. Everything is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .fields import FIELDS, Vocabulary, vocabulary
    from .gene_tables import GENE_RELEASES, gene_table, gene_versions, use_gene_tables
    from .genes import resolve_genes
    from .labels import map_labels
    from .organism_evidence import OrganismEvidence, infer_organism
    from .organisms import ORGANISMS, Organism, get_organism
    from .terms import Ontology, current_id, normal_id, ontology, ontology_versions

__all__ = [
    "FIELDS",
    "GENE_RELEASES",
    "ORGANISMS",
    "Ontology",
    "Organism",
    "OrganismEvidence",
    "Vocabulary",
    "current_id",
    "gene_table",
    "gene_versions",
    "get_organism",
    "infer_organism",
    "map_labels",
    "normal_id",
    "ontology",
    "ontology_versions",
    "resolve_genes",
    "use_gene_tables",
    "vocabulary",
]

_HOMES = {
    "FIELDS": "fields",
    "GENE_RELEASES": "gene_tables",
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
    "map_labels": "labels",
    "normal_id": "terms",
    "ontology": "terms",
    "ontology_versions": "terms",
    "resolve_genes": "genes",
    "use_gene_tables": "gene_tables",
    "vocabulary": "fields",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
