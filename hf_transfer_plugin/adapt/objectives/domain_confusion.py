"""Domain confusion: a discriminator shall find either domain equally likely."""

from __future__ import annotations

import torch
from torch.nn import functional

from hf_transfer_plugin.adapt.objectives.adversarial_term import AdversarialTerm
from hf_transfer_plugin.adapt.objectives.discriminator import domain_loss
from hf_transfer_plugin.adapt.objectives.loss_term import Pass

__all__ = ["DomainConfusion", "confusion"]


class DomainConfusion(AdversarialTerm):
    """Adds weight times the cross-entropy of a discriminator of domains to the uniform one.

    The discriminator, one linear map as in the paper, itself learns to tell the domains from the
    same features, which do not move for it. In the paper the two steps take turns; here both are
    made from the same pass, each with the other side at rest.

    Args:
        weight: of the term.
        rate: of the optimizer of the discriminator.

    References:
        Tzeng et al., "Simultaneous Deep Transfer Across Domains and Tasks" (2015).
    """

    name = "domain_confusion"

    def __init__(self, weight: float = 1.0, rate: float = 0.001) -> None:
        super().__init__(weight=weight, rate=rate)
        self.weight = weight

    def against(
        self, features: torch.Tensor, target: torch.Tensor, seen: Pass
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return both terms; logged are the confusion, the discriminator's loss and accuracy."""
        judge = self.discriminator(features.shape[1], features.device)
        confused = confusion(judge.at_rest(features), target)
        loss, accuracy = domain_loss(judge(features.detach()), target)
        values = {"confusion": confused, "domain": loss, "accuracy": accuracy}
        return self.weight * confused + loss, values


def confusion(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy to the uniform distribution, in nats; at least ln 2.

    Args:
        logits: of the target, [examples].
        target: whether a row is one of the target, [examples]; both domains count alike.
    """
    both = -(functional.logsigmoid(logits) + functional.logsigmoid(-logits)) / 2
    return (both[target].mean() + both[~target].mean()) / 2
