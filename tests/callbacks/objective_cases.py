"""Tiny models, schedules and runs that every objective is tried on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import BertForSequenceClassification, Trainer, TrainerCallback

from hf_transfer_plugin import FreezingSchedule, ObjectiveCallback, apply_adapter
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.layers import layer_groups
from tests.callbacks.tiny import bert_config, resnet, trainer

__all__ = ["ADAPTERS", "MODELS", "SCHEDULES", "build", "hooks_of", "run"]


def _bert(classes: int = 2) -> nn.Module:
    """Return a network that can be wide or deep enough for every term, without dropout."""
    torch.manual_seed(0)
    config = bert_config()
    config.num_labels = classes
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    return BertForSequenceClassification(config)


MODELS: dict[str, Callable[[], nn.Module]] = {"bert": _bert, "resnet": resnet}
ADAPTERS = (None, "lora")
SCHEDULES: dict[str, Callable[[nn.Module], FreezingSchedule]] = {
    "full": lambda model: FreezingSchedule.full(),
    "gradual": lambda model: FreezingSchedule.from_phases(
        [{"train": ["head", "top:1"], "until_fraction": 0.5}, {"train": "*"}]
    ),
    "head": lambda model: FreezingSchedule.linear_probe(),
}


def build(model: str, adapter: str | None) -> nn.Module:
    network = MODELS[model]()
    network.accepts_loss_kwargs = False  # type: ignore[assignment]
    torch.manual_seed(1)
    return network if adapter is None else apply_adapter(network, adapter)


def run(
    model: nn.Module,
    folder: Path,
    objective: Any,
    schedule: str = "full",
    *callbacks: TrainerCallback,
    resume: str | None = None,
    **arguments: Any,
) -> Trainer:
    """Train a model and return its Trainer."""
    added = [] if objective is None else [ObjectiveCallback(objective)]
    freezing = FreezingCallback(SCHEDULES[schedule](model))
    settings: dict[str, Any] = {"weight_decay": 0.0, "max_steps": 4, **arguments}
    made = trainer(model, folder, freezing, *added, *callbacks, **settings)
    made.train(resume_from_checkpoint=resume)
    return made


def hooks_of(model: nn.Module) -> list[int]:
    """Return how many hooks each module has."""
    groups = layer_groups(model)
    assert groups.head is not None
    return [
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    ]
