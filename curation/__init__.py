"""One dataset at a time: raw counts, genes, labels and quality, with every decision kept."""

from __future__ import annotations

from ._counts import Verdict, check_counts, find_counts
from ._dataset import PROCESSING_VERSION, Curated, curate, versions
from ._decisions import decision_table, write_sssom
from ._files import atomic_path, content_hash, copy_file
from ._options import CurationOptions, parse_assignments
from ._project import ProjectionReport, project_genes
from ._report import CurationReport
from ._source import SourceFile, detect_format, open_source

__all__ = [
    "PROCESSING_VERSION",
    "Curated",
    "CurationOptions",
    "CurationReport",
    "ProjectionReport",
    "SourceFile",
    "Verdict",
    "atomic_path",
    "check_counts",
    "content_hash",
    "copy_file",
    "curate",
    "decision_table",
    "detect_format",
    "find_counts",
    "open_source",
    "parse_assignments",
    "project_genes",
    "versions",
    "write_sssom",
]
