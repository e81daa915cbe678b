"""Tiny networks of three tasks, with rows for them and a Trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from hf_transfer_plugin.adapt.multitask import (
    TaskMetrics,
    TaskRows,
    TrainingRows,
    build_multitask,
    with_tasks,
)
from hf_transfer_plugin.callbacks.multitask import MultitaskCallback
from hf_transfer_plugin.data_records import Task
from hf_transfer_plugin.multitask_records import Way
from tests.callbacks import tiny

CLASSES: Mapping[str, tuple[str, ...]] = {
    "mood": ("-", "0", "+"),
    "spam": ("no", "yes"),
    "topic": tuple("abcde"),
}
ROWS = {"mood": 12, "spam": 4, "topic": 8}


def distilbert() -> nn.Module:
    """Return a network whose head is two modules with others between them."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 16}
    return DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=40, max_position_embeddings=8, **sizes)
    )


def calm_bert() -> nn.Module:
    """Return a BERT without dropout."""
    config = tiny.bert_config()
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    torch.manual_seed(0)
    return BertForSequenceClassification(config)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "bert": tiny.bert,
    "distilbert": distilbert,
    "calm_bert": calm_bert,
    "vit": tiny.vit,
    "resnet": tiny.resnet,
    "timm": tiny.efficientnet,
}


def save(name: str, folder: Path) -> Path:
    """Save a network where it is not yet, and return its folder."""
    if not (folder / name).is_dir():
        NETWORKS[name]().save_pretrained(folder / name)  # type: ignore[operator]
    return folder / name


def build(name: str, folder: Path, *, pcgrad: bool = False) -> PreTrainedModel:
    """Return a network with a head for each of CLASSES."""
    images = name in ("vit", "resnet", "timm")
    task: Task = "image-classification" if images else "text-classification"
    return build_multitask(str(save(name, folder)), task, CLASSES, pcgrad=pcgrad)


def rows(model: Any) -> dict[str, list[dict[str, Any]]]:
    """Return rows of each task that the network reads."""
    generator = torch.Generator().manual_seed(1)
    found = {}
    for name, count in ROWS.items():
        if model.main_input_name == "pixel_values":
            inputs = torch.randn(count, 3, 32, 32, generator=generator)
        else:
            inputs = torch.randint(1, 40, (count, 8), generator=generator)
        labels = [place % len(CLASSES[name]) for place in range(count)]
        keys = zip(inputs, labels, strict=True)
        found[name] = [{model.main_input_name: x, "labels": y} for x, y in keys]
    return found


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Put rows together, without their task."""
    return {k: torch.stack([torch.as_tensor(item[k]) for item in items]) for k in items[0]}


def batch(model: Any, count: int = 12) -> dict[str, torch.Tensor]:
    """Return the first rows of all tasks in the order of an epoch."""
    order = TrainingRows(rows(model), Way("round_robin"))
    return with_tasks(collate)([order[place] for place in range(count)])


def trainer(
    model: Any,
    folder: Path,
    *callbacks: TrainerCallback,
    way: Way | None = None,
    **arguments: Any,
) -> Trainer:
    """Return an unmodified Trainer of 24 rows an epoch."""
    defaults: dict[str, Any] = {
        "max_steps": 8,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "weight_decay": 0.1,
        "logging_steps": 1,
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": [],
        "train_sampling_strategy": "sequential",
    }
    return Trainer(
        model=model,
        args=TrainingArguments(output_dir=str(folder), **(defaults | arguments)),
        train_dataset=TrainingRows(rows(_inner(model)), way, seed=3),
        eval_dataset=TaskRows(rows(_inner(model))),
        data_collator=with_tasks(collate),
        compute_metrics=TaskMetrics(model),
        callbacks=[*callbacks, MultitaskCallback()],
    )


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model
