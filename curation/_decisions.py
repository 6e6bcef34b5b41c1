"""Mapping decisions as an SSSOM table: what was said, what it became, and on what evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ..ontologies import NO_TERM, read_sssom, write_sssom
from ..ontologies.decisions import sssom_object, term_of
from ..ontologies.sssom_slots import LITERAL

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
    "reviewer_label",
    "confidence",
    "field",
    "outcome",
    "method",
    "candidates",
    "n_cells",
    "scope",
    "decided_in",
    "comment",
)
"""Columns of the table: those of SSSOM, then ours. ``n_cells`` is 0 for labels that decided about
no cell, since another column of the file did; ``decided_in`` is a version of the memory; ``comment`` is what
the source of the dataset says."""
EXTENSIONS = {
    "field": "xsd:string",
    "outcome": "xsd:string",
    "method": "xsd:string",
    "candidates": "xsd:string",
    "n_cells": "xsd:integer",
    "scope": "xsd:string",
    "decided_in": "xsd:string",
}
"""Ours, with the type of their values."""
JUSTIFICATIONS = {
    "id": "semapv:MappingReview",
    "memory": "semapv:ManualMappingCuration",
    "option": "semapv:ManualMappingCuration",
    "source": "semapv:BackgroundKnowledgeBasedMatching",
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
        if result.overruled is not None:
            rows = pd.concat([rows, result.overruled], ignore_index=True)
        parts.append(
            pd.DataFrame(
                {
                    "subject_label": rows["source_label"],
                    "predicate_id": rows["predicate"],
                    "object_id": rows["term_id"],
                    "object_label": rows["term_label"],
                    "reviewer_label": rows["reviewer"],
                    "confidence": rows["confidence"],
                    "field": result.name,
                    "outcome": rows["outcome"],
                    "method": rows["method"],
                    "candidates": rows["candidates"].map("|".join),
                    "n_cells": rows["n_cells"],
                    "decided_in": rows["decided_in"],
                    "comment": rows.get("comment", ""),
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


def write_decisions(table: pd.DataFrame, path: Path, *, dataset: str) -> None:
    """Write the decisions of a dataset as an SSSOM file; the same decisions give the same bytes.

    SSSOM has no empty subjects and objects: what has no label or no term is ``sssom:NoTermFound``,
    and what is a word (``cell line``) is a literal.

    Parameters
    ----------
    table
        As `decision_table` makes it.
    path
        File to write.
    dataset
        Name of the dataset.
    """
    rows = table.astype(object).where(table.notna(), "")
    is_gene = rows["field"] == "gene"
    terms = rows["object_id"].where(
        ~is_gene | (rows["object_id"] == ""), "ensembl:" + rows["object_id"]
    )
    objects = [sssom_object(term) for term in terms]
    has_label = rows["subject_label"] != ""
    whole = rows.assign(
        subject_id=has_label.map({True: "", False: NO_TERM}),
        subject_type=has_label.map({True: LITERAL, False: ""}),
        predicate_id=rows["predicate_id"].replace("", "skos:exactMatch"),
        object_id=[object_id for object_id, _ in objects],
        object_type=[kind for _, kind in objects],
    )
    name = f"urn:x-corpuscle:decisions:{quote(dataset)}"
    write_sssom(whole, path, mapping_set_id=name, extensions=EXTENSIONS)


def read_decisions(path: Path) -> pd.DataFrame:
    """Read the decisions about labels in a file that `write_decisions` wrote, without the genes.

    Returns
    -------
    Columns as in `COLUMNS`; everything as text, empty where there is nothing, but ``n_cells``,
    which is a number. ``object_id`` is the term as `map_labels` gives it.
    """
    table = read_sssom(path, until=("field", "gene")).table
    table["object_id"] = [term_of(row) for row in table.to_dict("records")]
    table["object_id"] = table["object_id"].replace(NO_TERM, "")
    table["n_cells"] = table["n_cells"].astype("int64")
    return table.reindex(columns=list(COLUMNS), fill_value="")
