"""The real tables of scBaseCount, with all the problems that they are known to have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest

from corpuscle.errors import SchemaError
from corpuscle.ontologies import get_organism
from corpuscle.pipelines.sources import SourceDataset, Wanted
from corpuscle.pipelines.sources._scbasecount_table import read_samples
from corpuscle.pipelines.sources._scbasecount_words import kind_of_missing

from .scbasecount_mirror import listed

if TYPE_CHECKING:
    from pathlib import Path

pc: Any = pyarrow.compute
HUMAN = "metadata/GeneFull_Ex50pAS/Homo_sapiens/sample_metadata.parquet"


@pytest.fixture(scope="module")
def real(real_data: Path) -> pa.Table:
    name = "full_sample_metadata_2025-02-25_Velocyto.parquet"
    return pq.read_table(real_data / "real" / "scbasecount" / name)


@pytest.fixture(scope="module")
def mirror(real: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real table as the publisher lays it out: one per organism."""
    folder = tmp_path_factory.mktemp("mirror")
    for organism in real["organism"].unique().to_pylist():
        place = folder / "2025-02-25" / "metadata" / "Velocyto" / organism.replace(" ", "_")
        place.mkdir(parents=True)
        rows = real.filter(pc.equal(real["organism"], organism))
        pq.write_table(rows, place / "sample_metadata.parquet")
    return folder


@pytest.fixture(scope="module")
def samples(mirror: Path) -> dict[str, SourceDataset]:
    return listed(mirror, "2025-02-25", feature="Velocyto")


def test_all_27254_real_samples_are_listed_in_seconds(mirror: Path) -> None:
    listed(mirror, "2025-02-25", Wanted(organism="NCBITaxon:9940"), feature="Velocyto")
    before = time.perf_counter()
    assert len(listed(mirror, "2025-02-25", feature="Velocyto")) == 27_254
    assert time.perf_counter() - before < 20


def test_real_paths_are_rebuilt_where_the_files_are_now(
    samples: dict[str, SourceDataset], mirror: Path, real: pa.Table
) -> None:
    assert pc.all(pc.starts_with(real["file_path"], "gs://arc-ctc-scbasecamp/")).as_py()
    (file,) = samples["SRX19366046"].files
    assert file.url == f"{mirror}/2025-02-25/h5ad/Velocyto/Arabidopsis_thaliana/SRX19366046.h5ad"
    assert not any("arc-ctc" in d.files[0].url for d in samples.values())


def test_real_czi_columns_are_of_type_null_and_no_sample_has_links(
    samples: dict[str, SourceDataset], real: pa.Table
) -> None:
    assert real.schema.field("czi_collection_id").type == pa.null()
    assert not any(dataset.links for dataset in samples.values())


def test_real_row_numbers_repeat_and_are_left_out(
    samples: dict[str, SourceDataset], real: pa.Table
) -> None:
    assert len(real["__index_level_0__"].unique()) < real.num_rows
    assert "__index_level_0__" not in samples["SRX19366046"].extra["sample"]


def test_real_spellings_of_missing_all_say_nothing(real: pa.Table) -> None:
    spellings = (
        *("N/A", "NA", "None", "Not applicable", "Not specified", "n/a", "none", "not applicable"),
        *("not available", "not mentioned", "not provided", "not specified", "not_applicable"),
        *("not_specified", "null", "other", "unknown", "unsure"),
    )
    columns = ("tissue", "disease", "perturbation", "cell_line", "cell_prep", "tech_10x")
    texts = {str(t) for name in columns for t in real[name].unique().to_pylist()}
    assert set(spellings) <= texts | {"NA", "null"}
    assert all(kind_of_missing(text) for text in spellings)
    not_applicable = {text for text in texts if kind_of_missing(text) == "na"}
    assert not_applicable == {"Not applicable", "not applicable", "not_applicable"}


def test_real_distinct_words_are_as_many_as_stated(real: pa.Table) -> None:
    counts = {name: len(real[name].unique()) for name in ("disease", "perturbation", "cell_line")}
    assert counts == {"disease": 5_942, "perturbation": 11_419, "cell_line": 8_468}
    assert len(real["tissue"].unique()) == 75


def test_real_tissues_have_terms_unless_they_say_nothing_or_are_of_plants(
    samples: dict[str, SourceDataset],
) -> None:
    plants = {"NCBITaxon:3702", "NCBITaxon:4577", "NCBITaxon:39947"}
    mammals = {"NCBITaxon:9606", "NCBITaxon:10090"}  # fly and fish have an eye of their own
    without = {
        dataset.extra["sample"]["tissue"]
        for dataset in samples.values()
        if "tissue" not in dataset.terms and dataset.terms["organism"][0] in mammals
    }
    assert without == {"other"}
    of_plants = [d for d in samples.values() if d.terms["organism"][0] in plants]
    assert len(of_plants) == 175 + 33 + 31
    assert not any("tissue" in dataset.terms for dataset in of_plants)


def test_real_samples_of_several_tissues_are_found_by_each(
    samples: dict[str, SourceDataset],
) -> None:
    both = [d for d in samples.values() if d.extra["sample"]["tissue"] == "liver;bone marrow"]
    assert len(both) == 40
    assert {d.terms["tissue"] for d in both} == {("UBERON:0002107", "UBERON:0002371")}


def test_real_libraries_that_are_no_expression_are_listed_with_the_reason(
    samples: dict[str, SourceDataset],
) -> None:
    reasons = {
        tech: sum(f"tech_10x is '{tech}'" in dataset.skip for dataset in samples.values())
        for tech in ("vdj", "feature_barcoding", "3_prime_gex", "5_prime_gex", "multiome")
    }
    assert list(reasons.values()) == [514, 310, 0, 0, 0]


def test_real_organisms_without_genes_are_listed_with_what_to_do(
    samples: dict[str, SourceDataset],
) -> None:
    skipped = [d for d in samples.values() if "add-genes" in d.skip]
    names = {get_organism(dataset.terms["organism"][0]).name for dataset in skipped}
    assert names == {
        *("Arabidopsis thaliana", "Bos taurus", "Gallus gallus", "Heterocephalus glaber"),
        *("Oryza sativa Japonica Group", "Ovis aries", "Zea mays"),
    }
    assert "corpuscle references add-genes --organism NCBITaxon:3702" in samples["SRX19366046"].skip


def test_real_small_samples_are_listed_with_their_cells(samples: dict[str, SourceDataset]) -> None:
    counts = [dataset.n_cells for dataset in samples.values() if dataset.n_cells is not None]
    assert (len(counts), min(counts), max(counts)) == (27_254, 1, 151_759)
    assert sum(count < 100 for count in counts) == 411


def test_real_disease_is_no_term_of_a_sample_unless_it_is_asked_for(
    samples: dict[str, SourceDataset], mirror: Path
) -> None:
    assert not any("disease" in dataset.terms for dataset in samples.values())
    pig = Wanted(organism="NCBITaxon:9823")
    chosen = listed(mirror, "2025-02-25", pig, feature="Velocyto", disease="study")
    assert any("disease" in dataset.terms for dataset in chosen.values())
    assert all(d.version.endswith("/disease=study") for d in chosen.values())


def test_real_table_of_maize_is_read_as_it_is(real_data: Path) -> None:
    path = real_data / "real" / "scbasecount" / "sample_metadata_Zea_mays.parquet"
    table = read_samples(path.read_bytes(), str(path), feature="Velocyto")
    assert table.num_rows == 33
    with pytest.raises(SchemaError, match="Velocyto only, not of Gene"):
        read_samples(path.read_bytes(), str(path), feature="Gene")
