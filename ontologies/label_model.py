"""How much each kind of evidence is worth: boosted trees, and what their score means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["MODEL_PATH", "LabelModel", "label_model"]

MODEL_PATH = Path(__file__).resolve().parent / "data" / "label_model.npz"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelModel:
    """A sum of decision trees over the features of a pair of label and term.

    All trees have the same number of nodes, padded with leaves. A leaf's children are itself.
    """

    features: tuple[str, ...]
    """Names of the features it was fitted on, in order."""
    base: float
    """Score before the trees, in log odds."""
    feature: npt.NDArray[np.int16]
    """Feature a node asks for. Shape ``(n_trees, n_nodes)``."""
    threshold: npt.NDArray[np.float32]
    """The greatest value that goes left. Shape ``(n_trees, n_nodes)``."""
    left: npt.NDArray[np.int16]
    """Child for small values. Shape ``(n_trees, n_nodes)``."""
    right: npt.NDArray[np.int16]
    """Child for large values. Shape ``(n_trees, n_nodes)``."""
    value: npt.NDArray[np.float32]
    """What a leaf adds, in log odds. Shape ``(n_trees, n_nodes)``."""
    depth: int
    """Steps from a root to the deepest leaf."""
    score_at: npt.NDArray[np.float64]
    """Scores whose confidence is known, ascending."""
    confidence_at: npt.NDArray[np.float64]
    """Share of best candidates of that score that were right, on data the model had not seen."""

    def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Give the probability that pairs belong together, by their features alone.

        Parameters
        ----------
        features
            Shape ``(n_pairs, n_features)``.

        Returns
        -------
        Shape ``(n_pairs,)``.
        """
        odds = np.full(len(features), self.base)
        every = np.arange(len(features))
        for tree in range(len(self.feature)):
            node = np.zeros(len(features), dtype=np.int16)
            for _ in range(self.depth):
                asked = features[every, self.feature[tree][node]]
                goes_left = asked <= self.threshold[tree][node]
                node = np.where(goes_left, self.left[tree][node], self.right[tree][node])
            odds += self.value[tree][node]
        return 1 / (1 + np.exp(-odds))

    def confidence(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give the chance that the best candidate is right, by its score."""
        return np.interp(scores, self.score_at, self.confidence_at)

    def save(self, path: Path) -> None:
        """Write the model: the same numbers give the same bytes."""
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__}
        arrays["features"] = np.array(self.features, dtype=np.str_)
        temporary = path.with_suffix(".unfinished.npz")
        np.savez_compressed(temporary, **arrays)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> LabelModel:
        """Read a model."""
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: file[name] for name in cls.__dataclass_fields__}
        arrays["features"] = tuple(arrays["features"].tolist())
        arrays["base"], arrays["depth"] = float(arrays["base"]), int(arrays["depth"])
        return cls(**arrays)

    @classmethod
    def from_trees(
        cls, model: Any, features: Sequence[str], curve: tuple[Any, Any]
    ) -> LabelModel:
        """Take the trees out of a fitted ``HistGradientBoostingClassifier``."""
        trees = [predictors[0].nodes for predictors in model._predictors]
        n_nodes = max(len(nodes) for nodes in trees)
        shape = (len(trees), n_nodes)
        feature, left, right = (np.zeros(shape, dtype=np.int16) for _ in range(3))
        threshold, value = (np.zeros(shape, dtype=np.float32) for _ in range(2))
        for tree, nodes in enumerate(trees):
            size = len(nodes)
            is_leaf = nodes["is_leaf"].astype(np.bool_)
            own = np.arange(size)
            feature[tree, :size] = np.where(is_leaf, 0, nodes["feature_idx"])
            threshold[tree, :size] = np.where(is_leaf, 0, nodes["num_threshold"])
            left[tree, :size] = np.where(is_leaf, own, nodes["left"])
            right[tree, :size] = np.where(is_leaf, own, nodes["right"])
            value[tree, :size] = np.where(is_leaf, nodes["value"], 0)
        return cls(
            features=tuple(features),
            base=float(np.ravel(model._baseline_prediction)[0]),
            feature=feature,
            threshold=threshold,
            left=left,
            right=right,
            value=value,
            depth=int(max(nodes["depth"].max() for nodes in trees)),
            score_at=np.asarray(curve[0], dtype=np.float64),
            confidence_at=np.asarray(curve[1], dtype=np.float64),
        )


@cache
def label_model() -> LabelModel:
    """Load the model that is shipped, once per process."""
    return LabelModel.load(MODEL_PATH)
