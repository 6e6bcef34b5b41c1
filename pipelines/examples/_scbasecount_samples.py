"""The samples of the small scBaseCount, with what is odd about each."""

from __future__ import annotations

from dataclasses import dataclass

COLLECTION = "b52eb423-5d0d-4645-b217-e1c6d38b2e72"
"""A collection of CELLxGENE that some samples say they are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A row of a table of samples, and its file."""

    accession: str
    folder: str
    tissue: str
    tissue_id: str | None = None
    disease: str = "unsure"
    disease_id: str | None = None
    tech: str = "3_prime_gex"
    prep: str = "single_cell"
    cell_line: str = "not applicable"
    perturbation: str = "unsure"
    collection: str | None = None
    seed: int = 0
    """Samples of the same one hold the same cells."""
    has_file: bool = True


_NEW = (
    Sample(
        accession="SRX99000101",
        folder="Homo_sapiens",
        tissue="peripheral blood",
        tissue_id="UBERON:0000178",
        disease="COVID-19",
        disease_id="MONDO:0100096",
        cell_line="PBMC",
        seed=1,
    ),
    Sample(
        accession="SRX99000102",
        folder="Homo_sapiens",
        tissue="blood",
        tissue_id="",
        disease="none",
        tech="5_prime_gex",
        prep="unsure",
        collection=COLLECTION,
        seed=2,
    ),
    Sample(accession="SRX99000103", folder="Homo_sapiens", tissue="lung", tech="atac"),
    Sample(
        accession="NRX0000104",
        folder="Homo_sapiens",
        tissue="lungs, lung-associated lymph nodes",
        tissue_id="UBERON:0000170,UBERON:0039167",
        disease="not applicable",
        collection=COLLECTION,
        seed=2,
    ),
    Sample(
        accession="SRX99000201",
        folder="Mus_musculus",
        tissue="brain",
        tissue_id="UBERON:0000955",
        disease="Alzheimer's disease (model organism)",
        disease_id="MONDO:0004975",
        prep="single_nucleus",
        cell_line="interneurons",
        perturbation="unsorted (derived from human embryonic stem cell line)",
        seed=3,
    ),
    Sample(
        accession="ERX99000202",
        folder="Mus_musculus",
        tissue="cerebral cortex",
        tech="multiome",
        prep="single_nucleus",
        seed=4,
    ),
    Sample(
        accession="SRX99000301",
        folder="Arabidopsis_thaliana",
        tissue="whole flowers",
        tissue_id="UBERON:0000914",
        cell_line="Col-0",
        seed=5,
    ),
)
_OLD = (
    Sample(
        accession="SRX99000101", folder="Homo_sapiens", tissue="blood", disease="healthy", seed=1
    ),
    Sample(
        accession="ERX99000105",
        folder="Homo_sapiens",
        tissue="liver;bone marrow",
        disease="stage IV",
        cell_line="THP-1",
        seed=6,
    ),
    Sample(accession="SRX99000106", folder="Homo_sapiens", tissue="blood; other", tech="vdj"),
    Sample(
        accession="SRX99000201",
        folder="Mus_musculus",
        tissue="brain",
        disease="not_specified",
        prep="single_nucleus",
        seed=3,
    ),
    Sample(accession="SRX99000302", folder="Zea_mays", tissue="other", has_file=False),
)
TREE: dict[tuple[str, str], tuple[Sample, ...]] = {
    ("2026-01-12", "GeneFull_Ex50pAS"): _NEW,
    ("2026-01-12", "GeneFull"): _NEW[4:5],
    ("2025-02-25", "Velocyto"): _OLD,
    ("2025-02-25", "GeneFull_Ex50pAS"): _OLD[:1],
}
"""Samples by release and feature type."""
