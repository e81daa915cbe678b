"""What of a plan does not go together with its adapter: known before anything trains."""

from __future__ import annotations

from typing import Any

from hf_transfer_plugin.adapt.schedule_state import BASE
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Adapter, Plan

__all__ = ["check_adapter"]


def check_adapter(plan: Plan, config: Any) -> None:
    """Check the adapter of a plan against its schedule and its data.

    Args:
        plan: what shall train.
        config: configuration of the network, as transformers has it.

    Raises:
        ConfigError: for weights that train and would not be kept, phases that leave AdaLoRA
            without gradients, and texts that leave no position for virtual tokens.
    """
    if plan.adapter is not None:
        _check_schedule(plan, plan.adapter)
        _check_length(plan, plan.adapter, config)


def _check_schedule(plan: Plan, adapter: Adapter) -> None:
    base = [each for phase in plan.schedule for each in phase.train if each.startswith(BASE)]
    if base and not adapter.is_merged:
        raise ConfigError(
            arrived=f"a schedule that trains {base[0]}, and adapter {adapter.name} kept alone",
            expected="an adapter that is merged: the weights under it change, too",
            action="write keep: merged with an adapter that merges, or leave the base frozen",
        )
    partly = [phase for phase in plan.schedule if "*" not in phase.train or phase.choose]
    if adapter.name == "adalora" and partly:
        raise ConfigError(
            arrived=f"adapter adalora in a schedule with a phase of {' '.join(partly[0].train)}",
            expected='phases that train "*": AdaLoRA weighs all its matrices against each other',
            action="train everything in every phase, or choose lora",
        )


def _check_length(plan: Plan, adapter: Adapter, config: Any) -> None:
    room = getattr(config, "max_position_embeddings", None)
    if adapter.name != "prompt_tuning" or room is None:
        return
    virtual = {**adapter.kind.defaults, **adapter.options}["num_virtual_tokens"]
    longest = min(plan.data.max_length, room)
    if longest + virtual > room:
        raise ConfigError(
            arrived=f"{virtual} virtual tokens before texts of up to {longest} tokens",
            expected=f"at most {room} together, the positions of {plan.checkpoint}",
            action=f"set data.max_length to {room - virtual} or less",
        )
