"""Would a curated dataset be another with the ontologies and genes of today?

Only what curation kept is read: its decisions and the var of its file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GeneMappingError
from ..ontologies import NO_TERM, get_organism, infer_organism, map_labels, read_sssom
from ._decisions import read_decisions
from ._fingerprints import comparable
from ._genes import GeneFeatures, map_genes
from ._labels import TISSUE_FIELDS, tissue_context
from ._memory import memory_of_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from ._memory import Memory

UNTOLD = ("retired", "retired_id_symbol")
"""Methods by which a feature's own symbol counts, which is not kept."""


def same_labels(
    decisions: Path, *, dataset: str, organism: str, tissues: Sequence[str], memory: Memory
) -> bool:
    """Tell whether every label of a dataset is the same term, of the same name, today.

    Parameters
    ----------
    decisions
        Its file of decisions.
    dataset
        Its name.
    organism
        Its taxon id.
    tissues
        Terms of its tissues.
    memory
        Decisions of curators: they are asked as they were.
    """
    table = read_decisions(decisions)
    table = table[(table["subject_label"] != "") & (table["field"] != "organism")]
    known = memory_of_dataset(memory, dataset=dataset, organism=organism)
    kinds = set(table.loc[table["field"] == "tissue_type", "object_id"])
    homes = {TISSUE_FIELDS.get(str(kind), "tissue") for kind in kinds or {"tissue"}}
    for name, rows in table.groupby("field"):
        if name == "tissue" and len(homes) > 1:  # which label belonged to which is not kept
            return False
        found = map_labels(
            rows["subject_label"],
            field=next(iter(homes)) if name == "tissue" else str(name),
            organism=organism,
            tissue=tissue_context(tissues) if name == "cell_type" else None,
            memory=_with_source(known.get(str(name)), rows),
        ).set_index("source_label")
        today = found.loc[rows["subject_label"], ["outcome", "term_id", "term_label"]].fillna("")
        kept = rows[["outcome", "object_id", "object_label"]]
        if not np.array_equal(today.to_numpy(), kept.to_numpy()):
            return False
    return True


def _with_source(memory: pd.DataFrame | None, rows: pd.DataFrame) -> pd.DataFrame | None:
    """Let what the source of a dataset said of its labels be said again."""
    import pandas as pd

    said = rows[rows["method"] == "source"]
    if said.empty:
        return memory
    told = pd.DataFrame(
        {"source_label": said["subject_label"], "term_id": said["object_id"].replace("", NO_TERM)}
    ).drop_duplicates("source_label")
    told = told.assign(scope="global", organism="")
    if memory is None:
        return told
    return pd.concat([memory, told], ignore_index=True).fillna("")


def same_genes(
    curated: Path, decisions: Path, *, report: Mapping[str, Any], hashes: str | None
) -> bool:
    """Tell whether every feature of a dataset is the same gene today, and the dataset as comparable.

    Parameters
    ----------
    curated
        Its file.
    decisions
        Its file of decisions.
    report
        Its `CurationReport`, as a dictionary.
    hashes
        See `Curated.comparable`; None if the table of its organism is as it was.
    """
    import h5py
    import pandas as pd
    from anndata.io import read_elem

    organism = get_organism(report["organism"]["taxon_id"])
    if hashes is not None and any(method in report["genes"]["methods"] for method in UNTOLD):
        return False
    with h5py.File(curated) as file:
        var = read_elem(file["var"])
    changed = read_sssom(decisions).table
    changed = changed[changed["field"] == "gene"]  # and those that the file calls by their ids
    own = [
        g
        for g, ids in zip(var.index, var["source_id"], strict=True)
        for i in ids.split("|")
        if i == g
    ]
    texts = pd.Series([*changed["subject_label"], *own], dtype=object)
    if len(texts) != report["genes"]["features"]:
        return False
    is_gene = np.ones(len(texts), dtype=np.bool_)
    is_gene[: len(changed)] = changed["method"] != "feature_type"
    features = GeneFeatures(column=report["genes"]["column"], texts=texts, is_gene=is_gene)
    evidence = infer_organism(features.genes)
    if evidence.organism != organism and (
        report["organism"]["method"] == "genes"
        or (evidence.organism is not None and evidence.basis == "gene ids")
    ):
        return False
    try:
        found = map_genes(curated, features, organism, min_share=0.0)
    except GeneMappingError:
        return False
    return _plain(found.var).equals(_plain(var)) and hashes in {
        None,
        comparable(found.var, organism),
    }


def _plain(var: pd.DataFrame) -> pd.DataFrame:
    """Give genes as texts, whatever the order of the features that became one."""
    plain = var.astype(object).where(var.notna(), "").astype(str)
    names = ["|".join(sorted(text.split("|"))) for text in plain["source_id"]]
    return plain.assign(source_id=names).rename_axis(index=None, columns=None)[
        sorted(map(str, plain))
    ]
