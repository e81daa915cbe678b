"""CDAN: the discriminator reads the features together with what the model says of the classes."""

from __future__ import annotations

import math

import torch

from hf_transfer_plugin.adapt.objectives.adversarial_term import AdversarialTerm
from hf_transfer_plugin.adapt.objectives.discriminator import (
    domain_loss,
    reverse_gradient,
    warmed_up,
)
from hf_transfer_plugin.adapt.objectives.loss_term import Pass

__all__ = ["CDAN", "certainty"]

_LARGE, _MAPPED = 4096, 1024


class CDAN(AdversarialTerm):
    """Adds weight times the cross-entropy of a discriminator that reads features and answers.

    It reads the outer product of the features f and the probabilities p of the classes, without
    gradient into p: [width x classes] numbers a row. With more than 4096 of them, the elementwise
    product of random maps of both to 1024, over the root of 1024. Its gradient is reversed, with
    lambda as in DANN.

    Args:
        weight: of the term.
        entropy: weigh rows by 1 + exp(-entropy of p), in nats (CDAN+E); False: all alike.
        warmup: steps in which lambda grows to .46; ten times as many and it is 1.
        width: of the hidden layers of the discriminator.
        rate: of the optimizer of the discriminator.

    References:
        Long et al., "Conditional Adversarial Domain Adaptation" (2018).
    """

    name = "cdan"

    def __init__(
        self,
        weight: float = 1.0,
        entropy: bool = False,
        warmup: int = 1000,
        width: int = 1024,
        rate: float = 0.001,
    ) -> None:
        super().__init__(weight=weight, entropy=entropy, warmup=warmup, width=width, rate=rate)
        self.weight, self.entropy, self.warmup = weight, bool(entropy), warmup

    def against(
        self, features: torch.Tensor, target: torch.Tensor, seen: Pass
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged are the discriminator's loss and accuracy, and lambda."""
        answers = torch.softmax(self.logits_of(seen.outputs, len(features)).detach().float(), 1)
        width, classes = features.shape[1], answers.shape[1]
        if width * classes > _LARGE:

            def maps(draw: torch.Generator) -> dict[str, torch.Tensor]:
                return {
                    "of_features": torch.randn(width, _MAPPED, generator=draw),
                    "of_answers": torch.randn(classes, _MAPPED, generator=draw),
                }

            judge = self.discriminator(_MAPPED, features.device, maps)
            ours = features @ judge.get_buffer("of_features")
            joint = ours * (answers @ judge.get_buffer("of_answers")) / math.sqrt(_MAPPED)
        else:
            judge = self.discriminator(width * classes, features.device)
            joint = (answers[:, :, None] * features[:, None, :]).flatten(1)
        factor = warmed_up(judge.steps, self.warmup)
        weights = certainty(answers) if self.entropy else None
        loss, accuracy = domain_loss(judge(reverse_gradient(joint, factor)), target, weights)
        values = {"domain": loss, "accuracy": accuracy, "lambda": torch.tensor(factor)}
        return self.weight * loss, values


def certainty(answers: torch.Tensor) -> torch.Tensor:
    """Return 1 + exp(-entropy) of each row, [examples], between 1 and 2.

    Args:
        answers: probabilities, [examples, classes].
    """
    entropy = torch.special.entr(answers).sum(1)
    return 1 + torch.exp(-entropy)
