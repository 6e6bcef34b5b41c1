from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from corpuscle.errors import InputError
from corpuscle.loaders import HierarchicalLoss, hierarchy_tensors
from corpuscle.ontologies import Hierarchy, label_hierarchy

from .cell_types import CELLS, PLACE, N, labels, loss_of, random_logits


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_extreme_logits_give_finite_losses_that_pull_the_right_way(
    cells: Hierarchy, size: float, dtype: torch.dtype
) -> None:
    logits = (size * random_logits(50, N, spread=1.0)).to(dtype)
    for label in range(N):
        inputs = logits.clone().requires_grad_()
        losses = loss_of(cells)(inputs, torch.full((50,), label))
        losses.sum().backward()
        assert inputs.grad is not None
        assert torch.isfinite(losses).all()
        assert torch.isfinite(inputs.grad).all()
        assert (losses >= 0).all()
        below = cells.ancestors[:N, [label]].toarray()[:, 0]
        wrong = losses > 1
        assert (inputs.grad[:, below].sum(dim=1)[wrong] < -0.05).all()


def test_samples_without_label_have_neither_loss_nor_gradient(cells: Hierarchy) -> None:
    logits = random_logits(3, N)
    logits[1] = torch.nan
    logits.requires_grad_()
    losses = loss_of(cells)(logits, labels("CD4", "unknown", "B cell"))
    losses.sum().backward()
    assert logits.grad is not None
    assert losses[1] == 0
    assert logits.grad[1].abs().sum() == 0
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("n", [0, 3])
def test_a_batch_without_labels_costs_nothing(cells: Hierarchy, reduction: Any, n: int) -> None:
    logits = random_logits(n, N).requires_grad_()
    found = HierarchicalLoss(cells, reduction=reduction)(logits, torch.full((n,), -1))
    found.sum().backward()
    assert logits.grad is not None
    assert found.sum() == 0
    assert logits.grad.abs().sum() == 0


def test_reductions_and_weights_are_those_of_cross_entropy(cells: Hierarchy) -> None:
    logits, chosen = random_logits(5, N), labels("CD4", "unknown", "B cell", "T cell", "CD4")
    weights = torch.arange(1.0, N + 1)
    each = loss_of(cells)(logits, chosen)
    weighted = loss_of(cells, class_weights=weights)(logits, chosen)
    by = torch.tensor([weights[i] if i >= 0 else 0.0 for i in chosen.tolist()])
    torch.testing.assert_close(weighted, each * by)
    total = HierarchicalLoss(cells, reduction="sum")(logits, chosen)
    torch.testing.assert_close(total, each.sum())
    mean = HierarchicalLoss(cells)(logits, chosen)
    torch.testing.assert_close(mean, each.sum() / 4)
    mean = HierarchicalLoss(cells, class_weights=weights)(logits, chosen)
    torch.testing.assert_close(mean, weighted.sum() / by.sum().double())


def test_half_precision_and_autocast_give_the_loss_in_float32(many: Hierarchy) -> None:
    loss = HierarchicalLoss(many)
    half = random_logits(64, 300).bfloat16().requires_grad_()
    asked = torch.arange(64)
    expected = loss(half.detach().float(), asked)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(half, asked)
    found.backward()
    assert found.dtype == torch.float32
    assert half.grad is not None
    assert half.grad.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


def test_tables_move_with_the_module_and_are_no_part_of_its_state(cells: Hierarchy) -> None:
    loss = HierarchicalLoss(cells)
    assert not loss.state_dict()
    assert not list(loss.parameters())
    buffers = list(copy.deepcopy(loss).to("meta").buffers())
    assert len(buffers) == 7
    assert all(buffer.is_meta for buffer in buffers)


def test_repr_says_what_it_was_made_with(cells: Hierarchy) -> None:
    assert repr(HierarchicalLoss(cells, strength=0.5)) == (
        "HierarchicalLoss(cell_type, n_classes=8, strength=0.5, leaves_only=False, "
        f"reduction='mean', hierarchy={cells.content_hash[:12]})"
    )


def test_probabilities_of_a_parent_include_what_is_below(cells: Hierarchy) -> None:
    for leaves_only in (False, True):
        loss = HierarchicalLoss(cells, leaves_only=leaves_only)
        found = loss.probabilities(torch.zeros(1, N))[0]
        n = 6 if leaves_only else 8
        own = 0 if leaves_only else 1
        expected = {"CD4": 1, "T cell": 2 + own, "leukocyte": 3 + 2 * own, "neuron": 1}
        for name, count in expected.items():
            assert found[PLACE[name]].item() == pytest.approx(count / n)


@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        ({"CD4": 10.0}, 0.5, "CD4"),
        ({"CD4": 10.0, "CD8": 10.0}, 0.6, "T cell"),
        ({"CD4": 10.0, "CD8": 10.0, "B cell": 10.0}, 0.9, "leukocyte"),
        ({"CD4": 10.0, "neuron": 10.0}, 0.6, "unknown"),
        ({"T cell": 10.0}, 0.5, "T cell"),
    ],
)
def test_a_prediction_backs_off_to_a_parent(
    cells: Hierarchy, scores: dict[str, float], threshold: float, expected: str
) -> None:
    logits = torch.zeros(1, N)
    for name, value in scores.items():
        logits[0, PLACE[name]] = value
    found = HierarchicalLoss(cells).predict(logits, threshold=threshold)
    assert found.tolist() == labels(expected).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 1.0}, "strength is 1.0"),
        ({"strength": -0.1}, "strength is -0.1"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"class_weights": torch.ones(3)}, r"shape \(3,\); 8 are needed"),
        ({"reduction": "average"}, "Choose from none, mean, sum"),
    ],
)
def test_options_that_cannot_be_are_refused(
    cells: Hierarchy, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        HierarchicalLoss(cells, **options)


@pytest.mark.parametrize(
    ("logits", "chosen", "message"),
    [
        (torch.zeros(2, 7), torch.zeros(2, dtype=torch.int64), "one logit per class integer"),
        (torch.zeros(2, N), torch.zeros(3, dtype=torch.int64), "one logit per class integer"),
        (torch.zeros(2, N), torch.zeros(2, 1, dtype=torch.int64), "one logit per class integer"),
        (torch.zeros(2, N), torch.zeros(2), "int64 are needed"),
        (torch.zeros(2, N, dtype=torch.int64), torch.zeros(2, dtype=torch.int64), "floats and"),
        (torch.zeros(2, N), torch.tensor([0, N]), "Labels run from 0 to 8; -1 to 7"),
        (torch.zeros(2, N), torch.tensor([0, -2]), "Labels run from -2 to 0"),
    ],
)
def test_batches_that_do_not_fit_are_refused(
    cells: Hierarchy, logits: torch.Tensor, chosen: torch.Tensor, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        HierarchicalLoss(cells)(logits, chosen)


def test_a_hierarchy_as_tensors(cells: Hierarchy) -> None:
    found = hierarchy_tensors(cells, device="cpu")
    assert found["leaves"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found["ancestors"].shape == (N, len(cells.terms))
    assert found["parents_x_leaves"].sum().item() == cells.parents_x_leaves.nnz
    assert found["parents"][:2].tolist() == [0, 7]
    assert found["distance"].dtype == found["depth"].dtype == torch.uint8
    assert found["lin"].dtype == torch.float16
    assert found["information"].tolist() == cells.information.tolist()


def test_a_model_learns_from_leaves_and_parents() -> None:
    """Half of the labels are given at a parent; the kinds are told apart all the same."""
    torch.manual_seed(0)
    hierarchy = label_hierarchy("cell_type", list(CELLS.values()))
    loss = HierarchicalLoss(hierarchy)
    kinds = labels("CD4", "CD8", "B cell", "hepatocyte").repeat(64)
    parents = torch.where(kinds < 3, PLACE["T cell"], PLACE["leukocyte"])
    asked = torch.where((torch.arange(256) // 4 % 2 == 0) | (kinds == 6), kinds, parents)
    x = torch.nn.functional.one_hot(kinds, N).float() + 0.3 * torch.randn(256, N)
    model = torch.nn.Linear(N, N)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss(model(x), asked).backward()
        optimizer.step()
    right = loss.predict(model(x)) == kinds
    assert right.float().mean() > 0.95
