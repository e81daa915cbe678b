"""The forward passes of a batch of several tasks: all rows at once, or a task at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from transformers import PreTrainedModel

from hf_transfer_plugin.errors import ConfigError

__all__ = ["joined", "passes_of", "require_own_weights", "run_pass"]


def passes_of(model: nn.Module, task_labels: Tensor) -> list[Tensor | None]:
    """Return the rows of each pass: a task at a time, so that no task's pass holds others' rows.

    Batch normalization that trains reads all rows at once, as it will be used.
    """
    if any(isinstance(part, _BatchNorm) and part.training for part in model.modules()):
        return [None]
    return [(task_labels == task).nonzero().flatten() for task in task_labels.unique()]


def run_pass(
    model: Any,
    plain: type[PreTrainedModel],
    inputs: Mapping[str, Any],
    task_labels: Tensor,
    rows: Tensor | None,
) -> Any:
    """Return what the plain classifier gives for these rows; None: for all."""
    chosen = dict(inputs)
    if rows is not None:
        count = len(task_labels)
        chosen = {
            name: each[rows] if isinstance(each, Tensor) and each.shape[:1] == (count,) else each
            for name, each in inputs.items()
        }
        task_labels = task_labels[rows]
    with model.multitask.row_tasks.of(task_labels):
        return plain.forward(model, **chosen)


def require_own_weights(inputs: Mapping[str, Any]) -> None:
    """Require that nothing outside of the model trains: its gradient would not be projected.

    Raises:
        ConfigError: for inputs that train.
    """
    strange = [n for n, each in inputs.items() if isinstance(each, Tensor) and each.requires_grad]
    if strange or inputs.get("past_key_values") is not None:
        raise ConfigError(
            arrived="PCGrad with weights outside of the network (virtual tokens of a prompt)",
            expected="an adapter inside of it, such as lora",
            action="choose another adapter, or leave pcgrad out",
        )


def joined(
    classes: Sequence[int],
    found: list[tuple[Tensor | None, Any]],
    task_labels: Tensor,
    labels: Tensor | None,
) -> tuple[Tensor, dict[int, Tensor]]:
    """Return logits of all rows [rows, most classes], and task -> its part of the mean loss."""
    first = found[0][1].logits
    least = torch.finfo(first.dtype).min
    logits = first.new_full((len(task_labels), max(classes)), least)
    losses: dict[int, Tensor] = {}
    for rows, output in found:
        tasks = task_labels if rows is None else task_labels[rows]
        for task in tasks.unique().tolist():
            own = (tasks == task).nonzero().flatten()
            whole = own if rows is None else rows[own]
            answers = output.logits[own, : classes[task]]
            logits[whole, : classes[task]] = answers
            if labels is not None:
                total = nn.functional.cross_entropy(answers.float(), labels[whole], reduction="sum")
                losses[task] = total / len(task_labels)
    return logits, losses
