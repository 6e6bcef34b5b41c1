"""A version of a collection on its way into the registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ontologies import label_hierarchy
from ._lamin import insert
from ._registrar import NewFile, NewRun, register
from ._versions import code_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..loaders import Corpus

STEP = "corpuscle/collect"
MANIFESTS, HIERARCHIES, DUPLICATES = "manifests/", "hierarchies/", "duplicates/"


def duplicates_key(name: str) -> str:
    """Name of a collection's list of copies in the registry."""
    return f"{DUPLICATES}{name}.parquet"


def write_version(
    corpus: Corpus,
    artifact_ids: Sequence[int],
    params: Mapping[str, Any],
    folder: Path,
    *,
    inputs: Sequence[NewFile] = (),
    outputs: Sequence[NewFile] = (),
) -> str:
    """Register a version: manifest, list of copies and hierarchies, in a staging folder.

    Call it in a transaction; `params` become those of the run, beside the version of the code, and
    `inputs` and `outputs` its files, beside its own.

    Returns
    -------
    The hash of the version.
    """
    import lamindb as ln
    from lamindb_setup.core.hashing import hash_set

    staged = folder / "manifest.json"
    staged.write_text(json.dumps(corpus.to_manifest(), indent=1) + "\n", encoding="utf-8")
    manifest = NewFile(
        key=f"{MANIFESTS}{corpus.name}.json",
        staged=staged,
        suffix=".json",
        description=f"Datasets and classes of {corpus.name}@{corpus.version}",
        kind="manifest",
    )
    outputs = [manifest, *_duplicates(corpus), *_hierarchies(corpus, folder), *outputs]
    run = NewRun(
        step=STEP,
        params={**params, "code_version": code_version()},
        inputs=inputs,
        input_ids=artifact_ids,
        outputs=outputs,
    )
    ((registered, *_),) = register([run])
    hashes = ln.Artifact.objects.filter(id__in=artifact_ids).values_list("hash", flat=True)
    digest = str(hash_set({*hashes, f"version {corpus.version}"}))  # a set may come back later
    ln.Collection.objects.filter(key=corpus.name, is_latest=True).update(is_latest=False)
    insert(
        ln.Collection,
        {
            "uid": corpus.uid,
            "key": corpus.name,
            "version_tag": corpus.version,
            "description": f"{len(corpus.datasets):,} datasets, {corpus.n_cells:,} cells",
            "hash": digest,
            "meta_artifact_id": registered.id,
            "run_id": ln.Artifact.objects.get(id=registered.id).run_id,
        },
        n_rows=1,
    )
    collection = ln.Collection.objects.get(uid=corpus.uid)
    links = {"collection_id": collection.id, "artifact_id": list(artifact_ids)}
    insert(ln.Collection.artifacts.through, links, n_rows=len(artifact_ids))
    return digest


def _duplicates(corpus: Corpus) -> Iterator[NewFile]:
    """Register the list of cells with copies."""
    if (found := corpus.duplicates) is not None:
        yield NewFile(
            key=found.key,
            staged=Path(found.path),
            suffix=".parquet",
            description=f"Cells that are there twice; {corpus.n_excluded:,} are left out",
            kind="duplicates",
        )


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
