from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from corpuscle.ontologies.fit_label_model import (
    best_of,
    fit,
    folds_of,
    gather,
    out_of_sample,
    read_gold,
)
from corpuscle.ontologies.label_features import FEATURES
from corpuscle.ontologies.label_model import MODEL_PATH, LabelModel, label_model

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {
    "T cells": "CL:0000084",
    "B cells": "CL:0000236",
    "NK cells": "CL:0000623",
    "Macrophages 1": "CL:0000235",
    "Fibroblasts": "CL:0000057",
    "mast": "CL:0000097",
    "hepatocytes": "CL:0000182",
    "Neurons": "CL:0000540",
    "astro": "CL:0000127",
    "pericytes": "CL:0000669",
}


@pytest.fixture
def gold_folder(tmp_path: Path) -> Path:
    """Ten datasets in which curators mapped some of the same labels."""
    rows = [
        {
            "field": "cell_type",
            "label": f"{label}{'' if study % 2 else '_2'}",
            "organism": "NCBITaxon:9606",
            "tissue": "lung" if study % 3 else "",
            "gold_id": term,
            "origin": f"sfaira:study{study}/x.tsv",
        }
        for study in range(10)
        for label, term in LABELS.items()
    ]
    folder = tmp_path / "gold"
    folder.mkdir()
    pd.DataFrame(rows).to_csv(folder / "made.tsv", sep="\t", index=False)
    (folder / "README.tsv").write_text("file\tnotes\n", encoding="utf-8")
    return folder


def test_trees_as_tables_score_as_trees_do() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    features = rng.normal(size=(3_000, len(FEATURES))).astype(np.float32)
    truth = features[:, 0] * features[:, 1] + rng.normal(size=3_000) > 0
    fitted: Any = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8, random_state=0)
    fitted.fit(features, truth)
    model = LabelModel.from_trees(
        fitted, FEATURES, [(np.array([0.0, 1.0]), np.array([0.0, 1.0]))] * 2
    )
    np.testing.assert_allclose(
        model.score(features), fitted.predict_proba(features)[:, 1], rtol=1e-6
    )


def test_shipped_model_knows_the_features_of_this_code() -> None:
    assert label_model().features == FEATURES
    assert (np.diff(label_model().confidence_at, axis=1) >= 0).all()


def test_model_survives_saving_and_gives_the_same_bytes(tmp_path: Path) -> None:
    label_model().save(tmp_path / "a.npz")
    label_model().save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert LabelModel.load(tmp_path / "a.npz").features == FEATURES


def test_gold_is_read_by_dataset_and_tables_of_other_things_are_passed_over(
    gold_folder: Path,
) -> None:
    gold = read_gold(gold_folder)
    assert (len(gold), gold["dataset"].nunique(), set(gold["set"])) == (100, 10, {"made"})


def test_own_dataset_is_never_in_the_memory_it_is_asked_with(gold_folder: Path) -> None:
    gold = read_gold(gold_folder)
    only = gold[gold["dataset"] == "study1"].reset_index(drop=True)
    examples = gather(only, only.index, with_memory=True)
    assert not examples.features[:, FEATURES.index("has_memory")].any()


def test_a_dataset_is_in_one_fold(gold_folder: Path) -> None:
    gold = read_gold(gold_folder)
    folds = pd.Series(folds_of(gold)).groupby(gold["dataset"]).nunique()
    assert (folds == 1).all()


@pytest.mark.slow
def test_model_learns_from_a_folder_of_mapped_labels(gold_folder: Path, tmp_path: Path) -> None:
    gold = read_gold(gold_folder)
    examples = gather(gold, gold.index, with_memory=True)
    scores, _ = out_of_sample(gold, [examples])
    assert best_of(examples, scores[0])["is_right"].mean() > 0.9
    fit(gold_folder, tmp_path / "model.npz")
    assert LabelModel.load(tmp_path / "model.npz").features == FEATURES


def test_answers_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from corpuscle.ontologies import map_labels;"
        "rows = map_labels(['CD8 TEM_1', 'Fibro', 'blood & liver'], field='cell_type');"
        "print(rows.to_json())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": "", **_python_path()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def _python_path() -> dict[str, str]:
    import os

    return {name: os.environ[name] for name in ("PYTHONPATH", "HOME") if name in os.environ}


def test_model_file_is_small() -> None:
    assert MODEL_PATH.stat().st_size < 100_000
