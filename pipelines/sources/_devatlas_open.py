"""A matrix of the mouse prenatal atlas with its tables, and what is known of all its nuclei."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...curation import Matrix, SourceFacts, SourceFile, constant, open_mtx, open_source
from ...errors import SchemaError
from ._devatlas_stages import EVIDENCE, MOUSE, specimens, stage_labels
from ._devatlas_tables import join, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from ._interface import SourceDataset

CELL_TYPES = ("celltype_update", "celltype_udpate")
"""The column of cell types and a typing mistake of the authors'."""
REMOVED = "removed_by_low_quality_or_doublets"
ASSAY = (
    "all nuclei were profiled by sci-RNA-seq3; older revisions of the same nuclei in CELLxGENE "
    "carry its predecessor, EFO:0010550. "
)
QC = (
    "Of these matrices the authors have left out nuclei with fewer than 200 UMIs or 100 genes or "
    "with 40% of reads unmatched, and doublets."
)
EARLIER_QC = f"What the authors later removed is marked in {REMOVED} and dropped here."
EVIDENCE_OF = {
    "disease": "an atlas of normal development.",
    "tissue_type": "nuclei of whole animals.",
    "tissue": (
        "nuclei of whole embryos; UBERON:0000922 ends with birth, and newborns are whole organisms."
    ),
    "sex": "embryo_sex is M for male and F for female.",
    "development_stage": EVIDENCE,
    "cell_type": "the authors' annotation, in their words.",
}
ASSUMED = "This differs from what was known of the publisher's files: report it."


def open_files(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
    """Open the files of a dataset; see `Source.open`."""
    opened = (_open_h5ad if dataset.extra["form"] == "h5ad" else _open_mtx)(dataset, paths)
    with contextlib.ExitStack() as on_error:
        on_error.enter_context(opened)
        _describe(opened, dataset, paths[1])
        on_error.pop_all()
    return opened


def _open_h5ad(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
    import pandas as pd

    path, cells, genes = paths
    with contextlib.ExitStack() as on_error:
        source = on_error.enter_context(open_source(path))
        _need(source.obs, ("cell_id", "day", "embryo_id"), path, "obs")
        names = pd.Index(source.obs["cell_id"].astype(object))
        if not names.is_unique or names.hasnans:
            msg = f"obs of {path} has cells without cell_id, or two of the same. {ASSUMED}"
            raise SchemaError(msg, {"file": str(path), "column": "cell_id"})
        more = read_table(cells, key="cell_id", keep=names, every=not dataset.extra["cells"])
        source.obs = join(source.obs, more, key="cell_id", files=(path, cells))
        for name, matrix in source.matrices.items():
            ids = pd.Index(matrix.var.index.astype(object))
            more = read_table(genes, key="gene_id", keep=ids)
            var = join(matrix.var, more, key="gene_id", files=(path, genes))
            source.matrices[name] = replace(matrix, var=var)
        on_error.pop_all()
    return source


def _open_mtx(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
    import pandas as pd

    path, cells, genes = paths[:3]
    is_earlier = dataset.extra["form"] == "gse186069"
    key = "sample" if is_earlier else "cell_id"
    shape, dtype, rows = open_mtx(path)
    obs = read_table(cells, key=key)
    var = read_table(genes, key="gene_ID")
    _need(var, ("gene_short_name", "gene_type"), genes, "table")
    if is_earlier:
        _need(obs, ("development_stage", "somite_number", "celltype", REMOVED), cells, "table")
    else:
        _need(obs, ("day", "embryo_id"), cells, "table")
    for what, table, n, file in (("cells", obs, shape[0], cells), ("genes", var, shape[1], genes)):
        if len(table) != n:
            msg = (
                f"{path} has {n:,} {what}, and {file} describes {len(table):,}. One of them is "
                "not whole or of another run: fetch both again."
            )
            raise SchemaError(msg, {"file": str(path), "table": str(file), what: n})
    if dataset.extra["cells"]:
        names = pd.Index(_atlas_names(obs, key))
        more = read_table(paths[3], key="cell_id", keep=names, every=False)
        obs = join(obs, more, key="cell_id", files=(cells, paths[3]))
    obs.index = pd.Index(obs[key], name=None)
    var.index = pd.Index(var["gene_ID"].astype(object), name=None)
    matrix = Matrix(path=path, name="X", shape=shape, dtype=dtype, var=var, open=rows)
    return SourceFile(path=path, format="mtx", obs=obs, matrices={"X": matrix})


def _describe(source: SourceFile, dataset: SourceDataset, table: Path) -> None:
    """Add to an open file what is known of its nuclei."""
    is_earlier = dataset.extra["form"] == "gse186069"
    day, prefix = ("development_stage", "E") if is_earlier else ("day", "")
    obs = source.obs
    derived = {"n_somites": _somites(obs, "somite_number" if is_earlier else "somite_count", table)}
    stage, stages = stage_labels(obs[day], derived["n_somites"], prefix=prefix, where=table.name)
    specimen, tissues = specimens(obs[day], prefix=prefix)
    if is_earlier:
        derived["atlas_cell_id"] = _atlas_names(obs, "sample")
        source.dropped[REMOVED] = _removed(obs, table)
    given = {"stage": stage, "specimen": specimen, "suspension_type": constant("nucleus", len(obs))}
    if "embryo_id" in obs:
        given["donor_id"] = obs["embryo_id"].array
    if taken := sorted({*given, *derived} & set(obs.columns)):
        msg = f"{source.path} or {table} has columns {', '.join(taken)} already. {ASSUMED}"
        raise SchemaError(msg, {"file": str(source.path), "columns": taken})
    columns = {"development_stage": "stage", "tissue": "specimen"}
    if "embryo_sex" in obs:
        columns["sex"] = "embryo_sex"
    if found := _cell_types(obs, table):
        columns["cell_type"] = found
    source.obs = obs.assign(**given, **derived)
    source.derived = frozenset(derived)
    source.uns = {**source.uns, "title": dataset.title, "citation": dataset.citation}
    source.facts = SourceFacts(
        says=f"{dataset.title} ({dataset.extra['form']})",
        organism=MOUSE,
        columns=columns,
        constants={"assay": "EFO:0030028", "disease": "PATO:0000461", "tissue_type": "tissue"},
        terms={
            "development_stage": stages,
            "tissue": tissues,
            "sex": {"F": "PATO:0000383", "M": "PATO:0000384"},
        },
        evidence={**EVIDENCE_OF, "assay": ASSAY + (EARLIER_QC if is_earlier else QC)},
        gene_column="index",
    )


def _need(table: pd.DataFrame, names: Sequence[str], path: Path, what: str) -> None:
    if missing := [name for name in names if name not in table]:
        msg = (
            f"The {what} of {path} has no {', '.join(missing)}: it has "
            f"{', '.join(table.columns)}. {ASSUMED}"
        )
        raise SchemaError(msg, {"file": str(path), "missing": missing})


def _cell_types(obs: pd.DataFrame, table: Path) -> str | None:
    """Find the column of cell types; if it is there in both spellings, they must say the same."""
    found = [name for name in CELL_TYPES if name in obs]
    texts = [obs[name].astype(object).rename(None) for name in found]
    if len(texts) > 1 and not texts[0].equals(texts[1]):
        msg = (
            f"{table} has both {found[0]} and {found[1]}, which are not the same. "
            f"Remove one of the columns from it. {ASSUMED}"
        )
        raise SchemaError(msg, {"file": str(table), "columns": found})
    return next((name for name in (*found, "celltype") if name in obs), None)


def _somites(obs: pd.DataFrame, name: str, table: Path) -> pd.Series[Any]:
    """Read ``12 somites``, ``12`` or nothing."""
    import pandas as pd

    if name not in obs:
        return pd.Series(pd.array([pd.NA] * len(obs), dtype="Int64"), index=obs.index)
    codes, words = pd.factorize(obs[name].astype(object))
    texts = pd.Series(words, dtype=object).astype(str)
    numbers = texts.str.extract(r"^(\d{1,2})(?: somites?)?$")[0]
    wrong = texts[numbers.isna() & (texts != "NA")]
    if len(wrong):
        msg = (
            f"{name} of {table} holds {wrong.iloc[0]!r}, and was expected to hold '12 somites', "
            f"12 or NA. {ASSUMED}"
        )
        raise SchemaError(msg, {"file": str(table), "column": name, "value": wrong.iloc[0]})
    every = pd.array([*pd.to_numeric(numbers), pd.NA], dtype="Int64")
    return pd.Series(every[codes], index=obs.index)


def _removed(obs: pd.DataFrame, table: Path) -> np.ndarray[Any, np.dtype[np.bool_]]:
    words = obs[REMOVED].astype(object)
    wrong = words[~words.isin(["Yes", "No"])]
    if len(wrong):
        msg = f"{REMOVED} of {table} holds {wrong.iloc[0]!r}, and not Yes or No. {ASSUMED}"
        raise SchemaError(msg, {"file": str(table), "column": REMOVED})
    return np.asarray(words == "Yes")


def _atlas_names(obs: pd.DataFrame, key: str) -> pd.Series[Any]:
    """Give the names that the cells have in the atlas: those of the earlier set are its run 4."""
    names = obs[key].astype(object)
    return "run_4_" + names if key == "sample" else names
