"""Adaptive feature norm: the features of the training rows grow longer, or all of one length."""

from __future__ import annotations

import torch

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass

__all__ = ["FeatureNorm", "hard_norm_gap", "stepwise_norm_gap"]


class FeatureNorm(LossTerm):
    """Adds weight times how far the norms of a batch's features are from a larger norm.

    Stepwise (radius 0): mean over examples of (|f| - (|f| as it is now + delta))^2, whose value is
    delta^2 whatever the features are; its slope lengthens each of them. Hard (radius R above 0):
    (mean over examples of |f| - R)^2. The paper adds it for the rows of the source's task and for
    unlabelled rows of the target; here the rows are those that train.

    Args:
        weight: of the term.
        delta: by how much a norm shall grow; stepwise alone.
        radius: norm that the features shall have in the mean; 0: stepwise. The paper's is 25.

    References:
        Xu et al., "Larger Norm More Transferable: An Adaptive Feature Norm Approach for
        Unsupervised Domain Adaptation" (2019).
    """

    name = "feature_norm"

    def __init__(self, weight: float = 0.05, delta: float = 1.0, radius: float = 0.0) -> None:
        super().__init__(weight=weight, delta=delta, radius=radius)
        self.weight, self.delta, self.radius = weight, delta, radius

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the mean norm."""
        norms = torch.linalg.vector_norm(self.features_of(seen.read), dim=1)
        if self.radius:
            gap = hard_norm_gap(norms, self.radius)
        else:
            gap = stepwise_norm_gap(norms, self.delta)
        return self.weight * gap, {"norm": norms.mean()}


def stepwise_norm_gap(norms: torch.Tensor, delta: float) -> torch.Tensor:
    """Return the mean of (norm - (norm without gradient + delta))^2.

    Args:
        norms: of the features, [examples].
        delta: step.
    """
    return (norms - (norms.detach() + delta)).square().mean()


def hard_norm_gap(norms: torch.Tensor, radius: float) -> torch.Tensor:
    """Return (mean norm - radius)^2.

    Args:
        norms: of the features, [examples].
        radius: wanted.
    """
    return (norms.mean() - radius) ** 2
