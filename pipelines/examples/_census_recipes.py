"""The datasets of the example of a Census."""

from __future__ import annotations

from dataclasses import dataclass

BUILD = "2025-11-08"
"""The release that is written."""
LATEST, GONE, RETRACTED = "2025-11-17", "2025-01-30", "2023-05-15"
"""Releases that are only named in ``release.json``."""
CELL_TYPES = {
    "t": "CL:0000624",
    "b": "CL:0000236",
    "mono": "CL:0000860",
    "epi": "CL:0000066",
    "neuron": "CL:0000679",
    "astro": "CL:0000127",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One source dataset."""

    dataset_id: str
    version_id: str
    title: str
    organism: str
    kinds: tuple[str, ...]
    terms: dict[str, tuple[str, ...]]
    """By field: what its cells have, in turn; several terms in one value are joined."""
    genes: slice
    """Which of the example's genes it measured."""
    n_cells: int
    n_cultured: int = 0
    """How many of its last cells are of a culture, which the Census leaves out."""
    n_repeated: int = 0
    """How many of its first cells are those of the first dataset, and no primary data here."""
    suspension_type: str = "cell"
    spatial: bool = False


HUMAN = {"development_stage": ("HsapDv:0000258",), "self_reported_ethnicity": ("unknown",)}
MOUSE = {"development_stage": ("MmusDv:0000110",), "self_reported_ethnicity": ("na",)}
RECIPES = (
    Recipe(
        dataset_id="0041b9c3-6a49-4bf7-8514-9bc7190067a7",
        version_id="4c7b5a52-6f5c-4f0a-9a0c-1f2e6c0a9d11",
        title="Blood of three donors",
        organism="homo_sapiens",
        kinds=("t", "b", "mono"),
        terms={
            **HUMAN,
            "assay": ("EFO:0009922",),
            "disease": ("PATO:0000461", "MONDO:0005044 || MONDO:0005148", "MONDO:0100096"),
            "sex": ("PATO:0000383", "PATO:0000384"),
            "tissue": ("UBERON:0000178",),
            "tissue_general": ("UBERON:0000178",),
        },
        genes=slice(0, 1_000),
        n_cells=130,
        n_cultured=10,
    ),
    Recipe(
        dataset_id="1b9d8702-5af8-4142-85ed-020eb06ec4f6",
        version_id="7d2f0f5e-92d1-49a9-8a3b-5b0d3a1c2e22",
        title="Lung and its blood",
        organism="homo_sapiens",
        kinds=("epi", "t"),
        terms={
            **HUMAN,
            "assay": ("EFO:0008931", "EFO:0009899"),
            "disease": ("PATO:0000461", "MONDO:0100096"),
            "sex": ("unknown",),
            "tissue": ("UBERON:0008952", "UBERON:0002048"),
            "tissue_general": ("UBERON:0002048",),
        },
        genes=slice(60, 1_140),
        n_cells=110,
        n_repeated=20,
    ),
    Recipe(
        dataset_id="2c820d53-cbd7-4e0a-be7a-a0ad1989a98f",
        version_id="9e3c1d6f-0b42-4c5e-8f7a-6d1e4b2f3a33",
        title="Cortex of the mouse",
        organism="mus_musculus",
        kinds=("neuron", "astro"),
        terms={
            **MOUSE,
            "assay": ("EFO:0009922",),
            "disease": ("PATO:0000461",),
            "sex": ("PATO:0000384",),
            "tissue": ("UBERON:0000956",),
            "tissue_general": ("UBERON:0000955",),
        },
        genes=slice(0, 1_150),
        n_cells=90,
    ),
    Recipe(
        dataset_id="3d4b1f0e-8c1a-4d0b-9a53-0f6f4b7c5d44",
        version_id="af4d2e70-1c53-4d6f-908b-7e2f5c3a4b44",
        title="Spots of a lung",
        organism="homo_sapiens",
        kinds=("epi",),
        terms={
            **HUMAN,
            "assay": ("EFO:0022857",),
            "disease": ("PATO:0000461",),
            "sex": ("PATO:0000383",),
            "tissue": ("UBERON:0002048",),
            "tissue_general": ("UBERON:0002048",),
        },
        genes=slice(0, 1_000),
        n_cells=30,
        suspension_type="na",
        spatial=True,
    ),
)
ORGANISMS = ("homo_sapiens", "mus_musculus")
COLLECTION = "b52eb423-5d0d-4645-b217-e1c6d38b2e72"
