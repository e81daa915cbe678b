"""How much one pass counts in an optimizer step, so that a term counts as the loss does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["LossShare"]

_COUNT = "num_items_in_batch"


class LossShare:
    """Finds out how a model takes the number of labels that Trainer hands it.

    Under gradient accumulation Trainer tells models the number of labels of all passes together,
    and then no longer divides their loss by the number of passes. Some divide by it (their losses
    are shares, to be added up), others ignore it (theirs are means). Which of them a model is shows
    in the derivative of its loss by that number, asked for once.
    """

    def __init__(self) -> None:
        self._divides: bool | None = None
        self._count: torch.Tensor | None = None

    def before(self, kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments with a number that can be derived by; None: as they are."""
        self._count = None
        if kwargs.get(_COUNT) is None or self._divides is not None:
            return None
        count = torch.as_tensor(kwargs[_COUNT]).detach().to(torch.float32)
        self._count = count.clone().requires_grad_(True)
        return {**kwargs, _COUNT: self._count}

    def of(self, kwargs: Mapping[str, Any], loss: torch.Tensor) -> torch.Tensor | float:
        """Return the factor of a mean over this pass in the sum that is minimised.

        Args:
            kwargs: of the model.
            loss: that it returned for them.
        """
        if self._count is not None:
            (found,) = torch.autograd.grad(
                loss, self._count, retain_graph=True, allow_unused=True
            ) if loss.requires_grad else (None,)  # fmt: skip
            self._divides, self._count = found is not None, None
        labels, count = kwargs.get("labels"), kwargs.get(_COUNT)
        if not self._divides or count is None or not torch.is_tensor(labels):
            return 1.0
        own = labels.ne(-100).sum() / torch.as_tensor(count, device=labels.device)
        return own.detach()
