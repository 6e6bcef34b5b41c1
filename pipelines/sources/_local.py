"""Files of a user's own."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...curation import content_hash, is_dataset_folder, open_source
from ...errors import NotFoundError
from ..transfer import Fetched, RemoteFile
from ._interface import Source, SourceDataset

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ...curation import SourceFile
    from ..transfer import Transfer
    from ._wanted import Wanted

ENDINGS = (".h5ad", ".zarr", ".h5", ".hdf5")


class LocalSource(Source):
    """Files and folders of this machine; their content is their version.

    Parameters
    ----------
    transfer
        Not used: nothing is copied.
    at
        A file, or a folder of files.
    paths
        More of them.
    genome
        Which genome of a 10x file of several to read.
    """

    name: ClassVar[str] = "local"
    title: ClassVar[str] = "Files of your own: .h5ad, .zarr, 10x .h5, folders with matrix.mtx"
    licence: ClassVar[str] = "not stated"
    citation: ClassVar[str] = "not stated"
    homepage: ClassVar[str] = "this machine"

    def __init__(
        self,
        transfer: Transfer | None = None,
        *,
        release: str | None = None,
        at: str | None = None,
        options: Mapping[str, str] | None = None,
        paths: Sequence[str | os.PathLike[str]] = (),
        genome: str | None = None,
    ) -> None:
        self.at = None
        self.release, self.options = self._release(release), self._options(options or {})
        self.paths = [*([] if at is None else [at]), *paths]
        self.genome = genome
        del transfer

    def datasets(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """List the files.

        Raises
        ------
        NotFoundError
            If a path does not exist, or a folder holds no file we read.
        """
        for path in find_files(self.paths):
            name = dataset_name(path)
            size = path.stat().st_size if path.is_file() else None
            dataset = SourceDataset(
                source=self.name,
                id=name,
                key=name,
                version="",
                title=path.name,
                files=(RemoteFile(url=str(path), name=path.name, size=size),),
                licence=self.licence,
                citation=self.citation,
                extra={"genome": self.genome},
            )
            if wanted.has(dataset):
                yield dataset

    @contextlib.contextmanager
    def fetch(
        self,
        dataset: SourceDataset,
        *,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> Iterator[Sequence[Fetched]]:
        """Give the file where it is."""
        del on_progress
        (file,) = dataset.files
        path = Path(file.url)
        digest = content_hash(path)
        yield [Fetched(path=path, file=file, size=file.size or 0, version=digest, hash=digest)]

    @staticmethod
    def open(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
        """Open the file, see `open_source`."""
        genome: Any = dataset.extra["genome"]
        return open_source(paths[0], genome=genome)


def find_files(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List the single-cell files among paths; in a folder, all of them, sorted by name.

    Raises
    ------
    NotFoundError
        If a path does not exist, or a folder holds no file we read.
    """
    found: list[Path] = []
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            msg = f"There is no file or folder {path}. Check the path."
            raise NotFoundError(msg, {"file": str(path)})
        if not path.is_dir() or is_dataset_folder(path):
            found.append(path)
            continue
        inside = sorted(_walk(path))
        if not inside:
            msg = f"{path} holds no {', '.join(ENDINGS)} and no folder with matrix.mtx."
            raise NotFoundError(msg, {"file": str(path)})
        found += inside
    return list(dict.fromkeys(path.resolve() for path in found))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if is_dataset_folder(path):
                yield path
            else:
                yield from _walk(path)
        elif path.suffix in ENDINGS:
            yield path


def dataset_name(path: Path) -> str:
    """Name of the dataset in a file: the file's name without its ending."""
    return path.stem if path.suffix in ENDINGS else path.name
