"""The CELLxGENE Census: whole source files of a release, and slices of its cells."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from ...curation import SourceFacts, open_source
from ...errors import InputError, SchemaError
from ._census_list import CITATION, LICENCE, NAME, list_files, list_slices
from ._census_release import PUBLIC, Release, find_release
from ._census_slice import Slice, write_slice
from ._census_soma import open_census
from ._interface import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ...curation import SourceFile
    from ..transfer import Fetched
    from ._interface import SourceDataset
    from ._wanted import Wanted

ONLY_SLICES = ("cells", "where")


class Census(Source):
    """The CELLxGENE Census."""

    name: ClassVar[str] = NAME
    title: ClassVar[str] = "CELLxGENE Census: standardised cells of CELLxGENE, by release"
    licence: ClassVar[str] = LICENCE
    citation: ClassVar[str] = CITATION
    homepage: ClassVar[str] = "https://chanzuckerberg.github.io/cellxgene-census/"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "form": ("h5ad", "slice"),
        "cells": ("primary", "all"),
        "where": (),
        "mirror": (),
    }

    @cached_property
    def found(self) -> Release:
        """The build that is meant, looked up when it is first needed."""
        return find_release(
            self.transfer, self.at or PUBLIC, self.release, mirror=self.options["mirror"]
        )

    def _release(self, release: str | None) -> str:
        return release or "stable"  # which ones there are is said by a document, read later

    def _options(self, options: Mapping[str, str]) -> dict[str, str]:
        chosen = super()._options(options)
        if chosen["form"] != "slice" and (idle := sorted({*options} & {*ONLY_SLICES})):
            msg = f"{idle[0]}={options[idle[0]]} chooses cells of slices only: add form=slice."
            raise InputError(msg, {"source": self.name, "option": idle[0]})
        return chosen

    def datasets(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """List what is wanted; obs of the release is read for it, four columns in chunks."""
        with open_census(self.found) as census:
            found = (
                list_files(census, self.found, wanted)
                if self.options["form"] == "h5ad"
                else list_slices(
                    census,
                    self.found,
                    wanted,
                    cells=self.options["cells"],
                    where=self.options["where"],
                )
            )
        yield from (dataset for dataset in found if wanted.has(dataset))

    @contextmanager
    def fetch(
        self,
        dataset: SourceDataset,
        *,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> Iterator[Sequence[Fetched]]:
        """Bring a source file here, or write the file of a slice, into the cache."""
        if dataset.extra["form"] == "h5ad":
            with super().fetch(dataset, on_progress=on_progress) as files:
                yield files
            return
        wanted = Slice(
            release=Release(**dataset.extra["release"]),
            organism=dataset.extra["organism"],
            value_filter=dataset.extra["value_filter"],
            n_cells=dataset.n_cells or 0,
            uns={"title": dataset.title, "citation": dataset.citation},
        )
        write = partial(write_slice, wanted=wanted, on_progress=on_progress)
        with self.transfer.make(dataset.files[0], write, version=dataset.version) as file:
            yield [file]

    @staticmethod
    def open(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
        """Open a source file, as one of CELLxGENE, or the file of a slice.

        Raises
        ------
        SchemaError
            If a file is not what it was listed as.
        """
        file = open_source(paths[0])
        try:
            return (
                _of_slice(file, dataset)
                if dataset.extra["form"] == "slice"
                else _whole(file, dataset)
            )
        except BaseException:
            file.__exit__()
            raise


def _of_slice(file: SourceFile, dataset: SourceDataset) -> SourceFile:
    build, (organism,) = dataset.extra["release"]["build"], dataset.terms["organism"]
    if dataset.n_cells != len(file.obs):
        msg = (
            f"{file.path} has {len(file.obs):,} cells, and slice {dataset.id} has "
            f"{dataset.n_cells:,}. Fetch it again."
        )
        raise SchemaError(msg, {"file": str(file.path), "dataset": dataset.id})
    facts = SourceFacts(says=f"CELLxGENE Census {build}", organism=organism, layer="X")
    return replace(file, facts=facts)


def _whole(file: SourceFile, dataset: SourceDataset) -> SourceFile:
    """Check a source file as that of CELLxGENE; releases that tell less of it are believed less."""
    from ._cellxgene_schema import CITED, schema_of, with_facts

    cited = CITED["dataset version"].search(file.uns.get("citation", ""))
    told = {
        **dataset.extra,
        "schema_version": dataset.extra["schema_version"] or schema_of(file)[0],
    }
    is_told = not dataset.version.startswith("census-")
    version = dataset.version if is_told or cited is None else cited[1]
    opened = with_facts(file, replace(dataset, version=version, extra=told))
    if opened.facts is None:
        return opened
    says = f"CELLxGENE Census {dataset.extra['release']['build']}; {opened.facts.says}"
    return replace(opened, facts=replace(opened.facts, says=says))
