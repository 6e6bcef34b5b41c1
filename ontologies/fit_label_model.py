"""Fit the model that ranks candidate terms, from folders of labels that people mapped.

    python -m corpuscle.ontologies.fit_label_model GOLD_FOLDER

The folder holds tables as `read_gold` takes them. The model goes to ``data/label_model.npz``: a
few hundred numbers that say how much each kind of evidence is worth. It holds no label.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .label_evidence import prepare_evidence
from .label_features import FEATURES, find_candidates
from .label_index import label_index
from .label_memory import Confirmed
from .label_model import MODEL_PATH, LabelModel
from .organisms import get_organism
from .terms import current_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt
    import pandas as pd

__all__ = [
    "Examples",
    "confidence_of",
    "fit",
    "gather",
    "out_of_sample",
    "read_gold",
    "unseen_models",
]

RANKED = ("cell_type", "tissue", "disease")
"""Fields whose candidates are ranked by likeness."""
N_FOLDS = 8
_GRID = np.linspace(0.0, 1.0, 101)
"""Scores whose confidence is kept."""
SETTINGS = {
    "max_iter": 240,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 30,
    "l2_regularization": 5.0,
    "max_features": 0.4,
    "random_state": 0,
}


def read_gold(folder: Path) -> pd.DataFrame:
    """Read labels that people mapped.

    Parameters
    ----------
    folder
        Tab-separated tables with columns ``field``, ``label``, ``organism`` (taxon id or empty),
        ``tissue``, ``gold_id``, ``origin``.

    Returns
    -------
    One row per mapping with a term in use today, and columns ``set`` (the table's name),
    ``dataset`` (whose labels they are: what is left out together) and ``truth`` (the term).
    """
    import pandas as pd

    parts = []
    for path in sorted(folder.glob("*.tsv")):
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        if {"field", "label", "organism", "tissue", "gold_id", "origin"} <= set(table.columns):
            parts.append(table.assign(set=path.stem))
    gold = pd.concat(parts, ignore_index=True)
    # sfaira:STUDY/file is one dataset; the tables of one atlas are curated as one
    study = gold["origin"].str.extract(r"^sfaira:([^/]+)/", expand=False)
    gold["dataset"] = study.fillna(gold["origin"].str.split(r"[:-]", regex=True).str[0])
    gold["truth"] = [current_id(term) if term else None for term in gold["gold_id"]]
    return gold[gold["truth"].notna()].reset_index(drop=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examples:
    """Candidates of labels whose term is known."""

    features: npt.NDArray[np.float32]
    """Shape ``(n_pairs, n_features)``."""
    is_true: npt.NDArray[np.bool_]
    """Whether the pair's term is the label's. Shape ``(n_pairs,)``."""
    label: npt.NDArray[np.int64]
    """Row of `gold` of each pair, ascending. Shape ``(n_pairs,)``."""
    term_id: npt.NDArray[np.object_]
    """Term of each pair. Shape ``(n_pairs,)``."""


def gather(
    gold: pd.DataFrame, rows: Iterable[int], *, with_memory: bool, leave_out: str = "dataset"
) -> Examples:
    """Find the candidates of labels as if nobody had mapped their own dataset.

    Parameters
    ----------
    gold
        From `read_gold`.
    rows
        Labels to ask for.
    with_memory
        Whether the mappings of other datasets are known.
    leave_out
        Column that tells which mappings are not known together.

    Returns
    -------
    The candidates.
    """
    asked = gold.loc[list(rows)]
    parts: list[tuple[Any, Any, Any, Any]] = []
    keys: Any
    for keys, group in asked.groupby(["field", "organism"], sort=True):
        field, organism = keys
        index = label_index(field, _taxon(organism), None)
        ids = np.array(index.ids, dtype=object)
        of_field = gold[gold["field"] == field]
        for keys, part in group.groupby([leave_out, "tissue"], sort=True):
            left_out, tissue = keys
            others = of_field[of_field[leave_out] != left_out]
            confirmed = [
                Confirmed(label=label, term_id=term, tissue=place)
                for label, term, place in zip(
                    others["label"], others["truth"], others["tissue"], strict=True
                )
            ]
            evidence = prepare_evidence(confirmed, index, field=field) if with_memory else None
            found = find_candidates(
                part["label"].tolist(), index, field=field, tissue=tissue, evidence=evidence
            )
            terms = ids[found.codes]
            truth = part["truth"].to_numpy()[found.rows]
            parts.append((found.features, terms == truth, part.index.to_numpy()[found.rows], terms))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[2], kind="stable")
    features, is_true, label, term_id = (column[order] for column in columns)
    return Examples(features=features, is_true=is_true, label=label, term_id=term_id)


def _taxon(organism: str) -> str | None:
    return get_organism(organism).taxon_id if organism else None


def _learn(parts: Sequence[tuple[Examples, npt.NDArray[np.bool_]]], gold: pd.DataFrame) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = np.concatenate([e.features[use] for e, use in parts])
    is_true = np.concatenate([e.is_true[use] for e, use in parts])
    label = np.concatenate([e.label[use] for e, use in parts])
    # a large dataset is one opinion: its weight grows with the root of its size
    datasets = (gold["field"] + gold["dataset"]).to_numpy()[label]
    names, sizes = np.unique(datasets, return_counts=True)
    weight = 1 / np.sqrt(sizes)[np.searchsorted(names, datasets)]
    model = HistGradientBoostingClassifier(**SETTINGS)
    return model.fit(features, is_true, sample_weight=weight / weight.mean())


def folds_of(gold: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Deal datasets to folds, so that a model never saw the curators it is measured on."""
    names = sorted(set(gold["dataset"]))
    order = np.random.default_rng(0).permutation(len(names))
    fold = {name: int(place) % N_FOLDS for name, place in zip(names, order, strict=True)}
    return gold["dataset"].map(fold).to_numpy()


def out_of_sample(gold: pd.DataFrame, examples: Sequence[Examples]) -> tuple[list[Any], list[Any]]:
    """Score candidates by models that were fitted without their datasets.

    Returns
    -------
    One array of scores for each of `examples`, and one model for each fold.
    """
    folds = folds_of(gold)
    scores = [np.zeros(len(e.label)) for e in examples]
    models = []
    for fold in range(N_FOLDS):
        model = _learn([(e, folds[e.label] != fold) for e in examples], gold)
        for e, score in zip(examples, scores, strict=True):
            asked = folds[e.label] == fold
            if asked.any():
                score[asked] = model.predict_proba(e.features[asked])[:, 1]
        models.append(model)
    return scores, models


def best_of(examples: Examples, scores: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Pick the best candidate of each label.

    Returns
    -------
    Index: row of gold; columns ``term_id``, ``score``, ``is_right``.
    """
    import pandas as pd

    order = np.lexsort((-scores, examples.label))
    first = order[np.unique(examples.label[order], return_index=True)[1]]
    return pd.DataFrame(
        {
            "term_id": examples.term_id[first],
            "score": scores[first],
            "is_right": examples.is_true[first],
        },
        index=examples.label[first],
    )


def confidence_of(
    scores: npt.NDArray[np.float64], is_right: npt.NDArray[np.bool_]
) -> tuple[Any, Any]:
    """Learn what share of answers of a score are right, rising with it.

    Returns
    -------
    Scores and shares between which to interpolate.
    """
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0)
    curve.fit(scores, is_right)
    return _GRID, curve.predict(_GRID)


def unseen_models(gold: pd.DataFrame) -> dict[str, LabelModel]:
    """Fit models that never saw the datasets they are to be measured on.

    Returns
    -------
    By dataset: the model that was fitted without it.
    """
    gold = _ranked(gold)
    folds = folds_of(gold)
    examples, scores, fitted = _fit_all(gold)
    models: dict[str, LabelModel] = {}
    for fold, model in enumerate(fitted):
        best = [_without(best_of(e, s), folds, fold) for e, s in zip(examples, scores, strict=True)]
        shipped = LabelModel.from_trees(model, FEATURES, _curves(best))
        models |= dict.fromkeys(gold.loc[folds == fold, "dataset"], shipped)
    return models


def fit(folder: Path, target: Path = MODEL_PATH) -> None:
    """Fit the model on all sets and write it; its confidence is that of unseen datasets."""
    gold = _ranked(read_gold(folder))
    examples, scores, _ = _fit_all(gold)
    curves = _curves([best_of(e, s) for e, s in zip(examples, scores, strict=True)])
    model = _learn([(e, np.ones(len(e.label), dtype=np.bool_)) for e in examples], gold)
    LabelModel.from_trees(model, FEATURES, curves).save(target)


def _ranked(gold: pd.DataFrame) -> pd.DataFrame:
    ranked: pd.DataFrame = gold[gold["field"].isin(RANKED)].reset_index(drop=True)
    return ranked


def _fit_all(gold: pd.DataFrame) -> tuple[list[Examples], list[Any], list[Any]]:
    # labels that are names already, or only coarser terms, teach nothing
    asked = gold.index[~gold["set"].str.contains("narrow|popv|class")]
    examples = [gather(gold, asked, with_memory=with_memory) for with_memory in (False, True)]
    scores, fitted = out_of_sample(gold, examples)
    return examples, scores, fitted


def _without(best: pd.DataFrame, folds: Any, fold: int) -> pd.DataFrame:
    kept: pd.DataFrame = best[folds[best.index] != fold]
    return kept


def _curves(best: Sequence[pd.DataFrame]) -> list[tuple[Any, Any]]:
    return [confidence_of(b["score"].to_numpy(), b["is_right"].to_numpy()) for b in best]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    fit(Path(sys.argv[1]))
