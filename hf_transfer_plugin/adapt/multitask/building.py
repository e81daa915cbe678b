"""A multitask model from any checkpoint that gives a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from hf_transfer_plugin.adapt.multitask.model import MultitaskState, make_multitask
from hf_transfer_plugin.adapt.multitask_checks import check_names
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data_records import Task
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import layer_groups

__all__ = ["build_multitask"]


def build_multitask(
    checkpoint: Checkpoint | str,
    task: Task,
    classes: Mapping[str, Sequence[str]] | Sequence[tuple[str, Sequence[str]]],
    *,
    pcgrad: bool = False,
    seed: int = 0,
    image_size: int | None = None,
    pad_token_id: int | None = None,
) -> PreTrainedModel:
    """Load one network with a head for each task.

    The model keeps the class of the checkpoint's classifier as its base, so layer groups,
    freezing schedules and adapters see one network whose "head" holds the heads of all tasks. Its
    forward pass reads `task_labels` (see `with_tasks`) beside the inputs. The loss is the mean
    cross-entropy over the rows of a batch, so that tasks weigh as they are sampled. Each head is
    drawn with the seed, as a classifier of its task alone would be.

    Args:
        checkpoint: that is loaded, or its name.
        task: of all: texts or images.
        classes: task -> its class names.
        pcgrad: project conflicting gradients of tasks in training.
        seed: of the heads, and of the orders of PCGrad.
        image_size: as for `Checkpoint.classifier`.
        pad_token_id: as for `Checkpoint.classifier`.

    Raises:
        ConfigError: for fewer than two tasks, names that repeat or do not fit, and a network
            whose head cannot be told apart.
        CheckpointError: when the checkpoint cannot be loaded.

    Example:
        >>> model = build_multitask(
        ...     "sample:minilm", "text-classification", {"mood": ("-", "+"), "topic": "abc"}
        ... )  # doctest: +SKIP
    """
    if isinstance(checkpoint, str):
        checkpoint = Checkpoint(checkpoint)
    pairs = list(classes.items() if isinstance(classes, Mapping) else classes)
    check_names([name for name, _ in pairs])
    configs: dict[str, Any] = {}
    heads: dict[str, list[nn.Module]] = {}
    shared: PreTrainedModel | None = None
    for name, class_names in pairs:
        torch.manual_seed(seed)
        model = checkpoint.classifier(
            task, class_names, image_size=image_size, pad_token_id=pad_token_id
        )
        for path in _head_modules(model):
            heads.setdefault(path, []).append(model.get_submodule(path))
        configs[name] = model.config
        shared = shared or model
    assert shared is not None
    state = MultitaskState(configs, type(shared), pcgrad, seed)
    return make_multitask(shared, heads, state)


def _head_modules(model: nn.Module) -> list[str]:
    """Return the outermost modules of the head that hold weights."""
    head = layer_groups(model).head
    paths = [
        path
        for path in (head.module_names if head is not None else ())
        if next(model.get_submodule(path).parameters(), None) is not None
    ]
    inside = tuple(f"{path}." for path in paths)
    if head is None or not all(name.startswith(inside) for name in head.parameter_names if inside):
        raise ConfigError(
            arrived=f"{type(model).__name__}, whose head lies in no module of its own",
            expected="a classifier whose head is one module or several, such as BERT, ViT, ResNet",
            action="choose another checkpoint",
        )
    return paths
