"""A network that tells two domains apart: learned beside the model, and no part of it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hf_transfer_plugin.processes import world_size

__all__ = ["Discriminator", "Tensors", "domain_loss", "reverse_gradient", "warmed_up"]

Tensors = dict[str, dict[str, torch.Tensor]]


class Discriminator(nn.Module):
    """Two hidden layers of rectified units, and the logit of the target; with its own AdamW.

    The reference implementation (Transfer Learning Library) has BatchNorm after each hidden layer.
    Here there is none, so that what it says of a row does not depend on the other rows and several
    processes hold the same one. Its first weights follow from the seed alone.

    Args:
        inputs: width of what it reads.
        width: of the hidden layers; 0: none, a linear map alone.
        rate: of its optimizer.
        seed: of its first weights.
        device: on which it computes, in float32.
        buffers: further tensors that it is saved with, by name.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        rate: float,
        seed: int,
        device: torch.device,
        buffers: dict[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(seed)
            sizes = (inputs, width, width) if width else (inputs,)
            hidden = [
                part
                for size, following in pairwise(sizes)
                for part in (nn.Linear(size, following), nn.ReLU())
            ]
            self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1))
        for name, value in (buffers or {}).items():
            self.register_buffer(name, value)
        self.to(device)
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=rate)
        self.steps = 0

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the logit of the target of each row, [examples].

        Args:
            values: [examples, inputs].
        """
        logits: torch.Tensor = self.layers(values)
        return logits[:, 0]

    def at_rest(self, values: torch.Tensor) -> torch.Tensor:
        """Return the same; a gradient goes to the values, and none to the weights."""
        resting = {name: each.detach() for name, each in self.named_parameters()}
        logits: torch.Tensor = torch.func.functional_call(self, resting, (values,))
        return logits

    def step(self) -> None:
        """Take a step along the gradients, which are averaged over all processes."""
        weights = [each for each in self.parameters() if each.grad is not None]
        if not weights:
            return
        if world_size() > 1:
            whole = torch.cat([each.grad.flatten() for each in weights])  # type: ignore[union-attr]
            torch.distributed.all_reduce(whole)
            parts = (whole / world_size()).split([each.numel() for each in weights])
            for each, part in zip(weights, parts, strict=True):
                each.grad = part.view_as(each)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps += 1

    def tensors(self) -> Tensors:
        """Return all that a resumed run needs."""
        moments = self.optimizer.state_dict()["state"]
        return {
            "weights": self.state_dict(),
            "moments": {f"{n}.{k}": v for n, named in moments.items() for k, v in named.items()},
            "steps": {"steps": torch.tensor(self.steps)},
        }

    def load(self, tensors: Tensors) -> None:
        """Go on from what `tensors` returned."""
        self.load_state_dict(tensors["weights"])
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.get("moments", {}).items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = value.clone()
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.steps = int(tensors["steps"]["steps"])


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, factor: float) -> torch.Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, slopes: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.factor * slopes, None


def reverse_gradient(values: torch.Tensor, factor: float) -> torch.Tensor:
    """Return the values as they are; on the way back their gradient is times -factor."""
    reversed_: torch.Tensor = _Reversed.apply(values, factor)
    return reversed_


def warmed_up(step: int, warmup: int) -> float:
    """Return 2 / (1 + exp(-step / warmup)) - 1, which grows from 0 to 1."""
    return math.tanh(step / warmup / 2)


def domain_loss(
    logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return binary cross-entropy and accuracy, means of each domain, then of both.

    Args:
        logits: of the target, [examples].
        target: whether a row is one of the target, [examples].
        weights: of the rows in their domain, [examples]; None: all alike.
    """
    wanted = target.to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    weights = torch.ones_like(losses) if weights is None else weights
    right = ((logits > 0) == target).to(losses.dtype)
    sides = [target, ~target]
    loss = [(losses * weights)[side].sum() / weights[side].sum() for side in sides]
    return torch.stack(loss).mean(), torch.stack([right[side].mean() for side in sides]).mean()
