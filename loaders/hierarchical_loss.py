"""A classification loss that knows which mistakes are better than others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch

from ..errors import InputError
from ._hierarchy_masses import masses_of

if TYPE_CHECKING:
    from ..ontologies import Hierarchy

__all__ = ["HierarchicalLoss"]

Reduction = Literal["none", "mean", "sum"]

SMALLEST = {torch.float32: -80.0, torch.float64: -700.0}
"""Logarithm of the smallest probability, as a share of the largest, that is told from smaller ones."""


class HierarchicalLoss(torch.nn.Module):
    r"""Cross-entropy of a label and of everything above it.

    Takes the place of ``torch.nn.CrossEntropyLoss(ignore_index=-1)``: one logit per class integer
    of the corpus, softmax over all of them. With :math:`m_a` the probability of term :math:`a`,
    summed over the classes that are it or below it, the loss of label :math:`y` is

    .. math:: -\sum_{a \succeq y} v_{ya} \log m_a, \quad
        v_{ya} = \beta w_a \text{ above } y, \quad v_{yy} = 1 - \beta \sum_{a \succ y} w_a

    where :math:`w_a` is what the term tells beyond the terms above it (its information content),
    scaled so that the weights of a class's terms sum to at most 1. Hence

    - a confident wrong answer :math:`x` costs :math:`1 - \beta \sum_{a \succeq x,\, a \succ y} w_a`
      of what it costs in cross-entropy: less the more the two have in common; see `costs`;
    - a label at a parent asks for the parent's mass, however that is spread over what is below;
    - the expected loss of cells labelled at leaves is smallest if the probabilities are the true
      ones: the weights :math:`v_{ya}` of each label sum to 1, and above the label they do not
      depend on it. Labels at a parent do not change that if it does not depend on the leaf which
      cells are labelled there;
    - the loss of a sample depends on nothing but its logits and its label.

    On a tree this is the hierarchical cross-entropy of Bertinetto et al. (2020, "Making Better
    Mistakes") with weights that grow towards the root; ancestors instead of one path make it one
    for ontologies, whose terms have several parents. Memory is a few times batch x terms.
    Probabilities below exp(-80) of the largest (in float64: exp(-700)) count as that.

    Parameters
    ----------
    hierarchy
        Of the field's classes, such as ``corpus.hierarchy("cell_type")``.
    strength
        The factor beta, at least 0 and below 1. 0: a wrong answer costs the same wherever it is.
    leaves_only
        Whether the logits of classes that are not leaves are ignored, so that the probability of a
        parent is the sum over its leaves and nothing else. By default a parent has a logit for
        cells that are none of the kinds below it: integers and logits stay valid when a leaf gets
        children in a later version of the corpus.
    class_weights
        Factor for the samples of each class. Shape ``(n_classes,)``.
    reduction
        ``"mean"`` over the labelled samples (by their class weights), ``"sum"``, or ``"none"``.

    Raises
    ------
    InputError
        If `strength`, `class_weights` or `reduction` is none of these.
    """

    members: torch.Tensor
    ignored: torch.Tensor
    own: torch.Tensor
    sets: torch.Tensor
    weights: torch.Tensor
    information: torch.Tensor
    class_weights: torch.Tensor

    def __init__(
        self,
        hierarchy: Hierarchy,
        *,
        strength: float = 0.9,
        leaves_only: bool = False,
        class_weights: torch.Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        n_classes = hierarchy.n_classes
        if class_weights is None:
            class_weights = torch.ones(n_classes)
        _check_options(n_classes, strength, class_weights, reduction)
        self.field, self.n_classes, self.strength = hierarchy.field, n_classes, strength
        self.leaves_only, self.reduction = leaves_only, reduction
        self.hierarchy_hash = hierarchy.content_hash
        masses = masses_of(hierarchy, strength=strength, leaves_only=leaves_only)
        self.everything = masses.everything
        buffers = {
            "members": torch.from_numpy(masses.members).float(),
            "ignored": torch.from_numpy(~hierarchy.is_leaf & leaves_only),
            "own": torch.from_numpy(masses.own),
            "sets": torch.from_numpy(masses.sets),
            "weights": torch.from_numpy(masses.weights).float(),
            "information": torch.from_numpy(hierarchy.information[:n_classes].copy()),
            "class_weights": class_weights.detach().clone(),
        }
        for name, tensor in buffers.items():  # all follow from the hierarchy: no part of the state
            self.register_buffer(name, tensor, persistent=False)

    def extra_repr(self) -> str:
        """Say what it was made with."""
        return (
            f"{self.field}, n_classes={self.n_classes}, strength={self.strength}, "
            f"leaves_only={self.leaves_only}, reduction={self.reduction!r}, "
            f"hierarchy={self.hierarchy_hash[:12]}"
        )

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Compute the loss.

        Parameters
        ----------
        logits
            One per class integer. Shape ``(batch, n_classes)``; half precision is widened.
        labels
            Class integers, -1 where there is none: such samples have loss and gradient 0. Shape
            ``(batch,)``, int64.

        Returns
        -------
        Shape ``()``, or ``(batch,)`` without reduction; float32, or float64 as the logits.

        Raises
        ------
        InputError
            If a shape or type is wrong; or, of labels on the CPU, an integer.
        """
        _check_batch(logits, labels, self.n_classes)
        labelled = labels >= 0
        known = labels.clamp_min(0)
        scores = self._scores(logits).masked_fill(~labelled[:, None], 0.0)
        with torch.autocast(scores.device.type, enabled=False):
            mass = self._masses(_relative(scores))
        # the total is one of the sets: rounded like them, it is at least as large
        surprise = mass[:, self.everything, None].log() - mass.gather(1, self.sets[known]).log()
        losses = (self.weights[known].to(scores.dtype) * surprise).sum(dim=1)
        weight = self.class_weights[known].to(scores.dtype) * labelled
        if self.reduction == "none":
            return losses * weight
        total = (losses * weight).sum()
        if self.reduction == "sum":
            return total
        n = weight.sum()
        return total / torch.where(n > 0, n, 1.0)

    @torch.no_grad()
    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Give the probability of each class, what is below it included.

        Returns
        -------
        Shape ``(batch, n_classes)``; those of a class and of one below it do not sum up.
        """
        with torch.autocast(logits.device.type, enabled=False):
            mass = self._masses(self._scores(logits).softmax(dim=1))
            return mass[:, self.own].clamp_max(1.0)

    @torch.no_grad()
    def predict(self, logits: torch.Tensor, *, threshold: float = 0.5) -> torch.Tensor:
        """Give the most telling class that is probable enough: a parent where leaves are not.

        Returns
        -------
        Class integers, -1 where no class reaches the threshold. Shape ``(batch,)``, int64.
        """
        enough = self.probabilities(logits) >= threshold
        best, place = torch.where(enough, self.information, -1.0).max(dim=1)
        return torch.where(best >= 0, place, -1)

    @torch.no_grad()
    def costs(self) -> torch.Tensor:
        """Tell what confident wrong answers cost, as a share of what cross-entropy takes.

        Returns
        -------
        Label by answer, 0 to 1. Shape ``(n_classes, n_classes)``, float32.
        """
        answers = torch.eye(self.n_classes, device=self.members.device)
        outside = 1.0 - self._masses(answers).T
        missed = torch.zeros_like(answers)
        for chosen, weight in zip(self.sets.T, self.weights.float().T, strict=True):
            missed += weight[:, None] * outside[chosen]
        return missed

    def _scores(self, logits: torch.Tensor) -> torch.Tensor:
        scores = logits if logits.dtype == torch.float64 else logits.float()
        lowest = torch.finfo(scores.dtype).min
        if self.leaves_only:
            scores = scores.masked_fill(self.ignored, lowest)
        return scores.clamp_min(lowest)  # -inf becomes a number

    def _masses(self, share: torch.Tensor) -> torch.Tensor:
        """Sum what each class has over each set. Shape ``(batch, n_sets)``."""
        return torch.cat([share, share @ self.members.to(share.dtype).T], dim=1)


def _relative(scores: torch.Tensor) -> torch.Tensor:
    """Give each probability as a share of the largest: those too small to write are made larger.

    The gradient is as if they were not, so that a label of no probability still pulls.
    """
    shifted = scores - scores.detach().amax(dim=1, keepdim=True)
    written = shifted.detach().clamp_min(SMALLEST[scores.dtype])
    return (written + (shifted - shifted.detach())).exp()


def _check_options(
    n_classes: int, strength: float, class_weights: torch.Tensor, reduction: str
) -> None:
    if not 0.0 <= strength < 1.0:
        msg = f"strength is {strength}. It must be at least 0 and below 1, such as 0.9."
        raise InputError(msg, {"strength": strength})
    if class_weights.shape != (n_classes,):
        msg = f"class_weights has shape {tuple(class_weights.shape)}; {n_classes} are needed."
        raise InputError(msg, {"shape": list(class_weights.shape)})
    if reduction not in get_args(Reduction):
        msg = f"reduction is {reduction!r}. Choose from {', '.join(get_args(Reduction))}."
        raise InputError(msg, {"reduction": reduction})


def _check_batch(logits: torch.Tensor, labels: torch.Tensor, n_classes: int) -> None:
    if logits.shape != (len(labels), n_classes) or labels.dim() != 1:
        msg = (
            f"Logits have shape {tuple(logits.shape)} and labels {tuple(labels.shape)}; (batch, "
            f"{n_classes}) and (batch,) are needed: one logit per class integer of the corpus."
        )
        raise InputError(msg, {"logits": list(logits.shape), "labels": list(labels.shape)})
    if labels.dtype != torch.int64 or not logits.is_floating_point():
        msg = f"Logits are {logits.dtype}, labels {labels.dtype}; floats and int64 are needed."
        raise InputError(msg)
    # on another device looking at the values would make it wait
    if labels.device.type == "cpu" and len(labels):
        low, high = (int(value) for value in labels.aminmax())
        if low < -1 or high >= n_classes:
            msg = (
                f"Labels run from {low} to {high}; -1 to {n_classes - 1} are allowed. Make the "
                "hierarchy of the corpus version that the batches come from."
            )
            raise InputError(msg, {"low": low, "high": high, "n_classes": n_classes})
