"""Mapping decisions as an SSSOM table: what was said, what it became, and on what evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from ._genes import GeneMap
    from ._labels import FieldLabels
    from ._organism import OrganismDecision

COLUMNS = (
    "subject_label",
    "predicate_id",
    "object_id",
    "object_label",
    "mapping_justification",
    "confidence",
    "field",
    "outcome",
    "method",
    "candidates",
    "n_cells",
    "scope",
)
"""Columns of the table: those of SSSOM, then ours."""
JUSTIFICATIONS = {
    "id": "semapv:MappingReview",
    "memory": "semapv:ManualMappingCuration",
    "option": "semapv:ManualMappingCuration",
    "genes": "semapv:CompositeMatching",
}
"""Why a mapping is believed, by method; lexical otherwise."""


def decision_table(
    labels: Sequence[FieldLabels], genes: GeneMap, organism: OrganismDecision, n_cells: int
) -> pd.DataFrame:
    """Collect the decisions of a dataset.

    Every label is listed, and every feature whose gene is not called as the file calls it.

    Returns
    -------
    Columns as in `COLUMNS`.
    """
    import pandas as pd

    parts = [_organism_row(organism, n_cells)]
    for result in labels:
        rows = result.decisions
        parts.append(
            pd.DataFrame(
                {
                    "subject_label": rows["source_label"],
                    "predicate_id": rows["predicate"],
                    "object_id": rows["term_id"],
                    "object_label": rows["term_label"],
                    "confidence": rows["confidence"],
                    "field": result.name,
                    "outcome": rows["outcome"],
                    "method": rows["method"],
                    "candidates": rows["candidates"].map("|".join),
                    "n_cells": rows["n_cells"],
                }
            )
        )
    changed = genes.features[genes.features["source_id"] != genes.features["gene_id"]]
    resolved = changed["outcome"] == "resolved"
    parts.append(
        pd.DataFrame(
            {
                "subject_label": changed["source_id"],
                "predicate_id": resolved.map({True: "skos:exactMatch", False: ""}),
                "object_id": changed["gene_id"],
                "object_label": changed["symbol"],
                "confidence": resolved.astype(float),
                "field": "gene",
                "outcome": changed["outcome"].replace(
                    {"resolved": "mapped", "unknown": "unmapped"}
                ),
                "method": changed["method"],
                "candidates": changed["candidates"].map("|".join),
                "n_cells": n_cells,
            }
        )
    )
    table = pd.concat([part.astype(object) for part in parts], ignore_index=True)
    table["mapping_justification"] = [
        JUSTIFICATIONS.get(method, "semapv:LexicalMatching") for method in table["method"]
    ]
    table["scope"] = "dataset"
    return table[list(COLUMNS)]


def _organism_row(organism: OrganismDecision, n_cells: int) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "subject_label": organism.reason,
                "predicate_id": "skos:exactMatch",
                "object_id": organism.organism.taxon_id,
                "object_label": organism.organism.name,
                "confidence": 1.0,
                "field": "organism",
                "outcome": "mapped",
                "method": organism.method,
                "candidates": "",
                "n_cells": n_cells,
            }
        ]
    )


def write_sssom(table: pd.DataFrame, path: Path, *, dataset: str) -> None:
    """Write the table as SSSOM: metadata in comment lines, then tab-separated values."""
    header = (
        f"#mapping_set_id: corpuscle:{dataset}\n"
        "#license: https://creativecommons.org/publicdomain/zero/1.0/\n"
        "#curie_map:\n"
        "#  semapv: https://w3id.org/semapv/vocab/\n"
        "#  skos: http://www.w3.org/2004/02/skos/core#\n"
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(header)
        table.to_csv(file, sep="\t", index=False, lineterminator="\n")
