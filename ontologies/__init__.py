"""What words mean: organisms, genes, terms, and what each field of a dataset may hold.

Pure: no network, no registry. Everything is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .decisions import DECIDED_FIELDS, Decision, Target, check_decisions, find_target
    from .fields import FIELDS, Vocabulary, vocabulary
    from .genes import GENE_RELEASES, gene_table, resolve_genes
    from .labels import map_labels
    from .organism_evidence import OrganismEvidence, infer_organism
    from .organisms import ORGANISMS, Organism, get_organism
    from .sssom import NO_TERM, MappingSet, Problem, check_sssom, read_sssom, refuse, write_sssom
    from .terms import Ontology, current_id, normal_id, ontology, ontology_versions

__all__ = [
    "DECIDED_FIELDS",
    "FIELDS",
    "GENE_RELEASES",
    "NO_TERM",
    "ORGANISMS",
    "Decision",
    "MappingSet",
    "Ontology",
    "Organism",
    "OrganismEvidence",
    "Problem",
    "Target",
    "Vocabulary",
    "check_decisions",
    "check_sssom",
    "current_id",
    "find_target",
    "gene_table",
    "get_organism",
    "infer_organism",
    "map_labels",
    "normal_id",
    "ontology",
    "ontology_versions",
    "read_sssom",
    "refuse",
    "resolve_genes",
    "vocabulary",
    "write_sssom",
]

_HOMES = {
    "DECIDED_FIELDS": "decisions",
    "FIELDS": "fields",
    "GENE_RELEASES": "genes",
    "NO_TERM": "sssom",
    "ORGANISMS": "organisms",
    "Decision": "decisions",
    "MappingSet": "sssom",
    "Ontology": "terms",
    "Organism": "organisms",
    "OrganismEvidence": "organism_evidence",
    "Problem": "sssom",
    "Target": "decisions",
    "Vocabulary": "fields",
    "check_decisions": "decisions",
    "check_sssom": "sssom",
    "current_id": "terms",
    "find_target": "decisions",
    "gene_table": "genes",
    "get_organism": "organisms",
    "infer_organism": "organism_evidence",
    "map_labels": "labels",
    "normal_id": "terms",
    "ontology": "terms",
    "ontology_versions": "terms",
    "read_sssom": "sssom",
    "refuse": "sssom",
    "resolve_genes": "genes",
    "vocabulary": "fields",
    "write_sssom": "sssom",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
