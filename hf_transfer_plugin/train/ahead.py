"""How many trainings a plan asks for, before any of them begins."""

from __future__ import annotations

from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.train.baselines import BASELINE_PREFIX

__all__ = ["trainings_ahead"]


def trainings_ahead(plan: Plan, held: int = 0) -> int:
    """Return the trainings of the seeds that are not there yet: grid and soup included.

    Args:
        plan: what to train.
        held: seeds that are there already.
    """
    seeds = len(plan.seeds) - held
    if seeds <= 0 or plan.checkpoint.startswith(BASELINE_PREFIX):
        return 0
    average = plan.average
    cooked = average is not None and average.kind.more_trainings
    each = int(average.settings["members"]) if average is not None and cooked else 1
    rates = len(plan.learning_rates)
    if held or rates < 2:
        return seeds * each
    # The first seed tries each rate; a soup is cooked at the best of them alone.
    return (rates + each if cooked else rates) + (seeds - 1) * each
