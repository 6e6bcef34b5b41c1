"""Build ``data/taxonomy.json``: the organisms we know and everything above them.

    python -m corpuscle.ontologies.build_taxonomy

Animals come from the NCBITaxon of cellxgene-ontology-guide, which needs a minute and 3 GiB to read
and holds animals only. Plants, and what is above all animals, are written here by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .organisms import GUESTS, ORGANISMS

__all__ = ["build_taxonomy"]

TAXONOMY_PATH = Path(__file__).resolve().parent / "data" / "taxonomy.json"

# Above the animals of the guide, whose ancestors name these ids without describing them.
_TOP = {
    1: "root",
    131567: "cellular organisms",
    2759: "Eukaryota",
    33154: "Opisthokonta",
    33208: "Metazoa",
    6072: "Eumetazoa",
}
# Lineages of what is no animal, from the root down; after NCBI Taxonomy.
_PLANT = (
    *((1, "root"), (131567, "cellular organisms"), (2759, "Eukaryota"), (33090, "Viridiplantae")),
    *((35493, "Streptophyta"), (3193, "Embryophyta"), (58023, "Tracheophyta")),
    *((58024, "Spermatophyta"), (3398, "Magnoliopsida")),
)
_GRASS = (*_PLANT, (4447, "Liliopsida"), (38820, "Poales"), (4479, "Poaceae"))
_EUDICOT = (*_PLANT, (71240, "eudicotyledons"))
_LINEAGES = {
    3702: (
        *_EUDICOT,
        *((71275, "rosids"), (3699, "Brassicales"), (3700, "Brassicaceae"), (3701, "Arabidopsis")),
    ),
    4081: (
        *_EUDICOT,
        (71274, "asterids"),
        (4069, "Solanales"),
        (4070, "Solanaceae"),
        (4107, "Solanum"),
    ),
    4577: (*_GRASS, (147370, "PACMAD clade"), (4575, "Zea")),
    4530: (*_GRASS, (359160, "BOP clade"), (4527, "Oryza")),
    39947: (*_GRASS, (359160, "BOP clade"), (4527, "Oryza"), (4530, "Oryza sativa")),
    32630: ((1, "root"),),
    2697049: ((1, "root"), (10239, "Viruses")),
}


def build_taxonomy(taxa: dict[str, dict[str, Any]], target: Path = TAXONOMY_PATH) -> None:
    """Write the terms of our organisms, their variants and all that is above them.

    Parameters
    ----------
    taxa
        NCBITaxon as the guide gives it: by id, ``label`` and ``ancestors`` with distances.
    target
        The file.
    """
    terms: dict[str, dict[str, Any]] = {}
    wanted = [taxon for o in (*ORGANISMS, *GUESTS) for taxon in (o.taxon_id, *o.variants)]
    names = {o.taxon_id: o for o in (*ORGANISMS, *GUESTS)}
    for taxon in wanted:
        number = int(taxon.split(":")[1])
        if number in _LINEAGES:
            for place, (above, label) in enumerate(_LINEAGES[number]):
                _add(terms, above, label, [n for n, _ in _LINEAGES[number][:place]])
            label = names[taxon].name if taxon in names else "Oryza sativa"
            _add(terms, number, label, [n for n, _ in _LINEAGES[number]])
            continue
        for above in (taxon, *taxa[taxon]["ancestors"]):
            if above in taxa:
                terms[above] = {
                    "label": taxa[above]["label"],
                    "ancestors": dict(sorted(taxa[above]["ancestors"].items())),
                    "deprecated": False,
                }
    for number, label in _TOP.items():
        order = list(_TOP)
        _add(terms, number, label, order[: order.index(number)])
    for taxon, organism in names.items():
        terms[taxon]["synonyms"] = sorted({organism.common, *organism.synonyms})
    text = json.dumps(dict(sorted(terms.items())), indent=0, sort_keys=True)
    target.write_text(text + "\n", encoding="utf-8")


def _add(terms: dict[str, dict[str, Any]], number: int, label: str, above: list[int]) -> None:
    """Add a term whose ancestors are given from the root down."""
    distances = {f"NCBITaxon:{n}": len(above) - i for i, n in enumerate(above)}
    terms[f"NCBITaxon:{number}"] = {
        "label": label,
        "ancestors": dict(sorted(distances.items())),
        "deprecated": False,
    }


if __name__ == "__main__":
    from cellxgene_ontology_guide.supported_versions import CXGSchema

    build_taxonomy(CXGSchema("7.1.0").ontology("NCBITaxon"))
