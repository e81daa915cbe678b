"""The metrics of each task, and their mean, from one evaluation of all."""

from __future__ import annotations

import numpy as np
from torch import nn
from transformers import EvalPrediction

from hf_transfer_plugin.adapt.multitask.model import state_of
from hf_transfer_plugin.metrics import METRICS, classification_metrics

__all__ = ["TaskMetrics"]


class TaskMetrics:
    """`compute_metrics` of a Trainer: TASK_METRIC and TASK_loss of each task, mean_METRIC of all.

    Trainer writes them as eval_TASK_accuracy, eval_mean_accuracy and so on. In the mean each task
    counts the same, however many rows it has.

    Args:
        model: of several tasks, wrapped or not.

    Raises:
        ConfigError: for another model.
    """

    def __init__(self, model: nn.Module) -> None:
        state = state_of(model)
        self.names, self.classes = state.names, state.classes

    def __call__(self, outputs: EvalPrediction) -> dict[str, float]:
        """Return the metrics of the tasks of whom there are rows."""
        labels, tasks = (np.asarray(each) for each in outputs.label_ids)
        logits = np.asarray(outputs.predictions)
        found: dict[str, float] = {}
        scores = []
        for number, (name, classes) in enumerate(zip(self.names, self.classes, strict=True)):
            own = tasks == number
            if not own.any():
                continue
            answers, truth = logits[own][:, :classes].astype(np.float64), labels[own]
            scores.append(classification_metrics(truth, answers.argmax(-1)))
            found |= {f"{name}_{metric}": value for metric, value in scores[-1].items()}
            found[f"{name}_loss"] = _cross_entropy(answers, truth)
        means = {f"mean_{m}": float(np.mean([score[m] for score in scores])) for m in METRICS}
        return found | means


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy, in nats, of logits [rows, classes]."""
    highest = logits.max(-1, keepdims=True)
    normal = np.log(np.exp(logits - highest).sum(-1)) + highest[:, 0]
    return float((normal - logits[np.arange(len(labels)), labels]).mean())
