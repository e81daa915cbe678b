"""What is read off a trained model: its accuracy, and which batches it was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["BatchWatch", "accuracy"]


def accuracy(model: Any, rows: Any, collate: Callable[[list[dict[str, Any]]], Any]) -> float:
    """Return the share of rows that a model classifies rightly."""
    order = list(range(len(rows)))
    if "input_ids" in rows.column_names:
        # Texts of like length share a batch.
        lengths = [len(ids) for ids in rows["input_ids"]]
        order.sort(key=lengths.__getitem__)
    model.eval()
    right = 0
    with torch.inference_mode():
        for batch in DataLoader(rows, batch_size=64, sampler=order, collate_fn=collate):
            labels = batch.pop("labels")
            right += int((model(**batch).logits.argmax(-1) == labels).sum())
    return right / len(rows)


class BatchWatch(TrainerCallback):
    """Counts the training steps of a Trainer and takes a digest of their labels.

    Labels reach the model whether its layers run or their outputs are read from disk, so
    trainings on the same rows in the same order have the same digest. Of several forward passes
    before an optimizer step (checks of the cache are some) the last one is the step's.
    """

    def __init__(self, model: nn.Module) -> None:
        self._digest = hashlib.sha256()
        self._steps = 0
        self._labels = b""
        self._hook = model.register_forward_pre_hook(self._before_forward, with_kwargs=True)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take the labels of the step that was made."""
        self._digest.update(self._labels)
        self._steps += 1

    def finish(self, expected: int) -> dict[str, Any]:
        """Stop, and return steps and digest.

        Raises:
            RuntimeError: when there were more or fewer steps than expected.
        """
        self._hook.remove()
        if self._steps != expected:
            raise RuntimeError(f"{self._steps} training steps, not {expected}")
        return {"steps": self._steps, "batches": self._digest.hexdigest()[:16]}

    def _before_forward(self, model: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        if model.training and torch.is_grad_enabled():
            self._labels = kwargs["labels"].numpy().tobytes()
