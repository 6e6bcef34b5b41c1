"""One file in, one curated dataset out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConflictError, OrganismError
from ..ontologies import FIELDS, gene_versions, ontology_versions
from ._counts import EXACT_FLOAT32, find_counts
from ._counts_file import keep_rows
from ._decisions import decision_table
from ._doublets import doublet_scores
from ._dropped import (
    account,
    count_dropped,
    first_rules,
    refuse_few_cells,
    refuse_few_genes,
    refuse_loss,
    staying,
)
from ._files import atomic_path
from ._fingerprints import comparable, gene_hashes
from ._flags import dropped_cells, find_flags
from ._genes import gene_features, map_genes
from ._labels import curate_labels
from ._memory import answers
from ._obs import curated_obs, not_primary, with_quality
from ._options import CurationOptions
from ._organism import decide_organism
from ._report import CurationReport, gene_summary, label_summary, organism_summary
from ._source import open_source
from ._structure import find_structure
from ._write import write_counts, write_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import pandas as pd

    from ._labels import FieldLabels
    from ._matrix import Matrix
    from ._memory import Memory
    from ._rules import QualityRules
    from ._source import SourceFile

PROCESSING_VERSION = "5"
"""Raised whenever the same file would be curated differently."""


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
    answers: list[dict[str, str]]
    """What the memory said about the labels of the dataset, see `answers`."""
    comparable: str
    """Name of the genes by which its cells are compared with others."""

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
        **{f"genes:{name}": release for name, release in gene_versions().items()},
    }


def curate(
    data: Path | SourceFile,
    out: Path,
    *,
    dataset: str,
    source_hash: str,
    options: CurationOptions | None = None,
    memory: Memory | None = None,
    memory_version: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Curated:
    """Curate one file into one AnnData file.

    The file is read twice in chunks of rows: once to look at all values, once to write them; its
    first counts are kept in memory meanwhile, see `Kept`.
    Flags of quality are known only then; cells that go for them are taken out of the new file.
    Memory is bounded by a chunk, plus the obs and var tables.

    Parameters
    ----------
    data
        A file, see `open_source` for the formats; or an open one, which is closed in the end.
    out
        The ``.h5ad`` file to write. It appears when it is whole.
    dataset
        Key of the dataset, kept in ``obs["dataset_id"]``.
    source_hash
        Content hash of the source, kept in the report.
    options
        What the curator decided.
    memory
        Decisions of curators, by field: see `Memory`.
    memory_version
        Which version of it this is, kept in the report.
    progress
        Called with cells done and cells in all.

    Returns
    -------
    Where the dataset is, what was done, and every decision.

    Raises
    ------
    CountsError, GeneMappingError, LabelMappingError, OrganismError, QualityError, SchemaError
        When the file is refused; the message says what would help.
    InputError
        If the rules of quality are none.
    IntegrityError
        If a cell is neither in the curated dataset nor dropped by a rule.
    ConflictError
        If `out` is the source itself.
    NotFoundError
        If there is no source.
    """
    options = options or CurationOptions()
    options.check()
    path = data if isinstance(data, Path) else data.path
    if out.exists() and out.samefile(path):
        msg = f"The curated {path} would replace its source. Name another file for it."
        raise ConflictError(msg, {"file": str(path)})
    with open_source(data, genome=options.genome) if isinstance(data, Path) else data as source:
        decided, facts = options, source.facts
        options = options if facts is None else facts.complete(options)
        matrix, verdicts = find_counts(source, layer=options.layer)
        tried = {verdict.matrix: verdict.reason for verdict in verdicts}
        features = gene_features(path, matrix.var, options.gene_column)
        organism = decide_organism(source, features.genes, options, tried)
        genes = map_genes(path, features, organism.organism, min_share=options.min_gene_share)
        rules = options.quality
        dropped = _dropped(source, organism.dropped, rules)
        if organism.dropped.all():
            msg = (
                f"{path} has no cells of {organism.organism.name}: {organism.reason} "
                "Pass the right --organism, or leave the file out."
            )
            raise OrganismError(msg, {"file": str(path)})
        refuse_few_cells(path, len(source.obs), dropped, rules)
        if rules is not None:
            refuse_few_genes(path, len(genes.var), rules)
        kept = np.flatnonzero(staying(dropped, len(source.obs)))

        def describe() -> tuple[list[FieldLabels], pd.DataFrame, int]:
            given = source.obs.iloc[kept]
            labels = curate_labels(
                path, given, organism.organism, decided, memory or {}, dataset=dataset, facts=facts
            )
            return labels, *curated_obs(
                given, kept, organism.organism, labels, dataset, derived=source.derived
            )

        labels, obs, n_renamed = describe()
        largest = next(v.max_value for v in verdicts if v.matrix == matrix.name)
        is_small = largest * genes.max_per_gene < EXACT_FLOAT32
        dtype = np.dtype(np.float32 if is_small else np.float64)
        with atomic_path(out) as temporary:
            measures = write_counts(
                temporary,
                matrix,
                genes,
                kept,
                hashes=gene_hashes(genes.var, organism.organism),
                dtype=dtype,
                top_genes=rules is not None,
                progress=progress,
            )
            quality = {}
            if rules is not None:
                if rules.doublets:
                    donors = np.asarray(obs["donor_id"].cat.codes, dtype=np.int64)
                    scores = doublet_scores(temporary, donors, measures["n_counts"].to_numpy())
                    measures = measures.assign(doublet_score=scores)
                flagged = find_flags(measures, rules)
                quality = flagged.summary(rules)
                poor = dropped_cells(flagged, rules.drop)
                dropped |= poor
                refuse_few_cells(path, len(source.obs), dropped, rules)
                refuse_loss(path, len(measures), poor, rules)
                stays = staying(poor, len(measures))
                measures = measures[stays].assign(quality=flagged.column(stays))
                if not stays.all():
                    keep_rows(temporary, stays)
                    kept = kept[stays]
                    labels, obs, n_renamed = describe()
            account(path, matrix.shape[0], len(measures), dropped)
            obs = with_quality(obs, measures.drop(columns="counts_in"))
            obsm = {} if source.spatial is None else {"spatial": source.spatial[kept]}
            structure = {}
            if options.structure is not None:
                found = find_structure(temporary, obs, options.structure)
                obs, structure = with_quality(obs, found.obs), found.summary
                obsm |= found.obsm
            report = CurationReport(
                dataset=dataset,
                source=path.name,  # where it lies is no part of the result
                source_format=source.format,
                source_hash=source_hash,
                n_cells_in=len(source.obs),
                n_cells=len(kept),
                dropped=count_dropped(dropped),
                quality=quality,
                counts_from=matrix.name,
                counts_tried=tried,
                total_counts_in=float(measures["counts_in"].sum()),
                total_counts=float(measures["n_counts"].sum()),
                organism=organism_summary(organism),
                genes=gene_summary(genes),
                labels={result.name: label_summary(result) for result in labels},
                left_out=_left_out(source, matrix),
                renamed_cells=n_renamed,
                structure=structure,
                memory=memory_version,
                versions=versions(),
            )
            write_tables(
                temporary, obs, genes.var, obsm=obsm, report=report, uns=source.uns, source=path
            )
    return Curated(
        path=out,
        report=report,
        decisions=decision_table(labels, genes, organism, len(kept)),
        classes=_classes(obs),
        answers=answers(
            memory or {}, _asked(labels), dataset=dataset, organism=organism.organism.taxon_id
        ),
        comparable=comparable(genes.var, organism.organism),
    )


def _dropped(
    source: SourceFile, other_organism: npt.NDArray[np.bool_], rules: QualityRules | None
) -> dict[str, npt.NDArray[np.bool_]]:
    """Cells that each rule drops before anything is measured."""
    every = {"other_organism": other_organism, **source.dropped}
    if rules is not None and rules.primary_only:
        every["not_primary"] = not_primary(source.obs)
    return first_rules(every)


def _asked(labels: list[FieldLabels]) -> dict[str, set[str]]:
    """Labels of each field, whether they decided about cells or not."""
    tables = {
        result.name: [result.decisions]
        if result.overruled is None
        else [result.decisions, result.overruled]
        for result in labels
    }
    return {
        name: {str(label) for table in found for label in table["source_label"].dropna()}
        for name, found in tables.items()
    }


def _left_out(source: SourceFile, matrix: Matrix) -> tuple[str, ...]:
    return (*(name for name in source.matrices if name != matrix.name), *source.left_out)


def _classes(obs: pd.DataFrame) -> dict[str, list[str]]:
    columns = {n: n if n == "tissue_type" else f"{n}_ontology_term_id" for n in FIELDS}
    return {
        name: sorted(set(obs[column].cat.categories) - {"unknown", "na"})
        for name, column in columns.items()
    }
