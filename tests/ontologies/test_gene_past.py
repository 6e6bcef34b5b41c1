"""What became of genes and their names: the drift between releases."""

from __future__ import annotations

import pandas as pd
import pytest

from corpuscle.ontologies import gene_table, get_organism, resolve_genes
from corpuscle.ontologies.gene_tables import gene_file

HUMAN = gene_file(get_organism("human"))
RETIRED = "ENSG00000006074"  # CCL18 of GRCh37
TODAY = "ENSG00000275385"
LOST = "ENSG00000238009"  # a lncRNA of gencode-44 that is no more


def named_in(annotation: str) -> pd.Series[str]:
    """Symbols of an annotation by gene id."""
    bit = 1 << HUMAN.annotations.index(annotation)
    flat = HUMAN.flat(["gene_id", "symbol", "symbol_in"])
    now = flat[(flat["symbol_in"].astype(int) & bit) > 0]
    rows, names = HUMAN.lists("previous_symbols")
    _, masks = HUMAN.lists("previous_in")
    then = (masks.astype(int) & bit) > 0
    ids = flat["gene_id"].to_numpy()
    return pd.Series(
        [*now["symbol"], *names[then]], index=[*now["gene_id"], *ids[rows[then]]], dtype=object
    )


def test_a_retired_id_is_the_gene_that_replaced_it() -> None:
    row = resolve_genes([RETIRED, f"{RETIRED}.4"], organism="human")
    assert row["gene_id"].tolist() == [TODAY, TODAY]
    assert row["method"].tolist() == ["retired_id", "retired_id"]


def test_a_retired_id_without_successor_is_told_from_one_that_never_was() -> None:
    rows = resolve_genes([LOST, "ENSG00000000000"], organism="human")
    assert rows[["outcome", "method"]].to_numpy().tolist() == [
        ["unknown", "retired"],
        ["unknown", "none"],
    ]


def test_an_id_that_was_split_is_ambiguous() -> None:
    table = gene_table("fly", retired=True)
    split = table[table["replaced_by"].map(len) == 2].iloc[0]
    row = resolve_genes([str(split.name)], organism="fly").iloc[0]
    assert (row["outcome"], row["method"]) == ("ambiguous", "retired_id")
    assert row["candidates"] == split["replaced_by"]


def test_the_symbol_of_the_row_stands_in_for_an_id_that_is_no_more() -> None:
    rows = resolve_genes(
        [LOST, "ENSG00000000000", "ENSG00000000003"],
        organism="human",
        symbols=["TP53", "C11orf95", "TSPAN6"],
    )
    assert rows["symbol"].tolist() == ["TP53", "ZFTA", "TSPAN6"]
    assert rows["method"].tolist() == ["retired_id_symbol", "retired_id_symbol", "id"]


@pytest.mark.parametrize(
    ("other", "symbols"),
    [
        pytest.param("ENSG00000141510", ["TP53", "TP53"], id="the gene has its own row"),
        pytest.param("ENSG00000141510", ["TP53", "P53"], id="under another name"),
        pytest.param("ENSG00000000000", ["TP53", "TP53"], id="two rows claim it"),
        pytest.param("ENSG00000000000", ["Y_RNA", ""], id="the symbol means many"),
        pytest.param("ENSG00000000000", ["nonsense", ""], id="the symbol means nothing"),
    ],
)
def test_a_symbol_does_not_stand_in_if_in_doubt(other: str, symbols: list[str]) -> None:
    row = resolve_genes([LOST, other], organism="human", symbols=symbols).iloc[0]
    assert (row["gene_id"], row["method"]) == (None, "retired")


def test_the_symbol_of_a_row_does_not_overrule_what_is_no_id() -> None:
    row = resolve_genes(["nonsense"], organism="human", symbols=["TP53"]).iloc[0]
    assert (row["gene_id"], row["method"]) == (None, "none")


def test_as_many_symbols_as_features_are_wanted() -> None:
    with pytest.raises(ValueError, match="1 symbols for 2 features"):
        resolve_genes([LOST, LOST], organism="human", symbols=["TP53"])


@pytest.mark.parametrize("annotation", HUMAN.annotations)
def test_the_names_of_every_release_mean_its_genes(annotation: str) -> None:
    names = named_in(annotation)
    names = names[~names.duplicated(keep=False)]
    expected = resolve_genes(list(names.index), organism="human")["gene_id"].to_numpy()
    found = resolve_genes(list(names), organism="human")["gene_id"].to_numpy()
    known = pd.notna(expected) & ~pd.Series(names.index).isin(_copies()).to_numpy()
    assert (pd.notna(found) & (found != expected) & known).sum() == 0
    assert pd.notna(found)[known].mean() > 0.995


def _copies() -> list[str]:
    table = gene_table("human")
    return list(table.index[table["par_copy_of"].notna()])


def test_a_name_means_what_it_meant_in_the_release_of_the_file() -> None:
    old = named_in("ensembl-84")
    moved = "LRTOMT"  # LRRC51 of today; the LRTOMT of today is another gene
    file = list(old[~old.duplicated(keep=False)])
    row = resolve_genes(file, organism="human").iloc[file.index(moved)]
    assert (row["symbol"], row["method"]) == ("LRRC51", "release_symbol")
    alone = resolve_genes([moved], organism="human").iloc[0]
    assert (alone["symbol"], alone["method"]) == (moved, "symbol")


def test_a_previous_symbol_of_two_genes_is_ambiguous() -> None:
    row = resolve_genes(["AC007364.1"], organism="human").iloc[0]
    assert (row["outcome"], row["method"], len(row["candidates"])) == (
        "ambiguous",
        "previous_symbol",
        2,
    )


def test_an_alias_that_is_a_current_symbol_in_another_case_is_that_symbol() -> None:
    table = gene_table("human")
    symbols = table["symbol"].dropna()
    unique = symbols[~symbols.str.casefold().duplicated(keep=False)]
    folded = pd.Series(unique.index, index=unique.str.casefold())
    aliases = table["aliases"].explode().dropna()
    clash = aliases[aliases.str.casefold().isin(folded.index) & ~aliases.isin(symbols)]
    past = table["previous_symbols"].explode().dropna()
    clash = clash[~clash.isin(past)]
    assert len(clash) > 20
    found = resolve_genes(list(clash), organism="human")
    expected = folded[clash.str.casefold()].tolist()
    assert found["gene_id"].tolist() == expected
    assert set(found["method"]) == {"symbol_case"}


def test_retired_genes_are_in_the_table_if_asked_for() -> None:
    every = gene_table("human", retired=True)
    assert set(gene_table("human")["status"]) == {"current"}
    assert every.loc[RETIRED, "replaced_by"] == (TODAY,)
    assert (every.loc[RETIRED, "status"], every.loc[RETIRED, "release"]) == (
        "retired",
        "ensembl-100-grch37",
    )


def test_every_successor_is_a_current_gene() -> None:
    for organism in ("human", "mouse", "rat", "fly", "worm"):
        every = gene_table(organism, retired=True)
        successors = every["replaced_by"].explode().dropna()
        assert set(every["status"].reindex(successors.unique())) == {"current"}


def test_a_copy_on_y_knows_its_gene_on_x() -> None:
    copies = gene_table("human")["par_copy_of"].dropna()
    assert len(copies) == 62
    assert copies["ENSG00000292344"] == "ENSG00000182378"


def test_the_real_ids_of_ten_x_lose_nothing_but_what_is_no_more(real_data: object) -> None:
    from pathlib import Path

    assert isinstance(real_data, Path)
    path = real_data / "references" / "ensembl84_10x_ids_to_symbols.csv"
    genes = pd.read_csv(path, names=["id", "symbol"], header=0, keep_default_na=False)
    by_id = resolve_genes(list(genes["id"]), organism="human")
    assert by_id["method"].value_counts().to_dict() == {
        "id": 32_079,
        "retired": 1_295,
        "retired_id": 320,
    }
    by_symbol = resolve_genes(list(genes["symbol"]), organism="human")
    resolved = by_symbol["gene_id"].notna()
    wrong = resolved & by_id["gene_id"].notna() & (by_symbol["gene_id"] != by_id["gene_id"])
    assert resolved.mean() >= 0.96
    assert wrong.mean() <= 0.003
