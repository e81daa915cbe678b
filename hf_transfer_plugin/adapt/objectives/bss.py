"""Batch spectral shrinkage: the weakest directions of the features are suppressed."""

from __future__ import annotations

import torch

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass

__all__ = ["BSS", "spectral_shrinkage"]


class BSS(LossTerm):
    """Adds eta times the sum of the k smallest squared singular values of a batch's features.

    Args:
        eta: weight of the term.
        k: how many singular values; at most as many as there are.

    References:
        Chen et al., "Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage
        for Safe Transfer Learning" (2019).
    """

    name = "bss"

    def __init__(self, eta: float = 0.001, k: int = 1) -> None:
        super().__init__(eta=eta, k=k)
        self.eta, self.k = eta, k

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the sum without its weight."""
        shrunk = spectral_shrinkage(self.features_of(seen.read), self.k)
        return self.eta * shrunk, {"smallest": shrunk}


def spectral_shrinkage(features: torch.Tensor, k: int) -> torch.Tensor:
    """Return the sum of the k smallest squared singular values of [examples, width]."""
    values: torch.Tensor = torch.linalg.svdvals(features.float())
    return values[-k:].square().sum()
