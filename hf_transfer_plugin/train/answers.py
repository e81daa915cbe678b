"""What a classifier answers on a split: from logits, or from a model without a Trainer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch.utils.data import DataLoader

from hf_transfer_plugin.data import Prepared
from hf_transfer_plugin.metrics import classification_metrics

__all__ = ["Answers", "answer"]

_BATCH = 64  # as Trainer evaluates in a run, so that texts are padded alike


@dataclass(frozen=True)
class Answers:
    """Answers on the rows of a split, in their order; nothing where a split was not read.

    Attributes:
        metrics: name -> value.
        predictions: predicted class of each row.
        confidences: probability of the predicted class of each row.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    predictions: tuple[int, ...] = ()
    confidences: tuple[float, ...] = ()

    @classmethod
    def of(cls, logits: np.ndarray, labels: np.ndarray) -> Self:
        """Read logits [rows, classes] beside the true classes [rows]."""
        wide = logits.astype(np.float64)
        shifted = np.exp(wide - wide.max(-1, keepdims=True))
        probabilities = shifted / shifted.sum(-1, keepdims=True)
        # Classes as the model that answers sees them, in its own precision.
        predictions = logits.argmax(-1)
        return cls(
            metrics=classification_metrics(labels, predictions),
            predictions=tuple(predictions.tolist()),
            confidences=tuple(probabilities.max(-1).tolist()),
        )


def answer(model: torch.nn.Module, prepared: Prepared, role: str) -> Answers:
    """Let a model answer a split, where its weights are, without dropout.

    Args:
        model: a classifier.
        prepared: holds the split in the form that the model reads.
        role: the split.
    """
    device = next(model.parameters()).device
    rows: Any = prepared.splits[role]
    loader = DataLoader(rows, batch_size=_BATCH, collate_fn=prepared.collate)
    logits, labels = [], []
    model.eval()
    with torch.no_grad():
        for batch in loader:
            labels.append(batch.pop("labels"))
            logits.append(model(**{key: each.to(device) for key, each in batch.items()}).logits)
    joined = torch.cat(logits).float().cpu().numpy()
    return Answers.of(joined, torch.cat(labels).numpy())
