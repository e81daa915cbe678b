"""How far a trained model has moved from its checkpoint: in weights, layer by layer, and features.

Source data are seldom at hand, so what a network forgot of its source is not measured as error
there, but as what became of its features on the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments

from hf_transfer_plugin.adapt.adapters import merge_adapter
from hf_transfer_plugin.callbacks.hook_functions import as_function
from hf_transfer_plugin.callbacks.sharded_weights import is_sharded
from hf_transfer_plugin.checkpoints import without_bars
from hf_transfer_plugin.data import Prepared
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.records import Drift, Plan
from hf_transfer_plugin.select.kernel_alignment import debiased_cka
from hf_transfer_plugin.select.layer_reading import pooled

__all__ = ["measure_drift"]

_EXAMPLES = 96
_BATCH = 32
_FEWEST = 8


def measure_drift(
    plan: Plan,
    args: TrainingArguments,
    model: Any,
    pretrained: Callable[[], nn.Module],
    prepared: Prepared,
) -> Drift | None:
    """Compare a model with its checkpoint, which is loaded once more.

    None for random weights, and for weights that are dealt out among processes.

    The features are those of up to 96 validation examples, spread evenly over the split; where
    weights are chosen without labels of the target, validation holds rows of both domains.

    Args:
        plan: what was trained.
        args: of its Trainer.
        model: that trained, as it is saved.
        pretrained: returns the model as it was before training.
        prepared: holds the validation split.
    """
    if plan.weights != "pretrained" or is_sharded(args, model):
        return None
    with without_bars():
        first = pretrained().to(next(model.parameters()).device)
    kept_alone = plan.adapter is not None and not plan.adapter.is_merged
    weights, whole = ({}, None) if kept_alone else _distances(_plain(plan, model), first)
    rows = _rows(prepared)
    similarity = None
    if len(rows) >= _FEWEST:
        features = [_features(each, prepared, rows) for each in (model, first)]
        if all(each is not None and torch.isfinite(each).all() for each in features):
            similarity = debiased_cka(*(each.numpy() for each in features if each is not None))
    if similarity is None or math.isnan(similarity):
        return Drift(weights, whole)
    return Drift(weights, whole, similarity, len(rows))


def _plain(plan: Plan, model: Any) -> nn.Module:
    """Return the network with its adapter in its weights, in its old form."""
    return model if plan.adapter is None else merge_adapter(deepcopy(model))


@torch.no_grad()
def _distances(model: nn.Module, first: nn.Module) -> tuple[dict[str, float], float | None]:
    """Return the relative L2 distance of each layer group but the head, and of all together."""
    groups = layer_groups(first)
    trained, before = dict(model.named_parameters()), dict(first.named_parameters())
    found, moved_all, size_all = {}, 0.0, 0.0
    for group in groups:
        names = [name for name in group.parameter_names if name in trained]
        if group is groups.head or not names:
            continue
        moved = sum(float((trained[n].double() - before[n].double()).square().sum()) for n in names)
        size = sum(float(before[n].double().square().sum()) for n in names)
        if size and math.isfinite(moved):
            found[group.name] = math.sqrt(moved / size)
            moved_all, size_all = moved_all + moved, size_all + size
    return found, math.sqrt(moved_all / size_all) if size_all else None


def _rows(prepared: Prepared) -> list[int]:
    count = len(prepared.choosing)
    taken = min(count, _EXAMPLES)
    return [index * count // taken for index in range(taken)]


@torch.no_grad()
def _features(model: nn.Module, prepared: Prepared, rows: list[int]) -> torch.Tensor | None:
    """Return what the head reads, [rows, width]; None for a model without a head of its own."""
    head = layer_groups(model).head
    if head is None or not head.module_names:
        return None
    read: list[torch.Tensor] = []
    mask: list[torch.Tensor | None] = [None]

    def at_head(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        values = (*args, *kwargs.values())
        taken = next((each for each in values if torch.is_tensor(each)), None)
        found = None if taken is None else pooled(taken, len(taken), mask[0], module)
        if found is not None:
            read.append(found)

    hook = model.get_submodule(head.module_names[0]).register_forward_pre_hook(
        as_function(at_head), with_kwargs=True
    )
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        split = prepared.choosing
        for start in range(0, len(rows), _BATCH):
            batch = prepared.collate([split[index] for index in rows[start : start + _BATCH]])
            mask[0] = batch.get("attention_mask")
            model(**{name: value.to(device) for name, value in batch.items()})
    finally:
        model.train(was_training)
        hook.remove()
    table = torch.cat(read) if read else None
    return table if table is not None and len(table) == len(rows) else None
