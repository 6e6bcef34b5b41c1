from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscle.errors import NotFoundError, SchemaError
from corpuscle.ontologies import (
    Orthologs,
    combine_orthologs,
    gene_table,
    known_orthologs,
    shipped_orthologs,
    use_orthologs,
)
from corpuscle.ontologies.ortholog_choice import single_best
from corpuscle.ontologies.orthologs import reciprocal_best, without_retired

if TYPE_CHECKING:
    from pathlib import Path

HUMAN, MOUSE, FISH = "NCBITaxon:9606", "NCBITaxon:10090", "NCBITaxon:7955"


def _edges(*pairs: tuple[str, str], a: str = HUMAN, b: str = MOUSE, **more: Any) -> pd.DataFrame:
    rows = [(x, a, y, b, "test") for x, y in pairs]
    frame = pd.DataFrame(rows, columns=["gene_a", "taxon_a", "gene_b", "taxon_b", "source"])
    return frame.assign(**more)


def _pairs(table: Orthologs) -> list[tuple[str, str, str]]:
    columns = table.edges[["gene_a", "gene_b", "type"]]
    return [(str(a), str(b), str(t)) for a, b, t in columns.itertuples(index=False)]


def test_columns_and_their_types_are_always_the_same() -> None:
    empty = Orthologs.of(_edges()).edges
    assert {str(k): str(v) for k, v in empty.dtypes.items()} == {
        "gene_a": "string",
        "taxon_a": "string",
        "gene_b": "string",
        "taxon_b": "string",
        "type": "category",
        "source": "string",
        "release": "string",
        "confidence": "category",
        "support": "Int32",
    }
    assert shipped_orthologs().edges.dtypes.equals(empty.dtypes)


def test_an_edge_is_found_from_both_its_ends() -> None:
    table = Orthologs.of(_edges(("H1", "M1"), ("H1", "M2")))
    ahead, back = table.between("human", "mouse"), table.between("mouse", "human")
    assert ahead[["gene", "ortholog", "type"]].to_numpy().tolist() == [
        ["H1", "M1", "1:n"],
        ["H1", "M2", "1:n"],
    ]
    assert back[["gene", "ortholog", "type"]].to_numpy().tolist() == [
        ["M1", "H1", "n:1"],
        ["M2", "H1", "n:1"],
    ]


def test_species_without_edges_have_none() -> None:
    assert shipped_orthologs().between("human", "zebrafish").empty


def test_direction_of_the_source_does_not_matter() -> None:
    ahead = Orthologs.of(_edges(("H1", "M1"), ("H1", "M2"), type="1:n"))
    back = Orthologs.of(_edges(("M1", "H1"), ("M2", "H1"), a=MOUSE, b=HUMAN, type="n:1"))
    pd.testing.assert_frame_equal(ahead.edges, back.edges)


def test_a_pair_that_occurs_twice_becomes_one_edge() -> None:
    one = _edges(("H1", "M1"), type="1:1", confidence="low", support=4, release="1")
    two = _edges(
        ("M1", "H1"), a=MOUSE, b=HUMAN, type="1:n", confidence="high", support=2, release="2"
    )
    table = Orthologs.of(pd.concat([one, two, one.assign(source="other")]))
    row = table.edges.iloc[0].to_dict()
    assert len(table.edges) == 1
    assert {k: row[k] for k in ("type", "confidence", "support", "source", "release")} == {
        "type": "n:m",
        "confidence": "high",
        "support": 4,
        "source": "other|test",
        "release": "1|2",
    }


@given(st.permutations(range(6)))
def test_order_of_the_rows_does_not_matter(order: list[int]) -> None:
    rows = pd.concat(
        [
            _edges(("H1", "M1"), ("H2", "M2"), confidence="low"),
            _edges(("M1", "H1"), ("M3", "H2"), a=MOUSE, b=HUMAN, confidence="high"),
            _edges(("H1", "F1"), ("H2", "F1"), b=FISH),
        ],
        ignore_index=True,
    )
    table = Orthologs.of(rows.iloc[order])
    pd.testing.assert_frame_equal(table.edges, Orthologs.of(rows).edges)


@pytest.mark.parametrize(
    ("pairs", "types"),
    [
        ([("H1", "M1")], ["1:1"]),
        ([("H1", "M1"), ("H1", "M2")], ["1:n", "1:n"]),
        ([("H1", "M1"), ("H2", "M1")], ["n:1", "n:1"]),
        ([("H1", "M1"), ("H1", "M2"), ("H2", "M2")], ["n:m", "n:m", "n:m"]),
    ],
)
def test_types_are_derived_from_all_connected_genes(
    pairs: list[tuple[str, str]], types: list[str]
) -> None:
    assert Orthologs.of(_edges(*pairs)).edges["type"].tolist() == types


def test_types_are_derived_for_each_pair_of_species() -> None:
    both = pd.concat([_edges(("H1", "M1")), _edges(("F1", "M1"), ("F2", "M1"), a=FISH)])
    assert Orthologs.of(both).edges["type"].tolist() == ["n:1", "n:1", "1:1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "one2one"}, "1 values of type are not one of 1:1, 1:n, n:1, n:m or null"),
        ({"confidence": "1"}, "1 values of confidence are not one of low, high or null"),
        ({"support": 1.5}, "1 values of support are not a whole number or null"),
        ({"support": -1}, "1 values of support are not a whole number or null"),
        ({"support": "many"}, "1 values of support are not a whole number or null"),
        ({"gene_a": None}, "1 values of gene_a are not a text"),
        ({"gene_b": " "}, "1 values of gene_b are not a text"),
        ({"taxon_a": "9606"}, "1 values of taxon_a are not a taxon id"),
        ({"taxon_b": HUMAN}, "1 values of taxon_b are not of another species"),
    ],
)
def test_a_wrong_value_is_refused_by_column(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError) as refused:
        Orthologs.of(_edges(("H1", "M1")).assign(**change))
    assert str(refused.value).startswith(message)


def test_a_table_without_a_column_is_refused() -> None:
    with pytest.raises(SchemaError, match="taxon_b missing, there are gene_a"):
        Orthologs.of(_edges(("H1", "M1")).drop(columns="taxon_b"))


def test_a_variant_of_a_taxon_is_the_taxon() -> None:
    table = Orthologs.of(_edges(("H1", "G1"), b="NCBITaxon:9593"))
    assert table.taxa == ("NCBITaxon:9595", HUMAN)


def test_the_same_edges_give_the_same_bytes(tmp_path: Path) -> None:
    edges = _edges(("H2", "M2"), ("H1", "M1"), support=3)
    Orthologs.of(edges, {"no_gene_id": 2, "nothing": 0}).write(tmp_path / "a.parquet")
    Orthologs.of(edges[::-1], {"no_gene_id": 2}).write(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = Orthologs.read(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(back.edges, Orthologs.of(edges).edges)
    assert (dict(back.left_out), sorted(p.name for p in tmp_path.iterdir())) == (
        {"no_gene_id": 2},
        ["a.parquet", "b.parquet"],
    )


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"gene_a": ["H1"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(SchemaError, match="taxon_a, gene_b, taxon_b, source missing") as refused:
        Orthologs.read(tmp_path / "other.parquet")
    assert refused.value.__notes__ == [f"It was read from {tmp_path / 'other.parquet'}."]
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(SchemaError, match="is no Parquet file of orthologs"):
        Orthologs.read(tmp_path / "text.parquet")
    with pytest.raises(NotFoundError, match="There is no file"):
        Orthologs.read(tmp_path / "none.parquet")


def test_a_later_table_only_fills_gaps() -> None:
    first = Orthologs.of(_edges(("H1", "M1"), type="1:1"), {"no_gene_id": 1})
    second = Orthologs.of(
        pd.concat([_edges(("H1", "M2"), ("H2", "M1"), ("H3", "M3")), _edges(("H1", "F1"), b=FISH)]),
        {"no_gene_id": 2},
    )
    both = combine_orthologs(first, second)
    assert _pairs(both) == [("F1", "H1", "1:1"), ("H1", "M1", "1:1"), ("H3", "M3", "1:1")]
    assert dict(both.left_out) == {"known_from_another_table": 2, "no_gene_id": 3}


def test_nothing_combined_is_nothing() -> None:
    assert combine_orthologs().edges.empty


def test_only_pairs_that_nothing_beats_are_reciprocally_best() -> None:
    edges = _edges(("H1", "M1"), ("H1", "M2"), ("H2", "M2"), ("H3", "M3"), ("H4", "M3"))
    table = reciprocal_best(Orthologs.of(edges.assign(support=[5, 3, 4, 2, 2])))
    assert _pairs(table) == [
        ("H1", "M1", "1:1"),
        ("H2", "M2", "1:1"),
        ("H3", "M3", "n:1"),
        ("H4", "M3", "n:1"),
    ]
    assert table.left_out["not_reciprocal_best"] == 1


def test_edges_of_retired_genes_are_set_apart() -> None:
    trp53 = ("ENSG00000141510", "ENSMUSG00000059552")
    table, retired = without_retired(Orthologs.of(_edges(trp53, ("ENSG00000000001", trp53[1]))))
    assert table.edges["gene_a"].tolist() == [trp53[0]]
    assert retired["gene_a"].tolist() == ["ENSG00000000001"]
    assert table.left_out["retired_gene"] == 1


def test_shipped_orthologs_are_those_of_the_build() -> None:
    edges = shipped_orthologs().edges
    counts = edges.groupby(["source", "type"], observed=True).size().to_dict()
    assert counts == {
        ("ensembl", "1:1"): 17_120,
        ("ensembl", "1:n"): 1_979,
        ("ensembl", "n:1"): 955,
        ("ensembl", "n:m"): 6_298,
        ("hcop", "1:1"): 481,
        ("hcop", "1:n"): 45,
        ("hcop", "n:1"): 31,
        ("hcop", "n:m"): 203,
    }
    assert shipped_orthologs().left_out["retired_gene"] == 272


@pytest.mark.parametrize(
    ("mouse", "human"),
    [
        ("Trp53", "TP53"),
        ("Cd8b1", "CD8B"),  # and CD8B2, but with less support
        ("Eef1a1", "EEF1A1"),  # not in Ensembl's table
        ("Malat1", "MALAT1"),  # likewise
        ("mt-Nd1", "MT-ND1"),
    ],
)
def test_well_known_genes_have_the_right_ortholog(mouse: str, human: str) -> None:
    edges = shipped_orthologs().between("mouse", "human")
    best = edges[single_best(edges)].set_index("gene")["ortholog"]
    assert best[_id_of(mouse, "mouse")] == _id_of(human, "human")


def _id_of(symbol: str, organism: str) -> str:
    symbols = gene_table(organism)["symbol"]
    (found,) = symbols.index[symbols == symbol]
    return str(found)


def test_every_shipped_gene_is_current() -> None:
    edges = shipped_orthologs().edges
    assert set(edges["gene_a"]) <= set(gene_table("human").index)
    assert set(edges["gene_b"]) <= set(gene_table("mouse").index)


@pytest.mark.parametrize(
    ("mouse", "human"), [("Cxcl5", "CXCL6"), ("Gstm5", "GSTM3"), ("Car4", "CA4"), ("Fasl", "FASLG")]
)
def test_upper_case_is_another_gene_or_none(mouse: str, human: str) -> None:
    edges = shipped_orthologs().between("mouse", "human").set_index("gene")
    assert edges.loc[[_id_of(mouse, "mouse")], "ortholog"].tolist() == [_id_of(human, "human")]
    assert mouse.upper() != human


def test_upper_case_misses_invents_and_confuses_orthologs() -> None:
    human, mouse = gene_table("human")["symbol"], gene_table("mouse")["symbol"]
    named = pd.Series(human.index, index=human).groupby(level=0).first()
    guess = mouse.dropna().str.upper().map(named).dropna()
    edges = shipped_orthologs().between("mouse", "human")
    ones = edges[edges["type"] == "1:1"].set_index("gene")["ortholog"]
    guessed = guess.reindex(ones.index)
    missed = int(guessed.isna().sum())
    confused = int((guessed.notna() & (guessed != ones.astype(object))).sum())
    pairs = pd.MultiIndex.from_frame(edges[["gene", "ortholog"]].astype(object))
    invented = int((~pd.MultiIndex.from_arrays([guess.index, guess]).isin(pairs)).sum())
    assert (missed > 1000, confused > 50, invented > 500) == (True, True, True)


def test_tables_in_use_stand_before_the_shipped_one(tmp_path: Path) -> None:
    brain = ("ENSG00000141510", "ENSMUSG00000000001")
    fish = _edges(("F1", brain[1]), a=FISH)
    Orthologs.of(pd.concat([_edges(brain), fish])).write(tmp_path / "own.parquet")
    use_orthologs(tmp_path / "own.parquet")
    try:
        edges = known_orthologs().between("human", "mouse").set_index("gene")
        assert edges.loc[brain[0], "ortholog"] == brain[1]
        assert known_orthologs().taxa == (FISH, HUMAN, MOUSE)
    finally:
        use_orthologs()
    assert known_orthologs() is shipped_orthologs()
