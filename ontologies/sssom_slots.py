"""The slots of SSSOM 1.1, in its order, and what its prefixes stand for.

https://mapping-commons.github.io/sssom/Mapping and .../MappingSet
"""

from __future__ import annotations

from types import MappingProxyType

OWN = "corpuscle"
"""Prefix of the properties that our extension columns stand for."""
NO_TERM = "sssom:NoTermFound"
"""In place of an object: that there is none is what was found."""
LITERAL = "rdfs literal"
"""Type of a subject or object that is its label and has no id."""
COMPOSED = "composed entity expression"
"""Type of an object that is several terms together."""

ROW_SLOTS = (
    "record_id",
    "subject_id",
    "subject_label",
    "subject_category",
    "predicate_id",
    "predicate_label",
    "predicate_modifier",
    "object_id",
    "object_label",
    "object_category",
    "mapping_justification",
    "author_id",
    "author_label",
    "reviewer_id",
    "reviewer_label",
    "creator_id",
    "creator_label",
    "license",
    "subject_type",
    "subject_source",
    "subject_source_version",
    "object_type",
    "object_source",
    "object_source_version",
    "predicate_type",
    "mapping_provider",
    "mapping_source",
    "mapping_cardinality",
    "cardinality_scope",
    "mapping_tool",
    "mapping_tool_id",
    "mapping_tool_version",
    "mapping_date",
    "publication_date",
    "review_date",
    "confidence",
    "reviewer_agreement",
    "curation_rule",
    "curation_rule_text",
    "subject_match_field",
    "object_match_field",
    "match_string",
    "subject_preprocessing",
    "object_preprocessing",
    "similarity_score",
    "similarity_measure",
    "see_also",
    "issue_tracker_item",
    "other",
    "comment",
)
SET_SLOTS = (
    "sssom_version",
    "curie_map",
    "mapping_set_id",
    "mapping_set_version",
    "mapping_set_source",
    "mapping_set_title",
    "mapping_set_description",
    "mapping_set_confidence",
    "creator_id",
    "creator_label",
    "license",
    "subject_type",
    "subject_source",
    "subject_source_version",
    "object_type",
    "object_source",
    "object_source_version",
    "predicate_type",
    "mapping_provider",
    "cardinality_scope",
    "mapping_tool",
    "mapping_tool_id",
    "mapping_tool_version",
    "mapping_date",
    "publication_date",
    "subject_match_field",
    "object_match_field",
    "subject_preprocessing",
    "object_preprocessing",
    "similarity_measure",
    "curation_rule",
    "curation_rule_text",
    "see_also",
    "issue_tracker",
    "other",
    "comment",
    "extension_definitions",
)
PROPAGATED = ("subject_type", "object_type", "mapping_date", "mapping_provider", "mapping_tool")
"""Slots of the set that we hand down to its mappings: those with one value that we use."""
JUSTIFICATIONS = frozenset(
    {
        "BackgroundKnowledgeBasedMatching",
        "CompositeMatching",
        "InstanceBasedMatching",
        "LexicalMatching",
        "LexicalSimilarityThresholdMatching",
        "LogicalReasoning",
        "ManualMappingCuration",
        "MappingChaining",
        "MappingInversion",
        "MappingReview",
        "SemanticSimilarityThresholdMatching",
        "StructuralMatching",
        "UnspecifiedMatching",
    }
)
BUILT_IN = frozenset(
    {
        "dcterms",
        "linkml",
        "oboInOwl",
        "owl",
        "pav",
        "prov",
        "rdf",
        "rdfs",
        "semapv",
        "skos",
        "sssom",
        "xsd",
    }
)
"""Prefixes that every reader knows."""
_OBO = (
    "AfPO",
    "CL",
    "FBbt",
    "FBdv",
    "HANCESTRO",
    "HsapDv",
    "MONDO",
    "MmusDv",
    "NCBITaxon",
    "PATO",
    "UBERON",
    "WBbt",
    "WBls",
    "ZFA",
    "ZFS",
)
IRIS = MappingProxyType(
    {
        **{prefix: f"http://purl.obolibrary.org/obo/{prefix}_" for prefix in _OBO},
        "EFO": "http://www.ebi.ac.uk/efo/EFO_",
        "cellosaurus": "https://www.cellosaurus.org/",
        "corpuscle": "urn:x-corpuscle:",
        "ensembl": "https://identifiers.org/ensembl:",
    }
)
"""What our prefixes stand for."""
