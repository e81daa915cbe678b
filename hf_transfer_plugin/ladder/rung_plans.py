"""The plans that rungs train: LP-FT and the frozen probe."""

from __future__ import annotations

from dataclasses import replace

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.decide.controls import controls
from hf_transfer_plugin.decide.rates import FULL_FACTORS, own_rates, rates_around
from hf_transfer_plugin.records import Plan

__all__ = ["is_lp_ft", "is_probe", "lp_ft_plan", "probe_plan"]

# A head alone stands, and needs, larger steps than what was trained before.
HEAD_TIMES = 10.0
# The rates of a probe may be those of a head, or, by mistake, those of fine-tuning.
PROBE_FACTORS = (0.1, 1.0, 10.0, 100.0)
_HEAD = (("top:0",), ("head",))


def is_probe(plan: Plan) -> bool:
    """Tell whether only the head trains."""
    return all(phase.train in _HEAD for phase in plan.schedule)


def is_lp_ft(plan: Plan) -> bool:
    """Tell whether the head trains first, then everything."""
    first, last = plan.schedule[0], plan.schedule[-1]
    return len(plan.schedule) == 2 and first.train in _HEAD and last.train == ("*",)


def lp_ft_plan(plan: Plan) -> Plan:
    """Return the plan with the head first, then everything; one that does so already is kept.

    The head trains for 0.3 of the run at ten times the rate of the rest. The rest has 0.3, 1 and
    3 times each rate of the plan; those of a probe say little of it, so it has 0.01 to 10 times.

    References:
        Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
        Out-of-Distribution" (2022).
    """
    if is_lp_ft(plan):
        return replace(plan, name="lp-ft")
    factors = tuple(HEAD_TIMES * factor for factor in FULL_FACTORS)
    return replace(
        plan,
        name="lp-ft",
        schedule=FreezingSchedule.lp_ft(fraction=0.3, rate=1.0 / HEAD_TIMES).phases,
        learning_rates=rates_around(own_rates(plan), PROBE_FACTORS if is_probe(plan) else factors),
    )


def probe_plan(plan: Plan) -> Plan:
    """Return the plan in which only the head trains, with a grid of rates."""
    (probe,) = controls(plan, ("frozen-probe",))
    return probe
