"""What changed between two versions of a collection, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ._answers import decisions_of
from ._collect import find_collection, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something that decides how a dataset is curated, and was another before."""

    what: str
    """``source``, ``options``, ``decisions``, ``code``, ``processing``, ``ontology:NAME`` or
    ``genes:TAXON``."""
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChange:
    """A label of the author's that means something else now."""

    field: str
    label: str
    before: str
    """Term id; empty if there was none."""
    after: str
    before_name: str
    """Name of the term, which may be all that changed."""
    after_name: str
    n_cells: int
    """Cells with this label now, or before if it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneChange:
    """A gene that came, went, or has another symbol."""

    gene: str
    """Its id."""
    before: str
    """Symbol; empty if it was not there."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChange:
    """A dataset in other versions."""

    dataset: str
    before: str
    """Version."""
    after: str
    cells: tuple[int, int]
    """Cells before and after, of those that are not left out."""
    genes: tuple[int, int]
    reasons: tuple[Reason, ...]
    """Empty if the same was curated again, or nothing of it was recorded."""
    labels: tuple[LabelChange, ...]
    gene_changes: tuple[GeneChange, ...]
    """Looked for where a gene table is among the reasons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDiff:
    """Two versions of a collection, or two collections."""

    before: str
    """``NAME@VERSION``."""
    after: str
    cells: tuple[int, int]
    added: tuple[str, ...]
    """Names of datasets."""
    removed: tuple[str, ...]
    changed: tuple[DatasetChange, ...]
    unchanged: int
    duplicates: tuple[str, str]
    """Policies for cells that are there twice."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)


def diff(before: str, after: str) -> CollectionDiff:
    """Compare two versions of a collection.

    Parameters
    ----------
    before, after
        ``NAME@VERSION``, or ``NAME`` for the latest version.

    Raises
    ------
    NotFoundError
        If there is no such collection or version.
    InputError
        If both are the same version.
    """
    sides = [_side(text) for text in (before, after)]
    (name, old), (other, new) = sides
    if name == other:
        msg = f"{before} and {after} are the same version. Name two: corpuscle diff NAME@1 NAME@2."
        raise InputError(msg, {"before": before, "after": after})
    both = [key for key in old.datasets if key in new.datasets]
    changed = [key for key in both if old.datasets[key].uid != new.datasets[key].uid]
    return CollectionDiff(
        before=name,
        after=other,
        cells=(sum(old.cells.values()), sum(new.cells.values())),
        added=tuple(key for key in new.datasets if key not in old.datasets),
        removed=tuple(key for key in old.datasets if key not in new.datasets),
        changed=tuple(_dataset_change(key, old, new) for key in changed),
        unchanged=len(both) - len(changed),
        duplicates=(old.policy, new.policy),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One version of a collection."""

    datasets: Mapping[str, Any]
    """Artifacts by name of the dataset."""
    cells: Mapping[str, int]
    """Cells of each that are not left out."""
    policy: str


def _side(text: str) -> tuple[str, _Side]:
    from ._collect import read_manifest

    name, _, version = text.partition("@")
    collection = find_collection(name, version or None)
    manifest = read_manifest(collection)
    artifacts = collection.artifacts.select_related("run").order_by("key")
    side = _Side(
        datasets={name_of(artifact): artifact for artifact in artifacts},
        cells={entry["key"]: entry["n_cells"] for entry in manifest["datasets"]},
        policy=manifest.get("duplicates", {}).get("policy", "flag"),
    )
    return f"{collection.key}@{collection.version_tag}", side


def _dataset_change(key: str, old: _Side, new: _Side) -> DatasetChange:
    first, second = old.datasets[key], new.datasets[key]
    runs = first.run, second.run
    reports = [run.params["report"] for run in runs]
    reasons = tuple(_reasons(runs[0].params, runs[1].params))
    by_genes = any(reason.what.startswith("genes:") for reason in reasons)
    return DatasetChange(
        dataset=key,
        before=first.version_tag,
        after=second.version_tag,
        cells=(old.cells[key], new.cells[key]),
        genes=(reports[0]["genes"]["genes"], reports[1]["genes"]["genes"]),
        reasons=reasons,
        labels=tuple(_label_changes(key, *runs)),
        gene_changes=tuple(_gene_changes(first, second)) if by_genes else (),
    )


def _gene_changes(before: Any, after: Any) -> Iterator[GeneChange]:
    import h5py
    from anndata.io import read_elem

    symbols = []
    for artifact in (before, after):
        with h5py.File(artifact.path) as file:
            var = read_elem(file["var"])
        symbols.append(dict(zip(var.index, var["symbol"].astype(str), strict=True)))
    for gene in sorted({*symbols[0], *symbols[1]}):
        names = [of.get(gene, "") for of in symbols]
        if names[0] != names[1]:
            yield GeneChange(gene=gene, before=names[0], after=names[1])


def _reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Reason]:
    """Compare everything that a curation depends on."""
    if before["source_hash"] != after["source_hash"]:
        yield Reason(what="source", before=_source(before), after=_source(after))
    if before["options"] != after["options"]:
        yield Reason(what="options", before=str(before["options"]), after=str(after["options"]))
    if before["answers"] != after["answers"]:
        yield Reason(
            what="decisions",
            before=before["memory"]["version"] or "none",
            after=after["memory"]["version"] or "none",
        )
    versions = before["report"]["versions"], after["report"]["versions"]
    for name in sorted({*versions[0], *versions[1]} - {"corpuscle"}):
        if versions[0].get(name) != versions[1].get(name):
            yield Reason(
                what=name, before=versions[0].get(name, "none"), after=versions[1].get(name, "none")
            )
    if before["code_version"] != after["code_version"]:
        yield Reason(what="code", before=before["code_version"], after=after["code_version"])


def _source(params: Mapping[str, Any]) -> str:
    """Name the content that was curated: its version at the source, or its hash."""
    return str(params.get("from", {}).get("version") or params["source_hash"][:12])


def _label_changes(key: str, before: Any, after: Any) -> Iterator[LabelChange]:
    tables = [
        {(row["field"], row["subject_label"]): row for row in table.to_dict("records")}
        for table in (decisions_of(before.id, key), decisions_of(after.id, key))
    ]
    for about in sorted({*tables[0], *tables[1]}):
        rows = [table.get(about) for table in tables]
        terms = ["" if row is None else row["object_id"] for row in rows]
        names = ["" if row is None else row["object_label"] for row in rows]
        if (terms[0] != terms[1] or names[0] != names[1]) and about[0] != "organism":
            there = rows[1] or rows[0] or {}
            yield LabelChange(
                field=about[0],
                label=about[1],
                before=terms[0],
                after=terms[1],
                before_name=names[0],
                after_name=names[1],
                n_cells=int(there["n_cells"]),
            )
