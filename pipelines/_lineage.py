"""Which datasets fed a model, and which models a dataset fed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import NotFoundError
from ._answers import DATASETS
from ._building import builds
from ._collect import name_of, read_manifest
from ._refusals import open_failures
from ._training import MODELS, OWN, ledger_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """One dataset version and one model version, and the cells that went from one to the other."""

    model: str
    model_version: str
    dataset: str
    dataset_version: str
    dataset_uid: str
    organism: str
    """Taxon id."""
    n_cells: int
    """Cells of the dataset that belong to the corpus."""
    cells: int
    """Distinct cells that were served."""
    exposures: int
    """Cells that were served, repeats counted."""
    corpus: str
    """``NAME@VERSION``."""
    source: str
    """The file the dataset was made from."""
    curated_by: str
    """Version of the code that curated it."""
    trained_at: str
    """When the training run ended, ISO 8601."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The answer to a question about a model or a dataset."""

    kind: str
    """``model`` or ``dataset``."""
    key: str
    version: str
    uid: str
    run: dict[str, Any] | None
    """Of a model: its training run's ``uid``, ``status``, ``params``, ``code_version``."""
    rows: tuple[Fed, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form."""
        return {
            "kind": self.kind,
            "key": self.key,
            "version": self.version,
            "uid": self.uid,
            "run": self.run,
            "rows": [row.to_dict() for row in self.rows],
        }


def split_version(text: str) -> tuple[str, str | None]:
    """Split ``KEY@VERSION``.

    Examples
    --------
    >>> split_version("cell-types@2"), split_version("cell-types")
    (('cell-types', '2'), ('cell-types', None))
    """
    key, _, version = text.rpartition("@")
    return (key, version) if key else (text, None)


def lineage_of_model(name: str) -> Lineage:
    """Tell which datasets fed a version of a model, with how many cells.

    Parameters
    ----------
    name
        ``KEY`` for the latest version, or ``KEY@VERSION``.

    Raises
    ------
    NotFoundError
        If there is no such model or version.
    """
    key, version = split_version(name)
    model = _find(MODELS + key, version, what="model")
    rows = [row for row in _served(key, model) if row.exposures]
    params = dict(model.run.params)
    own = params.pop(OWN)
    return Lineage(
        kind="model",
        key=key,
        version=model.version_tag,
        uid=model.uid,
        run={
            "uid": model.run.uid,
            "status": model.run.status,
            "params": params,
            "code_version": own["code_version"],
            "corpus": f"{own['corpus']}@{own['corpus_version']}",
        },
        rows=tuple(sorted(rows, key=lambda row: (-row.exposures, row.dataset))),
    )


def lineage_of_dataset(name: str) -> Lineage:
    """Tell which models were fed by a dataset, with how many of its cells.

    Parameters
    ----------
    name
        ``KEY`` for all versions of the dataset, or ``KEY@VERSION``.

    Raises
    ------
    NotFoundError
        If there is no such dataset or version.
    """
    import lamindb as ln

    key, version = split_version(name)
    dataset = _find(f"{DATASETS}{key}.h5ad", version, what="dataset")
    chain = ln.Artifact.objects.filter(key=f"{DATASETS}{key}.h5ad")
    uids = {dataset.uid} if version else set(chain.values_list("uid", flat=True))
    models = (
        ln.Artifact.objects.filter(kind="model", run__input_artifacts__uid__in=uids)
        .distinct()
        .order_by("id")
    )
    rows = [
        row
        for model in models
        for row in _served(str(model.key).removeprefix(MODELS), model)
        if row.dataset_uid in uids and row.exposures
    ]
    return Lineage(
        kind="dataset",
        key=key,
        version=version or "all",
        uid=dataset.uid,
        run=None,
        rows=tuple(rows),
    )


def _find(key: str, version: str | None, *, what: str) -> Any:
    import lamindb as ln

    chain = ln.Artifact.objects.filter(key=key).select_related("run")
    found = chain.filter(is_latest=True) if version is None else chain.filter(version_tag=version)
    if (artifact := found.first()) is not None:
        return artifact
    prefix = key.split("/")[0] + "/"
    if chain.exists():
        there = ", ".join(chain.order_by("id").values_list("version_tag", flat=True))
        msg = f"This {what} has no version {version!r}. It has {there}."
    else:
        known = ln.Artifact.objects.filter(key__startswith=prefix, is_latest=True).order_by("key")
        names = [
            k.removeprefix(prefix).removesuffix(".h5ad")
            for k in known.values_list("key", flat=True)
        ]
        there = ", ".join(names) or "none yet"
        msg = f"There is no {what} {key.removeprefix(prefix)!r}. There is: {there}."
    raise NotFoundError(msg, {what: key, "version": version})


def _served(key: str, model: Any) -> list[Fed]:
    """Read the ledger of a version of a model."""
    import lamindb as ln

    ledger = ln.Artifact.objects.filter(key=ledger_key(key, model.hash)).latest("id")
    counts = json.loads(ledger.path.read_text(encoding="utf-8"))["datasets"]
    own = model.run.params[OWN]
    uids = [entry["uid"] for entry in counts]
    found = ln.Artifact.objects.filter(uid__in=uids).select_related("run")
    artifacts = {artifact.uid: artifact for artifact in found}
    return [
        Fed(
            model=key,
            model_version=model.version_tag,
            dataset=name_of(artifact),
            dataset_version=artifact.version_tag,
            dataset_uid=artifact.uid,
            organism=artifact.run.params["classes"]["organism"][0],
            n_cells=entry["n_cells"],
            cells=entry["cells"],
            exposures=entry["exposures"],
            corpus=f"{own['corpus']}@{own['corpus_version']}",
            source=artifact.run.params["source"],
            curated_by=artifact.run.params["code_version"],
            trained_at=model.created_at.isoformat(timespec="seconds"),
        )
        for entry in counts
        for artifact in [artifacts[entry["uid"]]]
    ]


def status() -> dict[str, Any]:
    """List what the registry holds: datasets, collections and models, latest versions.

    Builds that go on, and datasets whose last attempt failed, come along.

    Returns
    -------
    JSON-serialisable lists by kind.
    """
    import lamindb as ln

    datasets = ln.Artifact.objects.filter(key__startswith=DATASETS, is_latest=True)
    models = ln.Artifact.objects.filter(key__startswith=MODELS, is_latest=True)
    collections = ln.Collection.objects.filter(is_latest=True).order_by("key")
    return {
        "builds": builds(),
        "failed": open_failures(),
        "datasets": [_dataset_status(a) for a in datasets.select_related("run").order_by("key")],
        "collections": [
            {
                "name": collection.key,
                "version": collection.version_tag,
                "uid": collection.uid,
                "n_datasets": collection.artifacts.count(),
                "n_cells": sum(ref["n_cells"] for ref in read_manifest(collection)["datasets"]),
            }
            for collection in collections
        ],
        "models": [
            {
                "name": str(model.key).removeprefix(MODELS),
                "version": model.version_tag,
                "uid": model.uid,
                "bytes": model.size,
                "run": model.run.uid,
                "status": model.run.status,
            }
            for model in models.select_related("run").order_by("key")
        ],
    }


def _dataset_status(artifact: Any) -> dict[str, Any]:
    report = artifact.run.params["report"]
    labels = report["labels"].values()
    return {
        "name": name_of(artifact),
        "version": artifact.version_tag,
        "uid": artifact.uid,
        "organism": report["organism"]["name"],
        "n_cells": artifact.n_observations,
        "n_genes": report["genes"]["genes"],
        "labels_open": sum(field["ambiguous"] + field["unmapped"] for field in labels),
        "bytes": artifact.size,
    }
