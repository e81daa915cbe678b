"""MCC: on target rows the classes shall not be confused with one another."""

from __future__ import annotations

import torch

from hf_transfer_plugin.adapt.objectives.domain_term import DomainTerm
from hf_transfer_plugin.adapt.objectives.loss_term import Pass

__all__ = ["MCC", "class_confusion"]


class MCC(DomainTerm):
    """Adds weight times the minimum class confusion of what the model says of target rows.

    It reads answers alone, so the head moves too. The features are not brought together.

    Args:
        weight: of the term.
        temperature: by which the logits are divided.

    References:
        Jin et al., "Minimum Class Confusion for Versatile Domain Adaptation" (2020).
    """

    name = "mcc"

    def __init__(self, weight: float = 1.0, temperature: float = 2.5) -> None:
        super().__init__(weight=weight, temperature=temperature)
        self.weight, self.temperature = weight, temperature

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the confusion without its weight."""
        target = self.target_of(seen.batch)
        logits = self.logits_of(seen.outputs, len(target))[target]
        confused = class_confusion(logits.float(), self.temperature)
        return self.weight * confused, {"confusion": confused}


def class_confusion(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the mean over classes of how much of each one's weight lies on others.

    With p = softmax(logits / temperature) and rows weighed by w = n (1 + exp(-H(p))) / sum, without
    gradient: p' diag(w) p, each row over its sum; the off-diagonal sum over the number of classes.

    Args:
        logits: [rows, classes].
        temperature: above 0.
    """
    answers = torch.softmax(logits / temperature, 1)
    with torch.no_grad():
        certain = 1 + torch.exp(-torch.special.entr(answers).sum(1))
        weights = len(answers) * certain / certain.sum()
    together = answers.T @ (answers * weights[:, None])
    shares = together / together.sum(1, keepdim=True)
    return (shares.sum() - shares.diagonal().sum()) / len(shares)
