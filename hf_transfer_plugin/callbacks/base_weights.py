"""Weights under PEFT adapters that a schedule trains: thawed in time, kept in checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from hf_transfer_plugin.adapt.schedule_state import BASE
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.layers import layer_groups, select_groups

__all__ = ["copy_into", "has_adapters", "thaw_base", "trains_base"]

# PEFT trains a copy of what is in modules_to_save; the module itself is kept and never runs.
_REPLACED = ".original_module."


def has_adapters(model: nn.Module) -> bool:
    """Tell whether PEFT has added anything to the model."""
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    return any(isinstance(m, PeftModel | BaseTunerLayer) for m in model.modules())


def trains_base(schedule: FreezingSchedule) -> bool:
    """Tell whether any phase trains weights under adapters."""
    return any(selector.startswith(BASE) for phase in schedule.phases for selector in phase.train)


def thaw_base(model: nn.Module, schedule: FreezingSchedule) -> list[str]:
    """Make the base weights trainable that any phase trains, before the optimizer is built.

    Returns:
        the names of the parameters.

    Raises:
        ScheduleError: for a model without adapters, or with weights that cannot train.
    """
    selectors = [
        selector.removeprefix(BASE)
        for phase in schedule.phases
        for selector in phase.train
        if selector.startswith(BASE)
    ]
    if not selectors:
        return []
    if not has_adapters(model):
        raise ScheduleError(
            f"the schedule trains {BASE}{selectors[0]}, and {type(model).__name__} has no adapters",
            f'a model with PEFT adapters: "{BASE}" means the weights under them',
            f"attach the adapters first (get_peft_model), or write {selectors[0]!r}",
        )
    groups, by_name = layer_groups(model), dict(model.named_parameters())
    thawed = [
        name
        for group in select_groups(groups, selectors)
        for name in groups[group].parameter_names
        if not by_name[name].requires_grad and _REPLACED not in name
    ]
    for name in thawed:
        if not by_name[name].is_floating_point():
            raise ScheduleError(
                f"{name} is stored as {by_name[name].dtype} and cannot train",
                "weights in float32, bfloat16 or float16",
                "load the model without quantization, or keep its base frozen",
            )
        by_name[name].requires_grad_(True)
    return thawed


@torch.no_grad()
def copy_into(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> Iterable[nn.Parameter]:
    """Copy named tensors into parameters and buffers; return the parameters among them."""
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    for name, tensor in tensors.items():
        (parameters.get(name) if name in parameters else buffers[name]).copy_(tensor)  # type: ignore[union-attr]
    return [parameters[name] for name in tensors if name in parameters]
