"""The mouse prenatal atlas: nuclei of whole embryos from day 8 to birth."""

from __future__ import annotations

import datetime
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
    from ..transfer import Transfer
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
PUBLISHED = datetime.date(2024, 2, 14)
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


class DevAtlas(Source):
    """Qiu et al. 2024, in one of the forms in which the same nuclei are published."""

    name: ClassVar[str] = "devatlas"
    title: ClassVar[str] = "Mouse prenatal atlas (Qiu et al. 2024)"
    licence: ClassVar[str] = "none stated by the publisher; cite the paper"
    citation: ClassVar[str] = CITATION
    homepage: ClassVar[str] = "https://omg.gs.washington.edu"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "form": ("h5ad", "mtx", "geo", "gse186069"),
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
        ids = [id_ for id_ in self._ids() if wanted.has_id(id_)]
        if not ids or not wanted.has_organism(TERMS["organism"][0]):
            return
        base = self._base()
        for id_ in ids:
            dataset = self._dataset(id_, base)
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

    def _ids(self) -> list[str]:
        form = self.options["form"]
        if form == "h5ad":
            return [f"JAX_dataset_{number}" for number in range(1, 5)]
        return [EARLIER] if form == "gse186069" else [f"run_{run}" for run in RUNS]

    def _base(self) -> str:
        """Find the spelling of the site under which the table of genes is."""
        bases = GEO if self.options["form"] in {"geo", "gse186069"} else LAB
        tried = bases if self.at is None else (self.at,)
        for base in tried[:-1]:
            try:
                self.transfer.stat(f"{base}/{self._genes()}")
            except NotFoundError:
                continue
            return base
        self.transfer.stat(f"{tried[-1]}/{self._genes()}")
        return tried[-1]

    def _genes(self) -> str:
        return self._files("")[-1]

    def _files(self, id_: str) -> tuple[str, ...]:
        """Names of matrix, cells and genes below the base."""
        return {
            "h5ad": (f"adata/adata_{id_}.h5ad", "adata/df_cell.csv", "adata/df_gene.csv"),
            "mtx": (
                f"mtx/gene_count.{id_}.mtx.gz",
                f"mtx/cell_annotation.{id_}.csv.gz",
                "mtx/gene_annotation.csv.gz",
            ),
            "geo": (
                f"GSE228nnn/GSE228590/suppl/GSE228590_gene_count.{id_}.mtx.gz",
                f"GSE228nnn/GSE228590/suppl/GSE228590_cell_annotation.{id_}.csv.gz",
                "GSE228nnn/GSE228590/suppl/GSE228590_gene_annotation.csv.gz",
            ),
            "gse186069": tuple(
                f"GSE186nnn/GSE186069/suppl/GSE186069_{name}.gz"
                for name in ("gene_count.mtx", "cell_annotate.csv", "gene_annotate.csv")
            ),
        }[self.options["form"]]

    def _dataset(self, id_: str, base: str) -> SourceDataset:
        form, cells = self.options["form"], self.options["cells"]
        urls = [f"{base}/{name}" for name in self._files(id_)]
        if cells:
            urls = [urls[0], cells, urls[2]] if form == "h5ad" else [*urls, cells]
        files, versions, skip = [], [], ""
        for url in urls:
            try:
                stat = self.transfer.stat(url)
            except NotFoundError:
                skip = f"{url} is not there."
                break
            files.append(RemoteFile(url=url, size=stat.size))
            versions.append(f"{url.rsplit('/', 1)[-1]}\0{stat.size}\0{stat.version}\n")
        is_earlier = form == "gse186069"
        own = "h5ad" if form == "h5ad" else "earlier" if is_earlier else "runs"
        others = [other for other in ("h5ad", "runs", "earlier") if other != own]
        return SourceDataset(
            source=self.name,
            id=id_,
            key=f"{self.name}/{id_}",
            version=blake3("".join(versions).encode()).hexdigest(12) if versions else "none",
            title=f"{self.title}, {id_}",
            files=() if skip else tuple(files),
            licence=self.licence,
            citation=EARLIER_CITATION if is_earlier else CITATION,
            released=None if is_earlier else PUBLISHED,
            terms=TERMS,
            links=_links(id_, own, others),
            aliases=(f"{self.name}:{id_}", f"{self.name}:form:{own}"),
            skip=skip,
            extra={"form": form, "cells": bool(cells)},
        )


def _links(id_: str, own: str, others: list[str]) -> tuple[str, ...]:
    """Name what repeats the nuclei: of the earlier set, only run 4 does."""
    if own == "earlier":
        return (CELLXGENE, "devatlas:run_4", "devatlas:form:h5ad")
    forms = [f"devatlas:form:{other}" for other in others if other != "earlier"]
    earlier = [f"devatlas:{EARLIER}"] if own == "h5ad" or id_ == "run_4" else []
    return (CELLXGENE, *forms, *earlier)
