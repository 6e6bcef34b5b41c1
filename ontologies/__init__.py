"""What words mean: organisms, genes, terms, and what each field of a dataset may hold.

Pure: no network, no registry. Everything is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .ages import Age, parse_age
    from .decisions import DECIDED_FIELDS, Decision, Target, check_decisions, find_target
    from .fields import FIELDS, Vocabulary, vocabulary
    from .gene_groups import ortholog_groups
    from .gene_tables import GENE_RELEASES, gene_table, gene_versions, use_gene_tables
    from .genes import resolve_genes
    from .hierarchy import NO_PATH, Hierarchy, label_hierarchy
    from .ids import normal_id, prefix_of
    from .in_use import tables_in_use
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
    from .sssom import read_sssom, write_sssom
    from .sssom_set import MappingSet, Problem, check_sssom, refuse
    from .sssom_slots import NO_TERM
    from .terms import Ontology, current_id, ontology, ontology_versions, schema_versions

__all__ = [
    "DECIDED_FIELDS",
    "FIELDS",
    "GENE_RELEASES",
    "NO_PATH",
    "NO_TERM",
    "ORGANISMS",
    "Age",
    "Decision",
    "Hierarchy",
    "MappingSet",
    "Ontology",
    "Organism",
    "OrganismEvidence",
    "Orthologs",
    "Problem",
    "Target",
    "Vocabulary",
    "check_decisions",
    "check_sssom",
    "combine_orthologs",
    "current_id",
    "find_target",
    "gene_table",
    "gene_versions",
    "get_organism",
    "infer_organism",
    "known_orthologs",
    "label_hierarchy",
    "map_labels",
    "normal_id",
    "ontology",
    "ontology_versions",
    "ortholog_groups",
    "parse_age",
    "prefix_of",
    "read_orthologs",
    "read_sssom",
    "refuse",
    "resolve_genes",
    "schema_versions",
    "shipped_orthologs",
    "tables_in_use",
    "use_gene_tables",
    "use_orthologs",
    "vocabulary",
    "write_sssom",
]

_HOMES = {
    "DECIDED_FIELDS": "decisions",
    "FIELDS": "fields",
    "GENE_RELEASES": "gene_tables",
    "NO_PATH": "hierarchy",
    "NO_TERM": "sssom_slots",
    "ORGANISMS": "organisms",
    "Age": "ages",
    "Decision": "decisions",
    "Hierarchy": "hierarchy",
    "MappingSet": "sssom_set",
    "Ontology": "terms",
    "Organism": "organisms",
    "OrganismEvidence": "organism_evidence",
    "Orthologs": "orthologs",
    "Problem": "sssom_set",
    "Target": "decisions",
    "Vocabulary": "fields",
    "check_decisions": "decisions",
    "check_sssom": "sssom_set",
    "combine_orthologs": "orthologs",
    "current_id": "terms",
    "find_target": "decisions",
    "gene_table": "gene_tables",
    "gene_versions": "gene_tables",
    "get_organism": "organisms",
    "infer_organism": "organism_evidence",
    "known_orthologs": "orthologs",
    "label_hierarchy": "hierarchy",
    "map_labels": "labels",
    "normal_id": "ids",
    "ontology": "terms",
    "ontology_versions": "terms",
    "ortholog_groups": "gene_groups",
    "parse_age": "ages",
    "prefix_of": "ids",
    "read_orthologs": "ortholog_readers",
    "read_sssom": "sssom",
    "refuse": "sssom_set",
    "resolve_genes": "genes",
    "schema_versions": "terms",
    "shipped_orthologs": "orthologs",
    "tables_in_use": "in_use",
    "use_gene_tables": "gene_tables",
    "use_orthologs": "orthologs",
    "vocabulary": "fields",
    "write_sssom": "sssom",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
