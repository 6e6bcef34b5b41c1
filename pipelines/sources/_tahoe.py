"""Tahoe-100M: 50 cancer cell lines under 379 drugs, by Tahoe Therapeutics (once Vevo)."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ...curation import open_source
from ...errors import NotFoundError
from ..transfer import RemoteFile
from ._interface import Source, SourceDataset
from ._tahoe_hub import list_shards
from ._tahoe_lines import LINES
from ._tahoe_obs import ASSAY, DERIVED, HUMAN, LEFT_OUT, describe, known_facts
from ._tahoe_obs import categories as text_categories
from ._tahoe_parquet import open_shard
from ._tahoe_tables import TABLES, read_tables, refuse, require_unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from ...curation import SourceFile
    from ..transfer import Stat
    from ._wanted import Wanted

PLATES = "gs://arc-institute-virtual-cell-atlas/tahoe100M"
SHARDS = "https://huggingface.co/datasets/tahoebio/Tahoe-100M/resolve/main"
PLATE_FILE = "plate{number}_filt_Vevo_Tahoe100M_WServicesFrom_ParseGigalab.h5ad"
N_CELLS = {
    1: 5_481_420,
    2: 8_064_658,
    3: 4_705_402,
    4: 7_004_356,
    5: 6_419_498,
    6: 7_545_393,
    7: 5_692_117,
    8: 8_880_979,
    9: 5_866_669,
    10: 8_044_908,
    11: 7_435_869,
    12: 10_487_057,
    13: 8_501_658,
    14: 6_518_806,
}
"""Cells of each plate."""
OBS = (
    "sample",
    "gene_count",
    "tscp_count",
    "mread_count",
    "drugname_drugconc",
    "drug",
    "cell_line",
    "sublibrary",
    "BARCODE",
    "pcnt_mito",
    "S_score",
    "G2M_score",
    "phase",
    "pass_filter",
    "cell_name",
    "plate",
)
"""Columns of a plate."""
TIERS = {"full", "minimal"}
"""What `pass_filter` says."""


class Tahoe(Source):
    """Tahoe-100M, as plates in h5ad or as shards in Parquet.

    A dataset is a plate or a shard: what can be fetched, checked and fetched again by itself. The
    cells of a plate are spread over the shards in a way that only reading them tells, so a plate
    cannot be made from shards without all of them. Shards hold the cells that passed the full
    filter, and those are in the plates too: take one form.
    """

    name: ClassVar[str] = "tahoe"
    title: ClassVar[str] = "Tahoe-100M"
    licence: ClassVar[str] = "CC0-1.0"
    citation: ClassVar[str] = (
        "Zhang et al. Tahoe-100M: A Giga-Scale Single-Cell Perturbation Atlas for "
        "Context-Dependent Gene Function and Cellular Modeling. bioRxiv 2025. "
        "doi:10.1101/2025.02.20.639398"
    )
    homepage: ClassVar[str] = "https://huggingface.co/datasets/tahoebio/Tahoe-100M"
    releases: ClassVar[tuple[str, ...]] = ("2025-02-25",)
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "form": ("h5ad", "parquet"),
        "cells": ("all", "full"),
    }

    def datasets(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """List plates or shards; see `Source.datasets`."""
        if wanted.has_organism(HUMAN):
            listed = self._plates if self.options["form"] == "h5ad" else self._shards
            yield from filter(wanted.has, listed(wanted))

    def _plates(self, wanted: Wanted) -> Iterator[SourceDataset]:
        """Ask for each plate: there are 14, and a web server has no lists."""
        base = f"{self.at or PLATES}/{self.release}"
        numbers = [number for number in N_CELLS if wanted.has_id(f"plate{number}")]
        tables = [
            self.transfer.stat(f"{base}/metadata/{name}.parquet") for name in TABLES if numbers
        ]
        for number in numbers:
            stat = self._find(f"{base}/h5ad/{PLATE_FILE.format(number=number)}")
            yield self._dataset(
                f"plate{number}",
                f"Tahoe-100M, plate {number}",
                [] if stat is None else [stat, *tables],
                n_cells=N_CELLS[number] if self.at is None else None,
                released=datetime.date.fromisoformat(self.release),
                terms={
                    "tissue": tuple(sorted(LINES)),
                    "disease": tuple(sorted({line.disease for line in LINES.values()})),
                },
                aliases=("tahoe:plates", f"tahoe:plate{number}"),
                skip="" if stat else f"not in {base}/h5ad",
            )

    def _shards(self, wanted: Wanted) -> Iterator[SourceDataset]:
        shards, tables = list_shards(self.transfer, self.at or SHARDS)
        for id_, file in shards.items():
            if wanted.has_id(id_):
                yield self._dataset(
                    id_,
                    f"Tahoe-100M, shard {id_}",
                    [file, *tables],
                    aliases=("tahoe:shards",),
                    links=("tahoe:plates",),
                )

    def _dataset(
        self, id_: str, title: str, found: Sequence[Stat | RemoteFile], **facts: Any
    ) -> SourceDataset:
        files = tuple(
            file if isinstance(file, RemoteFile) else RemoteFile(url=file.url, size=file.size)
            for file in found
        )
        marks = [getattr(file, "version", "") or getattr(file, "checksum", "") for file in found]
        content = "\n".join(f"{m or f.size}" for m, f in zip(marks, files, strict=True))
        cells = self.options["cells"] if self.options["form"] == "h5ad" else "full"
        terms = {"organism": (HUMAN,), "assay": (ASSAY,), **facts.pop("terms", {})}
        return SourceDataset(
            source=self.name,
            id=id_,
            key=f"{self.name}/{id_}",
            version=f"{self.release}-{cells}-{hashlib.sha256(content.encode()).hexdigest()[:12]}",
            title=title,
            files=files,
            licence=self.licence,
            citation=self.citation,
            terms=terms,
            extra={"form": self.options["form"], "cells": cells, "release": self.release},
            **facts,
        )

    def _find(self, url: str) -> Stat | None:
        try:
            return self.transfer.stat(url)
        except NotFoundError:
            return None

    @staticmethod
    def open(dataset: SourceDataset, paths: Sequence[Path]) -> SourceFile:
        """Open a plate or a shard with its tables; see `Source.open`."""
        tables = read_tables(paths[1:])
        is_plate = dataset.extra["form"] == "h5ad"
        line = "cell_line" if is_plate else "cell_line_id"
        with contextlib.ExitStack() as on_error:
            source = open_source(paths[0]) if is_plate else open_shard(paths[0], tables.genes)
            on_error.push(source)
            if is_plate:
                _check_plate(source, tables.genes, only_full=dataset.extra["cells"] == "full")
            source.obs = describe(source.path, source.obs, tables, line=line)
            source.facts = known_facts(dataset.extra["release"], line)
            source.derived = DERIVED
            source.left_out = (*source.left_out, *LEFT_OUT)
            on_error.pop_all()
        return source


def _check_plate(source: SourceFile, genes: pd.DataFrame, *, only_full: bool) -> None:
    """See that a plate is one, name its genes by id, and drop what is not wanted."""
    import numpy as np

    path, obs = source.path, source.obs
    if missing := [name for name in OBS if name not in obs]:
        refuse(path, f"obs column {missing[0]}", f"no values: obs has {', '.join(obs.columns)}")
    require_unique(path, "BARCODE_SUB_LIB_ID", obs.index)
    for name, matrix in source.matrices.items():
        symbols = matrix.var.index
        require_unique(path, "var index", symbols)
        ids = genes["ensembl_id"].reindex(symbols).array
        named = [
            f"{symbol} (not in gene_metadata)" if isinstance(found, float) else found
            for symbol, found in zip(symbols, ids, strict=True)
        ]  # never by symbol: 25 of them mean another gene today
        var = matrix.var.assign(ensembl_id=np.asarray(named, dtype=object))
        source.matrices[name] = replace(matrix, var=var)
    if only_full:
        tiers = text_categories(path, obs, "pass_filter")
        if others := sorted(set(tiers.categories) - TIERS):
            refuse(path, "pass_filter", f"{others[0]!r}, which is neither full nor minimal")
        source.dropped["not_full"] = np.asarray(tiers != "full")
