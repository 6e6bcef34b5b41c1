"""Versions of a corpus: which curated datasets belong to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..curation import content_hash
from ..errors import NotFoundError
from ..loaders import Corpus, DatasetRef, DuplicatesFile
from ..ontologies import FIELDS, get_organism
from ._answers import DATASETS, made_by
from ._collect_write import duplicates_key, write_version
from ._copy_links import Compared
from ._duplicates import find_duplicates
from ._lamin import connect, transaction
from ._registrar import LABEL_REGISTRIES, label_link, registry_of
from ._staging import staging
from ._versions import next_versions

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from ._duplicates import Duplicates, Policy
    from ._origin import Origin

CHUNK = 10_000
"""Values in a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A version of a collection."""

    name: str
    version: str
    uid: str
    new: bool
    """False if the latest version holds the same datasets under the same policy already."""
    hash: str = ""
    """Of the content of its datasets and its version, as LaminDB keeps it; empty if only planned."""
    datasets: tuple[DatasetRef, ...]
    duplicates: dict[str, Any] | None = None
    """What was found about cells that are there twice, see `Duplicates`; None if nobody looked."""
    splits: dict[str, Any] | None = None
    """How it is divided: ``rule``, ``n_rows`` by split, ``n_overlapping`` cells with a copy in
    another split."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "name": self.name,
            "version": self.version,
            "uid": self.uid,
            "new": self.new,
            "hash": self.hash,
            "n_cells": sum(ref.n_cells for ref in self.datasets),
            "datasets": [
                {
                    "key": ref.key,
                    "uid": ref.uid,
                    "n_cells": ref.n_cells,
                    "n_excluded": ref.n_excluded,
                    "organism": ref.organism,
                }
                for ref in self.datasets
            ],
            "duplicates": self.duplicates,
            "splits": self.splits,
        }


def find_datasets(
    *,
    patterns: Sequence[str] = (),
    organism: str | None = None,
    terms: Mapping[str, str] | None = None,
    uids: Sequence[str] | None = None,
) -> list[Any]:
    """Find the latest versions of curated datasets, or certain ones, sorted by name.

    Parameters
    ----------
    patterns
        Names, with ``*`` and ``?`` as in a shell; any of them. All datasets by default.
    organism
        Taxon id or name.
    terms
        Field to term id: the dataset must hold cells with each of them.
    uids
        These, whether they are the latest or not.
    """
    import lamindb as ln

    if uids is not None:
        chunks = (uids[start : start + CHUNK] for start in range(0, len(uids), CHUNK))
        given = (ln.Artifact.objects.filter(uid__in=c).select_related("run") for c in chunks)
        return sorted((a for chunk in given for a in chunk), key=lambda artifact: artifact.key)
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


def compared(artifact: Any) -> Compared:
    """Describe a curated dataset to `find_duplicates`."""
    params = artifact.run.params
    return Compared(
        uid=artifact.uid,
        key=name_of(artifact),
        path=Path(artifact.path),
        n_cells=artifact.n_observations,
        links=frozenset(params.get("links", [])),
        aliases=frozenset(params.get("aliases", [])),
    )


def collect(
    name: str,
    *,
    patterns: Sequence[str] = (),
    organism: str | None = None,
    terms: Mapping[str, str] | None = None,
    duplicates: Policy = "flag",
    origin: Origin | None = None,
    dry_run: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
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
    duplicates
        What to do about cells that are there twice, see `find_duplicates`.
    origin
        The recipe that names the datasets, in place of a query.
    dry_run
        Only tell what the version would hold.
    progress
        Called with what is done, how much of it and of how much, while cells are compared.

    Raises
    ------
    NotFoundError
        If no dataset fits.
    InputError
        If there is no such policy.
    SchemaError
        If cells are to be left out, and a dataset was curated before cells had fingerprints.
    """
    query = {"patterns": list(patterns), "organism": organism, "terms": dict(terms or {})}
    uids_of = None if origin is None else origin.uids
    look = partial(find_datasets, patterns=patterns, organism=organism, terms=terms, uids=uids_of)
    rule = None if origin is None else origin.splits
    while True:
        artifacts = look()
        if not artifacts:
            msg = f"No curated dataset fits, so {name!r} would be empty. See `corpuscle status`."
            raise NotFoundError(msg, {"collection": name})
        uids = [artifact.uid for artifact in artifacts]
        if (there := _unchanged(name, artifacts, duplicates, rule)) is not None:
            return there
        with staging() as folder:
            listed = folder / "duplicates.parquet"
            found = find_duplicates(  # before the transaction, in which nobody else may register
                [compared(artifact) for artifact in artifacts],
                folder,
                policy=duplicates,
                out=listed,
                progress=progress,
            )
            params = {"query": query, "duplicates": found.to_dict()}
            inputs: list[Any] = []
            outputs: list[Any] = []
            if origin is not None:
                inputs, outputs, more = origin.prepare(name, artifacts, folder, listed)
                params |= more
            with transaction(f"corpuscle:collection:{name}"):
                if [artifact.uid for artifact in look()] != uids:
                    continue  # something was registered meanwhile: look again
                if (there := _unchanged(name, artifacts, duplicates, rule)) is not None:
                    return there
                corpus = _next_version(name, artifacts, found, listed)
                digest = ""
                if not dry_run:
                    ids = [artifact.id for artifact in artifacts]
                    digest = write_version(
                        corpus, ids, params, folder, inputs=inputs, outputs=outputs
                    )
                return Collected(
                    name=name,
                    version=corpus.version,
                    uid=corpus.uid,
                    new=True,
                    hash=digest,
                    datasets=corpus.datasets,
                    duplicates=found.to_dict(),
                    splits=params.get("splits"),
                )


def _unchanged(
    name: str, artifacts: Sequence[Any], policy: Policy, rule: Mapping[str, Any] | None
) -> Collected | None:
    """Find the latest version, if it holds these datasets under this policy, divided like this."""
    import lamindb as ln

    latest = ln.Collection.objects.filter(key=name, is_latest=True).first()
    if latest is None:
        return None
    before = read_manifest(latest)
    held = [ref["uid"] for ref in before["datasets"]]
    if held != [a.uid for a in artifacts] or policy_of(before) != policy:
        return None
    splits = latest.run.params.get("splits")
    if rule is not None and (splits is None or splits["rule"] != rule):
        return None
    excluded = {ref["uid"]: ref.get("n_excluded", 0) for ref in before["datasets"]}
    return Collected(
        name=name,
        version=latest.version_tag,
        uid=latest.uid,
        new=False,
        hash=latest.hash,
        datasets=tuple(_reference(a, excluded[a.uid]) for a in artifacts),
        duplicates=latest.run.params.get("duplicates"),
        splits=splits,
    )


def policy_of(manifest: Mapping[str, Any]) -> str:
    """Tell the policy for duplicates; nothing was left out of manifests that have none."""
    return str(manifest.get("duplicates", {}).get("policy", "flag"))


def _next_version(name: str, artifacts: Sequence[Any], found: Duplicates, listed: Path) -> Corpus:
    import lamindb as ln

    excluded = {dataset.uid: dataset.n_excluded for dataset in found.datasets}
    refs = tuple(_reference(artifact, excluded[artifact.uid]) for artifact in artifacts)
    latest = ln.Collection.objects.filter(key=name, is_latest=True).first()
    before = {} if latest is None else read_manifest(latest)["classes"]
    (version,) = next_versions(ln.Collection, [(name, "|".join(ref.uid for ref in refs))])
    return Corpus(
        name=name,
        version=version.tag,
        uid=version.uid,
        datasets=refs,
        classes=_classes(artifacts, before),
        duplicates=DuplicatesFile(
            policy=found.policy,
            key=duplicates_key(name),
            hash=content_hash(listed),
            path=str(listed),
        ),
    )


def _reference(artifact: Any, n_excluded: int) -> DatasetRef:
    return DatasetRef(
        uid=artifact.uid,
        key=name_of(artifact),
        path=str(artifact.path),
        n_cells=artifact.n_observations - n_excluded,
        organism=artifact.run.params["classes"]["organism"][0],
        n_excluded=n_excluded,
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
    manifest = read_manifest(collection)
    paths = {artifact.uid: str(artifact.path) for artifact in collection.artifacts.all()}
    if (listed := manifest.get("duplicates")) is not None:
        paths[listed["key"]] = str(made_by(collection.run_id, listed["key"]).path)
    return Corpus.from_manifest(manifest, paths)
