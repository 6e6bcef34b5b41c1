from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from corpuscle.errors import InputError, NotFoundError, SchemaError
from corpuscle.ontologies import Orthologs, gene_table, read_orthologs
from corpuscle.ontologies import text_table as text_table_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HUMAN, MOUSE, FISH, FLY, WORM = (f"NCBITaxon:{n}" for n in (9606, 10090, 7955, 7227, 6239))
COMPARA = (
    "gene_stable_id\tprotein_stable_id\tspecies\tidentity\thomology_type\t"
    "homology_gene_stable_id\thomology_protein_stable_id\thomology_species\thomology_identity\t"
    "dn\tds\tgoc_score\twga_coverage\tis_high_confidence\thomology_id\n"
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        path = tmp_path / "table.txt"
        path.write_text(text)
        return path

    return make


def _rows(table: Orthologs, *columns: str) -> list[list[Any]]:
    names = columns or ("gene_a", "gene_b", "type")
    return table.edges[list(names)].astype(object).to_numpy().tolist()


def _compara(*rows: tuple[str, str, str, str, str, str]) -> str:
    """Lines of gene, species, type, gene, species, confidence."""
    return COMPARA + "".join(
        f"{a}\tP\t{s}\t50\t{kind}\t{b}\tP\t{t}\t50\tNULL\tNULL\tNULL\tNULL\t{high}\t1\n"
        for a, s, kind, b, t, high in rows
    )


def test_compara_types_have_a_direction_whatever_that_of_the_rows(
    write: Callable[[str], Path],
) -> None:
    human, mouse = "homo_sapiens", "mus_musculus"
    path = write(
        _compara(
            ("H1", human, "ortholog_one2one", "M1", mouse, "1"),
            ("M1", mouse, "ortholog_one2one", "H1", human, "1"),
            ("H2", human, "ortholog_one2many", "M2", mouse, "0"),
            ("M3", mouse, "ortholog_one2many", "H2", human, "NULL"),
            ("M4", mouse, "ortholog_one2many", "H3", human, "0"),
            ("H4", human, "ortholog_one2many", "M4", mouse, "0"),
            ("H5", human, "ortholog_many2many", "M5", mouse, "0"),
            ("H6", human, "ortholog_one2many", "M6", mouse, "0"),
        )
    )
    assert _rows(read_orthologs(path, "compara")) == [
        ["H1", "M1", "1:1"],
        ["H2", "M2", "1:n"],
        ["H2", "M3", "1:n"],
        ["H3", "M4", "n:1"],
        ["H4", "M4", "n:1"],
        ["H5", "M5", "n:m"],
        ["H6", "M6", "n:m"],  # its other partner is not in the file: which side has more?
    ]


def test_compara_confidence_may_be_missing(write: Callable[[str], Path]) -> None:
    rows = [
        (f"H{c}", "homo_sapiens", "ortholog_one2one", f"M{c}", "mus_musculus", c)
        for c in ("0", "1", "NULL")
    ]
    found = read_orthologs(write(_compara(*rows)), "compara", release="115").edges
    assert [str(value) for value in found["confidence"]] == ["low", "high", "nan"]
    assert set(zip(found["source"], found["release"], strict=True)) == {("ensembl", "115")}


def test_compara_relatives_that_are_no_orthologs_are_counted_by_type(
    write: Callable[[str], Path],
) -> None:
    rows = [
        ("H1", "homo_sapiens", kind, "M1", species, "0")
        for kind, species in (
            ("ortholog_one2one", "mus_musculus"),
            ("ortholog_one2one", "felis_catus_unheard_of"),
            ("within_species_paralog", "homo_sapiens"),
            ("other_paralog", "homo_sapiens"),
            ("homoeolog_one2one", "homo_sapiens"),
            ("gene_split", "homo_sapiens"),
            ("NULL", "mus_musculus"),
        )
    ]
    table = read_orthologs(write(_compara(*rows)), "compara")
    assert (len(table.edges), dict(table.left_out)) == (
        1,
        {
            "species_not_known: felis_catus_unheard_of": 1,
            "type: <NA>": 1,
            "type: gene_split": 1,
            "type: homoeolog_one2one": 1,
            "type: other_paralog": 1,
            "type: within_species_paralog": 1,
        },
    )


def test_biomart_attributes_come_in_any_order(write: Callable[[str], Path]) -> None:
    path = write(
        "Mouse homology type,Mouse gene stable ID,Gene name,Gene stable ID,"
        '"Mouse orthology confidence [0 low, 1 high]"\n'
        "ortholog_one2one,ENSMUSG00000000001,A,ENSG00000000003,1\n"
        ",,B,ENSG00000000005,\n"
    )
    table = read_orthologs(path, "biomart")
    assert _rows(table, "taxon_a", "gene_b", "type", "confidence") == [
        [HUMAN, "ENSMUSG00000000001", "1:1", "high"]
    ]
    assert dict(table.left_out) == {"no_ortholog: Mouse": 1}


def test_biomart_species_of_one_export_are_no_product(write: Callable[[str], Path]) -> None:
    path = write(
        "Gene stable ID\tMouse gene stable ID\tDrosophila melanogaster (Fruit fly) gene stable ID\t"
        "Wombat gene stable ID\n"
        "ENSG00000000003\tENSMUSG00000000001\tFBgn0000001\t\n"
        "ENSG00000000003\tENSMUSG00000000001\tFBgn0000002\tW1\n"
        "ENSG00000000003\tENSMUSG00000000002\tFBgn0000001\tNA\n"
        "ENSG00000000003\tENSMUSG00000000002\tFBgn0000002\tW2\n"
    )
    table = read_orthologs(path, "biomart")
    assert _rows(table) == [
        ["FBgn0000001", "ENSG00000000003", "n:1"],
        ["FBgn0000002", "ENSG00000000003", "n:1"],
        ["ENSG00000000003", "ENSMUSG00000000001", "1:n"],
        ["ENSG00000000003", "ENSMUSG00000000002", "1:n"],
    ]
    assert dict(table.left_out) == {"no_ortholog: Wombat": 2, "species_not_known: Wombat": 2}


def test_biomart_does_not_say_whose_genes_come_first(write: Callable[[str], Path]) -> None:
    path = write("Gene stable ID,Mouse gene stable ID\nGENE1,ENSMUSG00000000001\n")
    with pytest.raises(SchemaError, match=r"organism_not_told_by_id \(1\)"):
        read_orthologs(path, "biomart")
    assert read_orthologs(path, "biomart", organism="zebrafish").taxa == (FISH, MOUSE)


def _hcop(species: str, *rows: str) -> str:
    ends = ["entrez_gene", "ensembl_gene", "id", "name", "symbol", "chr", "assert_ids"]
    names = [f"human_{e}" for e in ends] + [f"{species}_{e}" for e in ends] + ["support"]
    return "\t".join(names) + "\n" + "".join(f"{row}\n" for row in rows)


def _hcop_row(a: str, b: str, support: str) -> str:
    return "\t".join(
        ["-", a, "-", 'odd "name', "-", "1", a, "-", b, "-", "-", "-", "1", b, support]
    )


def test_hcop_counts_distinct_sources_of_all_rows_of_a_pair(write: Callable[[str], Path]) -> None:
    path = write(
        _hcop(
            "fruit fly",
            _hcop_row("H1", "F1", "OMA,Ensembl,OMA"),
            _hcop_row("H1", "F1", "Panther,OMA"),
            _hcop_row("H1", "F2", "OrthoMCL,OrthoMCL"),
            _hcop_row("H2", "-", "OMA,Ensembl"),
        )
    )
    table = read_orthologs(path, "hcop")
    assert _rows(table, "taxon_a", "gene_a", "gene_b", "support", "type") == [
        [FLY, "F1", "H1", 3, "1:1"]
    ]
    assert dict(table.left_out) == {"no_gene_id": 1, "support_below_2": 1}
    every = read_orthologs(path, "hcop", min_support=1)
    assert _rows(every, "gene_a", "support", "type") == [["F1", 3, "n:1"], ["F2", 1, "n:1"]]
    assert _rows(read_orthologs(path, "hcop", min_support=1, best_only=True)) == [
        ["F1", "H1", "1:1"]
    ]


def test_hcop_of_all_species_names_them_by_number(write: Callable[[str], Path]) -> None:
    head, *rows = _hcop(
        "ortholog_species", _hcop_row("H1", "M1", "OMA,NCBI"), _hcop_row("H1", "D1", "OMA,NCBI")
    ).splitlines()
    lines = [f"ortholog_species\t{head}", f"10090\t{rows[0]}", f"9615\t{rows[1]}"]
    table = read_orthologs(write("\n".join(lines)), "hcop")
    assert table.taxa == (HUMAN, "NCBITaxon:9615", MOUSE)


def test_babelgene_separates_sources_by_a_bar(write: Callable[[str], Path]) -> None:
    path = write(
        "human_symbol\thuman_ensembl\ttaxon_id\tensembl\tsupport\tsupport_n\n"
        "A\tH1\t10090\tM1\tOMA|NCBI|OMA\t3.0\n"
    )
    assert _rows(read_orthologs(path, "babelgene"), "gene_b", "support") == [["M1", 2]]


ALLIANCE = (
    "# Alliance of Genome Resources\n#\nGene1ID\tGene1Symbol\tGene1SpeciesTaxonID\t"
    "Gene1SpeciesName\tGene2ID\tGene2Symbol\tGene2SpeciesTaxonID\tGene2SpeciesName\tAlgorithms\t"
    "AlgorithmsMatch\tOutOfAlgorithms\tIsBestScore\tIsBestRevScore\n"
    "HGNC:1\tA\tNCBITaxon:9606\tHomo sapiens\tMGI:1\ta\tNCBITaxon:10090\tMus musculus\t"
    "OMA|Panther\t2\t10\tYes\tYes\n"
    "MGI:1\ta\tNCBITaxon:10090\tMus musculus\tHGNC:1\tA\tNCBITaxon:9606\tHomo sapiens\t"
    "OMA|Panther\t2\t10\tYes\tYes\n"
    "FB:FBgn0000001\tf\tNCBITaxon:7227\tDrosophila melanogaster\tWB:WBGene00000001\tw\t"
    "NCBITaxon:6239\tCaenorhabditis elegans\tOMA|Panther|NCBI\t3\t10\tYes\tNo\n"
    "HGNC:2\tB\tNCBITaxon:9606\tHomo sapiens\tFB:FBgn0000001\tf\tNCBITaxon:7227\t"
    "Drosophila melanogaster\tOMA|NCBI\t2\t10\tYes_Adjusted\tYes\n"
)


def test_alliance_needs_cross_references_except_for_fly_and_worm(
    write: Callable[[str], Path],
) -> None:
    references = {"HGNC:1": "ENSG00000000003", "MGI:1": "ENSMUSG00000000001"}
    table = read_orthologs(write(ALLIANCE), "alliance", cross_references=references)
    assert _rows(table, "gene_a", "gene_b", "type", "confidence", "support") == [
        ["WBGene00000001", "FBgn0000001", "1:1", "low", 3],
        ["ENSG00000000003", "ENSMUSG00000000001", "1:1", "high", 2],
    ]
    assert dict(table.left_out) == {"no_cross_reference": 1}


@pytest.mark.parametrize("header", ["HID\tGene.Symbol\tTaxonomy\tGene.ID\n", ""])
def test_homologene_groups_become_pairs_of_genes(write: Callable[[str], Path], header: str) -> None:
    members = [("TP53", 9606), ("Trp53", 10090), ("TP53-like", 10090), ("tp53", 4932)]
    rows = [f"460\t{s}\t{t}\t1" if header else f"460\t{t}\t1\t{s}\t9\tNP_1.1" for s, t in members]
    table = read_orthologs(write(header + "\n".join(rows)), "homologene")
    assert _rows(table) == [["ENSG00000141510", "ENSMUSG00000059552", "1:1"]]
    assert dict(table.left_out) == {"no_gene_table: NCBITaxon:4932": 1, "symbol_not_resolved": 1}


@pytest.mark.parametrize(
    "format", ["alliance", "babelgene", "biomart", "compara", "hcop", "homologene"]
)
def test_a_table_of_another_kind_is_refused_by_its_columns(
    write: Callable[[str], Path], format: Any
) -> None:
    with pytest.raises(SchemaError) as refused:
        read_orthologs(write("cell\tgene\nA\tB\n"), format)
    assert f"is no table of {format}: it lacks " in str(refused.value)
    assert str(refused.value).endswith("Its columns: cell, gene. Name the right format.")


def test_a_biomart_export_without_target_is_refused(write: Callable[[str], Path]) -> None:
    with pytest.raises(SchemaError, match="it lacks <Species> gene stable ID"):
        read_orthologs(write("Gene stable ID,Gene name\nENSG00000000003,A\n"), "biomart")


def test_a_wrong_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"'inparanoid' is no format of orthologs\. There are: all"
    ):
        read_orthologs(tmp_path / "x", "inparanoid")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="min_support is -1"):
        read_orthologs(tmp_path / "x", "hcop", min_support=-1)
    with pytest.raises(NotFoundError, match="There is no file"):
        read_orthologs(tmp_path / "x", "hcop")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no header"),
        (b"# only\n# comments\n", "has no header"),
        (b"\x1f\x8b\x08\x00 no gzip", "cannot be read"),
        (b"\xff\xfe\x00\x00", "cannot be read: UnicodeDecodeError"),
        (gzip.compress((COMPARA * 5000).encode())[:-20], "cannot be read: EOFError"),
        (COMPARA.encode() + b"\t".join([b"x"] * 40), "Expected 15 columns, got 40"),
        (COMPARA.encode() * 2 + b"\t".join([b"x"] * 40), "Expected 15 columns, got 40"),
    ],
    ids=["empty", "comments", "no-gzip", "no-text", "cut-off", "long-row", "long-later-row"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "table").write_bytes(content)
    with pytest.raises(SchemaError, match=message):
        read_orthologs(tmp_path / "table", "compara")


def test_chunks_and_compression_change_nothing(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = real_data / "references" / "orthology"
    for name, format in (
        ("hcop_human_zebrafish.tsv", "hcop"),
        ("biomart_human_to_mouse.csv", "biomart"),
    ):
        whole = read_orthologs(folder / name, format)  # type: ignore[arg-type]
        packed = tmp_path / "packed"
        packed.write_bytes(gzip.compress((folder / name).read_bytes()))
        with monkeypatch.context() as patch:
            patch.setattr(text_table_module, "CHUNK_BYTES", 3000)
            parts = read_orthologs(packed, format)  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(whole.edges, parts.edges)
        assert whole.left_out == parts.left_out


# edges; 1:1, 1:n, n:1, n:m; species; left out
REAL: dict[str, tuple[Any, int, tuple[int, int, int, int], int, int]] = {
    "ensembl_compara_homologies_r108_rows.tsv": ("compara", 3, (2, 0, 0, 1), 2, 0),
    "biomart_human_to_mouse.csv": ("biomart", 353, (171, 22, 4, 156), 2, 43),
    "biomart_mouse_to_human.csv": ("biomart", 353, (171, 22, 4, 156), 2, 0),
    "ensembl105_biomart_5species.tsv": ("biomart", 1135, (592, 189, 272, 82), 5, 886),
    "human_mouse_hcop_fifteen_column.txt.gz": ("hcop", 29955, (15131, 1516, 1232, 12076), 2, 39288),
    "hcop_human_fruitfly.tsv": ("hcop", 195, (93, 5, 97, 0), 2, 352),
    "babelgene_orthologs_19species.tsv": ("babelgene", 4647, (2341, 1004, 1099, 203), 20, 20),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_table_is_read(real_data: Path, name: str) -> None:
    format, n, types, n_species, n_left_out = REAL[name]
    table = read_orthologs(real_data / "references" / "orthology" / name, format)
    counts = table.edges["type"].value_counts(sort=False)
    assert (
        len(table.edges),
        tuple(counts[kind] for kind in ("1:1", "1:n", "n:1", "n:m")),
        len(table.taxa),
        sum(table.left_out.values()),
    ) == (n, types, n_species, n_left_out)


def test_both_real_biomart_exports_say_the_same(real_data: Path) -> None:
    folder = real_data / "references" / "orthology"
    one, other = (
        read_orthologs(folder / f"biomart_{name}.csv", "biomart").edges
        for name in ("human_to_mouse", "mouse_to_human")
    )
    pd.testing.assert_frame_equal(one, other)


def test_the_real_homologene_is_read_for_species_with_genes(real_data: Path) -> None:
    path = real_data / "references" / "orthology" / "homologene2_21species.tsv"
    table = read_orthologs(path, "homologene")
    assert (HUMAN in table.taxa, "NCBITaxon:3702" in table.taxa) == (True, False)
    assert table.left_out["no_gene_table: NCBITaxon:3702"] == 45
    mouse = table.between("human", "mouse")
    known = mouse["ortholog"].isin(gene_table("mouse").index)
    assert (len(mouse) > 150, bool(known.all())) == (True, True)
