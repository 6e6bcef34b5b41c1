"""One file in, one curated dataset out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SchemaError
from ..ontologies import FIELDS, GENE_RELEASES, ontology_versions
from ._counts import EXACT_FLOAT32, find_counts
from ._decisions import decision_table
from ._files import atomic_path
from ._genes import decide_organism, gene_features, map_genes
from ._labels import curate_labels
from ._options import CurationOptions
from ._quality import cell_quality
from ._report import CurationReport
from ._source import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from ._genes import GeneMap, OrganismDecision
    from ._labels import FieldLabels
    from ._source import Matrix, SourceFile

PROCESSING_VERSION = "1"
"""Raised whenever the same file would be curated differently."""
PASSED_THROUGH = ("donor_id", "suspension_type", "is_primary_data")
"""Columns of the contract that are taken as the author gives them."""
EXAMPLES = 5
"""Labels and features named in a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """A curated dataset on disk and how it came about."""

    path: Path
    """The ``.h5ad`` file."""
    report: CurationReport
    decisions: pd.DataFrame = field(repr=False)
    """Mapping decisions, see `decision_table`."""
    classes: dict[str, list[str]]
    """By field: the distinct values in obs, sorted; ``unknown`` and ``na`` are no classes."""

    @property
    def terms(self) -> dict[str, list[str]]:
        """By field: the term ids in the dataset, sorted; several in one value are taken apart."""
        return {
            name: sorted({term for value in values for term in value.split(" || ")})
            for name, values in self.classes.items()
        }


def versions() -> dict[str, str]:
    """Everything besides the file and the options that decides how a dataset is curated."""
    from importlib.metadata import version

    return {
        "corpuscle": version("corpuscle"),
        "processing": PROCESSING_VERSION,
        **{f"ontology:{name}": number for name, number in sorted(ontology_versions().items())},
        **{f"genes:{name}": release for name, release in sorted(GENE_RELEASES.items())},
    }


def curate(
    path: Path,
    out: Path,
    *,
    dataset: str,
    source_hash: str,
    options: CurationOptions | None = None,
    memory: Mapping[str, Mapping[str, str]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Curated:
    """Curate one file into one AnnData file.

    The file is read twice in chunks of rows: once to look at all values, once to write them.
    Memory is bounded by a chunk, plus the obs and var tables.

    Parameters
    ----------
    path
        See `open_source` for the formats.
    out
        The ``.h5ad`` file to write. It appears when it is whole.
    dataset
        Key of the dataset, kept in ``obs["dataset_id"]``.
    source_hash
        Content hash of `path`, kept in the report.
    options
        What the curator decided.
    memory
        Confirmed label mappings by field.
    progress
        Called with cells done and cells in all.

    Returns
    -------
    Where the dataset is, what was done, and every decision.

    Raises
    ------
    CountsError, GeneMappingError, LabelMappingError, OrganismError, SchemaError
        When the file is refused; the message says what would help.
    """
    options = options or CurationOptions()
    with open_source(path, genome=options.genome) as source:
        matrix, verdicts = find_counts(source, layer=options.layer)
        column, features = gene_features(path, matrix.var, options.gene_column)
        tried = {verdict.matrix: verdict.reason for verdict in verdicts}
        organism = decide_organism(source, features, options, tried)
        genes = map_genes(
            source,
            matrix.var,
            features,
            column,
            organism.organism,
            min_share=options.min_gene_share,
        )
        kept = np.flatnonzero(~organism.dropped)
        if not len(kept):
            msg = f"{path} has no cells of {organism.organism.name}: {organism.reason}"
            raise SchemaError(msg, {"file": str(path)})
        labels = curate_labels(
            path, source.obs.iloc[kept], organism.organism, options, memory or {}
        )
        obs, renamed = _curated_obs(source.obs.iloc[kept], kept, organism, labels, dataset)
        largest = max(verdict.max_value for verdict in verdicts) * genes.max_per_gene
        dtype = np.dtype(np.float32 if largest < EXACT_FLOAT32 else np.float64)
        with atomic_path(out) as temporary:
            quality, totals = _write(temporary, matrix, genes, kept, dtype, progress)
            obs = _with_quality(obs, quality)
            report = CurationReport(
                dataset=dataset,
                source=str(path),
                source_format=source.format,
                source_hash=source_hash,
                n_cells_in=len(source.obs),
                n_cells=len(kept),
                dropped=_dropped(organism),
                counts_from=matrix.name,
                counts_tried=tried,
                total_counts_in=totals[0],
                total_counts=totals[1],
                organism=_organism_summary(organism),
                genes=_gene_summary(genes),
                labels={result.name: _label_summary(result) for result in labels},
                left_out=_left_out(source, matrix),
                renamed_cells=renamed,
                versions=versions(),
            )
            spatial = None if source.spatial is None else source.spatial[kept]
            _write_tables(temporary, obs, genes.var, spatial, report, source.uns)
    return Curated(
        path=out,
        report=report,
        decisions=decision_table(labels, genes, organism, len(kept)),
        classes=_classes(obs),
    )


def _curated_obs(
    given: pd.DataFrame,
    source_rows: npt.NDArray[np.int64],
    organism: OrganismDecision,
    labels: list[FieldLabels],
    dataset: str,
) -> tuple[pd.DataFrame, int]:
    """Columns of the contract, then the author's other columns as ``author_NAME``."""
    import pandas as pd

    one = np.zeros(len(given), dtype=np.int8)
    columns: dict[str, Any] = {}
    for result in labels:
        columns.update({name: result.obs[name].array for name in result.obs})
    taxon = organism.organism
    columns["organism_ontology_term_id"] = pd.Categorical.from_codes(one, [taxon.taxon_id])
    columns["organism"] = pd.Categorical.from_codes(one, [taxon.name])
    for name in PASSED_THROUGH:
        columns[name] = _passed_through(given, name)
    columns["dataset_id"] = pd.Categorical.from_codes(one, [dataset])
    columns["source_row"] = source_rows
    used = {*PASSED_THROUGH, *(column for result in labels for column in result.columns)}
    for name in given.columns:
        if name not in used:
            columns[f"author_{name}"] = _storable(given[name])
    names = pd.Series(given.index.astype(str), dtype=object)
    repeated = names.duplicated(keep=False).to_numpy()
    names[repeated] = names[repeated] + "-row" + pd.Series(source_rows[repeated].astype(str)).array
    obs = pd.DataFrame(columns, index=pd.Index(names, name=None))
    for name in obs.select_dtypes("category"):
        obs[name] = obs[name].cat.remove_unused_categories()
    return obs, int(repeated.sum())


def _passed_through(obs: pd.DataFrame, name: str) -> Any:
    """A column of the contract as given; what is not given is unknown, not assumed."""
    import pandas as pd

    if name == "is_primary_data":
        if name not in obs:
            return pd.array([pd.NA] * len(obs), dtype="boolean")
        truth = {"true": True, "false": False}
        return pd.array([truth.get(str(v).lower(), pd.NA) for v in obs[name]], dtype="boolean")
    if name not in obs:
        return pd.Categorical.from_codes(np.zeros(len(obs), dtype=np.int8), ["unknown"])
    texts = obs[name].astype(object).where(obs[name].notna(), "unknown").astype(str)
    return pd.Categorical(texts)


def _storable(values: pd.Series[Any]) -> Any:
    """Make a column of any kind one that AnnData can write: objects become text categories."""
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        names = [str(name) for name in values.cat.categories]
        if len(set(names)) == len(names):
            return values.cat.rename_categories(names).array
        return pd.Categorical(values.astype(object).where(values.isna(), values.astype(str)))
    if values.dtype.kind in "biuf":
        return values.to_numpy()
    texts = values.astype(object).where(values.isna(), values.astype(str))
    return pd.Categorical(texts.where(values.notna(), None))


def _with_quality(obs: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    front = pd.concat([obs, quality.set_axis(obs.index, axis=0)], axis=1)
    author = [name for name in front if str(name).startswith("author_")]
    return front[[name for name in front if name not in author] + author]


def _write(
    path: Path,
    matrix: Matrix,
    genes: GeneMap,
    kept: npt.NDArray[np.int64],
    dtype: np.dtype[Any],
    progress: Callable[[int, int], None] | None,
) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Write X chunk by chunk; return the quality of the cells and the sums before and after."""
    import h5py
    import pandas as pd
    from anndata.io import sparse_dataset, write_elem
    from scipy import sparse

    parts, before, after = [], 0.0, 0.0
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        file.attrs["encoding-version"] = "0.1.0"
        empty = sparse.csr_matrix((0, len(genes.var)), dtype=dtype)
        write_elem(file, "X", empty, dataset_kwargs={"compression": "gzip", "compression_opts": 1})
        stored = sparse_dataset(file["X"])
        for start, rows in matrix.chunks():
            inside = kept[(kept >= start) & (kept < start + rows.shape[0])] - start
            chosen = rows[inside]
            mapped = genes.apply(chosen.astype(np.float64)).astype(dtype)
            before += float(chosen.data.sum(dtype=np.float64))
            after += float(mapped.data.sum(dtype=np.float64))
            parts.append(cell_quality(mapped, genes.var))
            stored.append(mapped)
            if progress is not None:
                progress(start + rows.shape[0], matrix.shape[0])
    return pd.concat(parts, ignore_index=True), (before, after)


def _write_tables(
    path: Path,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    spatial: npt.NDArray[Any] | None,
    report: CurationReport,
    uns: dict[str, Any],
) -> None:
    import h5py
    from anndata.io import write_elem

    summary = {key: str(value) for key, value in uns.items()}
    own = {
        "report": json.dumps(report.to_dict(), sort_keys=True),
        "source": report.source,
        "source_hash": report.source_hash,
        "versions": report.versions,
    }
    with h5py.File(path, "r+") as file:
        write_elem(file, "obs", obs)
        write_elem(file, "var", var)
        write_elem(file, "uns", {**summary, "corpuscle": own})
        write_elem(file, "obsm", {} if spatial is None else {"spatial": spatial})
        for group in ("layers", "varm", "obsp", "varp"):
            write_elem(file, group, {})


def _dropped(organism: OrganismDecision) -> dict[str, int]:
    n = int(organism.dropped.sum())
    return {"other_organism": n} if n else {}


def _organism_summary(organism: OrganismDecision) -> dict[str, str]:
    return {
        "taxon_id": organism.organism.taxon_id,
        "name": organism.organism.name,
        "method": organism.method,
        "reason": organism.reason,
    }


def _gene_summary(genes: GeneMap) -> dict[str, Any]:
    table = genes.features
    outcome = table["outcome"]
    result: dict[str, Any] = {
        "column": genes.column,
        "features": len(table),
        "resolved": int((outcome == "resolved").sum()),
        "ambiguous": int((outcome == "ambiguous").sum()),
        "unknown": int((outcome == "unknown").sum()),
        "genes": len(genes.var),
        "methods": {str(k): int(v) for k, v in table["method"].value_counts().items()},
    }
    for kind in ("ambiguous", "unknown"):
        result[f"first_{kind}"] = table.loc[outcome == kind, "source_id"].head(EXAMPLES).tolist()
    return result


def _label_summary(result: FieldLabels) -> dict[str, Any]:
    rows = result.decisions
    summary: dict[str, Any] = {"columns": list(result.columns), **result.counts()}
    open_rows = rows[(rows["outcome"] != "mapped") & (rows["method"] != "missing")]
    open_rows = open_rows.sort_values("n_cells", ascending=False, kind="stable").head(EXAMPLES)
    summary["open"] = [
        {"label": str(row.source_label), "outcome": str(row.outcome), "n_cells": int(row.n_cells)}
        for row in open_rows.itertuples()
    ]
    summary["suggested_columns"] = list(result.suggestions)
    return summary


def _left_out(source: SourceFile, matrix: Matrix) -> tuple[str, ...]:
    return (*(name for name in source.matrices if name != matrix.name), *source.left_out)


def _classes(obs: pd.DataFrame) -> dict[str, list[str]]:
    columns = {n: n if n == "tissue_type" else f"{n}_ontology_term_id" for n in FIELDS}
    return {
        name: sorted(set(obs[column].cat.categories) - {"unknown", "na"})
        for name, column in columns.items()
    }
