"""The adapter of a plan in a run: checked, attached, and its model kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, TrainerCallback, TrainingArguments

from hf_transfer_plugin.adapt.adapter_checks import check_adapter
from hf_transfer_plugin.adapt.adapters import apply_adapter, merge_adapter
from hf_transfer_plugin.adapt.lora_plus import lora_plus
from hf_transfer_plugin.callbacks.rank_budget import RankBudgetCallback
from hf_transfer_plugin.records import Plan

__all__ = ["adapted", "adapter_bytes", "adapter_callbacks", "merge", "optimizer_of", "save_weights"]


def adapted(plan: Plan, model: PreTrainedModel) -> Any:
    """Return the model with the plan's adapter, or as it is without one.

    Raises:
        ConfigError: for an adapter that does not fit the model, the schedule or the data.
    """
    if plan.adapter is None:
        return model
    check_adapter(plan, model.config)
    return apply_adapter(model, plan.adapter)


def adapter_callbacks(plan: Plan) -> list[TrainerCallback]:
    """Return what the adapter needs while it trains."""
    adapter = plan.adapter
    return [RankBudgetCallback()] if adapter is not None and adapter.name == "adalora" else []


def optimizer_of(plan: Plan, args: TrainingArguments) -> Any:
    """Return `optimizer_cls_and_kwargs` of a Trainer; None for its own optimizer."""
    ratio = plan.adapter.lora_plus if plan.adapter is not None else None
    return None if ratio is None else lora_plus(args, ratio)


def adapter_bytes(plan: Plan, model: Any) -> int:
    """Return the size of adapter and head as peft saves them; 0 without adapter."""
    if plan.adapter is None:
        return 0
    from peft import get_peft_model_state_dict

    with _layers_without_rank():
        return sum(tensor.nbytes for tensor in get_peft_model_state_dict(model).values())


def merge(plan: Plan, model: Any) -> None:
    """Add the adapter to the weights when the model is kept so: what is tested is what is kept."""
    if plan.adapter is not None and plan.adapter.is_merged:
        model.merge_adapter()


def save_weights(
    plan: Plan, model: Any, folder: Path, weights: dict[str, torch.Tensor] | None = None
) -> None:
    """Write the model; one with an adapter merged, or as adapter beside the configuration.

    Args:
        plan: what was trained.
        model: that trained, after `merge`.
        folder: empty.
        weights: all weights of the model to write in place of those it has.
    """
    if plan.adapter is None:
        model.save_pretrained(folder, state_dict=weights)
        return
    if plan.adapter.is_merged or weights is not None:
        model = deepcopy(model)
    if weights is not None:
        if plan.adapter.is_merged:
            model.unmerge_adapter()
        model.load_state_dict(weights)
    if plan.adapter.is_merged:
        merge_adapter(model).save_pretrained(folder)  # type: ignore[operator]
        return
    _name_base(plan, model.peft_config[model.active_adapter])
    with _layers_without_rank():
        model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # a card of peft without content
    # Classes and sizes of the network, for whoever builds it to put the adapter on.
    model.get_base_model().config.save_pretrained(folder)


def _name_base(plan: Plan, config: Any) -> None:
    """Say on what the adapter goes; a folder `a` by its whole path, lest it pass for a Hub name."""
    config.revision = plan.revision
    if os.path.isdir(config.base_model_name_or_path):
        config.base_model_name_or_path = os.path.abspath(config.base_model_name_or_path)


@contextmanager
def _layers_without_rank() -> Iterator[None]:
    """AdaLoRA leaves some layers no rank, which peft takes for shards that were not gathered."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Adapter 'default': .* have invalid shape")
        yield
