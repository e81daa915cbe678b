"""PCGrad: gradients of tasks that pull against each other are projected (Yu et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["GivenGradients", "project_conflicts"]


def project_conflicts(gradients: Tensor, orders: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Add up the gradients of tasks, each without what pulls against another one.

    For each task i and every other task j in a random order: where g_i . g_j < 0, the part of g_i
    along the original g_j is taken away (Yu et al. 2020, algorithm 1). All stays a combination of
    the original gradients, so their scalar products are all that is computed with.

    Args:
        gradients: [tasks, weights], on the weights that the tasks share.
        orders: for each task, the other tasks in the order in which they are looked at.

    Returns:
        The sum of the projected gradients [weights], and which pairs conflict
        [tasks, tasks], true where the scalar product of the original gradients is below zero.

    Example:
        >>> total, _ = project_conflicts(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]), [[1], [0]])
        >>> total.tolist()
        [0.5, 1.5]
    """
    products = (gradients @ gradients.T).double().cpu()
    shares = torch.eye(len(gradients), dtype=torch.float64)
    for task, others in enumerate(orders):
        for other in others:
            product = shares[task] @ products[:, other]
            if product < 0:
                shares[task, other] -= product / products[other, other]
    return shares.sum(0).to(gradients) @ gradients, products < 0


class GivenGradients(torch.autograd.Function):
    """A loss whose gradients were computed already: `apply(loss, gradients, *parameters)`."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: Sequence[Tensor], *parameters: Tensor) -> Tensor:
        """Return the loss as it is."""
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Hand each parameter its gradient, times the slope of what was made of the loss."""
        return None, None, *(gradient * slopes[0] for gradient in ctx.gradients)
