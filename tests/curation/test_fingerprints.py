from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from corpuscle.curation import CurationOptions, curate
from corpuscle.curation._fingerprints import MIN_GENES, fingerprints, gene_hashes
from corpuscle.ontologies import gene_table, get_organism, resolve_genes, use_gene_tables
from corpuscle.ontologies.gene_files import read_genes
from corpuscle.ontologies.gene_form import write_table

if TYPE_CHECKING:
    from pathlib import Path

HASHES = np.arange(1, 61, dtype=np.uint64) * np.uint64(0x1234567890ABCDEF)


def of(rows: Any, hashes: Any = HASHES) -> list[int]:
    found = fingerprints(sparse.csr_matrix(np.atleast_2d(rows).astype(np.float64)), hashes)
    return [int(value) for value in found]


def cells(n: int = 5) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(0).poisson(3.0, size=(n, 60))


def test_the_same_counts_have_the_same_fingerprint_and_others_another() -> None:
    cell = np.tile(np.arange(1, 4), 20)
    more, swapped = cell.copy(), cell.copy()
    more[7] += 1
    swapped[:2] = swapped[1::-1]
    a, b, c, d = of(np.stack([cell, cell, more, swapped]))
    assert a == b
    assert len({a, c, d}) == 3


def test_genes_that_are_not_compared_do_not_count() -> None:
    hashes = HASHES.copy()
    hashes[:10] = 0
    changed = cells()
    changed[:, :10] += 1
    assert of(changed, hashes) == of(cells(), hashes)
    assert of(changed) != of(cells())


@pytest.mark.parametrize(("n_genes", "told"), [(MIN_GENES - 1, False), (MIN_GENES, True)])
def test_a_cell_with_too_few_genes_has_none(n_genes: int, told: bool) -> None:
    (found,) = of(np.arange(60) < n_genes)
    assert (found != 0) is told


def test_cells_without_counts_between_others_do_no_harm() -> None:
    rows = cells(4)
    rows[1] = rows[3] = 0
    found = of(rows)
    assert (found[1], found[3]) == (0, 0)
    assert [found[0], found[2]] == of(rows[[0, 2]])


def test_only_genes_that_files_of_all_kinds_agree_on_are_compared() -> None:
    genes = gene_table("human")
    hashes = pd.Series(gene_hashes(genes, get_organism("human")), index=genes.index)
    told = genes.loc[hashes > 0]
    assert set(told["biotype"]) == {"protein_coding"}
    assert not told["is_mito"].any()
    assert 17_000 < len(told) < 20_000
    by_symbol = genes.reset_index().set_index("symbol")["gene_id"]
    chosen = {name: bool((hashes[by_symbol[[name]]] > 0).any()) for name in ("ACTB", "MATR3")}
    assert chosen == {"ACTB": True, "MATR3": False}  # two genes are called MATR3
    assert hashes[hashes > 0].is_unique


def test_symbols_and_ids_of_a_real_list_lead_to_the_same_compared_genes(real_data: Path) -> None:
    listed = pd.read_csv(real_data / "references" / "ensembl84_10x_ids_to_symbols.csv")
    found = []
    for column in listed:
        genes = resolve_genes(list(listed[column]), organism="human")["gene_id"].fillna("")
        var = pd.DataFrame(index=pd.Index(genes))
        found.append(gene_hashes(var, get_organism("human")).tolist())
    assert found[0] == found[1]


def test_organisms_without_biotypes_compare_all_genes_with_a_name_of_their_own(
    tmp_path: Path,
) -> None:
    ids = [f"ENSBTAG{i:011}" for i in range(1, 5)]
    plain = tmp_path / "cow.tsv"
    plain.write_text(
        "gene_id\tsymbol\n" + "".join(f"{g}\t{s}\n" for g, s in zip(ids, "ABCC", strict=True))
    )
    path = tmp_path / "cow.parquet"
    genes = read_genes(plain, organism="cow", release="ensembl-114")
    write_table(path, genes, release="ensembl-114")
    use_gene_tables({"NCBITaxon:9913": path})
    try:
        hashes = gene_hashes(gene_table("cow"), get_organism("cow"))
    finally:
        use_gene_tables({})
    assert (hashes > 0).tolist() == [True, True, False, False]


@pytest.mark.long
@pytest.mark.parametrize(
    "name", ["human_pbmc_10k_protein_v3_raw.h5ad", "mouse_dentategyrus_velocity_raw.h5ad"]
)
def test_copies_of_a_real_file_have_the_same_fingerprints(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    first = _curated(real_data / "real" / "h5ad" / name, tmp_path / "first.h5ad")
    expected = first.obs["fingerprint"].tolist()
    assert len(set(expected) - {0}) == first.n_obs
    found = {}
    for kind, (x, names) in _copies(first).items():
        path = tmp_path / f"{kind}.h5ad"
        anndata.AnnData(x, var=pd.DataFrame(index=pd.Index(names))).write_h5ad(path)
        organism = str(first.obs["organism"].iloc[0])
        copy = _curated(path, tmp_path / "copy.h5ad", organism=organism)
        found[kind] = copy.obs["fingerprint"].tolist() == expected
    assert found == dict.fromkeys(found, True)
    assert len(found) == 6


def _curated(path: Path, out: Path, **options: Any) -> anndata.AnnData:
    curate(path, out, dataset="d", source_hash="", options=CurationOptions(**options))
    return anndata.read_h5ad(out)


def _copies(data: anndata.AnnData) -> dict[str, tuple[Any, list[str]]]:
    """Make what other depositors would make of the same cells."""
    x: Any = data.X
    ids = data.var_names.tolist()
    order = np.random.default_rng(1).permutation(len(ids))
    table = gene_table(str(data.obs["organism"].iloc[0]))
    absent = [gene for gene in table.index if gene not in set(ids)][:2_000]
    zeros = sparse.csr_matrix((x.shape[0], len(absent)), dtype=x.dtype)
    coding = np.flatnonzero(data.var["biotype"] == "protein_coding")
    author = data.var["source_id"].str.split("|").str[0].tolist()
    symbols = [str(symbol) for symbol in data.var["symbol"]]
    once = np.flatnonzero(~pd.Index(symbols).duplicated(keep=False))
    return {
        "other order": (x[:, order], [ids[i] for i in order]),
        "versions": (x, [f"{gene}.7" for gene in ids]),
        "symbols": (x[:, once], [symbols[i] for i in once]),
        "authors' names": (x, author),
        "zero genes": (sparse.hstack([x, zeros], format="csr"), [*ids, *absent]),
        "coding genes": (x[:, coding], [ids[i] for i in coding]),
    }
