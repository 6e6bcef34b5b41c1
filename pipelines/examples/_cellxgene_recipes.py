"""Datasets of the example of CELLxGENE: what their cells are called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Labels: TypeAlias = dict[str, tuple[str, str]]
"""Term id and label by field."""

HUMAN, MOUSE = ("NCBITaxon:9606", "Homo sapiens"), ("NCBITaxon:10090", "Mus musculus")
DOMESTICUS = ("NCBITaxon:10092", "Mus musculus domesticus")
NORMAL, NA, UNKNOWN = ("PATO:0000461", "normal"), ("na", "na"), ("unknown", "unknown")
FEMALE, MALE = ("PATO:0000383", "female"), ("PATO:0000384", "male")
LUNG, BLOOD = ("UBERON:0002048", "lung"), ("UBERON:0000178", "blood")
BRAIN, EMBRYO = ("UBERON:0000955", "brain"), ("UBERON:0000922", "embryo")
ADULT = ("HsapDv:0000258", "adult stage")
WEEK_9 = ("MmusDv:0000155", "9-week-old stage")
TENX, VISIUM = ("EFO:0009922", "10x 3' v3"), ("EFO:0022857", "Visium Spatial Gene Expression V1")
COVID, COPD = (
    ("MONDO:0100096", "COVID-19"),
    ("MONDO:0005002", "chronic obstructive pulmonary disease"),
)
BOTH = (f"{COPD[0]} || {COVID[0]}", f"{COPD[1]} || {COVID[1]}")
T_CELL, B_CELL = ("CL:0000084", "T cell"), ("CL:0000236", "B cell")
MONOCYTE, NK_CELL = ("CL:0000860", "classical monocyte"), ("CL:0000623", "natural killer cell")
EPITHELIAL, ENDOTHELIAL = ("CL:0000066", "epithelial cell"), ("CL:0000115", "endothelial cell")
FIBROBLAST, ASTROCYTE = ("CL:0000057", "fibroblast"), ("CL:0000127", "astrocyte")
GLUTAMATERGIC, GABAERGIC = (
    ("CL:0000679", "glutamatergic neuron"),
    ("CL:0000617", "GABAergic neuron"),
)

PEOPLE: Labels = {
    "assay": TENX,
    "disease": NORMAL,
    "development_stage": ADULT,
    "self_reported_ethnicity": UNKNOWN,
    "sex": FEMALE,
}
MICE: Labels = {
    **PEOPLE,
    "development_stage": WEEK_9,
    "self_reported_ethnicity": NA,
    "sex": MALE,
    "tissue": BRAIN,
}
ATLAS_COLLECTION = "45d5d2c3-bc28-4814-aed6-0bb6f0e11c82"
"""The mouse prenatal atlas, which its authors publish too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One file to generate."""

    name: str
    """What its ids and its counts are drawn from: versions of a dataset have it in common."""
    title: str
    schema: str
    organism: tuple[str, str]
    common: Labels
    """Labels of all cells."""
    kinds: dict[str, Labels]
    """Labels of each kind of cell."""
    n_cells: int
    raw: bool = True
    """Whether raw counts are in ``raw.X``, beside normalised ones; else in X."""
    tissue_types: dict[str, str] = field(default_factory=dict)
    """Kinds that are no tissue."""
    extra: dict[str, dict[str, str]] = field(default_factory=dict)
    """Further columns, by kind."""
    collection: str = "people"
    others: tuple[str, ...] = ()
    """Types of further files."""


LUNG_3 = Recipe(
    name="lung",
    title="Lung, its organoids and cultures",
    schema="3.1.0",
    organism=HUMAN,
    common=PEOPLE | {"tissue": LUNG},
    kinds={
        "mono": {"cell_type": MONOCYTE, "self_reported_ethnicity": ("multiethnic", "multiethnic")},
        "endo": {
            "cell_type": ENDOTHELIAL,
            "disease": COVID,
            "development_stage": ("HsapDv:0000087", "human adult stage"),
        },
        "epi": {
            "cell_type": EPITHELIAL,
            "tissue": ("UBERON:0002048 (organoid)", "lung (organoid)"),
        },
        "fibro": {
            "cell_type": FIBROBLAST,
            "tissue": ("CL:0000057 (cell culture)", "fibroblast (cell culture)"),
        },
    },
    n_cells=80,
    others=("RDS",),
)
BLOOD_5 = Recipe(
    name="blood",
    title="Blood",
    schema="5.2.0",
    organism=HUMAN,
    common=PEOPLE | {"tissue": BLOOD},
    kinds={
        "t": {
            "cell_type": T_CELL,
            "self_reported_ethnicity": (
                "HANCESTRO:0568,HANCESTRO:0590",
                "African American,European American",
            ),
        },
        "b": {"cell_type": B_CELL, "disease": COVID},
        "mono": {"cell_type": MONOCYTE, "self_reported_ethnicity": ("HANCESTRO:0019", "Japanese")},
        "nk": {"cell_type": NK_CELL},
    },
    n_cells=90,
)
BLOOD_7 = Recipe(
    name="blood",
    title="Blood",
    schema="7.1.0",
    organism=HUMAN,
    common=BLOOD_5.common,
    kinds={
        **BLOOD_5.kinds,
        "t": {
            "cell_type": T_CELL,
            "self_reported_ethnicity": (
                "HANCESTRO:0568 || HANCESTRO:0590",
                "African American || European American",
            ),
        },
        "b": {"cell_type": B_CELL, "disease": BOTH},
    },
    n_cells=90,
    extra={
        "t": {
            "genetic_perturbation_id": "guide_1",
            "genetic_perturbation_strategy": "CRISPR knockout mutant",
            "perturbation_types": "genetic",
        },
    },
    others=("ATAC_FRAGMENT", "ATAC_INDEX"),
)
BRAIN_7 = Recipe(
    name="brain",
    title="Mouse brain, cultures and a cell line",
    schema="7.0.0",
    organism=DOMESTICUS,
    common=MICE,
    kinds={
        "neuron": {"cell_type": GLUTAMATERGIC},
        "astro": {"cell_type": ASTROCYTE},
        "fibro": {"cell_type": FIBROBLAST, "tissue": FIBROBLAST},
        "line": {
            "cell_type": NA,
            "development_stage": NA,
            "sex": NA,
            "tissue": ("CVCL_0594", "NIH 3T3"),
        },
    },
    n_cells=80,
    raw=False,
    tissue_types={"fibro": "primary cell culture", "line": "cell line"},
)
MIXED_5 = Recipe(
    name="mixed",
    title="Blood again, with grafts in mice",
    schema="5.0.0",
    organism=HUMAN,
    common=PEOPLE | {"tissue": BLOOD},
    kinds={
        **{kind: {"cell_type": T_CELL} for kind in ("t", "nk")},
        **{kind: {"cell_type": B_CELL} for kind in ("b", "mono")},
        "epi": {"cell_type": EPITHELIAL, "tissue": EPITHELIAL},
    },
    n_cells=50,
    tissue_types={"epi": "cell culture"},
)
SPOTS_5 = Recipe(
    name="spots",
    title="A section of mouse brain",
    schema="5.3.0",
    organism=MOUSE,
    common=MICE | {"assay": VISIUM},
    kinds={"neuron": {"cell_type": GLUTAMATERGIC}, "gaba": {"cell_type": UNKNOWN}},
    n_cells=36,
    raw=False,
)
ATLAS_6 = Recipe(
    name="atlas",
    title="Major cell cluster: CNS neurons",
    schema="6.0.0",
    organism=MOUSE,
    common=MICE
    | {
        "assay": ("EFO:0030028", "sci-RNA-seq3"),
        "tissue": EMBRYO,
        "development_stage": ("MmusDv:0000034", "Theiler stage 25"),
    },
    kinds={"gaba": {"cell_type": GABAERGIC}},
    n_cells=0,
    raw=False,
    collection="atlas",
)
RECIPES = (LUNG_3, BLOOD_5, BLOOD_7, BRAIN_7, MIXED_5, SPOTS_5, ATLAS_6)
"""In the order of publication; a later one of the same name is a version of the same dataset."""
