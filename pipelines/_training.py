"""Training runs: what a model was really fed, and the versions of the model that came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import ConflictError, InputError, NotFoundError
from ..loaders import ExposureLedger, Recording
from ._lamin import connect
from ._registrar import (
    NewFile,
    NewRun,
    Registered,
    begin_run,
    end_run,
    register,
)
from ._staging import copy, file_facts, staging
from ._versions import code_version

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from ..loaders import Batch, Corpus

STEP = "corpuscle/train"
MODELS, LEDGERS = "models/", "ledgers/"
OWN = "corpuscle"
"""Key of a run's params that is ours."""


class TrainingRun:
    """A training run. Made by `training_run`; use it as a context manager.

    Batches are counted when a loader of the corpus hands them out, in the process of the run.
    Batches of a ``DataLoader`` with worker processes are counted by `track`.

    Parameters
    ----------
    model_key
        Name of the model.
    corpus
        What it is trained on.
    params
        Hyperparameters and the like, JSON-serialisable; kept with the run.
    """

    def __init__(self, model_key: str, corpus: Corpus, params: Mapping[str, Any]) -> None:
        self.model_key = model_key
        self.corpus = corpus
        self.params = dict(params)
        self.ledger = ExposureLedger(corpus)
        self.uid = ""
        self._run_id = 0
        self._saved_batches = -1
        self._recording = Recording(self.ledger)

    def __repr__(self) -> str:
        exposures = int(self.ledger.exposures.sum())
        return (
            f"TrainingRun {self.uid or '(not begun)'} of {self.model_key!r} on "
            f"{self.corpus.name}@{self.corpus.version}: {exposures:,} cells served"
        )

    def __enter__(self) -> Self:
        from ._collect import find_collection

        collection = find_collection(self.corpus.name, self.corpus.version)
        own = {
            "model": self.model_key,
            "corpus": self.corpus.name,
            "corpus_version": self.corpus.version,
            "corpus_uid": self.corpus.uid,
            "code_version": code_version(),
        }
        self._run_id, self.uid = begin_run(STEP, {**self.params, OWN: own})
        register([NewRun(step=STEP, run_id=self._run_id, collection_ids=[collection.id])])
        self._recording.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        failed = True
        try:
            self._recording.__exit__(kind, error, traceback)
            if self._saved_batches != self.ledger.n_batches:
                self._register([], ledger_key=f"{LEDGERS}{self.uid}.json")
            failed = error is not None
        finally:
            end_run(self._run_id, failed=failed)

    def track(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Pass batches on and count them, for a ``DataLoader`` with worker processes.

        Examples
        --------
        ``for batch in run.track(DataLoader(loader, batch_size=None, num_workers=2)): ...``
        """
        return self._recording.track(batches)

    def save(self, checkpoint: str | os.PathLike[str]) -> Registered:
        """Register a checkpoint as the next version of the model, with what was served so far.

        Parameters
        ----------
        checkpoint
            A file or a folder. It is copied into the storage.

        Raises
        ------
        NotFoundError
            If there is no such file.
        ConflictError
            If the same bytes are a version of this model already, or batches were served that
            nobody counted.
        """
        import lamindb as ln

        path = Path(checkpoint)
        if not path.exists():
            msg = f"There is no checkpoint {path}. Save it first, then call run.save."
            raise NotFoundError(msg, {"file": str(path)})
        content = file_facts(path)[1]
        key = f"{MODELS}{self.model_key}"
        if (known := ln.Artifact.objects.filter(key=key, hash=content).first()) is not None:
            msg = (
                f"{path} is version {known.version_tag} of {self.model_key!r} already, byte for "
                "byte. Train on, or leave it."
            )
            raise ConflictError(msg, {"model": self.model_key, "version": known.version_tag})
        with staging() as folder:
            copy(path, folder / "checkpoint")
            model = NewFile(
                key=key,
                staged=folder / "checkpoint",
                suffix=path.suffix,
                description=f"{self.model_key}, trained on {self.corpus.name}@{self.corpus.version}",
                kind="model",
            )
            return self._register([model], ledger_key=ledger_key(self.model_key, content))[0]

    def _register(self, models: list[NewFile], *, ledger_key: str) -> list[Registered]:
        """Register checkpoints together with the ledger, and link what was served."""
        import lamindb as ln

        self._recording.check()
        counts = self.ledger.table()
        served = counts.loc[counts["exposures"] > 0, "uid"].tolist()
        inputs = ln.Artifact.objects.filter(uid__in=served).order_by("id")
        with staging() as folder:
            staged = folder / "ledger.json"
            staged.write_text(json.dumps(self.ledger.to_dict()) + "\n", encoding="utf-8")
            ledger = NewFile(
                key=ledger_key,
                staged=staged,
                suffix=".json",
                description=f"Cells served to {self.model_key} by run {self.uid}",
                kind="ledger",
            )
            run = NewRun(
                step=STEP,
                run_id=self._run_id,
                input_ids=list(inputs.values_list("id", flat=True)),
                outputs=[*models, ledger],
            )
            (registered,) = register([run])
        self._saved_batches = self.ledger.n_batches
        return registered


def ledger_key(model_key: str, content: str) -> str:
    """Key of the ledger that belongs to a version of a model, by LaminDB's hash of its bytes."""
    return f"{LEDGERS}{model_key}/{content}.json"


def training_run(
    model_key: str, corpus: Corpus, *, params: Mapping[str, Any] | None = None
) -> TrainingRun:
    """Record a training run: use it in a ``with`` statement around the training loop.

    Parameters
    ----------
    model_key
        Name of the model; `TrainingRun.save` makes its next version.
    corpus
        What it is trained on, from `open_corpus`.
    params
        Hyperparameters and the like, JSON-serialisable. The key ``corpuscle`` is ours.

    Raises
    ------
    InputError
        If `params` cannot be stored as JSON or has the key ``corpuscle``.
    NotFoundError
        On entering, if the corpus is not in the registry that this process is connected to.
    """
    chosen = dict(params or {})
    if OWN in chosen:
        msg = f"params must not have the key {OWN!r}, where the run keeps its own. Rename it."
        raise InputError(msg)
    try:
        json.dumps(chosen, allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"params cannot be stored as JSON: {error}. Pass plain numbers, texts, lists, dicts."
        raise InputError(msg) from error
    connect()
    return TrainingRun(model_key, corpus, chosen)
