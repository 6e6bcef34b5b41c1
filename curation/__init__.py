"""One dataset at a time: raw counts, genes, labels and quality, with every decision kept."""

from __future__ import annotations

from ._alive import listening, sign_of_life
from ._categories import constant
from ._counts import Verdict, check_counts, find_counts
from ._dataset import PROCESSING_VERSION, Curated, curate, versions
from ._decisions import decision_table, read_decisions, write_decisions
from ._destinations import ortholog_names
from ._facts import SourceFacts
from ._files import atomic_path, content_hash, copy_file
from ._labels import tissue_context
from ._matrix import Matrix, Rows
from ._memory import MEMORY_COLUMNS, Memory, answers, memory_of_dataset, same_answers
from ._mtx import open_mtx
from ._options import CurationOptions, parse_assignments
from ._project import ProjectionReport, project_genes
from ._report import CurationReport
from ._rules import QualityRules, StructureOptions
from ._source import SourceFile, detect_format, is_dataset_folder, open_source

__all__ = [
    "MEMORY_COLUMNS",
    "PROCESSING_VERSION",
    "Curated",
    "CurationOptions",
    "CurationReport",
    "Matrix",
    "Memory",
    "ProjectionReport",
    "QualityRules",
    "Rows",
    "SourceFacts",
    "SourceFile",
    "StructureOptions",
    "Verdict",
    "answers",
    "atomic_path",
    "check_counts",
    "constant",
    "content_hash",
    "copy_file",
    "curate",
    "decision_table",
    "detect_format",
    "find_counts",
    "is_dataset_folder",
    "listening",
    "memory_of_dataset",
    "open_mtx",
    "open_source",
    "ortholog_names",
    "parse_assignments",
    "project_genes",
    "read_decisions",
    "same_answers",
    "sign_of_life",
    "tissue_context",
    "versions",
    "write_decisions",
]
