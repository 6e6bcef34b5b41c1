"""Cells of Tahoe-100M: what is joined, what is derived, what is refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from corpuscle.errors import SchemaError
from corpuscle.pipelines.sources._tahoe_obs import DERIVED

from .tahoe_files import Files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from corpuscle.curation import Curated


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tahoe")
    Files.write(folder, folder)
    return folder


@pytest.fixture
def files(example: Path, tmp_path: Path) -> Files:
    return Files(folder=example, copies=tmp_path)


@pytest.fixture(scope="module")
def curated(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Curated:
    files = Files(folder=example, copies=tmp_path_factory.mktemp("curated"))
    return files.curate(files.plate())


@pytest.fixture(scope="module")
def obs(curated: Curated) -> Any:
    return _read(curated).obs


def _read(curated: Curated) -> Any:
    import anndata

    return anndata.read_h5ad(curated.path)


def _values(obs: pd.DataFrame, column: str) -> set[Any]:
    return set(obs[column])


def test_lines_are_tissues_by_cellosaurus_and_have_a_disease(obs: pd.DataFrame) -> None:
    lung = obs[obs["tissue_ontology_term_id"] == "CVCL_0023"]
    assert _values(lung, "tissue") == {"A-549"}
    assert _values(lung, "tissue_type") == {"cell line"}
    assert _values(lung, "disease") == {"lung adenocarcinoma"}
    assert _values(lung, "tissue_of_origin") == {"lung"}
    assert _values(lung, "sex_of_origin") == {"male"}


@pytest.mark.parametrize(
    "field", ["cell_type", "development_stage", "self_reported_ethnicity", "sex", "donor_id"]
)
def test_what_does_not_apply_to_cell_lines_is_na(obs: pd.DataFrame, field: str) -> None:
    assert _values(obs, field) == {"na"}


def test_the_assay_is_that_of_parse_and_not_of_10x(curated: Curated, obs: pd.DataFrame) -> None:
    assert _values(obs, "assay_ontology_term_id") == {"EFO:0022603"}
    (comment,) = curated.decisions.query("field == 'assay'")["comment"]
    assert "split-pool" in comment


def test_diseases_rest_on_the_accession(curated: Curated) -> None:
    found = curated.decisions.query("field == 'disease'")
    assert set(found["method"]) == {"source"}
    assert found["comment"].str.contains("accession of Cellosaurus").all()


def test_a_trailing_space_stays_with_the_author_and_not_in_the_perturbation(
    obs: pd.DataFrame,
) -> None:
    cells = obs[obs["author_drug"] == "Erdafitinib "]
    assert _values(cells, "perturbation") == {"Erdafitinib"}
    assert _values(cells, "author_targets") == {"FGFR1, FGFR2"}


def test_doses_are_numbers_with_a_unit(obs: pd.DataFrame) -> None:
    cells = obs[obs["perturbation"] == "(R)-Verapamil (hydrochloride)"]
    assert _values(cells, "perturbation_dose") == {0.05}
    assert _values(cells, "perturbation_dose_unit") == {"uM"}


def test_controls_are_those_of_the_solvent_alone(obs: pd.DataFrame) -> None:
    assert _values(obs[obs["is_control"]], "perturbation") == {"DMSO_TF"}
    solvate = obs[obs["perturbation"] == "Trametinib (DMSO_TF solvate)"]
    assert len(solvate)
    assert not solvate["is_control"].any()


def test_no_row_is_multiplied_by_a_join(curated: Curated) -> None:
    assert curated.report.n_cells == curated.report.n_cells_in == 150


def test_a_drug_without_smiles_or_id_has_none_in_a_plate(obs: pd.DataFrame) -> None:
    cells = obs[obs["perturbation"] == "Sacubitril/Valsartan"]
    assert cells["author_canonical_smiles"].isna().all()
    assert cells["perturbation_pubchem_cid"].isna().all()


def test_a_control_has_no_facts_of_a_drug(obs: pd.DataFrame) -> None:
    assert obs.loc[obs["is_control"], "author_moa-fine"].isna().all()


def test_nan_as_text_stays_text_and_is_no_id_in_a_shard(files: Files) -> None:
    found = files.open(files.shard()).obs
    cells = found[found["perturbation"] == "Sacubitril/Valsartan"]
    assert _values(cells, "canonical_smiles") == _values(cells, "pubchem_cid") == {"nan"}
    assert cells["perturbation_pubchem_cid"].isna().all()


def test_both_forms_say_the_same_of_the_same_cells(files: Files) -> None:
    plate, shard = files.open(files.plate()).obs, files.open(files.shard()).obs
    same = plate.loc[shard.index]
    for column in DERIVED:
        assert same[column].astype(str).tolist() == shard[column].astype(str).tolist()


@pytest.mark.parametrize(
    ("text", "number"), [("1923", 1923), ("1923.0", 1923), ("nan", None), ("", None), (None, None)]
)
def test_ids_of_pubchem_are_read_with_and_without_a_point(
    files: Files, text: str | None, number: int | None
) -> None:
    path = files.shard(partial(_with, column="pubchem_cid", values=[text]))
    found = files.open(path).obs["perturbation_pubchem_cid"]
    assert found.isna().iloc[0] if number is None else found.iloc[0] == number


def test_the_five_ways_to_say_nothing_stay_apart(files: Files) -> None:
    values: list[str | None] = ["na", "unknown", "", "nan", None]
    path = files.shard(partial(_with, column="canonical_smiles", values=values))
    found = files.open(path).obs["canonical_smiles"].iloc[:5].astype(object)
    assert found.iloc[:4].tolist() == values[:4]
    assert pd.isna(found.iloc[4])


def _with(table: Any, column: str, values: list[str | None]) -> Any:
    """Put values into the first rows of a column of a shard."""
    import pyarrow as pa

    place = table.schema.get_field_index(column)
    old = table.column(column).to_pylist()
    return table.set_column(place, column, pa.array([*values, *old[len(values) :]], pa.string()))


def test_poor_cells_stay_unless_full_ones_are_wanted(files: Files) -> None:
    assert files.open(files.plate()).dropped == {}
    found = files.curate(files.plate(), cells="full")
    assert found.report.dropped == {"not_full": 15}


def test_a_line_that_we_do_not_know_has_no_disease(files: Files) -> None:
    def change(adata: AnnData) -> None:
        adata.obs["cell_line"] = adata.obs["cell_line"].cat.rename_categories(
            {"CVCL_0023": "CVCL_0030"}
        )
        adata.obs["cell_name"] = adata.obs["cell_name"].cat.rename_categories({"A549": "HeLa"})

    found = _read(files.curate(files.plate(change))).obs
    cells = found[found["tissue_ontology_term_id"] == "CVCL_0030"]
    assert _values(cells, "disease") == _values(cells, "tissue_of_origin") == {"unknown"}


def test_genes_go_by_id_where_the_symbol_means_another(files: Files) -> None:
    var = _read(files.curate(files.plate())).var
    assert var.loc["ENSG00000183889", "symbol"] == "NPIPA6"  # NPIPA9 in the file
    assert var.loc["ENSG00000000460", "symbol"] == "FIRRM"  # C1orf112
    assert {"ENSG00000195401", "ENSG00000252612", "ENSG00000100101"} <= set(var.index)


def test_a_symbol_that_the_table_lacks_is_reported_and_not_guessed(files: Files) -> None:
    folder = files.table("gene_metadata", lambda t: t[t["gene_symbol"] != "NPIPA9"])
    found = files.curate(files.plate(), metadata=folder)
    genes = found.decisions[found.decisions["field"] == "gene"].set_index("subject_label")
    assert genes.loc["NPIPA9 (not in gene_metadata)", "outcome"] == "unmapped"


def _rename(column: str, old: str, new: str) -> Callable[[AnnData], None]:
    def change(adata: AnnData) -> None:
        values = adata.obs[column].astype(object)
        values[values == old] = new
        adata.obs[column] = values.astype("category")

    return change


def _repeat_cell(adata: AnnData) -> None:
    names = adata.obs_names.tolist()
    adata.obs.index = pd.Index([names[1], *names[1:]], name="BARCODE_SUB_LIB_ID")


def _repeat_gene(adata: AnnData) -> None:
    names = adata.var_names.tolist()
    adata.var.index = pd.Index([names[1], *names[1:]])


def _put(column: str, values: Any) -> Callable[[AnnData], None]:
    def change(adata: AnnData) -> None:
        adata.obs[column] = values

    return change


def _drop(column: str) -> Callable[[AnnData], None]:
    def change(adata: Any) -> None:
        del adata.obs[column]

    return change


def _no_sample(adata: Any) -> None:
    adata.obs.loc[adata.obs_names[:7], "sample"] = np.nan


DOSE = "[('Erdafitinib ', 0.05, 'uM')]"
BROKEN: dict[str, tuple[str, str, Callable[[AnnData], None]]] = {
    "a column missing": (
        "obs column phase",
        "no values",
        _drop("phase"),
    ),
    "a cell twice": ("BARCODE_SUB_LIB_ID", "more than once", _repeat_cell),
    "a gene twice": ("var index", "more than once", _repeat_gene),
    "a sample unknown": ("sample", "'smp_1' and 0 more", _rename("sample", "smp_1495", "smp_1")),
    "a sample missing": ("sample", "no value in 7 cells", _no_sample),
    "samples as numbers": ("sample", "values of type int64", _put("sample", 1495)),
    "another plate": ("plate", "'plate9' where its table has 'plate1'", _put("plate", "plate9")),
    "another drug": (
        "drug",
        "'Talc' where its table has 'Erdafitinib'",
        _rename("drug", "Erdafitinib ", "Talc"),
    ),
    "another dose": (
        "drugname_drugconc",
        "5.0",
        _rename("drugname_drugconc", DOSE, DOSE.replace("0.05", "5.0")),
    ),
    "a dose that is code": (
        "drugname_drugconc",
        "not one tuple",
        _rename("drugname_drugconc", DOSE, "__import__('os').getcwd()"),
    ),
    "another name of a line": (
        "cell_name",
        "'HeLa' where its table has 'A549'",
        _rename("cell_name", "A549", "HeLa"),
    ),
    "lines as numbers": ("cell_line", "values of type float64", _put("cell_line", 23.0)),
    "a column of ours": ("perturbation", "values of its own", _put("perturbation", "x")),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plate_is_refused_with_its_column(files: Files, case: str) -> None:
    field, said, change = BROKEN[case]
    path = files.plate(change)
    with pytest.raises(SchemaError) as error:
        files.open(path)
    assert error.value.details == {"file": str(path), "field": field}
    assert said in error.value.message
    assert "fetch the file again" in error.value.message


def test_another_tier_of_cells_is_refused_only_where_it_matters(files: Files) -> None:
    path = files.plate(_rename("pass_filter", "minimal", "medium"))
    assert files.open(path).dropped == {}
    with pytest.raises(SchemaError, match="'medium', which is neither full nor minimal"):
        files.open(path, cells="full")


def test_a_plate_without_counts_is_refused(files: Files) -> None:
    def change(adata: AnnData) -> None:
        adata.X = None

    with pytest.raises(SchemaError, match="neither X"):
        files.open(files.plate(change))


def test_bad_ids_of_pubchem_are_refused(files: Files) -> None:
    for text in ("CID1923", "1923.5", "-1", "9" * 20):
        path = files.shard(partial(_with, column="pubchem_cid", values=[text]))
        with pytest.raises(SchemaError, match=r"pubchem_cid of .* which is no id of PubChem"):
            files.open(path)
