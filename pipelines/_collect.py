"""Versions of a corpus: which curated datasets belong to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError
from ..loaders import Corpus, DatasetRef
from ..ontologies import FIELDS, get_organism, label_hierarchy
from ._answers import DATASETS
from ._lamin import connect, insert, transaction
from ._registrar import (
    LABEL_REGISTRIES,
    NewFile,
    NewRun,
    label_link,
    register,
    registry_of,
)
from ._staging import staging
from ._versions import code_version, next_versions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

STEP = "corpuscle/collect"
MANIFESTS = "manifests/"
HIERARCHIES = "hierarchies/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A version of a collection."""

    name: str
    version: str
    uid: str
    new: bool
    """False if the latest version holds the same datasets already."""
    datasets: tuple[DatasetRef, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "name": self.name,
            "version": self.version,
            "uid": self.uid,
            "new": self.new,
            "n_cells": sum(ref.n_cells for ref in self.datasets),
            "datasets": [
                {"key": ref.key, "uid": ref.uid, "n_cells": ref.n_cells, "organism": ref.organism}
                for ref in self.datasets
            ],
        }


def find_datasets(
    *,
    patterns: Sequence[str] = (),
    organism: str | None = None,
    terms: Mapping[str, str] | None = None,
) -> list[Any]:
    """Find the latest versions of curated datasets, sorted by name.

    Parameters
    ----------
    patterns
        Names, with ``*`` and ``?`` as in a shell; any of them. All datasets by default.
    organism
        Taxon id or name.
    terms
        Field to term id: the dataset must hold cells with each of them.
    """
    import lamindb as ln

    wanted = {**(terms or {})}
    if organism is not None:
        wanted["organism"] = get_organism(organism).taxon_id
    query = ln.Artifact.objects.filter(key__startswith=DATASETS, is_latest=True, branch_id=1)
    for name, term in wanted.items():
        registry = registry_of(name, term)
        if registry is None:
            msg = f"There are no terms for {name!r}. Choose from {', '.join(LABEL_REGISTRIES)}."
            raise NotFoundError(msg, {"field": name})
        through, column = label_link(registry)
        holding = through.objects.filter(
            **{f"{column.removesuffix('_id')}__ontology_id": term}
        ).values("artifact_id")
        query = query.filter(id__in=holding)
    found = query.select_related("run").order_by("key")
    return [a for a in found if not patterns or any(fnmatchcase(name_of(a), p) for p in patterns)]


def name_of(artifact: Any) -> str:
    """Name of the dataset in an artifact."""
    return str(artifact.key).removeprefix(DATASETS).removesuffix(".h5ad")


def collect(
    name: str,
    *,
    patterns: Sequence[str] = (),
    organism: str | None = None,
    terms: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Collected:
    """Make the next version of a collection from the latest curated datasets.

    The class integers of a version begin with those of the version before: a model's classes keep
    their meaning.

    Parameters
    ----------
    name
        Name of the collection.
    patterns, organism, terms
        Which datasets, see `find_datasets`.
    dry_run
        Only tell what the version would hold.

    Raises
    ------
    NotFoundError
        If no dataset fits.
    """
    import lamindb as ln

    with transaction(f"corpuscle:collection:{name}"):
        artifacts = find_datasets(patterns=patterns, organism=organism, terms=terms)
        if not artifacts:
            msg = f"No curated dataset fits, so {name!r} would be empty. See `corpuscle status`."
            raise NotFoundError(msg, {"collection": name})
        refs = tuple(_reference(artifact) for artifact in artifacts)
        latest = ln.Collection.objects.filter(key=name, is_latest=True).first()
        before = None if latest is None else read_manifest(latest)
        if before is not None and [r["uid"] for r in before["datasets"]] == [r.uid for r in refs]:
            version, uid = latest.version_tag, latest.uid
            return Collected(name=name, version=version, uid=uid, new=False, datasets=refs)
        (version,) = next_versions(ln.Collection, [(name, "|".join(ref.uid for ref in refs))])
        collected = Collected(
            name=name, version=version.tag, uid=version.uid, new=True, datasets=refs
        )
        if dry_run:
            return collected
        corpus = Corpus(
            name=name,
            version=version.tag,
            uid=version.uid,
            datasets=refs,
            classes=_classes(artifacts, {} if before is None else before["classes"]),
        )
        query = {"patterns": list(patterns), "organism": organism, "terms": dict(terms or {})}
        _write(corpus, [artifact.id for artifact in artifacts], query)
        return collected


def _reference(artifact: Any) -> DatasetRef:
    return DatasetRef(
        uid=artifact.uid,
        key=name_of(artifact),
        path=str(artifact.path),
        n_cells=artifact.n_observations,
        organism=artifact.run.params["classes"]["organism"][0],
    )


def _classes(
    artifacts: Sequence[Any], before: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Terms of each field: those of the version before in their order, then the new ones sorted."""
    classes = {}
    for field in FIELDS:
        known = list(before.get(field, ()))
        found = {term for artifact in artifacts for term in artifact.run.params["classes"][field]}
        classes[field] = (*known, *sorted(found.difference(known)))
    return classes


def _write(corpus: Corpus, artifact_ids: Sequence[int], query: dict[str, Any]) -> None:
    import lamindb as ln
    from lamindb_setup.core.hashing import hash_set

    params = {"query": query, "code_version": code_version()}
    with staging() as folder:
        staged = folder / "manifest.json"
        staged.write_text(json.dumps(corpus.to_manifest(), indent=1) + "\n", encoding="utf-8")
        manifest = NewFile(
            key=f"{MANIFESTS}{corpus.name}.json",
            staged=staged,
            suffix=".json",
            description=f"Datasets and classes of {corpus.name}@{corpus.version}",
            kind="manifest",
        )
        outputs = [manifest, *_hierarchies(corpus, folder)]
        run = NewRun(step=STEP, params=params, input_ids=artifact_ids, outputs=outputs)
        ((registered, *_),) = register([run])
    hashes = ln.Artifact.objects.filter(id__in=artifact_ids).values_list("hash", flat=True)
    ln.Collection.objects.filter(key=corpus.name, is_latest=True).update(is_latest=False)
    insert(
        ln.Collection,
        {
            "uid": corpus.uid,
            "key": corpus.name,
            "version_tag": corpus.version,
            "description": f"{len(corpus.datasets):,} datasets, {corpus.n_cells:,} cells",
            "hash": hash_set({*hashes, f"version {corpus.version}"}),  # a set may come back later
            "meta_artifact_id": registered.id,
            "run_id": ln.Artifact.objects.get(id=registered.id).run_id,
        },
        n_rows=1,
    )
    collection = ln.Collection.objects.get(uid=corpus.uid)
    links = {"collection_id": collection.id, "artifact_id": list(artifact_ids)}
    insert(ln.Collection.artifacts.through, links, n_rows=len(artifact_ids))


def _hierarchies(corpus: Corpus, folder: Path) -> Iterator[NewFile]:
    """Write the hierarchy of every field with more than one class."""
    for field, terms in corpus.classes.items():
        if len(terms) > 1:
            hierarchy = label_hierarchy(field, terms)
            yield NewFile(
                key=f"{HIERARCHIES}{corpus.name}/{field}",
                staged=hierarchy.save(folder / field),
                suffix="",
                description=f"Hierarchy of {len(terms):,} classes of {field}",
                kind="hierarchy",
            )


def read_manifest(collection: Any) -> dict[str, Any]:
    """Read what a version of a collection holds."""
    path = collection.meta_artifact.path
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def find_collection(name: str, version: str | None = None) -> Any:
    """Find a version of a collection, the latest by default.

    Raises
    ------
    NotFoundError
        If there is no such collection or version.
    """
    import lamindb as ln

    chain = ln.Collection.objects.filter(key=name)
    found = chain.filter(is_latest=True) if version is None else chain.filter(version_tag=version)
    if (collection := found.first()) is not None:
        return collection
    if chain.exists():
        there = ", ".join(chain.order_by("id").values_list("version_tag", flat=True))
        msg = f"Collection {name!r} has no version {version!r}. It has {there}."
    else:
        names = ln.Collection.objects.filter(is_latest=True).order_by("key")
        there = ", ".join(names.values_list("key", flat=True)) or "none yet"
        msg = (
            f"There is no collection {name!r}. There is: {there}. Make it with `corpuscle collect`."
        )
    raise NotFoundError(msg, {"collection": name, "version": version})


def open_corpus(
    name: str, version: str | int | None = None, *, folder: str | os.PathLike[str] | None = None
) -> Corpus:
    """Open a version of a collection for streaming.

    Parameters
    ----------
    name
        Name of the collection.
    version
        Its version; the latest by default.
    folder
        The workspace; see `connect` for the default.

    Raises
    ------
    NotFoundError
        If there is no such workspace, collection or version.
    """
    connect(folder)
    collection = find_collection(name, None if version is None else str(version))
    paths = {artifact.uid: str(artifact.path) for artifact in collection.artifacts.all()}
    return Corpus.from_manifest(read_manifest(collection), paths)
