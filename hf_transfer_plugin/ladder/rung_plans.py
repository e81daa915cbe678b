"""The plans that rungs train: LP-FT, an adapter alone and the frozen probe.

None takes the average of the transfer: averages are rungs of their own.
"""

from __future__ import annotations

from dataclasses import replace

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.decide.controls import controls
from hf_transfer_plugin.decide.rates import FULL_FACTORS, own_rates, rates_around
from hf_transfer_plugin.records import Adapter, Phase, Plan

__all__ = ["adapter_plan", "is_adapter_only", "is_lp_ft", "is_probe", "lp_ft_plan", "probe_plan"]

# A head alone stands, and needs, larger steps than what was trained before.
HEAD_TIMES = 10.0
# The rates of a probe may be those of a head, or, by mistake, those of fine-tuning.
PROBE_FACTORS = (0.1, 1.0, 10.0, 100.0)
# An adapter begins at nothing, and needs larger steps than the weights it is put on.
ADAPTER_FACTORS = (1.0, 3.0, 10.0, 30.0)
_HEAD = (("top:0",), ("head",))
_EVERYTHING = (Phase(train=("*",)),)
_LORA = Adapter("lora", {"r": 8}, keep="merged")


def is_probe(plan: Plan) -> bool:
    """Tell whether only the head trains."""
    return all(phase.train in _HEAD for phase in plan.schedule)


def is_lp_ft(plan: Plan) -> bool:
    """Tell whether the head trains first, then everything."""
    first, last = plan.schedule[0], plan.schedule[-1]
    two = len(plan.schedule) == 2 and plan.adapter is None
    return two and first.train in _HEAD and last.train == ("*",)


def is_adapter_only(plan: Plan) -> bool:
    """Tell whether LoRA with its defaults and the head train, and nothing else."""
    found = plan.adapter
    rank = {**found.kind.defaults, **found.options} if found is not None else {}
    wanted = {**_LORA.kind.defaults, **_LORA.options}
    is_lora = found is not None and (found.name, rank) == (_LORA.name, wanted)
    return is_lora and all(phase.train == ("*",) for phase in plan.schedule)


def lp_ft_plan(plan: Plan) -> Plan:
    """Return the plan with the head first, then everything; one that does so already is kept.

    The head trains for 0.3 of the run at ten times the rate of the rest. The rest has 0.3, 1 and
    3 times each rate of the plan; those of a probe say little of it, so it has 0.01 to 10 times.

    References:
        Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
        Out-of-Distribution" (2022).
    """
    if is_lp_ft(plan):
        return replace(plan, name="lp-ft", average=None)
    factors = tuple(HEAD_TIMES * factor for factor in FULL_FACTORS)
    return replace(
        plan,
        name="lp-ft",
        schedule=FreezingSchedule.lp_ft(fraction=0.3, rate=1.0 / HEAD_TIMES).phases,
        adapter=None,
        average=None,
        learning_rates=rates_around(own_rates(plan), PROBE_FACTORS if is_probe(plan) else factors),
    )


def adapter_plan(plan: Plan) -> Plan:
    """Return the plan in which LoRA of rank 8, on every matrix, and the head train.

    It has 1, 3, 10 and 30 times each rate of the plan; those of a probe say little of it, so it
    has 0.1 to 100 times; those of an adapter are its own, so it has 0.3, 1 and 3 times.

    References:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021).
    """
    factors = PROBE_FACTORS if is_probe(plan) else ADAPTER_FACTORS
    return replace(
        plan,
        name="adapter-only",
        schedule=_EVERYTHING,
        adapter=_LORA,
        average=None,
        learning_rates=rates_around(own_rates(plan), FULL_FACTORS if plan.adapter else factors),
    )


def probe_plan(plan: Plan) -> Plan:
    """Return the plan in which only the head trains, with a grid of rates."""
    (probe,) = controls(plan, ("frozen-probe",))
    return replace(probe, average=None)
