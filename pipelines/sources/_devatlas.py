"""The mouse prenatal atlas: nuclei of whole embryos from day 8 to birth."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from blake3 import blake3

from ...errors import InputError, NotFoundError
from ..transfer import RemoteFile
from ._devatlas_open import open_files
from ._interface import Source, SourceDataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...curation import SourceFile
    from ..transfer import Stat, Transfer
    from ._wanted import Wanted

LAB = tuple(
    f"https://shendure-web.gs.washington.edu/content/members/cxqiu/public/{place}/jax/download"
    for place in ("backup", "nobackup")
)
"""The laboratory's site: links to it are written in both ways."""
GEO = ("https://ftp.ncbi.nlm.nih.gov/geo/series",)
RUNS = (4, 13, 14, 15, 16, "17_sub1", "17_sub2", 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28)
"""Experiments, as the authors' own code lists them."""
EARLIER = "GSE186069"
"""Series of the earlier set of embryos of day 8.5: run 4, under other names."""
CELLXGENE = "cellxgene:collection:45d5d2c3-bc28-4814-aed6-0bb6f0e11c82"
TITLE = "Mouse prenatal atlas (Qiu et al. 2024)"
CITATION = (
    "Qiu C, Martin BK, Welsh IC, et al. A single-cell time-lapse of mouse prenatal development "
    "from gastrula to birth. Nature 626, 1084-1093 (2024). "
    "https://doi.org/10.1038/s41586-024-07069-w"
)
EARLIER_CITATION = (
    "Qiu C, Cao J, Martin BK, et al. Systematic reconstruction of cellular trajectories across "
    "mouse embryogenesis. Nature Genetics 54, 328-341 (2022)."
)
TERMS = {
    "organism": ("NCBITaxon:10090",),
    "assay": ("EFO:0030028",),
    "disease": ("PATO:0000461",),
    "tissue": ("UBERON:0000922",),
}
"""Of every dataset; newborns are of UBERON:0000468 besides, and only reading tells where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """One way in which the nuclei are published."""

    bases: tuple[str, ...]
    """Where, in the order to try."""
    ids: tuple[str, ...]
    files: tuple[str, str, str]
    """Matrix, cells and genes below the base; ``{id}`` stands for the dataset."""
    kind: str
    """Datasets of one kind repeat no nuclei among themselves."""
    links: tuple[str, ...]
    """What repeats the nuclei besides CELLxGENE."""
    title: str = TITLE
    citation: str = CITATION
    released: datetime.date | None = datetime.date(2024, 2, 14)


_RUNS = tuple(f"run_{run}" for run in RUNS)
_SERIES = "GSE228nnn/GSE228590/suppl/GSE228590_"
_EARLIER = "GSE186nnn/GSE186069/suppl/GSE186069_"
FORMS = {
    "h5ad": _Form(
        bases=LAB,
        ids=tuple(f"JAX_dataset_{number}" for number in range(1, 5)),
        files=("adata/adata_{id}.h5ad", "adata/df_cell.csv", "adata/df_gene.csv"),
        kind="h5ad",
        links=("devatlas:form:runs", f"devatlas:{EARLIER}"),
    ),
    "mtx": _Form(
        bases=LAB,
        ids=_RUNS,
        files=(
            "mtx/gene_count.{id}.mtx.gz",
            "mtx/cell_annotation.{id}.csv.gz",
            "mtx/gene_annotation.csv.gz",
        ),
        kind="runs",
        links=("devatlas:form:h5ad",),
    ),
    "geo": _Form(
        bases=GEO,
        ids=_RUNS,
        files=(
            _SERIES + "gene_count.{id}.mtx.gz",
            _SERIES + "cell_annotation.{id}.csv.gz",
            _SERIES + "gene_annotation.csv.gz",
        ),
        kind="runs",
        links=("devatlas:form:h5ad",),
    ),
    "gse186069": _Form(
        bases=GEO,
        ids=(EARLIER,),
        files=(
            _EARLIER + "gene_count.mtx.gz",
            _EARLIER + "cell_annotate.csv.gz",
            _EARLIER + "gene_annotate.csv.gz",
        ),
        kind="earlier",
        links=("devatlas:run_4", "devatlas:form:h5ad"),
        title="Mouse embryos of day 8.5 by somites (Qiu et al. 2022)",
        citation=EARLIER_CITATION,
        released=None,
    ),
}
"""By the choice ``form``. The series GSE186068 is of another paper and is no part of it."""


class DevAtlas(Source):
    """Qiu et al. 2024, in one of the forms in which the same nuclei are published."""

    name: ClassVar[str] = "devatlas"
    title: ClassVar[str] = TITLE
    licence: ClassVar[str] = "none stated by the publisher; cite the paper"
    citation: ClassVar[str] = CITATION
    homepage: ClassVar[str] = "https://www.ncbi.nlm.nih.gov/geo/query/acc.cgi?acc=GSE228590"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "form": tuple(FORMS),
        "cells": (),
    }
    """``form``: four AnnData files; a matrix per experiment, from the laboratory or from GEO; or
    the earlier set. ``cells``: URL or path of a table of cells to join by ``cell_id``, such as the
    authors' R table of cell types written as CSV."""

    def __init__(
        self,
        transfer: Transfer,
        *,
        release: str | None = None,
        at: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(transfer, release=release, at=at, options=options)
        if self.options["cells"].lower().endswith((".rds", ".rdata")):
            msg = (
                f"cells={self.options['cells']} is a table of R, which no library reads in "
                "bounded memory. Write it once in R, data.table::fwrite(readRDS('df_cell.rds'), "
                "'df_cell.csv.gz'), and pass that."
            )
            raise InputError(msg, {"source": self.name, "cells": self.options["cells"]})

    def datasets(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """List the files or experiments of the form; what is not there is skipped by name.

        Raises
        ------
        NotFoundError, TransferError
            If the table that all of them share is not to be had.
        """
        ids = [id_ for id_ in self._form.ids if wanted.has_id(id_)]
        if not ids or not wanted.has_organism(TERMS["organism"][0]):
            return
        urls = self._urls(self._base())
        shared = {url: self.transfer.stat(url) for url in urls if "{id}" not in url}
        for id_ in ids:
            dataset = self._dataset(id_, urls, shared)
            if wanted.has(dataset):
                yield dataset

    @staticmethod
    def open(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
        """Open a matrix with the tables of its cells and genes.

        Raises
        ------
        SchemaError
            If the tables do not fit the matrix or contradict each other.
        """
        return open_files(dataset, paths)

    @property
    def _form(self) -> _Form:
        return FORMS[self.options["form"]]

    def _base(self) -> str:
        """Find the spelling of the site under which the table of genes is."""
        bases = self._form.bases if self.at is None else (self.at,)
        for base in bases[:-1]:
            try:
                self.transfer.stat(f"{base}/{self._form.files[-1]}")
            except NotFoundError:
                continue
            return base
        return bases[-1]

    def _urls(self, base: str) -> list[str]:
        """Give matrix, cells, genes and, if asked for, a table of cells to join."""
        matrix, cells, genes = (f"{base}/{name}" for name in self._form.files)
        if not (other := self.options["cells"]):
            return [matrix, cells, genes]
        return (
            [matrix, other, genes] if self._form.kind == "h5ad" else [matrix, cells, genes, other]
        )

    def _dataset(self, id_: str, urls: list[str], shared: Mapping[str, Stat]) -> SourceDataset:
        form, files, versions, skip = self._form, [], [], ""
        for pattern in urls:
            url = pattern.replace("{id}", id_)
            try:
                stat = shared.get(pattern) or self.transfer.stat(url)
            except NotFoundError:
                skip = f"{url} is not there."
                break
            files.append(RemoteFile(url=url, size=stat.size))
            versions.append(f"{url.rsplit('/', 1)[-1]}\0{stat.size}\0{stat.version}\n")
        return SourceDataset(
            source=self.name,
            id=id_,
            key=f"{self.name}/{id_}",
            version="none" if skip else blake3("".join(versions).encode()).hexdigest(12),
            title=f"{form.title}, {id_}",
            files=() if skip else tuple(files),
            licence=self.licence,
            citation=form.citation,
            released=form.released,
            terms=TERMS,
            links=(CELLXGENE, *form.links, *([f"devatlas:{EARLIER}"] if id_ == "run_4" else [])),
            aliases=(f"{self.name}:{id_}", f"{self.name}:form:{form.kind}"),
            skip=skip,
            extra={"form": self.options["form"], "cells": bool(self.options["cells"])},
        )
