"""What an optimizer steps, seen as the parameters of the model."""

from __future__ import annotations

from typing import Any, cast

import torch
from accelerate.optimizer import AcceleratedOptimizer
from torch.optim import Optimizer

__all__ = ["SteppedWeights", "torch_optimizer"]


def torch_optimizer(optimizer: Any) -> Optimizer:
    """Return the optimizer of torch inside the wrapper of accelerate."""
    while isinstance(optimizer, AcceleratedOptimizer):
        optimizer = optimizer.optimizer
    return cast(Optimizer, optimizer)


class SteppedWeights:
    """All that a schedule asks of the optimizer, which holds the model's parameters themselves.

    Args:
        optimizer: what Trainer gives to callbacks.
        in_backward: DeepSpeed steps at the end of the backward pass and lets the gradients go,
            so that callbacks never see them.

    Attributes:
        optimizer: the optimizer of torch that makes the step.
    """

    def __init__(self, optimizer: Any, in_backward: bool = False) -> None:
        self.optimizer = torch_optimizer(optimizer)
        self.in_backward = in_backward

    def groups(self) -> list[list[torch.Tensor]]:
        """Return the parameters of the model in each parameter group."""
        return [list(group["params"]) for group in self.optimizer.param_groups]

    def parameter(self, stepped: torch.Tensor) -> torch.Tensor:
        """Return the parameter of the model behind a tensor that is being stepped."""
        return stepped

    def forget(self, parameter: torch.Tensor) -> None:
        """Begin the state of a parameter anew when it is next stepped."""
        self.optimizer.state.pop(parameter, None)

    def remove(self) -> None:
        """Leave the optimizer as it was."""
