"""R-Drop: two passes with other dropout masks shall tell the same classes."""

from __future__ import annotations

import torch
from torch.nn import functional

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass

__all__ = ["RDrop", "symmetric_divergence"]


class RDrop(LossTerm):
    """Adds alpha times the divergence between what two passes say of the classes.

    The model runs twice on each batch in training. The loss of the task is the mean of that of
    both passes, as in the reference implementation (the paper's equation adds them up), and the
    term is alpha/2 (KL(p1 | p2) + KL(p2 | p1)), mean over examples. Where a pass draws no random
    number, because no dropout is on, there is no second one and the term is 0.

    Args:
        alpha: weight of the term; the paper's are between 0.1 and 5.

    References:
        Liang et al., "R-Drop: Regularized Dropout for Neural Networks" (2021).
    """

    name = "r_drop"

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)
        self.alpha = alpha

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the divergence without its weight."""
        if seen.again is None:
            nothing = torch.zeros(())
            return nothing, {"divergence": nothing}
        rows = len(self.labels_of(seen.batch))
        one, two = (self.logits_of(each, rows) for each in (seen.outputs, seen.again))
        apart = symmetric_divergence(one, two)
        return self.alpha * apart, {"divergence": apart}


def symmetric_divergence(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Return the mean over examples of (KL(p1 | p2) + KL(p2 | p1)) / 2, in nats.

    Args:
        one: logits of p1, [examples, classes].
        two: of p2, likewise.
    """
    p, q = (torch.log_softmax(each.float(), 1) for each in (one, two))
    there = functional.kl_div(q, p, reduction="batchmean", log_target=True)
    back = functional.kl_div(p, q, reduction="batchmean", log_target=True)
    return (there + back) / 2
