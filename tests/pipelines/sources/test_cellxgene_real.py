"""Real files of CELLxGENE behind records made by hand: listed, fetched, opened, curated."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import anndata
import pytest

from corpuscle.errors import SchemaError

from .cellxgene_mirror import Mirror, decision

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("assay", "cell_type", "development_stage", "disease", "sex", "tissue", "organism")


@pytest.fixture
def real(real_data: Path, tmp_path: Path) -> Any:
    """Put a real file behind a record."""

    def put(name: str, taxa: list[str], **changes: Any) -> Mirror:
        (tmp_path / "mirror" / "files").mkdir(parents=True)
        path = tmp_path / "mirror" / "files" / "v1.h5ad"
        shutil.copyfile(real_data / "real" / "h5ad" / f"{name}.h5ad", path)
        adata = anndata.read_h5ad(path)
        record: dict[str, Any] = {
            "dataset_id": "d1",
            "dataset_version_id": "v1",
            "collection_id": "c1",
            "title": adata.uns.get("title"),
            "schema_version": adata.uns.get("schema_version", "5.0.0"),
            "cell_count": adata.n_obs,
            "processing_status": "SUCCESS",
            "raw_data_location": "X" if adata.raw is None else "raw.X",
            "organism": [{"ontology_term_id": taxon, "label": None} for taxon in taxa],
            "assets": [
                {"filetype": "H5AD", "filesize": path.stat().st_size, "url": "files/v1.h5ad"}
            ],
        }
        for field in FIELDS[:-1]:
            ids = sorted(set(adata.obs[f"{field}_ontology_term_id"].astype(str)))
            record[field] = [{"ontology_term_id": i, "label": None} for i in ids]
        mirror = Mirror(tmp_path / "mirror", tmp_path / "cache")
        mirror.write("datasets", [{**record, **changes}])
        return mirror

    return put


def _curate(mirror: Mirror) -> tuple[Any, Any]:
    (dataset,) = mirror.datasets()
    return mirror.curate("", dataset)


def test_a_file_as_the_portal_writes_it(real: Any) -> None:
    adata, curated = _curate(real("human_lung_cxg_valid_schema7.labelled", ["NCBITaxon:9606"]))
    assert (adata.shape, curated.report.counts_from) == ((2, 7), "raw.X")
    assert curated.report.organism["method"] == "uns"
    assert adata.obs["author_observation_joinid"].tolist() == ["ab6yl9v%fZ", "f-dZLjjiRl"]
    record = json.loads(adata.uns["cellxgene_record"])
    assert (record["schema_version"], record["differs"]) == ("7.1.0", [])


def test_a_file_that_the_portal_has_not_labelled(real: Any) -> None:
    mirror = real("human_lung_cxg_valid_schema7", ["NCBITaxon:9606"], schema_version="7.0.0")
    adata, _ = _curate(mirror)
    record = json.loads(adata.uns["cellxgene_record"])
    assert (record["schema_version"], record["schema_version_from"]) == ("6.0", "structure")
    assert set(adata.obs["cell_type"]) == {"epithelial cell"}


def test_a_spatial_file_of_schema_5_with_positional_names(real: Any) -> None:
    adata, curated = _curate(real("mouse_brain_cxg_merfish_schema5", ["NCBITaxon:10090"]))
    assert adata.n_obs == 1_000
    assert (curated.report.counts_from, curated.report.organism["method"]) == ("X", "obs")
    assert set(adata.obs["self_reported_ethnicity_ontology_term_id"]) == {"na"}
    assert set(adata.obs["tissue_type"]) == {"tissue"}
    assert adata.obs["author_observation_joinid"].iloc[0] == "v@l<~)%koW"
    assert curated.report.labels["cell_type"]["open"] == []


def test_a_file_with_broken_ids_keeps_what_it_cannot_map_open(real: Any) -> None:
    taxa = ["NCBITaxon:9606", "NCBITaxon:10090", "NCBITaxon:9483"]
    mirror = real("human_heart_cxg_messy_ontology_ids", taxa)
    (dataset,) = mirror.datasets()
    assert "CL:12312" in dataset.terms["cell_type"]
    adata, curated = _curate(mirror)
    assert (adata.n_obs, curated.report.dropped) == (318, {"other_organism": 2})
    row = decision(curated, "cell_type", "PATO:0000461")
    assert (row["outcome"], row["method"]) == ("unmapped", "wrong_vocabulary")
    row = decision(curated, "assay", "EFO:0009922 (sci-plex)")
    assert (row["outcome"], row["candidates"]) == ("ambiguous", "EFO:0009922")
    row = decision(curated, "tissue_type", "cell culture")
    assert (row["object_id"], row["method"]) == ("primary cell culture", "schema_migration")


def test_a_real_file_behind_the_wrong_record_is_refused(real: Any) -> None:
    mirror = real("human_lung_cxg_valid_schema7.labelled", ["NCBITaxon:10090"], cell_count=3)
    with pytest.raises(SchemaError, match=r"2 cells in obs, and its record says 3; uns\['organism"):
        _curate(mirror)
