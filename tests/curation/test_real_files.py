"""What becomes of real files, figure by figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import pytest

from corpuscle.curation import CurationOptions, curate
from corpuscle.errors import CountsError, GeneMappingError, InputError, SchemaError

if TYPE_CHECKING:
    from pathlib import Path

HUMAN, MOUSE, WORM = "Homo sapiens", "Mus musculus", "Caenorhabditis elegans"

# n cells; features resolved, ambiguous, unknown; genes; organism and how it was decided; dropped
ACCEPTED: dict[str, tuple[int, tuple[int, int, int], int, str, str, dict[str, int]]] = {
    "h5ad/celegans_worm_l2_raw.h5ad": (5340, (4962, 0, 38), 4962, WORM, "genes", {}),
    "h5ad/human_a549_sciplex_dex_raw.h5ad": (500, (196, 0, 2), 196, HUMAN, "genes", {}),
    "h5ad/human_heart_cxg_messy_ontology_ids.h5ad": (318, (136, 0, 0), 136, HUMAN, "obs", {"other_organism": 2}),
    "h5ad/human_lung_cxg_valid_schema7.h5ad": (2, (7, 0, 0), 7, HUMAN, "uns", {}),
    "h5ad/human_lung_cxg_valid_schema7.labelled.h5ad": (2, (7, 0, 0), 7, HUMAN, "uns", {}),
    "h5ad/human_pbmc_10k_protein_v3_raw.h5ad": (200, (16494, 10, 223), 16472, HUMAN, "genes", {}),
    "h5ad/mouse_brain_cxg_merfish_schema5.h5ad": (1000, (1120, 0, 2), 1120, MOUSE, "obs", {}),
    "h5ad/mouse_dentategyrus_velocity_raw.h5ad": (100, (13818, 14, 81), 13815, MOUSE, "genes", {}),
    "h5ad/mouse_mpfc_starmap_raw.h5ad": (3704, (157, 1, 0), 157, MOUSE, "genes", {}),
    "tenx_h5/human_chr21_v3_filtered_feature_bc_matrix.h5": (1107, (486, 0, 21), 485, HUMAN, "genes", {}),
    "tenx_h5/mouse_visium_probe_raw.h5": (4987, (695, 0, 305), 684, MOUSE, "genes", {}),
}  # fmt: skip

REFUSED: dict[str, tuple[type[InputError], str]] = {
    "h5ad/human_oligodendroglioma_nonint_counts.h5ad": (CountsError, "0.22318 is not whole (row 0, feature 'AAMP')"),
    "h5ad/human_pbmc68k_legacy_encoding.h5ad": (CountsError, "Tried raw.X: 1.591 is not whole (row 0, feature 'PARK7'); X: -0.326 is negative (row 0, feature 'HES4')."),
    "h5ad/human_pbmc68k_reduced_scaled.h5ad": (CountsError, "Tried raw.X: 1.591 is not whole (row 0, feature 'PARK7'); X: -0.326 is negative (row 0, feature 'HES4')."),
    "h5ad/mouse_spatial_squidpy_processed.h5ad": (CountsError, "1.064092 is not whole (row 0, feature 'Cspp1')"),
    "h5ad/pertpy_smillie_celltype_counts.h5ad": (GeneMappingError, "only 2.0% of 51 are known to any organism (first feature: 'Best4+Enterocytes')"),
    "tenx_h5/human_v12_filtered_gene_bc_matrices.h5": (CountsError, "no value is above 1 (largest: 1): presence, not counts"),
    "tenx_h5/two_genomes_v12.h5": (SchemaError, "several genomes: another_genome, hg19_chr21."),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_real_file_is_curated(real_data: Path, tmp_path: Path, name: str) -> None:
    curated = curate(
        real_data / "real" / name, tmp_path / "out.h5ad", dataset="real", source_hash=""
    )
    report = curated.report
    adata: Any = anndata.read_h5ad(tmp_path / "out.h5ad")
    genes: dict[str, Any] = report.genes
    assert (
        report.n_cells,
        (genes["resolved"], genes["ambiguous"], genes["unknown"]),
        genes["genes"],
        report.organism["name"],
        report.organism["method"],
        report.dropped,
    ) == ACCEPTED[name]
    assert (adata.shape, adata.obs_names.is_unique, adata.var_names.is_monotonic_increasing) == (
        (report.n_cells, genes["genes"]),
        True,
        True,
    )
    assert float(adata.X.sum(dtype="float64")) == report.total_counts


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_file_is_refused_with_the_reason(real_data: Path, tmp_path: Path, name: str) -> None:
    error, message = REFUSED[name]
    with pytest.raises(error) as refused:
        curate(real_data / "real" / name, tmp_path / "out.h5ad", dataset="real", source_hash="")
    assert message in str(refused.value)
    assert name in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_every_real_file_is_in_one_of_the_tables(real_data: Path) -> None:
    folder = real_data / "real"
    found = [*folder.glob("h5ad/*.h5ad"), *folder.glob("tenx_h5/*.h5")]
    assert {str(path.relative_to(folder)) for path in found} == {*ACCEPTED, *REFUSED}


def test_a_genome_may_be_chosen_of_a_real_file(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "real" / "tenx_h5" / "two_genomes_v12.h5"
    options = CurationOptions(genome="hg19_chr21")
    with pytest.raises(CountsError, match="presence, not counts"):
        curate(path, tmp_path / "out.h5ad", dataset="real", source_hash="", options=options)
