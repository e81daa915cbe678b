"""MMD: the features of both domains shall have one distribution, as several kernels see it."""

from __future__ import annotations

import torch

from hf_transfer_plugin.adapt.objectives.domain_term import DomainTerm
from hf_transfer_plugin.adapt.objectives.loss_term import Pass

__all__ = ["MMD", "mean_discrepancy"]

_SCALES = tuple(2.0**power for power in range(-3, 2))


class MMD(DomainTerm):
    """Adds weight times the squared maximum mean discrepancy of five Gaussian kernels.

    The squared widths are 2^-3 to 2^1 times the mean squared distance between all rows of the
    batch. The features are those that the head reads; the paper adds it for several layers.

    Args:
        weight: of the term.

    References:
        Long et al., "Learning Transferable Features with Deep Adaptation Networks" (2015);
        Gretton et al., "A Kernel Two-Sample Test" (2012).
    """

    name = "mmd"

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        self.weight = weight

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the discrepancy without its weight."""
        apart = mean_discrepancy(*self.domains(self.features_of(seen.read), seen.batch))
        return self.weight * apart, {"discrepancy": apart}


def mean_discrepancy(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Return the unbiased estimate of the squared discrepancy, the sum over the five kernels.

    Args:
        one: [rows, width].
        two: [rows, width]; it may have another number of rows.
    """
    both, first = torch.cat([one, two]), len(one)
    both = both - both.detach().mean(0)  # the nearer to zero, the less is lost in differences
    lengths = both.square().sum(1)
    squared = (lengths[:, None] + lengths - 2 * both @ both.T).clamp(min=0)
    mean = squared.detach().mean()
    shrunk = squared / (2 * mean.clamp(min=torch.finfo(mean.dtype).tiny))
    kernels = torch.stack([torch.exp(-shrunk / scale) for scale in _SCALES]).sum(0)
    within = _off_diagonal_mean(kernels[:first, :first])
    within = within + _off_diagonal_mean(kernels[first:, first:])
    return within - 2 * kernels[:first, first:].mean()


def _off_diagonal_mean(kernels: torch.Tensor) -> torch.Tensor:
    """Return the mean over pairs of different rows; 0 for one row alone."""
    rows = len(kernels)
    return (kernels.sum() - kernels.diagonal().sum()) / max(rows * (rows - 1), 1)
