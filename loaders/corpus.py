"""A version of a corpus as files on this machine."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import InputError, NotFoundError, SchemaError
from ..ontologies import FIELDS, label_hierarchy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from ..ontologies import Hierarchy
    from ._mapped import MappedCorpus
    from .loader import CorpusLoader

__all__ = ["NO_CLASS", "Corpus", "DatasetRef", "DuplicatesFile", "obs_column"]

NO_CLASS = ("unknown", "na")
"""Values that say that there is no label; their class integer is -1."""

FORMAT = 1
WITH_EXCLUSIONS = 2
"""Format of a manifest that leaves cells out: what does not know that must not read it."""


def obs_column(field: str) -> str:
    """Name of the obs column that holds the term ids of a field.

    Raises
    ------
    InputError
        If there is no such field.

    Examples
    --------
    >>> obs_column("tissue"), obs_column("tissue_type")
    ('tissue_ontology_term_id', 'tissue_type')
    """
    if field not in FIELDS:
        msg = f"{field!r} is not a label of curated cells. Choose from {', '.join(FIELDS)}."
        raise InputError(msg, {"field": field})
    return field if field == "tissue_type" else f"{field}_ontology_term_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRef:
    """One curated dataset of a corpus."""

    uid: str
    """The registry's identifier of the artifact."""
    key: str
    """Name for people, as in the registry."""
    path: str
    """The h5ad file or zarr store on this machine."""
    n_cells: int
    """Cells that belong to the corpus: rows of the file, less those left out."""
    organism: str
    """Term id of the organism, such as ``NCBITaxon:9606``."""
    n_excluded: int = 0
    """Rows of the file that are left out, as copies of other cells."""

    @property
    def n_rows(self) -> int:
        """Rows of the file."""
        return self.n_cells + self.n_excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesFile:
    """The list of cells with copies, and what the corpus makes of it."""

    policy: str
    """``flag``, ``keep_primary`` or ``drop``."""
    key: str
    """Name of the Parquet file in the registry."""
    hash: str
    """BLAKE3 of its content."""
    path: str = ""
    """Where it is on this machine; needed to read cells if any are left out."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Corpus:
    """A registered version of a collection of datasets, readable without the registry.

    Cells are numbered through all datasets, in the order of `datasets`.

    Raises
    ------
    InputError
        If a dataset or a class is there twice, or a class stands for a missing label.
    """

    name: str
    """Name for people."""
    version: str
    """Version of the collection."""
    uid: str
    """The registry's identifier of this version."""
    datasets: tuple[DatasetRef, ...]
    """In the order that numbers the cells."""
    classes: Mapping[str, tuple[str, ...]]
    """Term ids of each field; the place of a term is its class integer.

    Later versions of a corpus may only append, so that integers keep their meaning.
    """
    duplicates: DuplicatesFile | None = None
    """What was found about cells that are there twice. None if nobody looked."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "datasets", tuple(self.datasets))
        object.__setattr__(self, "classes", {f: tuple(t) for f, t in self.classes.items()})
        _refuse_repeats([ref.uid for ref in self.datasets], what=f"datasets of corpus {self.uid}")
        if self.n_excluded and self.duplicates is None:
            msg = (
                f"Corpus {self.uid} leaves out {self.n_excluded:,} cells. Say which: `duplicates`."
            )
            raise InputError(msg)
        for field, terms in self.classes.items():
            obs_column(field)
            _refuse_repeats(terms, what=f"classes of {field!r} in corpus {self.uid}")
            if bad := sorted(set(NO_CLASS) & set(terms)):
                msg = (
                    f"{bad[0]!r} is among the classes of {field!r} in corpus {self.uid}, but it means "
                    "that there is no label. Leave it out: such cells get -1."
                )
                raise InputError(msg, {"field": field, "term": bad[0]})

    def __repr__(self) -> str:
        organisms = ", ".join(sorted({ref.organism for ref in self.datasets})) or "none"
        classes = ", ".join(f"{field} {len(terms):,}" for field, terms in self.classes.items())
        return (
            f"Corpus {self.name!r} version {self.version!r} ({self.uid}): {self.n_cells:,} cells in "
            f"{len(self.datasets):,} datasets; organisms: {organisms}; classes: {classes or 'none'}"
        )

    @property
    def n_cells(self) -> int:
        """Cells of all datasets."""
        return sum(ref.n_cells for ref in self.datasets)

    @property
    def n_excluded(self) -> int:
        """Cells of the files that are left out."""
        return sum(ref.n_excluded for ref in self.datasets)

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """Number of the first cell of each dataset. Shape ``(n_datasets,)``."""
        sizes = np.array([ref.n_cells for ref in self.datasets], dtype=np.int64)
        return np.cumsum(sizes) - sizes

    def to_manifest(self) -> dict[str, Any]:
        """Everything but the paths, which belong to a machine; JSON-serialisable."""
        manifest: dict[str, Any] = {
            "format": WITH_EXCLUSIONS if self.n_excluded else FORMAT,
            "name": self.name,
            "version": self.version,
            "uid": self.uid,
            "datasets": [
                {"uid": ref.uid, "key": ref.key, "n_cells": ref.n_cells, "organism": ref.organism}
                | ({"n_excluded": ref.n_excluded} if ref.n_excluded else {})
                for ref in self.datasets
            ],
            "classes": {field: list(terms) for field, terms in self.classes.items()},
        }
        if (found := self.duplicates) is not None:
            manifest["duplicates"] = {"policy": found.policy, "key": found.key, "hash": found.hash}
        return manifest

    @classmethod
    def from_manifest(
        cls, manifest: Mapping[str, Any], paths: Mapping[str, str | os.PathLike[str]]
    ) -> Corpus:
        """Make a corpus from a manifest and the place of each file.

        Parameters
        ----------
        manifest
            Made by `to_manifest`.
        paths
            Path of each dataset by its uid, and of the list of duplicates by its key, without
            which no cells can be read if any are left out; others are ignored.

        Raises
        ------
        SchemaError
            If the manifest has another format, or lacks a key.
        NotFoundError
            If a dataset has no path.
        InputError
            If a dataset or a class is there twice.
        """
        if manifest.get("format") not in (FORMAT, WITH_EXCLUSIONS):
            msg = (
                f"The manifest has format {manifest.get('format')!r}; this version of corpuscle reads "
                f"formats {FORMAT} and {WITH_EXCLUSIONS}. Export the manifest again, or use the version that wrote it."
            )
            raise SchemaError(msg, {"format": manifest.get("format")})
        try:
            refs = manifest["datasets"]
            missing = [ref["uid"] for ref in refs if ref["uid"] not in paths]
            datasets = tuple(
                DatasetRef(
                    uid=ref["uid"],
                    key=ref["key"],
                    path=os.fspath(paths.get(ref["uid"], "")),
                    n_cells=int(ref["n_cells"]),
                    organism=ref["organism"],
                    n_excluded=int(ref.get("n_excluded", 0)),
                )
                for ref in refs
            )
            duplicates = None
            if (listed := manifest.get("duplicates")) is not None:
                place = os.fspath(paths.get(listed["key"], ""))
                duplicates = DuplicatesFile(path=place, **listed)
            facts = {key: manifest[key] for key in ("name", "version", "uid", "classes")}
        except KeyError as error:
            msg = f"The manifest has no {error.args[0]!r}. Export it again with `to_manifest`."
            raise SchemaError(msg, {"key": error.args[0]}) from error
        if missing:
            msg = (
                f"{len(missing):,} of {len(refs):,} datasets of corpus {facts['uid']} have no path "
                f"(first: {missing[0]}). Fetch them, then pass the path of each under its uid."
            )
            raise NotFoundError(msg, {"uids": missing})
        return cls(datasets=datasets, duplicates=duplicates, **facts)

    def loader(self, batch_size: int = 256, **options: Any) -> CorpusLoader:
        """Batches of cells for training: see `CorpusLoader`, which takes the same arguments."""
        from .loader import CorpusLoader

        return CorpusLoader(self, batch_size, **options)

    def hierarchy(self, field: str) -> Hierarchy:
        """Build the hierarchy of a field's classes, for `HierarchicalLoss` and metrics.

        The ontologies of this installation say what is above what. What they said when the corpus
        was collected is registered with it, as ``hierarchies/NAME/FIELD``: see `Hierarchy.load`.

        Raises
        ------
        InputError
            If there is no such field, or the corpus has no classes of it.
        NotFoundError
            If a class is of no ontology here.
        """
        obs_column(field)
        if field not in self.classes:
            msg = (
                f"Corpus {self.uid} has no classes of {field!r}. It has: "
                f"{', '.join(self.classes) or 'none'}."
            )
            raise InputError(msg, {"field": field})
        return label_hierarchy(field, self.classes[field])

    def mapped(
        self, *, join: Literal["inner", "outer"] | None = "outer", **options: Any
    ) -> MappedCorpus:
        """Single cells as LaminDB's mapped collection gives them.

        Labels that are encoded get the corpus's class integers, which stay the same over versions,
        rather than integers made from the files' own categories; -1 where there is no label, or
        where a file lacks the column. Numbers stay numbers unless `encode_labels` lists them.

        Parameters
        ----------
        join
            How genes of the files are put together. The base class has ``"inner"`` by default.
        **options
            Any other argument of `lamindb.core.MappedCollection`.

        Raises
        ------
        SchemaError
            If a column of labels that is to be encoded is not categorical.
        IntegrityError
            If a cell's label that is to be encoded is not among the classes, or the list of cells
            that are left out is not that of this version.
        """
        from ._curated import read_class_codes
        from ._kept import excluded_rows
        from ._mapped import MappedCorpus, numeric_columns

        excluded = excluded_rows(self)
        paths = [ref.path for ref in self.datasets]
        keys = options.get("obs_keys") or []
        keys = [keys] if isinstance(keys, str) else keys
        if keys and options.get("encode_labels", True) is True:
            numbers = numeric_columns(paths, keys)
            options["encode_labels"] = [key for key in keys if key not in numbers]
        mapped = MappedCorpus(paths, join=join, **options)
        mapped.no_label = -1
        if excluded:
            mapped.leave_out(excluded)
        for field, terms in self.classes.items():
            column = obs_column(field)
            if mapped.obs_keys is None or column not in mapped.encoders:
                continue
            for ref, store in zip(self.datasets, mapped.storages, strict=True):
                if column in store["obs"]:
                    read_class_codes(store, ref, field=field, terms=terms)
            codes = {term: i for i, term in enumerate(terms)}
            mapped.encoders[column] = codes | dict.fromkeys(NO_CLASS, -1)
        return mapped


def _refuse_repeats(values: Sequence[str], *, what: str) -> None:
    repeats = [value for value, n in Counter(values).items() if n > 1]
    if repeats:
        msg = f"{len(repeats):,} {what} are listed twice (first: {repeats[0]!r}). List each once."
        raise InputError(msg, {"repeats": repeats})
