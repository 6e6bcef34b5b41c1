"""Tables of Tahoe-100M: the real ones, and broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from corpuscle.errors import SchemaError
from corpuscle.ontologies import gene_table, resolve_genes
from corpuscle.pipelines.examples._tahoe import write_tahoe
from corpuscle.pipelines.sources import _tahoe_tables as tables
from corpuscle.pipelines.sources._tahoe import N_CELLS, OBS
from corpuscle.pipelines.sources._tahoe_lines import LINES, ORGANS
from corpuscle.pipelines.sources._tahoe_tables import parse_dose, read_columns

if TYPE_CHECKING:
    from collections.abc import Callable

DMSO = "[('DMSO_TF', 0.0, 'uM')]"


@pytest.fixture(scope="module")
def human() -> pd.DataFrame:
    return gene_table("human")


@pytest.fixture
def real(real_data: Path) -> Path:
    folder = real_data / "real" / "tahoe"
    if not folder.is_dir():
        pytest.skip("the real tables of Tahoe-100M are not beside this checkout")
    return folder


@pytest.fixture
def genes(real: Path) -> pd.DataFrame:
    return tables.read_genes(real / "gene_metadata.parquet")


@pytest.fixture
def samples(real: Path) -> pd.DataFrame:
    return tables.read_samples(real / "sample_metadata.parquet")


@pytest.fixture
def drugs(real: Path) -> pd.DataFrame:
    return tables.read_drugs(real / "drug_metadata.parquet")


@pytest.fixture
def lines(real: Path) -> pd.DataFrame:
    return tables.read_lines(real / "cell_line_metadata.parquet")


def test_tokens_are_contiguous_and_follow_the_ids(genes: pd.DataFrame) -> None:
    assert genes["token_id"].tolist() == list(range(3, 62_713))
    assert genes["ensembl_id"].is_monotonic_increasing


def test_ids_of_genes_are_unique_and_without_version(genes: pd.DataFrame) -> None:
    assert genes["ensembl_id"].is_unique
    assert genes["ensembl_id"].str.fullmatch(r"ENSG\d{11}").all()


def test_some_symbols_are_the_id_itself(genes: pd.DataFrame) -> None:
    assert int((genes.index == genes["ensembl_id"]).sum()) == 20_930


def test_repeated_symbols_were_made_unique(genes: pd.DataFrame) -> None:
    assert genes.index.is_unique
    assert {"Y_RNA", "Y_RNA-697", "Metazoa_SRP-106"} <= set(genes.index)


def test_most_ids_are_current_and_some_are_retired(
    genes: pd.DataFrame, human: pd.DataFrame
) -> None:
    current = genes["ensembl_id"].isin(human.index)
    assert (int(current.sum()), int((~current).sum())) == (61_460, 1_250)


def test_some_current_ids_have_another_name_today(genes: pd.DataFrame, human: pd.DataFrame) -> None:
    today = human["symbol"].fillna(human.index.to_series()).reindex(genes["ensembl_id"]).array
    renamed = genes.index[pd.notna(today) & (today != genes.index)]
    assert len(renamed) == 2_636
    assert {"C1orf112", "SLC9A3R2", "THEG"} <= set(renamed)


def test_by_symbol_some_genes_would_be_others(genes: pd.DataFrame, human: pd.DataFrame) -> None:
    names = human["symbol"].fillna(human.index.to_series())
    unique = names[~names.duplicated(keep=False)]
    joined = pd.Series(unique.index, index=unique.array).reindex(genes.index)
    wrong = joined.notna() & (joined != genes["ensembl_id"])
    assert (int(joined.notna().sum()), int(wrong.sum())) == (58_383, 25)
    assert {"PAXX", "NPIPA9", "MYH16"} <= set(genes.index[wrong])


def test_by_id_every_current_gene_is_itself(genes: pd.DataFrame, human: pd.DataFrame) -> None:
    ids = genes["ensembl_id"].tolist()
    found = resolve_genes(ids, organism="human", symbols=genes.index.tolist())
    current = found[found["source_id"].isin(human.index)]
    assert (current["gene_id"] == current["source_id"]).all()


def test_samples_are_96_of_each_plate(samples: pd.DataFrame) -> None:
    assert list(samples.index) == [f"smp_{number}" for number in range(1495, 2839)]
    assert dict(samples["plate"].value_counts()) == {f"plate{n}": 96 for n in range(1, 15)}


def test_doses_are_read_from_the_literals(samples: pd.DataFrame) -> None:
    doses = samples["perturbation_dose"].value_counts().to_dict()
    assert doses == {5.0: 490, 0.5: 402, 0.05: 424, 0.0: 28}
    assert set(samples["perturbation_dose_unit"]) == {"uM"}
    assert set(samples.loc[samples["perturbation_dose"] == 0, "drugname_drugconc"]) == {DMSO}


def test_names_with_parentheses_and_beyond_ascii_are_whole(samples: pd.DataFrame) -> None:
    names = set(samples["perturbation"])
    assert len(names) == 380
    assert sum("(" in name for name in names) == 90
    assert {
        "Belumosudil (mesylate)",
        "(R)-Verapamil (hydrochloride)",
        "18β-Glycyrrhetinic acid",
        "\N{GREEK SMALL LETTER GAMMA}-Oryzanol",
    } <= names


def test_two_drugs_have_a_trailing_space_in_samples_alone(
    samples: pd.DataFrame, drugs: pd.DataFrame
) -> None:
    assert set(samples["drug"]) - set(samples["perturbation"]) == {"Erdafitinib ", "Selinexor "}
    assert {"Erdafitinib", "Selinexor"} <= set(drugs.index)


def test_every_drug_but_the_control_is_described(
    samples: pd.DataFrame, drugs: pd.DataFrame
) -> None:
    assert len(drugs) == 379
    assert set(samples["perturbation"]) - set(drugs.index) == {tables.CONTROL}


def test_drugs_have_these_words_and_gaps(drugs: pd.DataFrame) -> None:
    assert set(drugs["moa-broad"]) == {"inhibitor/antagonist", "activator/agonist", "unclear"}
    assert drugs["moa-fine"].nunique(dropna=False) == 26
    assert set(drugs["human-approved"]) | set(drugs["clinical-trials"]) == {"yes", "no"}
    assert int(drugs["targets"].isna().sum()) == 115
    assert drugs["pubchem_cid"].dtype == np.float64
    missing = set(drugs.index[drugs["pubchem_cid"].isna()])
    assert missing == {"Sacubitril/Valsartan", "Verteporfin"}


def test_lines_are_one_row_each_though_mutations_repeat_them(
    real: Path, lines: pd.DataFrame
) -> None:
    path = real / "cell_line_metadata.parquet"
    repeated = read_columns(path, {"Cell_ID_Cellosaur": "text"})["Cell_ID_Cellosaur"]
    assert (len(repeated), len(lines)) == (1_000, 102)
    assert int((repeated == "CVCL_0023").sum()) > 1


def test_all_fifty_lines_are_listed_and_one_has_no_depmap_id(lines: pd.DataFrame) -> None:
    assert set(LINES) <= set(lines.index)
    assert pd.isna(lines.loc["CVCL_C466", "Cell_ID_DepMap"])


def test_organs_are_these_words(lines: pd.DataFrame) -> None:
    assert set(lines["Organ"]) == set(ORGANS)


def test_the_cells_of_each_plate_and_their_lines_are_those_of_the_grid(real: Path) -> None:
    grid = pd.read_parquet(real / "obs_cell_grid.parquet")
    cells = grid.groupby("plate")["n_cells"].sum().to_dict()
    assert cells == {f"plate{number}": n for number, n in N_CELLS.items()}
    assert sum(N_CELLS.values()) == 100_648_790
    names = {line.name for line in LINES.values()}
    assert all(set(found) == names for found in grid.groupby("plate")["cell_name"].unique())


def test_columns_of_cells_are_those_of_their_table(real: Path) -> None:
    import pyarrow.parquet as pq

    names = pq.read_schema(real / "obs_metadata_SYNTHETIC.parquet").names
    assert [n for n in names if n not in {"plate", "BARCODE_SUB_LIB_ID"}] == list(OBS[:-1])


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tahoe")
    write_tahoe(folder)
    return folder / "2025-02-25" / "metadata"


def _set(column: str, value: Any, row: int = 0) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        changed = table.astype({column: object})
        changed.loc[row, column] = value
        return changed.infer_objects()

    return change


READERS = {
    "gene_metadata": tables.read_genes,
    "sample_metadata": tables.read_samples,
    "drug_metadata": tables.read_drugs,
    "cell_line_metadata": tables.read_lines,
}
BROKEN: dict[str, tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "column missing": ("gene_metadata", "ensembl_id", lambda t: t.drop(columns="ensembl_id")),
    "tokens as text": ("gene_metadata", "token_id", lambda t: t.astype({"token_id": str})),
    "tokens as floats": ("gene_metadata", "token_id", lambda t: t.astype({"token_id": float})),
    "token of the beginning": ("gene_metadata", "token_id", _set("token_id", 1)),
    "token too large": ("gene_metadata", "token_id", _set("token_id", 2**40)),
    "token twice": ("gene_metadata", "token_id", _set("token_id", 4)),
    "symbol twice": ("gene_metadata", "gene_symbol", _set("gene_symbol", "Y_RNA")),
    "id twice": ("gene_metadata", "ensembl_id", _set("ensembl_id", "ENSG00000252612")),
    "symbol missing": ("gene_metadata", "gene_symbol", _set("gene_symbol", None)),
    "sample twice": ("sample_metadata", "sample", _set("sample", "smp_1496")),
    "dose missing": ("sample_metadata", "drugname_drugconc", _set("drugname_drugconc", None)),
    "dose of another drug": (
        "sample_metadata",
        "drugname_drugconc",
        _set("drugname_drugconc", DMSO),
    ),
    "drug twice, once with a space": (
        "drug_metadata",
        "drug",
        _set("drug", "Erdafitinib ", row=1),
    ),
    "text as id of PubChem": (
        "drug_metadata",
        "pubchem_cid",
        lambda t: t.astype({"pubchem_cid": str}),
    ),
    "two names of a line": (
        "cell_line_metadata",
        "Cell_ID_Cellosaur",
        _set("cell_name", "X", row=1),
    ),
    "two lines of a name": (
        "cell_line_metadata",
        "cell_name",
        lambda t: t.replace({"cell_name": {"A-375": "A549"}}),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_table_is_refused_with_its_column(
    example: Path, tmp_path: Path, case: str
) -> None:
    name, field, change = BROKEN[case]
    path = tmp_path / f"{name}.parquet"
    change(pd.read_parquet(example / path.name)).to_parquet(path, index=False)
    with pytest.raises(SchemaError, match=f"{field} of .*{path.name}.* fetch the file") as error:
        READERS[name](path)
    assert error.value.details == {"file": str(path), "field": field}


@pytest.mark.parametrize("name", READERS)
def test_a_cut_table_is_refused(example: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.parquet"
    path.write_bytes((example / path.name).read_bytes()[:-20])
    with pytest.raises(SchemaError, match=rf"{path.name} cannot be read as Parquet.*fetch it"):
        READERS[name](path)


def test_a_table_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gene_metadata.parquet"
    path.write_text("<html>not found</html>")
    with pytest.raises(SchemaError, match="cannot be read as Parquet"):
        tables.read_genes(path)


def test_a_huge_table_is_refused_unread(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 1_000)
    with pytest.raises(SchemaError, match=r"rows of .*gene_metadata.* has 1,206 rows"):
        tables.read_genes(example / "gene_metadata.parquet")


def test_one_tuple_of_drug_dose_and_unit_is_read() -> None:
    assert parse_dose("[('Talc', 5, 'uM')]", path=Path("x")) == ("Talc", 5.0, "uM")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "[]",
        "[('Talc', 5.0)]",
        "[['Talc', 5.0, 'uM']]",
        "('Talc', 5.0, 'uM')",
        "[('Talc', 5.0, 'uM'), ('Talc', 0.5, 'uM')]",
        "[('Talc', '5.0', 'uM')]",
        "[('Talc', True, 'uM')]",
        "[('Talc', -5.0, 'uM')]",
        "[('Talc', 1e999, 'uM')]",
        "[(None, 5.0, 'uM')]",
        "[('Talc', 5.0, 'uM')",
        "[(__import__('os').system('true'), 5.0, 'uM')]",
        "[" * 400,
        f"[('{'x' * 1_000}', 5.0, 'uM')]",
        f"[('Talc', {'9' * 450}, 'uM')]",
    ],
)
def test_any_other_literal_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match=r"drugname_drugconc of x has .* not one tuple"):
        parse_dose(text, path=Path("x"))
