"""scBaseCount of the Arc Institute: samples of public archives, counted anew in one way."""

from __future__ import annotations

import datetime
import logging
from typing import TYPE_CHECKING, Any

from ...errors import NotFoundError, SchemaError
from ...ontologies import get_organism
from ...ontologies.gene_tables import has_genes
from ..transfer import RemoteFile
from ._interface import Source, SourceDataset
from ._scbasecount_h5ad import open_sample
from ._scbasecount_table import TABLE_BYTES, collections_of, contradiction, read_samples, rows_of
from ._scbasecount_words import EXPRESSION, kind_of_missing, not_expression, sample_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ...curation import SourceFile
    from ...ontologies import Organism
    from ._wanted import Wanted

__all__ = ["FOLDERS", "ScBaseCount"]

logger = logging.getLogger(__name__)

AT = "gs://arc-institute-virtual-cell-atlas/scbasecount"
_FIRST = (
    *("Arabidopsis_thaliana", "Bos_taurus", "Caenorhabditis_elegans", "Callithrix_jacchus"),
    *("Danio_rerio", "Drosophila_melanogaster", "Equus_caballus", "Gallus_gallus"),
    *("Gorilla_gorilla", "Heterocephalus_glaber", "Homo_sapiens", "Macaca_mulatta"),
    *("Mus_musculus", "Oryctolagus_cuniculus", "Oryza_sativa", "Ovis_aries", "Pan_troglodytes"),
    *("Schistosoma_mansoni", "Solanum_lycopersicum", "Sus_scrofa", "Zea_mays"),
)
_NEW = (
    *("Chlorocebus_aethiops", "Gasterosteus_aculeatus", "Mesocricetus_auratus"),
    *("Monodelphis_domestica", "Rattus_norvegicus", "Taeniopygia_guttata"),
)
FOLDERS = {"2026-01-12": tuple(sorted((*_FIRST, *_NEW))), "2025-02-25": _FIRST}
"""Folders of each release: one per organism."""


class ScBaseCount(Source):
    """Samples of SRA, ENA and DDBJ, one dataset each, counted by one program.

    A dataset is called by its accession; the feature type belongs to its version. What the
    publisher says of a sample was written by a program that read its description: it is kept in
    its own words. The disease is that of the whole study, whose controls bear it too, so that the
    cells' is unknown, and the words are in ``author_study_disease``; the choice ``disease=study``
    takes it for the cells' nevertheless.
    """

    name = "scbasecount"
    title = "scBaseCount"
    licence = "None stated with the data, which derive from public records of SRA, ENA and DDBJ"
    citation = (
        "Youngblut et al., scBaseCount: an AI agent-curated, uniformly processed, and "
        "continually expanding single cell data repository, doi:10.1101/2025.02.27.640494; "
        "and the study of the sample"
    )
    homepage = "https://github.com/ArcInstitute/arc-virtual-cell-atlas"
    releases = tuple(FOLDERS)
    choices = {  # noqa: RUF012 # as declared in the base class
        "feature": (
            *("GeneFull_Ex50pAS", "Gene", "GeneFull", "GeneFull_ExonOverIntron", "Velocyto"),
        ),
        "disease": ("unknown", "study"),
    }

    def datasets(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """List the samples that are wanted, one organism after the other.

        Raises
        ------
        NotFoundError
            If there are no tables of the release and feature.
        TransferError
            If the source cannot be reached.
        SchemaError
            If a table is not what it was.
        """
        released = datetime.date.fromisoformat(self.release)
        if wanted.released_before is not None and released >= wanted.released_before:
            return
        seen: dict[str, str] = {}
        absent = []
        folders = FOLDERS[self.release]
        for folder in folders:
            organism = get_organism(folder)
            if not wanted.has_organism(organism.taxon_id):
                continue
            url = self._table(folder)
            try:
                data = self.transfer.read_bytes(url, max_bytes=TABLE_BYTES)
            except NotFoundError:
                absent.append(folder)
                continue
            yield from self._samples(data, url, folder, organism, wanted, seen)
        if absent:
            self._check_absent(absent)

    @staticmethod
    def open(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
        """Open the file of a sample, see `open_sample`."""
        (path,) = paths
        return open_sample(dataset, path)

    @property
    def _root(self) -> str:
        return f"{self.at or AT}/{self.release}"

    def _table(self, folder: str) -> str:
        return f"{self._root}/metadata/{self.options['feature']}/{folder}/sample_metadata.parquet"

    def _check_absent(self, absent: list[str]) -> None:
        """See that other organisms have tables where these have none."""
        for folder in FOLDERS[self.release]:
            if folder in absent:
                continue
            try:
                self.transfer.stat(self._table(folder))
            except NotFoundError:
                continue
            logger.info("release=%s organisms_without_table=%s", self._root, ",".join(absent))
            return
        feature = self.options["feature"]
        msg = (
            f"There are no tables of {feature} at {self._root}/metadata. Check --at, or choose "
            "another release or feature."
        )
        raise NotFoundError(msg, {"source": self.name, "at": self._root, "feature": feature})

    def _samples(
        self,
        data: bytes,
        url: str,
        folder: str,
        organism: Organism,
        wanted: Wanted,
        seen: dict[str, str],
    ) -> Iterator[SourceDataset]:
        table = read_samples(data, url, feature=self.options["feature"])
        n_contradictions, first = 0, ""
        for row, differs in rows_of(table):
            accession = row["srx_accession"]
            problem = contradiction(row, feature=self.options["feature"], folder=folder)
            if problem:
                n_contradictions, first = n_contradictions + 1, first or f"{accession}: {problem}"
            elif differs:
                problem = f"the table has it more than once, and differently: {differs}"
            elif accession in seen:
                problem = f"it is also in the table of {seen[accession]}: choose an organism"
            seen.setdefault(accession, folder)
            if wanted.has_id(accession):
                dataset = self._dataset(row, folder, organism, problem)
                if wanted.has(dataset):
                    yield dataset
        if n_contradictions and n_contradictions == table.num_rows:
            msg = (
                f"Every row of {url} contradicts where the table stands ({first}). Fetch it again, "
                "or name another --at."
            )
            raise SchemaError(msg, {"file": url, "first": first})

    def _dataset(
        self, row: dict[str, Any], folder: str, organism: Organism, problem: str
    ) -> SourceDataset:
        accession, feature = row["srx_accession"], self.options["feature"]
        disease, taxon = self.options["disease"], organism.taxon_id
        tissue = None if kind_of_missing(row["tissue"]) else row["tissue"]
        fields = ("tissue", "disease") if disease == "study" else ("tissue",)
        terms = {
            name: sample_terms(name, row[name], row.get(f"{name}_ontology_term_id"), taxon)
            for name in fields
        }
        if row["tech_10x"] in EXPRESSION:
            terms["assay"] = (EXPRESSION[row["tech_10x"]],)
        return SourceDataset(
            source=self.name,
            id=accession,
            key=f"{self.name}/{accession}",
            version=f"{self.release}/{feature}" + ("/disease=study" if disease == "study" else ""),
            title=f"{accession}: {organism.name}, {tissue or 'tissue unknown'}",
            files=(RemoteFile(url=f"{self._root}/h5ad/{feature}/{folder}/{accession}.h5ad"),),
            licence=self.licence,
            citation=self.citation,
            n_cells=row["obs_count"],
            released=datetime.date.fromisoformat(self.release),
            terms={"organism": (taxon,), **{name: found for name, found in terms.items() if found}},
            links=tuple(f"cellxgene:collection:{text}" for text in collections_of(row)),
            skip=problem or not_expression(row["tech_10x"]) or _no_genes(organism),
            extra={"sample": row, "release": self.release, "feature": feature, "disease": disease},
        )


def _no_genes(organism: Organism) -> str:
    """Say that a dataset of an organism cannot be curated; empty if it can."""
    if has_genes(organism):
        return ""
    return (
        f"there is no gene table of {organism.name}: `corpuscle references add-genes "
        f"--organism {organism.taxon_id} FILE_OR_URL`"
    )
