"""L2-SP: the weights are held near those of the source, and the new head near zero."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass, Start
from hf_transfer_plugin.adapt.objectives.weight_changes import matrices_of_adapters, weight_changes

__all__ = ["L2SP", "squared_norm"]


class L2SP(LossTerm):
    """Adds alpha/2 |w - w0|^2 over the network and beta/2 |v|^2 over the head.

    Only what trains counts. Under adapters w - w0 is what the adapter adds to a weight.

    Args:
        alpha: pull towards the source.
        beta: decay of the head, which has no source.

    References:
        Li et al., "Explicit Inductive Bias for Transfer Learning with Convolutional Networks"
        (2018).
    """

    name = "l2sp"

    def __init__(self, alpha: float = 0.01, beta: float = 0.01) -> None:
        super().__init__(alpha=alpha, beta=beta)
        self.alpha, self.beta = alpha, beta
        self._held: list[tuple[nn.Parameter, torch.Tensor]] = []
        self._adapted: list[tuple[nn.Module, str]] = []
        self._head: list[nn.Parameter] = []

    def attach(self, start: Start) -> None:
        """Take the weights of the source, for all that can train."""
        named = dict(start.model.named_parameters())
        self._held = [
            (named[name], first.to(named[name].device)) for name, first in start.first.items()
        ]
        self._adapted = matrices_of_adapters(start.model)
        self._head = [named[name] for name in start.head]

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged are the two squared norms."""
        moved = squared_norm(weight_changes(self._held, self._adapted))
        head = squared_norm(weight for weight in self._head if weight.requires_grad)
        term = self.alpha / 2 * moved + self.beta / 2 * head
        return torch.as_tensor(term), {
            "moved": torch.as_tensor(moved),
            "head": torch.as_tensor(head),
        }

    def detach(self) -> None:
        """Let go of the copies."""
        self._held, self._adapted, self._head = [], [], []


def squared_norm(tensors: Iterable[torch.Tensor]) -> torch.Tensor | float:
    """Return the sum of the squares of all elements, in float32; 0.0 of nothing."""
    return sum((tensor.float().square().sum() for tensor in tensors), start=0.0)
