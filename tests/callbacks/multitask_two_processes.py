"""Runs of several tasks that two processes make as one does, in the launch of the objectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hf_transfer_plugin.adapt.adapters import apply_adapter
from hf_transfer_plugin.multitask_records import Way
from tests.adapt.multitask.cases import build, trainer
from tests.callbacks.tiny import tensors

TASK_CASES: list[tuple[Way, str | None]] = [
    (Way("size"), None),
    (Way("round_robin", pcgrad=True), None),
    (Way("size", pcgrad=True), "lora"),
]


def train_tasks(folder: Path, processes: int) -> list[dict[str, torch.Tensor]]:
    """Train each case on batches of 4 in all, so that a process may lack a task."""
    found = []
    for way, adapter in TASK_CASES:
        model: Any = build("calm_bert", folder, pcgrad=way.pcgrad)
        if adapter is not None:
            model = apply_adapter(model, adapter)
        sizes: dict[str, Any] = {"per_device_train_batch_size": 4 // processes, "optim": "sgd"}
        trainer(model, folder / "runs", way=way, **sizes).train()
        found.append(tensors(model))
    return found
