"""What words mean: organisms, genes, terms, and what each field of a dataset may hold.

Pure: no network, no registry. Everything is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .fields import FIELDS, Vocabulary, vocabulary
    from .gene_groups import ortholog_groups
    from .genes import GENE_RELEASES, gene_table, resolve_genes
    from .labels import map_labels
    from .organism_evidence import OrganismEvidence, infer_organism
    from .organisms import ORGANISMS, Organism, get_organism
    from .ortholog_readers import read_orthologs
    from .orthologs import (
        Orthologs,
        combine_orthologs,
        known_orthologs,
        shipped_orthologs,
        use_orthologs,
    )
    from .terms import Ontology, current_id, normal_id, ontology, ontology_versions

__all__ = [
    "FIELDS",
    "GENE_RELEASES",
    "ORGANISMS",
    "Ontology",
    "Organism",
    "OrganismEvidence",
    "Orthologs",
    "Vocabulary",
    "combine_orthologs",
    "current_id",
    "gene_table",
    "get_organism",
    "infer_organism",
    "known_orthologs",
    "map_labels",
    "normal_id",
    "ontology",
    "ontology_versions",
    "ortholog_groups",
    "read_orthologs",
    "resolve_genes",
    "shipped_orthologs",
    "use_orthologs",
    "vocabulary",
]

_HOMES = {
    "FIELDS": "fields",
    "GENE_RELEASES": "genes",
    "ORGANISMS": "organisms",
    "Ontology": "terms",
    "Organism": "organisms",
    "OrganismEvidence": "organism_evidence",
    "Orthologs": "orthologs",
    "Vocabulary": "fields",
    "combine_orthologs": "orthologs",
    "current_id": "terms",
    "gene_table": "genes",
    "get_organism": "organisms",
    "infer_organism": "organism_evidence",
    "known_orthologs": "orthologs",
    "map_labels": "labels",
    "normal_id": "terms",
    "ontology": "terms",
    "ontology_versions": "terms",
    "ortholog_groups": "gene_groups",
    "read_orthologs": "ortholog_readers",
    "resolve_genes": "genes",
    "shipped_orthologs": "orthologs",
    "use_orthologs": "orthologs",
    "vocabulary": "fields",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
