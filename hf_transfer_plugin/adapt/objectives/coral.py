"""CORAL: the features of both domains shall have one covariance."""

from __future__ import annotations

import torch

from hf_transfer_plugin.adapt.objectives.domain_term import DomainTerm
from hf_transfer_plugin.adapt.objectives.loss_term import Pass

__all__ = ["CORAL", "covariance_gap"]


class CORAL(DomainTerm):
    """Adds weight times |C_source - C_target|^2 / (4 width^2), C the covariances of the features.

    Args:
        weight: of the term. The paper sets it so that the term ends about as large as the loss of
            the task.

    References:
        Sun & Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation" (2016).
    """

    name = "coral"

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        self.weight = weight

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the gap without its weight."""
        gap = covariance_gap(*self.domains(self.features_of(seen.read), seen.batch))
        return self.weight * gap, {"gap": gap}


def covariance_gap(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Return the squared Frobenius distance of two covariances over 4 width^2.

    Args:
        one: [rows, width].
        two: [rows, width]; it may have another number of rows.
    """
    apart = _covariance(one) - _covariance(two)
    return apart.square().sum() / (4 * one.shape[1] ** 2)


def _covariance(values: torch.Tensor) -> torch.Tensor:
    centred = values - values.mean(0)
    return centred.T @ centred / max(len(values) - 1, 1)
