from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpuscle.pipelines import Workspace

    from .conftest import Done

ACCEPTED = {
    "celegans_worm_l2_raw",
    "human_a549_sciplex_dex_raw",
    "human_heart_cxg_messy_ontology_ids",
    "human_lung_cxg_valid_schema7",
    "human_lung_cxg_valid_schema7.labelled",
    "human_pbmc_10k_protein_v3_raw",
    "mouse_brain_cxg_merfish_schema5",
    "mouse_dentategyrus_velocity_raw",
    "mouse_mpfc_starmap_raw",
}
REFUSED = {
    "human_oligodendroglioma_nonint_counts": ("counts", "is not whole (row 0, feature 'AAMP')"),
    "human_pbmc68k_legacy_encoding": ("counts", "is negative (row 0, feature 'HES4')"),
    "human_pbmc68k_reduced_scaled": ("counts", "is not whole (row 0, feature 'PARK7')"),
    "mouse_spatial_squidpy_processed": ("counts", "is not whole (row 0, feature 'Cspp1')"),
    "pertpy_smillie_celltype_counts": ("genes", "'Best4+Enterocytes'"),
}


def losses(out: str) -> list[float]:
    return [float(text) for text in re.findall(r"loss +([0-9.]+)", out)]


def test_the_demo_shows_the_refusal_the_open_labels_the_falling_loss_and_the_lineage(
    corpuscle: Callable[..., Done], workspace: Workspace
) -> None:
    done = corpuscle("demo", workspace.folder)
    assert done.code == 0
    assert "human_normalised refused (counts)" in done.out
    assert "cell_type open: 'Oligo NN' (ambiguous, 292 cells)" in done.out
    shown = losses(done.out)
    assert len(shown) == 5
    assert shown == sorted(shown, reverse=True)
    assert shown[-1] < shown[0] / 2
    assert "Model classifier@1 was fed by 21 datasets" in done.out
    for source in ("cellxgene/", "tahoe/plate1", "scbasecount/SRX", "devatlas/JAX_dataset_1"):
        assert source in done.out
    assert re.search(r"\d+ cells are left out by drop", done.out)
    assert str(workspace.folder) in done.out
    again = corpuscle("demo", workspace.folder)
    assert "demo@1 (unchanged)" in again.out
    assert losses(again.out) == shown  # the same seed gives the same training


def test_the_demo_accepts_and_refuses_the_real_files_as_it_should(
    corpuscle: Callable[..., Done], workspace: Workspace, real_data: Path
) -> None:
    done = corpuscle("demo", workspace.folder, "--data", real_data / "real" / "h5ad")
    assert done.code == 0
    out = " ".join(done.out.split())
    status = corpuscle("status", "--json").json
    assert {dataset["name"] for dataset in status["datasets"]} == ACCEPTED
    for name, (kind, reason) in REFUSED.items():
        assert f"{name} refused ({kind}): " in out
        assert f"{name}.h5ad" in out
        assert reason in out
    assert "fed by 9 datasets" in out


@pytest.mark.parametrize("words", [("--help",), ("ingest", "--help"), ("lineage", "--help")])
def test_help_is_there(corpuscle: Callable[..., Done], words: tuple[str, ...]) -> None:
    done = corpuscle(*words)
    assert (done.code, done.err) == (0, "")
    assert "corpuscle" in done.out
