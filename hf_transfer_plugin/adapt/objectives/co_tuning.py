"""Co-Tuning: the source classes that go with a target class supervise the network as well."""

from __future__ import annotations

from collections.abc import Callable

import torch

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass, Read, Start

__all__ = ["CoTuning", "relationship", "soft_cross_entropy"]


class CoTuning(LossTerm):
    """Adds a cross-entropy of the source's head against p(source class given target class).

    p is the mean probability that the source gives its classes for the training rows of a target
    class, before training. In the paper the head of the source trains along; here it rests, so
    that the model has no parameters beside its own, and the term trains what comes before.

    Args:
        weight: of the term.

    References:
        You et al., "Co-Tuning for Transfer Learning" (2020).
    """

    name = "co_tuning"

    def __init__(self, weight: float = 2.3) -> None:
        super().__init__(weight=weight)
        self.weight = weight
        self._head: Callable[[Read], torch.Tensor] | None = None
        self._relationship = torch.empty(0)

    def attach(self, start: Start) -> None:
        """Relate source classes and target classes on the training rows."""
        assert start.source is not None and start.source_head is not None
        self._head = start.source_head
        with torch.no_grad():
            answered = [
                (torch.softmax(start.source_head(start.source(batch)), 1), self.labels_of(batch))
                for batch in start.batches()
            ]
        answers, labels = (torch.cat(each) for each in zip(*answered, strict=True))
        self._relationship = relationship(answers, labels)

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the cross-entropy without its weight."""
        assert self._head is not None
        labels = self.labels_of(seen.batch)
        known = labels >= 0  # a row of another domain has no label
        found = soft_cross_entropy(self._head(seen.read)[known], self._relationship[labels[known]])
        return self.weight * found, {"cross_entropy": found}

    def detach(self) -> None:
        """Let go of the head and of what it said."""
        self._head, self._relationship = None, torch.empty(0)


def relationship(answers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return p(source class given target class), [target classes, source classes].

    Args:
        answers: probabilities of the source classes, [examples, source classes].
        labels: target classes, [examples]; one without example has the mean of all rows.
    """
    classes = range(int(labels.max()) + 1)
    of_class = [answers[labels == each] for each in classes]
    return torch.stack([(rows if len(rows) else answers).mean(0) for rows in of_class])


def soft_cross_entropy(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the mean over examples of -sum_s p_s log q_s, in nats.

    Args:
        logits: of q, [examples, classes].
        wanted: p, likewise.
    """
    return -(wanted * torch.log_softmax(logits, 1)).sum(1).mean()
