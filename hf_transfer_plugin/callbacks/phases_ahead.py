"""What trains now and later in a run, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hf_transfer_plugin.adapt.schedule_state import BASE, ScheduleState
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.layers import LayerGroups

__all__ = ["PhaseAhead", "phases_ahead"]


@dataclass(frozen=True)
class PhaseAhead:
    """A stretch of optimizer steps.

    Attributes:
        steps: how many.
        trained: layer groups that may train in them.
    """

    steps: int
    trained: frozenset[str]


def phases_ahead(
    callbacks: Iterable[Any],
    groups: LayerGroups,
    now: frozenset[str],
    step: int,
    total_steps: int,
) -> list[PhaseAhead]:
    """Return what is left of the current phase, and all later ones.

    Args:
        callbacks: of the Trainer; without a `FreezingCallback` nothing will change.
        groups: layer groups of the model.
        now: layer groups that train.
        step: optimizer steps made.
        total_steps: optimizer steps of the run.
    """
    freezing = next((each for each in callbacks if isinstance(each, FreezingCallback)), None)
    if freezing is None or not freezing.total_steps:
        return [PhaseAhead(total_steps - step, now)]
    movable = {name.removeprefix(BASE) for name in freezing.group_names}

    def may_train(state: ScheduleState) -> frozenset[str]:
        names = {*state.resolve(groups), *state.in_the_draw(groups)}
        return frozenset(name.removeprefix(BASE) for name in names) & movable

    state = freezing.state_at(step)
    end, choice = state.end, state.settings.choose
    if choice is not None and choice.every:
        # Other layers are drawn or measured then.
        end = min(end, step + choice.every - (step - state.start) % choice.every)
    found = [PhaseAhead(end - step, now)]
    if end < state.end:
        found.append(PhaseAhead(state.end - end, may_train(state)))
    while state.end < total_steps:
        state = freezing.state_at(state.end)
        found.append(PhaseAhead(state.end - state.start, may_train(state)))
    return found
