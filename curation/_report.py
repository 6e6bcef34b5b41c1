"""What curation did to a dataset."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationReport:
    """Everything that happened between the file and the curated dataset."""

    dataset: str
    """Key of the dataset."""
    source: str
    """Path of the file."""
    source_format: str
    """``h5ad``, ``zarr``, ``10x-h5`` or ``10x-mtx``."""
    source_hash: str
    """BLAKE3 of its content."""
    n_cells_in: int
    """Cells in the file."""
    n_cells: int
    """Cells in the curated dataset: `n_cells_in` less all of `dropped`."""
    dropped: dict[str, int]
    """Cells dropped by each rule."""
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
    versions: dict[str, str]
    """Of Corpuscle, ontologies and genes."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)
