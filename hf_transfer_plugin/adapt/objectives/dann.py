"""DANN: features from which a discriminator cannot tell the domain."""

from __future__ import annotations

import torch

from hf_transfer_plugin.adapt.objectives.adversarial_term import AdversarialTerm
from hf_transfer_plugin.adapt.objectives.discriminator import (
    domain_loss,
    reverse_gradient,
    warmed_up,
)
from hf_transfer_plugin.adapt.objectives.loss_term import Pass

__all__ = ["DANN"]


class DANN(AdversarialTerm):
    """Adds weight times the cross-entropy of a discriminator of domains, its gradient reversed.

    The discriminator learns to tell source from target; the features are moved the other way, with
    a factor lambda = 2 / (1 + exp(-i / warmup)) - 1 after i steps of the discriminator.

    Args:
        weight: of the term.
        warmup: steps in which lambda grows to .46; ten times as many and it is 1.
        width: of the hidden layers of the discriminator.
        rate: of the optimizer of the discriminator.

    References:
        Ganin et al., "Domain-Adversarial Training of Neural Networks" (2016).
    """

    name = "dann"

    def __init__(
        self, weight: float = 1.0, warmup: int = 1000, width: int = 1024, rate: float = 0.001
    ) -> None:
        super().__init__(weight=weight, warmup=warmup, width=width, rate=rate)
        self.weight, self.warmup = weight, warmup

    def against(
        self, features: torch.Tensor, target: torch.Tensor, seen: Pass
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged are the discriminator's loss and accuracy, and lambda."""
        judge = self.discriminator(features.shape[1], features.device)
        factor = warmed_up(judge.steps, self.warmup)
        loss, accuracy = domain_loss(judge(reverse_gradient(features, factor)), target)
        values = {"domain": loss, "accuracy": accuracy, "lambda": torch.tensor(factor)}
        return self.weight * loss, values
