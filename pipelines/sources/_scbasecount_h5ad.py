"""The file of one sample of scBaseCount."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ...curation import SourceFacts, open_source
from ...errors import SchemaError
from ...ontologies import NO_TERM
from ._scbasecount_words import (
    EXPRESSION,
    SUSPENSION,
    cell_line,
    is_plant,
    kind_of_missing,
    several_tissues,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ...curation import SourceFile
    from ._interface import SourceDataset

__all__ = ["open_sample"]

_VELOCYTO = ("layers/spliced", "layers/unspliced", "layers/ambiguous")
_WHOLE = "one text for all cells of the sample, taken by a program from its description"
_EVIDENCE = {
    "assay": f"tech_10x, {_WHOLE}",
    "tissue": _WHOLE,
    "disease": "of the whole study: its healthy controls bear it too",
    "cell_type": "the publisher's annotation, where a cell has any",
}
_SEVERAL = "the sample is of several tissues, and nothing says which cell is of which"
_PLANT = "a plant: UBERON and CL describe animals"
_CELL_TYPE = ("cell_type_ontology_term_id", "cell_type")


def open_sample(dataset: SourceDataset, path: Path) -> SourceFile:
    """Open the h5ad file of a sample and put what the table says of it beside its cells.

    The counts are those of X: unique reads. Multi-mapping reads are shared out in two layers that
    are not whole, and never read. A Velocyto file has in X a copy of the layer ``spliced``, which
    is read by that name, so that the report says what was counted.

    Parameters
    ----------
    dataset
        The sample.
    path
        Its file.

    Raises
    ------
    SchemaError
        If the file is not the one that the table describes.
    """
    source = open_source(path)
    with contextlib.ExitStack() as on_error:
        on_error.push(source)
        feature = dataset.extra["feature"]
        layer, column = _check(source, dataset, feature)
        sample = dict(dataset.extra["sample"])
        (taxon,) = dataset.terms["organism"]
        obs = _joined(source.obs, sample, disease=dataset.extra["disease"])
        obs["suspension_type"] = _constant(
            SUSPENSION.get(str(sample["cell_prep"]), "unknown"), len(obs)
        )
        obs["cell_line_ontology_term_id"] = _constant(cell_line(sample["cell_line"]), len(obs))
        refused, why = _refused(obs, sample, taxon)
        source.obs = obs
        source.derived = frozenset({"cell_line_ontology_term_id"})
        source.facts = SourceFacts(
            says=f"scBaseCount {dataset.extra['release']}",
            organism=taxon,
            columns={"assay": "tech_10x"},
            terms={"assay": EXPRESSION, **refused},
            evidence={**_EVIDENCE, **why},
            gene_column=column,
            layer=layer,
        )
        on_error.pop_all()
    return source


def _check(source: SourceFile, dataset: SourceDataset, feature: str) -> tuple[str, str]:
    """Compare the file with the table; tell the matrix of the counts and the column of the genes."""
    path, details = source.path, {"file": str(source.path), "dataset": dataset.id}
    wanted = _VELOCYTO if feature == "Velocyto" else ("X",)
    if missing := [name for name in wanted if name not in source.matrices]:
        msg = (
            f"{path} of {dataset.id} has no {', '.join(missing)}, which a file of {feature} has. "
            f"It has {', '.join(source.matrices)}: fetch it again, or choose another feature."
        )
        raise SchemaError(msg, {**details, "missing": missing})
    var = source.matrices[wanted[0]].var
    if feature == "Velocyto" and "gene_ids" not in var:
        msg = (
            f"var of {path} has no column gene_ids, and the index of a Velocyto file is symbols "
            f"made unique. It has {', '.join(var.columns) or 'none'}: fetch the file again."
        )
        raise SchemaError(msg, {**details, "column": "gene_ids"})
    if dataset.n_cells is not None and dataset.n_cells != len(source.obs):
        msg = (
            f"{path} has {len(source.obs):,} cells, and the table says obs_count "
            f"{dataset.n_cells:,} of {dataset.id}. Fetch the file again."
        )
        raise SchemaError(
            msg, {**details, "n_cells": len(source.obs), "obs_count": dataset.n_cells}
        )
    for name in ("SRX_accession", "srx_accession"):
        if name in source.obs and (others := set(source.obs[name].unique()) - {dataset.id}):
            other = min(map(str, others))
            msg = (
                f"{name} in obs of {path} says {other!r}, and the file should be of {dataset.id}. "
                "Fetch it again."
            )
            raise SchemaError(msg, {**details, "column": name, "other": other})
    return wanted[0], "gene_ids" if "gene_ids" in var else "index"


def _joined(obs: pd.DataFrame, sample: dict[str, Any], *, disease: str) -> pd.DataFrame:
    """Put the row of the sample beside its cells, in the spelling of the table.

    The disease is the study's. Unless the curator takes it for the cells', it is called so.
    """
    obs = obs.copy(deep=False)
    if "cell_ontology_term_id" in obs and _CELL_TYPE[0] not in obs:
        obs = obs.rename(columns={"cell_ontology_term_id": _CELL_TYPE[0]})
    for name, value in sample.items():
        column = f"study_{name}" if name.startswith("disease") and disease != "study" else name
        column = f"sample_{column}" if column in obs else column
        if value is not None:
            obs[column] = _constant(str(value), len(obs))
    return obs


def _refused(
    obs: pd.DataFrame, sample: dict[str, Any], taxon: str
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Labels that are known to have no term, by field, and why."""
    tissue = [sample.get(name) for name in ("tissue_ontology_term_id", "tissue")]
    labels = {"tissue": {str(text) for text in tissue if not kind_of_missing(text)}}
    if is_plant(taxon):
        why = {"tissue": _PLANT, "cell_type": _PLANT}
        columns = [obs[name] for name in _CELL_TYPE if name in obs]
        words = {str(text) for column in columns for text in column.dropna().unique()}
        labels["cell_type"] = {text for text in words if not kind_of_missing(text)}
    elif several_tissues(sample["tissue"], sample.get("tissue_ontology_term_id")):
        why = {"tissue": _SEVERAL}
    else:
        return {}, {}
    return {name: dict.fromkeys(sorted(labels[name]), NO_TERM) for name in why}, why


def _constant(value: str, n: int) -> pd.Categorical:
    import pandas as pd

    return pd.Categorical([value]).take(np.zeros(n, dtype=np.intp))
