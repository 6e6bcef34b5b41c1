from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from corpuscle.loaders import HierarchicalLoss
from corpuscle.ontologies import Hierarchy, label_hierarchy, vocabulary

from .cell_types import ALL_CELLS, CELLS, PLACE, N, confident, labels, loss_of, random_logits


def reference(
    hierarchy: Hierarchy, logits: torch.Tensor, label: int, *, strength: float, leaves_only: bool
) -> float:
    """The formula, term by term."""
    n = hierarchy.n_classes
    rows = [set(row.indices.tolist()) for row in hierarchy.ancestors]
    ic = hierarchy.information.astype(float)
    added = [ic[t] - max((ic[a] for a in rows[t] - {t}), default=0.0) for t in range(len(rows))]
    told = [sum(added[a] for a in rows[c]) for c in range(n)]
    most = [max((told[c] for c in range(n) if t in rows[c]), default=0.0) for t in range(len(rows))]
    counted = hierarchy.leaves.tolist() if leaves_only else list(range(n))
    odds = np.exp(logits.numpy() - logits.max().item())
    loss, left = 0.0, 1.0
    for term in sorted(rows[label] - {label}):
        weight = strength * added[term] / most[term] if most[term] else 0.0
        left -= weight
        mass = sum(odds[c] for c in counted if term in rows[c])
        loss -= weight * np.log(mass / odds[counted].sum())
    mass = sum(odds[c] for c in counted if label in rows[c])
    return float(loss - left * np.log(mass / odds[counted].sum()))


@pytest.mark.parametrize("leaves_only", [False, True])
@pytest.mark.parametrize("strength", [0.0, 0.5, 0.9])
def test_the_loss_is_the_formula(many: Hierarchy, strength: float, leaves_only: bool) -> None:
    loss = loss_of(many, strength=strength, leaves_only=leaves_only)
    asked = torch.arange(0, 300, 10)
    logits = random_logits(30, 300)
    found = loss(logits, asked)
    expected = [
        reference(many, row, label, strength=strength, leaves_only=leaves_only)
        for row, label in zip(logits, asked.tolist(), strict=True)
    ]
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_is_that_of_the_loss(cells: Hierarchy) -> None:
    for leaves_only in (False, True):
        loss = loss_of(cells, leaves_only=leaves_only)
        chosen = torch.tensor([*range(N), -1, 0])
        logits = random_logits(len(chosen), N).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: loss(x, chosen), logits)  # noqa: B023
        assert torch.autograd.gradgradcheck(lambda x: loss(x, chosen), logits)  # noqa: B023


def test_without_hierarchy_it_is_cross_entropy(cells: Hierarchy) -> None:
    flat = label_hierarchy("organism", sorted(vocabulary("organism").labels)[:N])
    leaves = label_hierarchy("cell_type", [CELLS["CD4"], CELLS["B cell"], CELLS["neuron"]])
    for loss in (HierarchicalLoss(flat), HierarchicalLoss(leaves, strength=0.0)):
        n = loss.n_classes
        logits, chosen = random_logits(20, n).float(), torch.arange(20) % (n + 1) - 1
        expected = cross_entropy(logits, chosen, ignore_index=-1)
        torch.testing.assert_close(loss(logits, chosen), expected)


# The four defects of the published hierarchical loss that this one replaces.


def test_defect_a_a_sibling_is_cheaper_than_a_stranger_if_all_labels_are_leaves(
    cells: Hierarchy,
) -> None:
    answers = ("CD4", "CD8", "B cell", "hepatocyte")
    costs = loss_of(cells)(confident(*answers), labels(*["CD4"] * 4)).tolist()
    assert costs == sorted(costs)
    right, sibling, cousin, stranger = costs
    assert right < 1e-6
    assert sibling < 0.9 * cousin
    assert cousin < 0.95 * stranger
    assert 0.9 * 20 < stranger < 20  # nearly what cross-entropy takes


def test_defect_b_a_label_of_one_sample_never_changes_the_loss_of_another(
    cells: Hierarchy,
) -> None:
    loss = loss_of(cells)
    logits = random_logits(4, N)
    alone = [loss(logits[i : i + 1], labels("CD8")).item() for i in range(4)]
    for other in ("CD4", "T cell", "leukocyte", "hepatocyte", "unknown"):
        together = loss(logits, labels("CD8", other, "CD8", other))
        assert together[0].item() == pytest.approx(alone[0], rel=1e-12)
        assert together[2].item() == pytest.approx(alone[2], rel=1e-12)


LOSS = """
import hashlib
from corpuscle.loaders import HierarchicalLoss
from corpuscle.ontologies import label_hierarchy, vocabulary
terms = sorted(vocabulary("cell_type").labels)[::20]
loss = HierarchicalLoss(label_hierarchy("cell_type", terms))
total = hashlib.sha256()
for name, buffer in loss.named_buffers():
    total.update(name.encode() + buffer.numpy().tobytes())
print(total.hexdigest())
"""


def test_defect_c_no_order_depends_on_the_hash_seed() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", LOSS],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1


def test_defect_d_what_is_kept_for_the_gradient_is_batch_by_terms(many: Hierarchy) -> None:
    loss = HierarchicalLoss(many)
    tables = {buffer.untyped_storage().data_ptr() for buffer in loss.buffers()}
    kept = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in tables:
            kept.append(tensor.nbytes)
        return tensor

    logits = random_logits(64, 300).float().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss(logits, torch.arange(64))
    n_parents, n_leaves = many.parents_x_leaves.shape
    assert max(kept) <= 64 * len(many.terms) * 4
    assert sum(kept) < 64 * n_parents * n_leaves * 4 / 50


@settings(max_examples=25, deadline=None)
@given(
    terms=st.lists(st.sampled_from(ALL_CELLS), min_size=3, max_size=25, unique=True),
    strength=st.floats(0.05, 0.99),
)
def test_an_answer_that_shares_more_ancestors_is_cheaper(terms: list[str], strength: float) -> None:
    hierarchy = label_hierarchy("cell_type", terms)
    n = len(terms)
    loss = loss_of(hierarchy, strength=strength)
    losses = np.stack(
        [
            loss(torch.eye(n, dtype=torch.float64) * 30, torch.full((n,), label)).numpy()
            for label in range(n)
        ]
    )
    above = [set(row.indices.tolist()) for row in hierarchy.ancestors[:n]]
    for label in range(n):
        wrong = [x for x in range(n) if label not in above[x]]
        for near in wrong:
            for far in wrong:
                if above[near] & above[label] > above[far] & above[label]:
                    assert losses[label, near] < losses[label, far]


def test_the_table_of_costs_is_what_confident_wrong_answers_cost(many: Hierarchy) -> None:
    loss = loss_of(many)
    costs = loss.costs()
    sure = torch.eye(300, dtype=torch.float64) * 200
    for label in (0, 17, 123):
        found = loss(sure, torch.full((300,), label)) / 200
        torch.testing.assert_close(found.float(), costs[label], atol=0.02, rtol=0)
    assert costs.diagonal().max() == 0
    assert costs.min() >= 0
    assert costs.max() <= 1 + 1e-5


def test_costs_grow_with_distance_and_fall_with_similarity(many: Hierarchy) -> None:
    from scipy.stats import spearmanr

    leaves = np.ix_(many.leaves, many.leaves)
    pairs = np.triu_indices(len(many.leaves), 1)
    costs = HierarchicalLoss(many).costs().numpy()[leaves]
    np.testing.assert_allclose(costs, costs.T, atol=1e-6)
    assert spearmanr(costs[pairs], many.lin[leaves][pairs]).statistic < -0.7
    steps = many.distance[leaves][pairs]
    means = [costs[pairs][steps == step].mean() for step in range(2, 9)]
    assert means == sorted(means)


def test_the_expected_loss_is_smallest_at_the_true_probabilities() -> None:
    terms = random.Random(1).sample(ALL_CELLS, 200)
    hierarchy = label_hierarchy("cell_type", terms)
    hierarchy = label_hierarchy("cell_type", [terms[i] for i in hierarchy.leaves])
    assert len(hierarchy.leaves) == hierarchy.n_classes
    truth = random_logits(hierarchy.n_classes).softmax(dim=0)
    logits = truth.log().expand(len(truth), -1).clone().requires_grad_()
    losses = loss_of(hierarchy)(logits, torch.arange(len(truth)))
    (truth * losses).sum().backward()
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.sum(dim=0), 0.0, atol=1e-7)


def test_labels_at_a_parent_leave_the_smallest_loss_where_it_is(cells: Hierarchy) -> None:
    """Three in ten cells of either kind of T cell are labelled as T cells."""
    truth = torch.zeros(N, dtype=torch.float64)
    truth[labels("CD4", "CD8", "B cell", "neuron", "astrocyte", "hepatocyte")] = (
        random_logits(6).softmax(dim=0).to(truth)
    )
    share = truth.clone()
    for kind in ("CD4", "CD8"):
        share[PLACE["T cell"]] += 0.3 * truth[PLACE[kind]]
        share[PLACE[kind]] *= 0.7
    logits = truth.log().expand(N, -1).clone().requires_grad_()
    losses = loss_of(cells, leaves_only=True)(logits, torch.arange(N))
    (share * losses).sum().backward()
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.sum(dim=0), 0.0, atol=1e-7)


def test_a_label_at_a_parent_spreads_over_what_is_below(cells: Hierarchy) -> None:
    logits = random_logits(1, N).requires_grad_()
    HierarchicalLoss(cells, leaves_only=True, strength=0.0)(logits, labels("T cell")).backward()
    assert logits.grad is not None
    share = logits.detach().exp()[0]
    share[labels("T cell", "leukocyte")] = 0
    below = labels("CD4", "CD8")
    expected = share / share.sum()
    expected[below] -= share[below] / share[below].sum()
    torch.testing.assert_close(logits.grad[0], expected)


def test_a_parent_takes_no_side_between_its_children(cells: Hierarchy) -> None:
    for leaves_only in (False, True):
        loss = loss_of(cells, leaves_only=leaves_only)
        found = loss(confident("CD4", "CD8"), labels("T cell", "T cell"))
        assert found.tolist() == pytest.approx([0, 0], abs=1e-6)


def test_a_parent_has_a_logit_of_its_own_unless_only_leaves_count(cells: Hierarchy) -> None:
    sure = confident("T cell", "T cell")
    asked = labels("T cell", "CD4")
    right, below = loss_of(cells)(sure, asked).tolist()
    assert right == pytest.approx(0, abs=1e-6)
    assert below > 5
    nothing = loss_of(cells, leaves_only=True)(torch.zeros(2, N), asked)
    torch.testing.assert_close(loss_of(cells, leaves_only=True)(sure, asked), nothing)


def test_a_leaf_that_gets_children_keeps_its_logit_and_its_integer() -> None:
    terms = ["CL:0000084", "CL:0000236"]
    first = loss_of(label_hierarchy("cell_type", terms), strength=0.0)
    second = loss_of(label_hierarchy("cell_type", [*terms, CELLS["CD4"]]), strength=0.0)
    old = random_logits(2, 2)
    new = torch.cat([old, torch.full((2, 1), -50.0, dtype=torch.float64)], dim=1)
    asked = torch.tensor([0, 1])
    torch.testing.assert_close(second(new, asked), first(old, asked))
