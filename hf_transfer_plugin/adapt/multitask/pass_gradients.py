"""The gradients of each task in one forward pass, projected before Trainer sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hf_transfer_plugin.adapt.multitask.projection import GivenGradients, project_conflicts
from hf_transfer_plugin.adapt.multitask.routing import TaskModules
from hf_transfer_plugin.processes import world_size

if TYPE_CHECKING:
    from hf_transfer_plugin.adapt.multitask.model import MultitaskState

__all__ = ["projected"]


def projected(
    model: nn.Module, loss: Tensor, losses: Mapping[int, Tensor], state: MultitaskState
) -> Tensor:
    """Return the loss, with gradients projected as PCGrad does on the weights that tasks share.

    In several processes the gradients of each task are averaged over all before they are
    projected, so that two processes give what one does on twice the rows. Heads get the gradient
    of their own task.

    Args:
        model: that made the losses.
        loss: their sum.
        losses: task -> its part of the mean loss of the pass.
        state: draws the orders, and keeps count of conflicts.
    """
    in_heads = {
        id(weight)
        for part in model.modules()
        if isinstance(part, TaskModules)
        for weight in part.parameters()
    }
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    shared = [weight for weight in trained if id(weight) not in in_heads]
    own = [weight for weight in trained if id(weight) in in_heads]
    tasks = len(state.names)
    width = sum(weight.numel() for weight in shared)
    gradients = torch.zeros(tasks, width, device=loss.device)
    of_heads: dict[int, Tensor] = {}
    for task, part in losses.items():
        found = torch.autograd.grad(
            part, [*shared, *own], retain_graph=True, allow_unused=True, materialize_grads=False
        )
        here = found[: len(shared)]
        flat = [
            weight.new_zeros(weight.numel()) if each is None else each.flatten()
            for each, weight in zip(here, shared, strict=True)
        ]
        if flat:
            gradients[task] = torch.cat([each.to(gradients) for each in flat])
        for weight, each in zip(own, found[len(shared) :], strict=True):
            if each is not None:
                before = of_heads.get(id(weight))
                of_heads[id(weight)] = each if before is None else before + each
    if world_size() > 1:
        torch.distributed.all_reduce(gradients)
        gradients /= world_size()
    total, conflicts = project_conflicts(gradients, state.next_orders())
    state.tallies.add_conflicts(state.names, gradients.any(1).tolist(), conflicts)
    pieces = total.split([weight.numel() for weight in shared])
    given = {id(w): piece.view_as(w).to(w) for w, piece in zip(shared, pieces, strict=True)}
    given |= of_heads
    moved = [weight for weight in trained if id(weight) in given]
    result: Tensor = GivenGradients.apply(loss.detach(), [given[id(w)] for w in moved], *moved)
    return result
