"""Tiny models, schedules and runs that every objective is tried on."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    BertForSequenceClassification,
    ResNetForImageClassification,
    Trainer,
    TrainerCallback,
    ViTForImageClassification,
)

from hf_transfer_plugin import (
    DomainPairs,
    DomainPairsCollator,
    FreezingSchedule,
    ObjectiveCallback,
    apply_adapter,
)
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.checkpoints import without_bars
from tests.callbacks.tiny import bert_config, resnet, trainer, vit

__all__ = [
    "ADAPTERS",
    "MEANS",
    "MODELS",
    "SCHEDULES",
    "STRONG",
    "build",
    "fitting",
    "hooks_of",
    "pair",
    "run",
    "save_sources",
]


def _bert(dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    config = bert_config()
    config.num_labels = SOURCE_CLASSES
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
    return BertForSequenceClassification(config)


def _resnet() -> Any:
    config = resnet().config
    config.num_labels = SOURCE_CLASSES  # type: ignore[union-attr]
    torch.manual_seed(0)
    return ResNetForImageClassification(config)


def _vit(dropout: float = 0.0) -> Any:
    config: Any = vit().config
    config.num_labels = SOURCE_CLASSES
    config.hidden_dropout_prob = dropout
    torch.manual_seed(0)
    return ViTForImageClassification(config)


SOURCE_CLASSES = 5
MODELS: dict[str, Callable[[], Any]] = {
    "bert": _bert,
    "bert_with_dropout": partial(_bert, 0.2),
    "resnet": _resnet,
    "vit": _vit,
    "vit_with_dropout": partial(_vit, 0.2),
}
KINDS: dict[str, Any] = {
    "bert": BertForSequenceClassification,
    "bert_with_dropout": BertForSequenceClassification,
    "resnet": ResNetForImageClassification,
    "vit": ViTForImageClassification,
    "vit_with_dropout": ViTForImageClassification,
}
# Strong enough to show in a run of four steps.
STRONG: dict[str, dict[str, Any]] = {
    "l2sp": {"name": "l2sp", "alpha": 1.0, "beta": 1.0},
    "bss": {"name": "bss", "eta": 1.0, "k": 2},
    "delta": {"name": "delta", "alpha": 1.0},
    "co_tuning": {"name": "co_tuning"},
    "relational": {"name": "relational"},
    "feature_norm": {"name": "feature_norm", "weight": 1.0},
    "r_drop": {"name": "r_drop", "alpha": 5.0},
    "dann": {"name": "dann", "warmup": 1, "width": 8},
    "cdan": {"name": "cdan", "entropy": True, "warmup": 1, "width": 8},
    "domain_confusion": {"name": "domain_confusion", "rate": 0.01},
    "mmd": {"name": "mmd"},
    "coral": {"name": "coral", "weight": 100.0},
    "mcc": {"name": "mcc"},
}
# Terms that are means over examples, or of the weights alone.
MEANS = ("l2sp", "delta", "co_tuning", "feature_norm", "dann", "domain_confusion")
ADAPTERS = (None, "lora")
SCHEDULES: dict[str, Callable[[nn.Module], FreezingSchedule]] = {
    "full": lambda model: FreezingSchedule.full(),
    "gradual": lambda model: FreezingSchedule.from_phases(
        [{"train": ["head", "top:1"], "until_fraction": 0.5}, {"train": "*"}]
    ),
    "head": lambda model: FreezingSchedule.linear_probe(),
}


def save_sources(folder: Path) -> None:
    """Save each network with a head for other classes than those of the runs."""
    for name, made in MODELS.items():
        made().save_pretrained(folder / name)


def fitting(objective: str, model: str) -> str:
    """Return the network on which an objective can be seen to work: R-Drop needs dropout."""
    return "bert_with_dropout" if (objective, model) == ("r_drop", "bert") else model


def build(model: str, adapter: str | None, sources: Path) -> nn.Module:
    """Return a network with a fresh head, on what `save_sources` saved."""
    return deepcopy(_built(model, adapter, sources))


@cache
def _built(model: str, adapter: str | None, sources: Path) -> nn.Module:
    torch.manual_seed(1)
    with without_bars():
        network: nn.Module = KINDS[model].from_pretrained(
            sources / model, num_labels=2, ignore_mismatched_sizes=True
        )
    if not model.startswith(
        "vit"
    ):  # the only one that divides its loss by the number of all labels
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
    if added and added[0].objective.record.kind.reads_domains:
        pair(made)
    made.train(resume_from_checkpoint=resume)
    return made


def pair(made: Trainer) -> None:
    """Let a Trainer train on pairs: its rows as the source, and shifted ones as the target."""
    rows: Any = made.train_dataset
    (name,) = {"input_ids", "pixel_values"} & set(rows[0])
    shifted = [{name: (row[name] * 3).clamp(max=39), "labels": row["labels"]} for row in rows[:12]]
    made.train_dataset = DomainPairs(rows, shifted)
    made.data_collator = DomainPairsCollator(made.data_collator)


def hooks_of(model: nn.Module) -> list[int]:
    """Return how many hooks each module has."""
    return [
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    ]
