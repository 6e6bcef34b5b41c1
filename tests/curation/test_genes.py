from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from corpuscle.curation._genes import GeneMap, gene_features, looks_like_id, map_genes
from corpuscle.errors import GeneMappingError
from corpuscle.ontologies import gene_table, get_organism

PATH = Path("file.h5ad")
HUMAN = get_organism("human")


def texts_of(var: pd.DataFrame, column: str | None = None) -> tuple[str, list[str]]:
    features = gene_features(PATH, var, column)
    return features.column, list(features.texts)


def genes_of(var: pd.DataFrame, **options: Any) -> GeneMap:
    features = gene_features(PATH, var, None)
    return map_genes(PATH, features, options.pop("organism", HUMAN), min_share=0.5, **options)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("ENSG00000000003", 1),
        ("ENSMUSG00000064351.2", 1),
        ("WBGene00000001", 1),
        ("FBgn0000001", 1),
        ("ERCC-00002", 1),
        ("TP53", 0),
        ("ENSG0000000000", 0),
        ("GRCh38_ENSG00000000003", 0),
        ("", 0),
        ("\udc80", 0),
    ],
)
def test_stable_ids_are_known_by_their_shape(text: str, share: float) -> None:
    assert looks_like_id(pd.Series([text], dtype=object)) == share


def test_no_features_are_no_ids() -> None:
    assert looks_like_id(pd.Series([], dtype=object)) == 0


@pytest.mark.parametrize(
    ("index", "columns", "column"),
    [
        ("ids", {"gene_ids": "other"}, "index"),
        ("symbols", {"gene_ids": "ids"}, "gene_ids"),
        ("symbols", {"made_up": "ids"}, "made_up"),
        ("symbols", {"made_up": "ids", "gene_id": "ids"}, "gene_id"),
        ("symbols", {"gene_id": "versions", "ensembl_id": "ids"}, "gene_id"),
        ("numbers", {"index": "ids"}, "column:index"),
        ("symbols", {"gene_ids": "symbols"}, "index"),
        ("symbols", {"length": "lengths"}, "index"),
    ],
)
def test_the_column_of_ids_is_found(
    human: list[str], index: str, columns: dict[str, str], column: str
) -> None:
    values: dict[str, list[Any]] = {
        "ids": human[:3],
        "other": human[3:6],
        "versions": [f"{gene}.4" for gene in human[:3]],
        "symbols": ["TP53", "CD4", "CD8A"],
        "numbers": ["0", "1", "2"],
        "lengths": [1, 2, 3],
    }
    var = pd.DataFrame({k: values[v] for k, v in columns.items()}, index=values[index])
    assert texts_of(var)[0] == column


@pytest.mark.parametrize("dtype", ["object", "category", "string"])
def test_ids_of_every_text_type_are_read_without_blanks(human: list[str], dtype: str) -> None:
    given = pd.Series([f" {human[0]}", f"{human[1]}\t", None], dtype=dtype)
    var = pd.DataFrame({"gene_ids": given.array}, index=["TP53", "CD4", "CD8A"])
    assert texts_of(var) == ("gene_ids", [human[0], human[1], ""])


def test_the_curator_names_the_column(human: list[str]) -> None:
    var = pd.DataFrame({"name": ["TP53", "CD4"]}, index=human[:2])
    assert texts_of(var, "name") == ("name", ["TP53", "CD4"])


def test_a_column_that_is_not_there_is_refused(human: list[str]) -> None:
    var = pd.DataFrame({"name": ["TP53"], "length": [1]}, index=human[:1])
    with pytest.raises(GeneMappingError) as refused:
        gene_features(PATH, var, "length")
    assert str(refused.value) == (
        "var of file.h5ad has no text column 'length'. It has index, name: "
        "pass one of them as --gene-column."
    )


def test_columns_that_contradict_each_other_are_refused(human: list[str]) -> None:
    var = pd.DataFrame({"a": human[:2], "gene_ids": human[2:4]}, index=["TP53", "CD4"])
    with pytest.raises(GeneMappingError) as refused:
        gene_features(PATH, var, None)
    assert str(refused.value) == (
        "Columns gene_ids, a of var in file.h5ad hold different gene ids. "
        "Choose one with --gene-column."
    )


@pytest.mark.parametrize(
    ("types", "is_gene"),
    [
        (["Gene Expression", "Peaks", "Gene Expression"], [True, False, True]),
        (["Gene Expression", None, "Antibody Capture"], [True, True, False]),
        (["protein_coding", "lncRNA", None], [True, True, True]),
    ],
)
def test_peaks_and_antibodies_are_told_from_genes(
    human: list[str], types: list[str | None], is_gene: list[bool]
) -> None:
    features = gene_features(PATH, pd.DataFrame({"feature_types": types}, index=human[:3]), None)
    assert features.is_gene.tolist() == is_gene


def test_many_peaks_do_not_hide_the_ids(human: list[str]) -> None:
    peaks = [f"chr1:{i}-{i + 9}" for i in range(9)]
    var = pd.DataFrame(
        {"gene_ids": [human[0], *peaks], "feature_types": ["Gene Expression"] + ["Peaks"] * 9},
        index=["TSPAN6", *peaks],
    )
    genes = genes_of(var)
    assert (genes.column, genes.var.index.tolist()) == ("gene_ids", [human[0]])


def test_an_antibody_of_a_genes_name_is_no_gene(human: list[str]) -> None:
    var = pd.DataFrame(
        {"feature_types": ["Gene Expression", "Antibody Capture"]}, index=[human[0], "CSF2RA"]
    )
    row = genes_of(var).features.iloc[1]
    assert (row["outcome"], row["method"], row["symbol"], row["candidates"], row["target"]) == (
        "unknown",
        "feature_type",
        None,
        (),
        -1,
    )


def test_features_of_one_gene_are_summed_and_the_unknown_left_out(human: list[str]) -> None:
    index = [human[1], "nonsense", f"{human[0]}.7", human[1]]
    genes = genes_of(pd.DataFrame(index=index))
    counts = sparse.csr_matrix(np.asarray([[1.0, 20.0, 300.0, 4000.0]]))
    assert (genes.apply(counts).toarray().tolist(), genes.max_per_gene) == ([[300.0, 4001.0]], 2)


def test_var_tells_what_each_gene_was_called(human: list[str]) -> None:
    symbol = str(gene_table("human").loc[human[0], "symbol"])
    var = genes_of(pd.DataFrame(index=[symbol, human[1], f"{human[0]}.7"])).var
    assert [var.at[human[0], name] for name in ("symbol", "source_id", "resolution")] == [
        symbol,
        f"{symbol}|{human[0]}.7",
        "id_version|symbol",
    ]


def test_a_gene_without_symbol_is_called_by_its_id() -> None:
    table = gene_table("human")
    gene = table.index[table["symbol"].isna()][0]
    assert genes_of(pd.DataFrame(index=[gene])).var["symbol"].tolist() == [gene]


def test_too_few_genes_are_refused(human: list[str]) -> None:
    with pytest.raises(GeneMappingError) as refused:
        genes_of(pd.DataFrame(index=[human[0], "ENSMUSG00000064351", "nonsense"]))
    assert str(refused.value) == (
        "Only 1 of 3 features of file.h5ad are genes of Homo sapiens (read from index; first that "
        "is not: 'ENSMUSG00000064351'). Name the column of var with --gene-column, or accept the "
        "loss with --min-gene-share."
    )


def test_no_gene_at_all_is_refused_whatever_the_share() -> None:
    features = gene_features(PATH, pd.DataFrame(index=["nonsense"]), None)
    with pytest.raises(GeneMappingError, match="Only 0 of 1"):
        map_genes(PATH, features, HUMAN, min_share=0)


def test_an_organism_without_gene_table_is_refused_by_file() -> None:
    plant = get_organism("Zea mays")
    with pytest.raises(GeneMappingError, match=r"genes of file\.h5ad cannot be resolved: No gene"):
        genes_of(pd.DataFrame(index=["Zm00001eb000010"]), organism=plant)


CALLS = st.lists(st.integers(-1, 5), min_size=1, max_size=8)


@given(calls=CALLS, data=st.data())
def test_no_count_is_lost_or_made(human: list[str], calls: list[int], data: st.DataObject) -> None:
    names = [human[i] if i >= 0 else f"nonsense{j}" for j, i in enumerate(calls)]
    features = gene_features(PATH, pd.DataFrame(index=[human[0], *names]), None)
    genes = map_genes(PATH, features, HUMAN, min_share=0)
    n_features = len(calls) + 1
    entry = st.tuples(st.integers(0, 3), st.integers(0, n_features - 1), st.integers(0, 2**30))
    entries = data.draw(st.lists(entry, max_size=30))
    cells, columns, values = (
        (np.asarray(part, dtype=np.int64) for part in zip(*entries, strict=True))
        if entries
        else (np.zeros(0, dtype=np.int64),) * 3
    )
    counts = sparse.csr_matrix((values.astype(np.float64), (cells, columns)), (4, n_features))
    resolved = np.asarray([0, *calls]) >= 0
    expected = values[resolved[columns]].sum()
    assert genes.apply(counts).sum() == expected


def test_a_retired_id_and_its_successor_are_summed_and_both_told() -> None:
    retired, today = "ENSG00000006074", "ENSG00000275385"
    genes = genes_of(pd.DataFrame(index=[retired, today]))
    counts = sparse.csr_matrix(np.asarray([[1.0, 20.0]]))
    assert genes.apply(counts).toarray().tolist() == [[21.0]]
    assert genes.var[["source_id", "resolution"]].astype(str).to_numpy().tolist() == [
        [f"{retired}|{today}", "id|retired_id"]
    ]


def test_copies_on_x_and_y_stay_two_genes_and_the_copy_is_told() -> None:
    index = ["ENSG00000182378.14", "ENSG00000182378.14_PAR_Y"]
    genes = genes_of(pd.DataFrame(index=index))
    counts = sparse.csr_matrix(np.asarray([[1.0, 20.0]]))
    assert genes.apply(counts).toarray().tolist() == [[1.0, 20.0]]
    assert genes.var["resolution"].tolist() == ["id_version", "par_copy"]


def test_a_copy_on_y_and_its_own_id_are_summed() -> None:
    index = ["ENSG00000182378_PAR_Y", "ENSG00000292344"]
    genes = genes_of(pd.DataFrame(index=index))
    assert genes.var["resolution"].tolist() == ["id|par_copy"]
    assert genes.max_per_gene == 2


@pytest.mark.parametrize(
    ("names", "columns", "method"),
    [
        (["TP53", "x"], {"gene_ids": "ids"}, "retired_id_symbol"),
        (["0", "1"], {"gene_ids": "ids", "feature_name": "symbols"}, "retired_id_symbol"),
        (["0", "1"], {"gene_ids": "ids"}, "retired"),
    ],
    ids=["symbols in the index", "in a column of that name", "nowhere"],
)
def test_the_files_own_symbol_stands_in_for_a_lost_id(
    names: list[str], columns: dict[str, str], method: str
) -> None:
    values = {"ids": ["ENSG00000238009", "ENSG00000000003"], "symbols": ["TP53", "TSPAN6"]}
    var = pd.DataFrame({name: values[key] for name, key in columns.items()}, index=names)
    assert genes_of(var).features["method"].tolist() == [method, "id"]


def test_reporters_are_left_out_and_told() -> None:
    genes = genes_of(pd.DataFrame(index=["TP53", "EGFP"]))
    row = genes.features.iloc[1]
    assert (row["outcome"], row["method"], row["kind"]) == ("unknown", "transgene", "transgene")
    assert genes.var.index.tolist() == ["ENSG00000141510"]


def test_var_has_flags_and_kind(human: list[str]) -> None:
    var = genes_of(pd.DataFrame(index=["ENSG00000198888", "RPS3", "HBB", "ERCC-00002"])).var
    assert var[["is_mito", "is_ribo", "is_hb"]].sum().tolist() == [1, 1, 1]
    assert var["kind"].tolist().count("spike-in") == 1
