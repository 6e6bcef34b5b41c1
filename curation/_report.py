"""What curation did to a dataset."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._genes import GeneMap
    from ._labels import FieldLabels
    from ._organism import OrganismDecision

EXAMPLES = 5
"""Labels and features named in a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationReport:
    """Everything that happened between the file and the curated dataset."""

    dataset: str
    """Key of the dataset."""
    source: str
    """Path of the file."""
    source_format: str
    """See `SourceFile.format`."""
    source_hash: str
    """BLAKE3 of its content."""
    n_cells_in: int
    """Cells in the file."""
    n_cells: int
    """Cells in the curated dataset: `n_cells_in` less all of `dropped`."""
    dropped: dict[str, int]
    """Cells dropped by each rule; a cell that several rules drop counts for the first."""
    quality: dict[str, Any]
    """Rules of quality, cells by flag, and bounds, see `Flagged.summary`; empty without rules."""
    counts_from: str
    """Matrix that holds the raw counts."""
    counts_tried: dict[str, str]
    """Verdict on each matrix that was looked at."""
    total_counts_in: float
    """Sum of the kept cells' counts in the file."""
    total_counts: float
    """Sum of the curated counts: what is missing was counted in features without a gene."""
    organism: dict[str, str]
    """Taxon, name, method and reason."""
    genes: dict[str, Any]
    """Column, features, resolved, ambiguous, unknown, and genes after summing."""
    labels: dict[str, dict[str, Any]]
    """By field: columns read, labels mapped, ambiguous, unmapped, and what to do about those."""
    left_out: tuple[str, ...]
    """Parts of the file that the curated dataset does not carry."""
    renamed_cells: int
    """Cells whose name was not unique and got the row number appended."""
    structure: dict[str, Any]
    """Components, clusters, groups, and how neighbours were found; empty if not asked for."""
    memory: str
    """Version of the memory of decisions, ``3``; empty if there was none yet."""
    versions: dict[str, str]
    """Of Corpuscle, ontologies and genes."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {**asdict(self), "left_out": list(self.left_out)}


def organism_summary(organism: OrganismDecision) -> dict[str, str]:
    """Say what the organism is and how it was decided."""
    return {
        "taxon_id": organism.organism.taxon_id,
        "name": organism.organism.name,
        "method": organism.method,
        "reason": organism.reason,
    }


def gene_summary(genes: GeneMap) -> dict[str, Any]:
    """Count the features by outcome, and give examples of those without a gene."""
    table = genes.features
    outcome = table["outcome"]
    result: dict[str, Any] = {
        "column": genes.column,
        "features": len(table),
        "resolved": int((outcome == "resolved").sum()),
        "ambiguous": int((outcome == "ambiguous").sum()),
        "unknown": int((outcome == "unknown").sum()),
        "genes": len(genes.var),
        "methods": {str(k): int(v) for k, v in table["method"].value_counts().items()},
    }
    for kind in ("ambiguous", "unknown"):
        result[f"first_{kind}"] = table.loc[outcome == kind, "source_id"].head(EXAMPLES).tolist()
    return result


def label_summary(result: FieldLabels) -> dict[str, Any]:
    """Count the labels by outcome, and give the most frequent of those without a term."""
    rows = result.decisions
    summary: dict[str, Any] = {"columns": list(result.columns), **result.counts()}
    open_rows = rows[(rows["outcome"] != "mapped") & (rows["method"] != "missing")]
    open_rows = open_rows.sort_values("n_cells", ascending=False, kind="stable").head(EXAMPLES)
    summary["open"] = [
        {
            "label": str(row["source_label"]),
            "outcome": str(row["outcome"]),
            "n_cells": int(row["n_cells"]),
        }
        for row in open_rows.to_dict("records")
    ]
    summary["suggested_columns"] = list(result.suggestions)
    return summary
