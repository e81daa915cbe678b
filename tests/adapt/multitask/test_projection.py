"""PCGrad against cases computed by hand."""

from __future__ import annotations

import pytest
import torch

from hf_transfer_plugin.adapt.multitask import project_conflicts

#: g0 and g1 pull against each other, g1 and g2 too; g0 and g2 do not meet.
GRADIENTS = [[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]]
# (order in which g0 looks at the others, what is left of g0)
BY_HAND = [([1, 2], [0.5, 0.0]), ([2, 1], [0.5, 0.5])]


@pytest.mark.parametrize(("order", "left"), BY_HAND)
def test_by_hand(order: list[int], left: list[float]) -> None:
    total, conflicts = project_conflicts(torch.tensor(GRADIENTS), [order, [0, 2], [0, 1]])
    # g1 loses both its directions, g2 is left with (-0.5, -0.5).
    assert total.tolist() == pytest.approx([left[0] - 0.5, left[1] - 0.5])
    assert conflicts.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_without_conflict_it_is_the_sum() -> None:
    gradients = torch.tensor([[1.0, 0.5], [0.0, 2.0], [0.0, 0.0]])
    total, conflicts = project_conflicts(gradients, [[1, 2], [0, 2], [0, 1]])
    assert torch.equal(total, gradients.sum(0)) and not conflicts.any()


def test_nothing_shared() -> None:
    """Under a schedule that trains heads alone."""
    total, conflicts = project_conflicts(torch.zeros(2, 0), [[1], [0]])
    assert total.shape == (0,) and not conflicts.any()
