"""Write files, runs and links to the registry: in bulk, all or nothing."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ontologies import prefix_of
from ._lamin import insert, transaction
from ._seed import ensure_terms
from ._staging import file_facts
from ._storages import storages
from ._versions import code_version, next_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LABEL_REGISTRIES = {
    "cell_type": "CellType",
    "disease": "Disease",
    "development_stage": "DevelopmentalStage",
    "tissue": "Tissue",
    "assay": "ExperimentalFactor",
    "self_reported_ethnicity": "Ethnicity",
    "sex": "Phenotype",
    "organism": "Organism",
}
"""Registry of bionty for each field; tissue types are no terms."""
STARTED, COMPLETED, FAILED = -1, 0, 1
"""How LaminDB writes the status of a run."""
PREFIX_REGISTRIES = {"PATO": "Phenotype", "CVCL": "CellLine"}
"""Registry for the terms of an ontology, whatever the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file to register. It is moved into the storage, unless it is somebody else's."""

    key: str
    """Name in the registry; the same key means another version of the same thing."""
    staged: Path
    """Where it is now, on the file system of the storage."""
    at: str | None = None
    """URL that it has and keeps; the staged copy stays where it is."""
    suffix: str
    """Ending, such as ``.h5ad``."""
    description: str
    kind: str | None = None
    """``dataset``, ``model`` or a word of ours for what belongs to a run."""
    otype: str | None = None
    """``AnnData`` or None."""
    n_observations: int | None = None
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Term ids by field, to be linked as labels."""
    facts: tuple[int, str, str, int | None] | None = None
    """See `file_facts`; found out by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """One execution: what it read, what it wrote, with what."""

    step: str
    """What was executed; the key of the transform, such as ``corpuscle/ingest``."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """JSON-serialisable."""
    run_id: int | None = None
    """A run that has begun before and goes on; its step and params stay."""
    reference: str | None = None
    """Identity of the result, by which a later run finds that there is nothing to do."""
    inputs: Sequence[NewFile] = ()
    """Files that are registered with the run, and that it read."""
    input_ids: Sequence[int] = ()
    """Artifacts that were there before."""
    collection_ids: Sequence[int] = ()
    """Collections that it read."""
    outputs: Sequence[NewFile] = ()
    """Files that it wrote."""
    failed: bool = False
    """Whether it ended with an error, which is in `params`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A file in the registry."""

    id: int
    uid: str
    key: str
    version: str
    path: Path
    new: bool
    """False if the same bytes were registered under the same key before."""


def register(runs: Sequence[NewRun]) -> list[list[Registered]]:
    """Register runs with their files, in one transaction.

    Files get their final name inside the transaction, just before it is committed. A crash leaves
    either everything, or nothing but a file that the same registration will overwrite.

    Parameters
    ----------
    runs
        What to register.

    Returns
    -------
    The outputs of each run, in order.
    """
    flat = [file for run in runs for file in (*run.inputs, *run.outputs)]
    facts = [file.facts or file_facts(file.staged) for file in flat]
    moved: dict[str, Path] = {}
    try:
        with transaction("corpuscle:registry"):
            run_ids = _runs(runs)
            owners = [
                (run_id, is_output)
                for run_id, run in zip(run_ids, runs, strict=True)
                for is_output in (*(False for _ in run.inputs), *(True for _ in run.outputs))
            ]
            run_of = [run_id if out else None for run_id, out in owners]
            registered = _artifacts(flat, facts, run_of, moved)
            _links(runs, run_ids, flat, owners, registered)
    except BaseException:
        _take_back(moved)
        raise
    results = iter(zip(owners, registered, strict=True))
    return [
        [
            file
            for (_, out), file in itertools.islice(results, len(run.inputs) + len(run.outputs))
            if out
        ]
        for run in runs
    ]


def _take_back(moved: Mapping[str, Path]) -> None:
    """Remove the files of a registration that failed, unless it was committed all the same."""
    import lamindb as ln

    committed = set(ln.Artifact.objects.filter(uid__in=moved).values_list("uid", flat=True))
    for uid, place in moved.items():
        if uid not in committed:
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)


def begin_run(step: str, params: Mapping[str, Any]) -> tuple[int, str]:
    """Register a run that goes on for a while; see `NewRun.run_id`.

    Returns
    -------
    Its id and its uid.
    """
    import lamindb as ln

    with transaction("corpuscle:registry"):
        (run_id,) = _runs([NewRun(step=step, params=params)], finished=False)
    return run_id, str(ln.Run.objects.get(id=run_id).uid)


def end_run(run_id: int, *, failed: bool) -> None:
    """Say that a run has ended, and how."""
    import lamindb as ln
    from django.utils import timezone

    with transaction():
        ln.Run.objects.filter(id=run_id).update(
            finished_at=timezone.now(), _status_code=FAILED if failed else COMPLETED
        )


def _runs(runs: Sequence[NewRun], *, finished: bool = True) -> list[int]:
    """Insert the runs that are new; give the id of each."""
    import lamindb as ln
    from django.utils import timezone

    new = [run for run in runs if run.run_id is None]
    transforms = {step: _transform(step) for step in sorted({run.step for run in new})}
    uids = [ln.base.uids.base62_16() for _ in new]
    insert(
        ln.Run,
        {
            "uid": uids,
            "transform_id": [transforms[run.step] for run in new],
            "params": [dict(run.params) for run in new],
            "reference": [run.reference for run in new],
            "reference_type": [None if run.reference is None else "corpuscle" for run in new],
            "finished_at": timezone.now() if finished else None,
            "_status_code": [_code(run) if finished else STARTED for run in new],
        },
        n_rows=len(new),
    )
    ids = dict(ln.Run.objects.filter(uid__in=uids).values_list("uid", "id"))
    fresh = iter(uids)
    return [ids[next(fresh)] if run.run_id is None else run.run_id for run in runs]


def _code(run: NewRun) -> int:
    return FAILED if run.failed else COMPLETED


def _transform(step: str) -> int:
    """Row of the step in this version of the code; a new version of the code is a new version."""
    import lamindb as ln

    tag = code_version()[:30]
    found = ln.Transform.objects.filter(key=step, version_tag=tag).values_list("id", flat=True)
    if found:
        return int(found[0])
    (version,) = next_versions(ln.Transform, [(step, "")])
    ln.Transform.objects.filter(key=step, is_latest=True).update(is_latest=False)
    columns = {"uid": version.uid, "key": step, "version_tag": tag, "kind": "pipeline"}
    insert(ln.Transform, columns, n_rows=1)
    return int(ln.Transform.objects.get(uid=version.uid).id)


def _artifacts(
    files: Sequence[NewFile],
    facts: Sequence[tuple[int, str, str, int | None]],
    run_ids: Sequence[int | None],
    moved: dict[str, Path],
) -> list[Registered]:
    """Insert what is new, each as the next version of its key, and move the files into place.

    `moved` gets the place of each file by uid, before it is taken.
    """
    import lamindb as ln

    storage = ln.Storage.objects.get(id=ln.settings.storage._id)
    elsewhere = storages([file.at for file in files if file.at is not None])
    known = {
        (row["key"], row["hash"]): row
        for row in ln.Artifact.objects.filter(key__in={file.key for file in files}).values(
            "id", "uid", "key", "hash", "version_tag", "suffix"
        )
    }
    places: dict[tuple[str, str], int] = {}
    for place, (file, fact) in enumerate(zip(files, facts, strict=True)):
        if (file.key, fact[1]) not in known:
            places.setdefault((file.key, fact[1]), place)
    new = sorted(places.values())
    versions = next_versions(ln.Artifact, [(files[i].key, facts[i][1]) for i in new])
    ln.Artifact.objects.filter(key__in={files[i].key for i in new}, is_latest=True).update(
        is_latest=False
    )
    last = {files[i].key: i for i in new}
    insert(
        ln.Artifact,
        {
            "uid": [version.uid for version in versions],
            "version_tag": [version.tag for version in versions],
            "is_latest": [last[files[i].key] == i for i in new],
            "key": [files[i].key for i in new],
            "description": [files[i].description for i in new],
            "suffix": [files[i].suffix for i in new],
            "kind": [files[i].kind for i in new],
            "otype": [files[i].otype for i in new],
            "n_observations": [files[i].n_observations for i in new],
            "size": [facts[i][0] for i in new],
            "hash": [facts[i][1] for i in new],
            "_hash_type": [facts[i][2] for i in new],
            "n_files": [facts[i][3] for i in new],
            "run_id": [run_ids[i] for i in new],
            "storage_id": [_home(files[i], elsewhere, storage.id)[0] for i in new],
            "_real_key": [_home(files[i], elsewhere, storage.id)[1] for i in new],
            "_key_is_virtual": True,
            "_overwrite_versions": False,
        },
        n_rows=len(new),
    )
    ids = dict(
        ln.Artifact.objects.filter(uid__in=[v.uid for v in versions]).values_list("uid", "id")
    )
    root = Path(storage.root) / ".lamindb"
    for i, version in zip(new, versions, strict=True):
        known[files[i].key, facts[i][1]] = {
            "id": ids[version.uid],
            "uid": version.uid,
            "version_tag": version.tag,
            "suffix": files[i].suffix,
        }
        if files[i].at is not None:
            continue
        target = root / f"{version.uid}{files[i].suffix}"
        if target.is_dir():  # left by a crash between this line and the commit
            shutil.rmtree(target)
        moved[version.uid] = target
        files[i].staged.replace(target)
    fresh = set(new)
    return [
        Registered(
            id=row["id"],
            uid=row["uid"],
            key=file.key,
            version=row["version_tag"],
            path=root / f"{row['uid']}{row['suffix']}" if file.at is None else file.staged,
            new=place in fresh,
        )
        for place, file in enumerate(files)
        for row in [known[file.key, facts[place][1]]]
    ]


def _home(
    file: NewFile, elsewhere: Mapping[str, tuple[int, str]], own: int
) -> tuple[int, str | None]:
    """Storage of a file, and its name there if that is not ours to give."""
    return (own, None) if file.at is None else elsewhere[file.at]


def _links(
    runs: Sequence[NewRun],
    run_ids: Sequence[int],
    files: Sequence[NewFile],
    owners: Sequence[tuple[int, bool]],
    registered: Sequence[Registered],
) -> None:
    """Link runs to what they read, and new files to the terms they hold."""
    import lamindb as ln

    read = [
        (run_id, item) for run_id, run in zip(run_ids, runs, strict=True) for item in run.input_ids
    ]
    read += [
        (run_id, file.id) for (run_id, out), file in zip(owners, registered, strict=True) if not out
    ]
    _insert_pairs(ln.Run.input_artifacts.through, "run_id", "artifact_id", read)
    again = [
        (run_id, file.id)
        for (run_id, out), file in zip(owners, registered, strict=True)
        if out and not file.new
    ]
    _insert_pairs(ln.Artifact.recreating_runs.through, "run_id", "artifact_id", again)
    collections = [
        (run_id, item)
        for run_id, run in zip(run_ids, runs, strict=True)
        for item in run.collection_ids
    ]
    _insert_pairs(ln.Run.input_collections.through, "run_id", "collection_id", collections)
    wanted: dict[str, set[tuple[int, str]]] = {}
    for file, record in zip(files, registered, strict=True):
        if record.new:
            for name, terms in file.terms.items():
                for term in terms:
                    if registry := registry_of(name, term):
                        wanted.setdefault(registry, set()).add((record.id, term))
    for registry, pairs in sorted(wanted.items()):
        term_ids = ensure_terms(registry, sorted({term for _, term in pairs}))
        through, column = label_link(registry)
        links = [(artifact, term_ids[term]) for artifact, term in sorted(pairs)]
        _insert_pairs(through, "artifact_id", column, links)


def registry_of(name: str, term: str) -> str | None:
    prefix = prefix_of(term)
    if name not in LABEL_REGISTRIES:
        return None
    if name == "tissue" and prefix == "CL":
        return "CellType"
    return PREFIX_REGISTRIES.get(prefix, LABEL_REGISTRIES[name])


def label_link(registry: str) -> tuple[Any, str]:
    import bionty

    model = getattr(bionty, registry)
    through = model.artifacts.through
    return through, f"{model.__name__.lower()}_id"


def _insert_pairs(through: Any, left: str, right: str, pairs: Sequence[tuple[int, int]]) -> None:
    there = through.objects.filter(**{f"{left}__in": {pair[0] for pair in pairs}})
    known = set(there.values_list(left, right))
    unique = [pair for pair in dict.fromkeys(pairs) if pair not in known]
    columns = {left: [pair[0] for pair in unique], right: [pair[1] for pair in unique]}
    insert(through, columns, n_rows=len(unique))
