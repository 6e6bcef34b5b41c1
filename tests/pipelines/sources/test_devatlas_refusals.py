"""Files that are not as the publisher describes them: each is refused by name."""

from __future__ import annotations

import gzip
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from corpuscle.curation import curate
from corpuscle.errors import CountsError, InputError, SchemaError
from corpuscle.pipelines.examples._devatlas import write_devatlas
from corpuscle.pipelines.sources import Wanted, get_source
from corpuscle.pipelines.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

RUN = ("gene_count.run_20.mtx.gz", "cell_annotation.run_20.csv.gz", "gene_annotation.csv.gz")
SERIES = "GSE186nnn/GSE186069/suppl/GSE186069_"
EARLIER = ("gene_count.mtx.gz", "cell_annotate.csv.gz", "gene_annotate.csv.gz")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("devatlas")
    write_devatlas(folder)
    return folder


@pytest.fixture
def mirror(example: Path, tmp_path: Path) -> Path:
    shutil.copytree(example, tmp_path, dirs_exist_ok=True)
    return tmp_path


def curate_one(mirror: Path, form: str, id_: str) -> None:
    source = get_source("devatlas")(
        Transfer(cache=mirror / "cache"), at=str(mirror), options={"form": form}
    )
    (dataset,) = source.datasets(Wanted(ids=(id_,)))
    with source.fetch(dataset) as fetched:
        opened = source.open(dataset, [file.path for file in fetched])
        curate(opened, mirror / "out.h5ad", dataset=dataset.key, source_hash="")


def change(file: Path, how: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    import pandas as pd

    table = how(pd.read_csv(file, dtype=str, keep_default_na=False))
    table.to_csv(file, index=False)


def change_text(file: Path, how: Callable[[str], str]) -> None:
    file.write_bytes(gzip.compress(how(gzip.decompress(file.read_bytes()).decode()).encode()))


def setting(column: str, value: str, row: int = 3) -> Callable[[Any], Any]:
    def changed(table: Any) -> Any:
        table[column] = table[column].where(table.index != row, value)
        return table

    return changed


@pytest.mark.parametrize(
    ("place", "how", "words"),
    [
        (1, lambda t: t.iloc[:-1], "has 80 cells, and .*run_20.* describes 79"),
        (2, lambda t: t.iloc[1:], r"has 1,204 genes, and .*gene_annotation.* describes 1,203"),
        (1, lambda t: t.drop(columns="cell_id"), "no column 'cell_id'"),
        (1, lambda t: t.drop(columns=["day", "embryo_id"]), "no day, embryo_id: it has cell_id"),
        (2, lambda t: t.drop(columns="gene_type"), "no gene_type"),
        (2, lambda t: t.drop(columns="gene_ID"), "no column 'gene_ID'"),
        (1, lambda t: t.assign(cell_id="one"), "names 1 rows"),
        (2, setting("gene_ID", "NA"), "missing or repeat"),
        (1, setting("somite_count", "many"), "'many', and was expected to hold '12 somites'"),
        (1, setting("somite_count", "-3 somites"), "'-3 somites'"),
        (1, lambda t: t.assign(day="E15.5", somite_count="3 somites"), "day E15.5 has 3 somites"),
        (
            1,
            lambda t: t.assign(celltype_update="other"),
            "both celltype_update and celltype_udpate",
        ),
        (1, lambda t: t.assign(stage="?"), "columns stage already"),
        (1, lambda t: t.assign(donor_id="d", n_somites="3"), "columns donor_id, n_somites already"),
        (1, setting("log2_umi", "much"), "'log2_umi' of .* holds 'much'"),
    ],
)
def test_tables_that_do_not_fit_a_run_are_refused(
    mirror: Path, place: int, how: Callable[[Any], Any], words: str
) -> None:
    file = mirror / "mtx" / RUN[place]
    change(file, how)
    with pytest.raises(SchemaError, match=words) as caught:
        curate_one(mirror, "mtx", "run_20")
    assert file.name in str(caught.value)
    assert caught.value.details
    assert not (mirror / "out.h5ad").exists()


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        (lambda text: text.replace("1204 80 ", "80 1204 ", 1), SchemaError, "1,204 cells"),
        (lambda text: text[: len(text) // 2], SchemaError, "gene_count"),
        (
            lambda text: text.replace("integer", "real").replace(" 1\n", " 0.5\n"),
            InputError,
            "gene_count",
        ),
        (
            lambda text: text.replace("coordinate integer general", "array real general"),
            InputError,
            "gene_count",
        ),
        (lambda text: text + "1 1 1\n", SchemaError, "gene_count"),
        (lambda text: text.replace(" 1\n", " -1\n"), CountsError, "gene_count"),
        (lambda text: text.replace(" 1\n", " one\n", 1), SchemaError, "gene_count"),
        (lambda text: text.replace("\n1204 ", "\n99999999999 ", 1), SchemaError, "gene_count"),
    ],
    ids=["turned", "cut", "half", "dense", "more", "negative", "text", "huge"],
)
def test_matrices_that_are_no_counts_are_refused(
    mirror: Path, how: Callable[[str], str], error: type[InputError], words: str
) -> None:
    change_text(mirror / "mtx" / RUN[0], how)
    with pytest.raises(error, match=words):
        curate_one(mirror, "mtx", "run_20")
    assert not (mirror / "out.h5ad").exists()


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        ("df_cell.csv", lambda t: t.iloc[:150], "lacks 10 of 40 rows, by 'cell_id'"),
        ("df_cell.csv", setting("day", "E9.0", 159), "contradict each other in 'day' of 1 rows"),
        ("df_cell.csv", setting("embryo_id", "NA", 159), "in 'embryo_id' of 1 rows"),
        ("df_cell.csv", lambda t: t.assign(cell_id=t.iloc[:, 0]), "lacks 40 of 40 rows"),
        ("df_cell.csv", setting("log2_umi", "much", 159), "'much' in place of a number"),
        ("df_gene.csv", setting("gene_short_name", "Wrong", 7), "in 'gene_short_name' of 1 rows"),
        ("df_gene.csv", lambda t: t.iloc[1:], "lacks 1 of 1,200 rows, by 'gene_id'"),
        ("df_gene.csv", lambda t: t.drop(columns="gene_id"), "no column 'gene_id'"),
    ],
)
def test_tables_that_contradict_an_anndata_file_are_refused(
    mirror: Path, name: str, how: Callable[[Any], Any], words: str
) -> None:
    change(mirror / "adata" / name, how)
    with pytest.raises(SchemaError, match=words) as caught:
        curate_one(mirror, "h5ad", "JAX_dataset_4")
    assert name in str(caught.value)


def test_row_that_no_cell_of_the_file_has_is_no_matter(mirror: Path) -> None:
    change(mirror / "adata" / "df_cell.csv", setting("day", "?", 0))
    curate_one(mirror, "h5ad", "JAX_dataset_4")
    assert (mirror / "out.h5ad").exists()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda obs: obs.drop(columns="cell_id"), "no cell_id"),
        (lambda obs: obs.drop(columns=["day", "embryo_id"]), "no day, embryo_id"),
        (lambda obs: obs.assign(cell_id="one"), "two of the same"),
        (lambda obs: obs.assign(suspension_type="cell"), "columns suspension_type already"),
    ],
    ids=["no id", "no day", "same id", "taken"],
)
def test_anndata_file_with_other_columns_is_refused(
    mirror: Path, how: Callable[[Any], Any], words: str
) -> None:
    import anndata

    path = mirror / "adata" / "adata_JAX_dataset_4.h5ad"
    adata = anndata.read_h5ad(path)
    adata.obs = how(adata.obs)
    adata.write_h5ad(path)
    with pytest.raises(SchemaError, match=words) as caught:
        curate_one(mirror, "h5ad", "JAX_dataset_4")
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (setting("removed_by_low_quality_or_doublets", "Maybe"), "'Maybe', and not Yes or No"),
        (setting("removed_by_low_quality_or_doublets", "NA"), "not Yes or No"),
        (lambda t: t.drop(columns="removed_by_low_quality_or_doublets"), "no removed_by"),
        (lambda t: t.drop(columns="sample"), "no column 'sample'"),
        (setting("UMI_count", "many"), "'many' in place of a number"),
    ],
)
def test_tables_that_do_not_fit_the_earlier_set_are_refused(
    mirror: Path, how: Callable[[Any], Any], words: str
) -> None:
    change(mirror / f"{SERIES}{EARLIER[1]}", how)
    with pytest.raises(SchemaError, match=words):
        curate_one(mirror, "gse186069", "GSE186069")


def test_versions_of_gene_ids_are_no_matter(mirror: Path) -> None:
    change(mirror / "mtx" / RUN[2], lambda t: t.assign(gene_ID=t["gene_ID"] + ".7"))
    curate_one(mirror, "mtx", "run_20")
    assert (mirror / "out.h5ad").exists()
