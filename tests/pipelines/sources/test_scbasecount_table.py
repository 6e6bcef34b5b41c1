"""Tables of samples: what is listed of them, and what may be wrong with one."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest

from corpuscle.errors import NotFoundError, SchemaError, TransferError
from corpuscle.ontologies import get_organism
from corpuscle.pipelines.examples._scbasecount import write_scbasecount
from corpuscle.pipelines.examples._scbasecount_samples import COLLECTION
from corpuscle.pipelines.sources import SourceDataset, Wanted
from corpuscle.pipelines.sources._scbasecount import FOLDERS
from corpuscle.pipelines.sources._scbasecount_table import read_samples

from .scbasecount_mirror import listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pc: Any = pyarrow.compute
HUMAN = "metadata/GeneFull_Ex50pAS/Homo_sapiens/sample_metadata.parquet"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scbasecount")
    write_scbasecount(folder)
    return folder


# --- what is listed


def test_every_folder_is_an_organism_we_know() -> None:
    taxa = [get_organism(folder).taxon_id for folder in FOLDERS["2026-01-12"]]
    assert len(set(taxa)) == 27
    assert len(FOLDERS["2025-02-25"]) == 21
    assert set(FOLDERS["2025-02-25"]) < set(FOLDERS["2026-01-12"])
    assert get_organism("Gorilla_gorilla").taxon_id == "NCBITaxon:9595"
    assert get_organism("Oryza_sativa").taxon_id == "NCBITaxon:39947"


def test_release_and_feature_are_the_version_and_the_accession_the_key(example: Path) -> None:
    new, old = listed(example), listed(example, "2025-02-25", feature="Velocyto")
    both = [found["SRX99000101"] for found in (new, old)]
    assert [d.key for d in both] == ["scbasecount/SRX99000101"] * 2
    assert [d.version for d in both] == ["2026-01-12/GeneFull_Ex50pAS", "2025-02-25/Velocyto"]
    assert [str(dataset.released) for dataset in both] == ["2026-01-12", "2025-02-25"]


def test_samples_of_a_czi_collection_say_so_whatever_their_accession(example: Path) -> None:
    found = listed(example)
    linked = [name for name, dataset in found.items() if dataset.links]
    assert linked == ["SRX99000102", "NRX0000104"]
    assert found["NRX0000104"].links == (f"cellxgene:collection:{COLLECTION}",)
    assert not found["NRX0000104"].skip


def test_a_row_that_is_there_twice_is_listed_once(example: Path) -> None:
    assert len(listed(example, "2025-02-25", feature="Velocyto")) == 5


def test_ids_of_animals_on_plants_are_no_terms(example: Path) -> None:
    assert "tissue" not in listed(example)["SRX99000301"].terms


def test_valid_ids_come_before_words_and_several_are_taken_apart(example: Path) -> None:
    found = listed(example)
    assert found["SRX99000101"].terms["tissue"] == ("UBERON:0000178",)
    assert found["NRX0000104"].terms["tissue"] == ("UBERON:0000170", "UBERON:0039167")
    assert found["SRX99000102"].terms["tissue"] == ("UBERON:0000178",)


def test_nothing_is_read_for_a_release_that_is_too_new(tmp_path: Path) -> None:
    import datetime

    wanted = Wanted(released_before=datetime.date(2025, 2, 25))
    assert listed(tmp_path / "nowhere", wanted=wanted) == {}


def test_organisms_without_a_table_are_named_in_the_log(
    example: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    listed(example)
    assert "Bos_taurus" in caplog.text


def test_a_feature_without_tables_is_named(example: Path) -> None:
    with pytest.raises(NotFoundError, match="no tables of GeneFull_ExonOverIntron"):
        listed(example, feature="GeneFull_ExonOverIntron")


# --- what may be wrong with a table


@pytest.fixture
def changed(example: Path, tmp_path: Path) -> Callable[..., dict[str, SourceDataset]]:
    """List samples of people after a change to their table."""

    def make(change: Callable[[pa.Table], pa.Table]) -> dict[str, SourceDataset]:
        path = tmp_path / "2026-01-12" / HUMAN
        path.parent.mkdir(parents=True)
        pq.write_table(change(pq.read_table(example / "2026-01-12" / HUMAN)), path)
        return listed(tmp_path)

    return make


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    column = values if isinstance(values, pa.Array) else pa.array(values)
    return table.set_column(table.column_names.index(name), name, column)


def with_value(table: pa.Table, name: str, value: Any) -> pa.Table:
    """Change the first row."""
    return with_column(table, name, [value, *table[name].to_pylist()[1:]])


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        pytest.param("obs_count", ["48"] * 4, "obs_count .* string, not whole", id="text-counts"),
        pytest.param("obs_count", [48.5] * 4, "obs_count .* double, not whole", id="fractions"),
        pytest.param("tissue", [1, 2, 3, 4], "tissue .* int64, not text", id="numbers-as-words"),
        pytest.param("tech_10x", [b"x"] * 4, "tech_10x .* binary, not text", id="bytes"),
        pytest.param("disease", [["x"]] * 4, "disease .* list.*, not text", id="lists"),
        pytest.param(
            "srx_accession",
            ["../../../etc/passwd", "SRX1", "SRX2", "SRX3"],
            r"1 of 4 values of srx_accession .* '\.\./\.\./",
            id="a-path-as-accession",
        ),
        pytest.param("srx_accession", [None, "SRX1", "SRX2", "SRX3"], "None", id="no-accession"),
        pytest.param("srx_accession", ["GSM1", "SRX1", "SRX2", "SRX3"], "GSM1", id="of-geo"),
        pytest.param("srx_accession", ["SRX1\n", "SRX1", "SRX2", "SRX3"], "SRX1", id="line-feed"),
        pytest.param(
            "organism", ["Mus musculus"] * 4, "Every row .* 'Mus musculus'", id="foreign-table"
        ),
        pytest.param(
            "file_path", ["gs://b/r/h5ad/Gene/Homo_sapiens/x.h5ad"] * 4, "Every row", id="paths"
        ),
    ],
)
def test_wrong_columns_are_refused_by_name(
    changed: Any, column: str, values: Any, message: str
) -> None:
    with pytest.raises(SchemaError, match=f"(?s){message}") as caught:
        changed(lambda table: with_column(table, column, values))
    assert "sample_metadata.parquet" in str(caught.value)


@pytest.mark.parametrize("column", ["srx_accession", "tech_10x", "organism", "czi_collection_id"])
def test_a_missing_column_is_named(changed: Any, column: str) -> None:
    with pytest.raises(SchemaError, match=f"has no column {column}.*It has entrez_id") as caught:
        changed(lambda table: table.drop_columns([column]))
    assert caught.value.details["missing"] == [column]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(lambda whole: whole[:-100], "cannot be read as parquet", id="cut"),
        pytest.param(lambda _: b"", "cannot be read as parquet", id="empty"),
        pytest.param(lambda _: b"<html>403</html>" * 9, "cannot be read as parquet", id="a-page"),
        pytest.param(lambda w: w[:200] + b"\0" * 60 + w[260:], "gs://x", id="flipped"),
    ],
)
def test_a_damaged_table_is_refused(example: Path, data: Any, message: str) -> None:
    whole = (example / "2026-01-12" / HUMAN).read_bytes()
    with pytest.raises(SchemaError, match=message) as caught:
        read_samples(data(whole), "gs://x/sample_metadata.parquet", feature="GeneFull_Ex50pAS")
    assert "gs://x/sample_metadata.parquet" in str(caught.value)


def test_columns_of_the_same_name_are_refused(example: Path) -> None:
    table = pq.read_table(example / "2026-01-12" / HUMAN)
    twice = io.BytesIO()
    pq.write_table(table.append_column("tissue", table["disease"]), twice)
    with pytest.raises(SchemaError, match="same name"):
        read_samples(twice.getvalue(), "x", feature="GeneFull_Ex50pAS")


def test_a_table_that_would_not_fit_in_memory_is_refused(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (example / "2026-01-12" / HUMAN).read_bytes()
    monkeypatch.setattr("corpuscle.pipelines.sources._scbasecount_table.TABLE_BYTES", 1_000)
    with pytest.raises(SchemaError, match="more than 1,000"):
        read_samples(data, "x", feature="GeneFull_Ex50pAS")


def test_a_file_too_large_for_a_table_is_not_read(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpuscle.pipelines.sources._scbasecount.TABLE_BYTES", 1_000)
    with pytest.raises(TransferError, match="larger than 1,000 bytes"):
        listed(example)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        pytest.param("organism", "Mus musculus", "it stands among Homo sapiens", id="organism"),
        pytest.param(
            "file_path",
            "gs://old/2025-02-25/h5ad/GeneFull_Ex50pAS/Homo_sapiens/SRX7.h5ad",
            "its file_path is",
            id="accession-in-path",
        ),
        pytest.param(
            "file_path",
            "gs://old/2025-02-25/h5ad/Gene/Homo_sapiens/SRX99000101.h5ad",
            "its file_path is",
            id="feature-in-path",
        ),
        pytest.param(
            "file_path",
            "gs://old/h5ad/GeneFull_Ex50pAS/Mus_musculus/SRX99000101.h5ad",
            "its file_path is",
            id="folder-in-path",
        ),
        pytest.param("file_path", "see the paper", "its file_path is", id="no-path"),
        pytest.param("obs_count", 0, "its obs_count is 0", id="no-cells"),
        pytest.param("obs_count", -5, "its obs_count is -5", id="negative-cells"),
        pytest.param("czi_collection_id", "../x", "'../x', no UUID", id="collection"),
        pytest.param("tech_10x", "atac", "reads chromatin", id="atac"),
        pytest.param("tech_10x", "cellplex", "tags of samples", id="cellplex"),
        pytest.param("tech_10x", "flex", "told apart by their probes", id="flex"),
        pytest.param("tech_10x", "fixed_rna", "told apart by their probes", id="fixed-rna"),
        pytest.param("tech_10x", "vdj", "receptors", id="vdj"),
        pytest.param("tech_10x", "feature_barcoding", "antibodies", id="feature-barcoding"),
        pytest.param("tech_10x", "not_applicable", "nothing says", id="not-applicable"),
        pytest.param("tech_10x", "other", "nothing says", id="other"),
        pytest.param("tech_10x", None, "tech_10x is None", id="no-technology"),
    ],
)
def test_a_row_that_cannot_be_right_costs_its_sample_alone(
    changed: Any, column: str, value: Any, reason: str
) -> None:
    found = changed(lambda table: with_value(table, column, value))
    assert reason in found["SRX99000101"].skip
    assert not found["SRX99000102"].skip


def test_rows_of_one_accession_that_differ_are_listed_once_and_not_taken(changed: Any) -> None:
    def twice(table: pa.Table) -> pa.Table:
        first = with_column(table.slice(0, 1), "tissue", ["kidney"])
        return pa.concat_tables([table, first])

    found = changed(twice)
    assert found["SRX99000101"].skip == ("the table has it more than once, and differently: tissue")
    assert len(found) == 4


def test_an_accession_of_two_organisms_is_taken_of_the_first(example: Path, tmp_path: Path) -> None:
    folder = tmp_path / "2026-01-12" / "metadata" / "GeneFull_Ex50pAS"
    people = pq.read_table(example / "2026-01-12" / HUMAN).drop_columns(["file_path"])
    for name in ("Homo_sapiens", "Mus_musculus"):
        (folder / name).mkdir(parents=True)
        table = with_column(people, "organism", [name.replace("_", " ")] * 4)
        pq.write_table(table, folder / name / "sample_metadata.parquet")
    mouse = Wanted(organism="NCBITaxon:10090")
    assert "also in the table of Homo_sapiens" in listed(tmp_path)["SRX99000101"].skip
    assert not listed(tmp_path, wanted=mouse)["SRX99000101"].skip


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda t: t.rename_columns(
                ["SRX_accession" if n == "srx_accession" else n for n in t.column_names]
            ),
            id="upper-case-accession",
        ),
        pytest.param(lambda t: t.drop_columns(["file_path"]), id="no-paths"),
        pytest.param(
            lambda t: t.append_column("single_disease_confidence", pa.array(["high"] * 4)),
            id="a-new-column",
        ),
        pytest.param(
            lambda t: t.append_column("scores", pa.array([[1.5]] * 4)), id="a-new-column-of-lists"
        ),
        pytest.param(
            lambda t: with_column(t, "perturbation", pa.array([None] * 4, pa.float64())),
            id="missing-as-numbers",
        ),
        pytest.param(
            lambda t: with_column(t, "tissue", t["tissue"].combine_chunks().dictionary_encode()),
            id="categories",
        ),
        pytest.param(
            lambda t: with_column(
                t, "tissue", t["tissue"].combine_chunks().cast(pa.large_string())
            ),
            id="large-texts",
        ),
        pytest.param(
            lambda t: with_column(t, "obs_count", pa.array([48, 48, 48, None], pa.int32())),
            id="unknown-count",
        ),
        pytest.param(lambda t: t.select(sorted(t.column_names)), id="another-order"),
        pytest.param(lambda t: t.slice(0, 0), id="no-rows"),
    ],
)
def test_unusual_tables_are_read(changed: Any, change: Any) -> None:
    import json

    found = changed(change)
    assert [name for name, dataset in found.items() if dataset.skip] == ["SRX99000103"][
        : len(found)
    ]
    json.dumps([dict(dataset.extra) for dataset in found.values()])


def test_rows_of_other_features_in_a_merged_table_are_passed_over(changed: Any) -> None:
    features = pa.array(["GeneFull_Ex50pAS", "Gene", None, "Velocyto"])
    found = changed(lambda table: table.append_column("feature_type", features))
    assert list(found) == ["SRX99000101", "SRX99000103"]
