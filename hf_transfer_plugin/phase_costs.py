"""What each phase of a schedule trains on a model, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from hf_transfer_plugin.adapt.matrix_kinds import count_taken, kind_of
from hf_transfer_plugin.adapt.schedule_state import ScheduleState, trained_later
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.explanation import PhaseCost
from hf_transfer_plugin.phases import Choice

if TYPE_CHECKING:
    from torch import nn

    from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
    from hf_transfer_plugin.step_work import StepWork

__all__ = ["PhaseGroups", "phase_costs", "switch_of"]

_STATES_OF_ADAM = 2
_MIB = 2**20
# The cost of drawn layers is the mean over the first draws.
_DRAWS = 8


def switch_of(model: nn.Module, schedule: FreezingSchedule) -> GroupSwitch:
    """Return the layer groups of a model with all that the schedule may train; it stays as it is.

    Raises:
        ScheduleError: when the schedule trains weights under adapters and there are none.
    """
    from hf_transfer_plugin.callbacks.base_weights import thaw_base
    from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
    from hf_transfer_plugin.callbacks.pinning import Pins

    frozen = [p for p in model.parameters() if not p.requires_grad]
    try:
        base = thaw_base(model, schedule)
        return GroupSwitch(model, Pins("eval", dropout=False), base)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def phase_costs(
    states: Sequence[ScheduleState],
    switch: GroupSwitch,
    work: StepWork,
    learning_rate: float,
) -> tuple[PhaseCost, ...]:
    """Return what each phase trains and costs.

    Args:
        states: of the schedule, one for each phase.
        switch: the layer groups of the model, with all that may ever train.
        work: of an optimizer step.
        learning_rate: peak rate of the run.

    Raises:
        ScheduleError: when a selector matches no layer group.
    """
    groups, parameters = switch.groups, dict(switch.model.named_parameters())
    total = sum(parameter.numel() for parameter in parameters.values())
    per_weight = sum(p.numel() * p.element_size() for p in parameters.values()) / total
    whole = work.of(parameters)
    held: dict[str, float] = {}
    costs = []
    for index, state in enumerate(states):
        phase = PhaseGroups(state, switch)
        amounts = phase.amounts()
        trained = round(sum(amounts.values()))
        # Where layers are drawn, those that are not drawn hold nothing.
        later = set() if phase.blocks else trained_later(states[index + 1 :], groups, switch.names)
        kept = {name: amount for name, amount in held.items() if name in later}
        held = kept | {n: max(amount, kept.get(n, 0.0)) for n, amount in amounts.items()}
        rates = {name: learning_rate * factor for name, factor in phase.factors.items()}
        before = states[index - 1] if index else None
        costs.append(
            PhaseCost(
                name=state.name,
                start=state.start,
                end=state.end,
                groups=tuple(rates),
                trainable_parameters=trained,
                share=trained / total,
                peak_rate=max(rates.values()),
                low_rate=min(rates.values()),
                rates=rates,
                optimizer_mib=sum(held.values()) * _STATES_OF_ADAM * per_weight / _MIB,
                relative_cost=fmean(map(work.of, phase.selections())) / whole,
                uncertain=phase.uncertain(),
                starts_late=before is not None and before.settings.until_plateau is not None,
                ends_early=state.settings.until_plateau is not None,
                note=_note(state, before, phase),
            )
        )
    return tuple(costs)


class PhaseGroups:
    """The layer groups of one phase that train, or may train.

    Args:
        state: of the phase.
        switch: the layer groups of the model.
    """

    def __init__(self, state: ScheduleState, switch: GroupSwitch) -> None:
        self._state, self._switch = state, switch
        self.choice: Choice | None = state.settings.choose
        self.factors = state.resolve(switch.groups)
        self.blocks = state.in_the_draw(switch.groups)
        if self.blocks:
            all_may = replace(state.settings, choose=None, train=(*state.train, *self.blocks))
            self.factors = replace(state, settings=all_may).resolve(switch.groups)

    def _chooses(self, by: str) -> bool:
        return self.choice is not None and self.choice.by == by

    def size(self, name: str) -> int:
        """Return the weights of a layer group that can train."""
        return sum(parameter.numel() for parameter in self._switch.parameters(name))

    def amounts(self) -> dict[str, float]:
        """Return layer group -> weights of it that train at a time."""
        amounts = {name: float(self.size(name)) for name in self.factors}
        if self.choice is not None and self.blocks:
            share = (self.choice.layers or 0) / len(self.blocks)
            amounts |= {name: share * amounts[name] for name in self.blocks}
        for name in self._state.partial(self._switch.groups):
            amounts[name] = 0.0
        for chosen, members in self._kinds():
            for name, size in members:
                amounts[name] += size * chosen / len(members)
        return amounts

    def _kinds(self) -> Iterable[tuple[int, list[tuple[str, int]]]]:
        for matrices in self._matrices().values():
            sizes = []
            for group, matrix in matrices:
                owner = matrix.rpartition(".")[0]
                named = self._switch.named(group).items()
                sizes.append(
                    (group, sum(p.numel() for n, p in named if n.rpartition(".")[0] == owner))
                )
            yield self._chosen(len(matrices)), sizes

    def _chosen(self, count: int) -> int:
        share = (self.choice.share if self.choice else None) or 1.0
        return count_taken(share, count)

    def _matrices(self) -> dict[str, list[tuple[str, str]]]:
        """Return kind of matrix -> (layer group, name) of each, as they are ranked in a run."""
        kinds: dict[str, list[tuple[str, str]]] = {}
        for group in self._state.partial(self._switch.groups):
            for name, parameter in self._switch.named(group).items():
                if parameter.dim() > 1:
                    kinds.setdefault(kind_of(name), []).append((group, name))
        return kinds

    def selections(self) -> list[set[str]]:
        """Return the parameters that train: one set, or one for each of the first draws."""
        groups = self._switch.groups
        if self.blocks:
            draws = range(min(self._draws(), _DRAWS))
            return [self._members(replace(self._state, draw=d).resolve(groups)) for d in draws]
        partial = self._state.partial(groups)
        chosen = self._members(name for name in self.factors if name not in partial)
        for matrices in self._matrices().values():
            count = self._chosen(len(matrices))
            # Spread evenly over the depth: which are best is not known without the weights.
            for place in range(count):
                chosen.add(matrices[int((place + 0.5) * len(matrices) / count)][1])
        return [chosen]

    def _members(self, names: Iterable[str]) -> set[str]:
        return {member for name in names for member in self._switch.named(name)}

    def _draws(self) -> int:
        length, every = self._state.end - self._state.start, (self.choice and self.choice.every)
        return max(1, math.ceil(length / (every or 1)))

    def uncertain(self) -> tuple[str, ...]:
        """Return the layer groups of which a draw or a measurement decides."""
        if self._chooses("settled_gradient"):
            return tuple(self.factors)[:-1]  # the last one never freezes
        if self._chooses("relative_gradient"):
            return tuple(self.factors)
        return self.blocks or self._state.partial(self._switch.groups)


def _note(state: ScheduleState, before: ScheduleState | None, phase: PhaseGroups) -> str:
    parts = []
    if before is not None and before.settings.until_plateau is not None:
        parts.append(f"begins when {before.name} ends")
    patience = state.settings.until_plateau
    if patience is not None:
        evaluations = "1 evaluation" if patience == 1 else f"{patience} evaluations"
        parts.append(f"ends on a plateau of {evaluations}, at the latest at step {state.end}")
    choice = phase.choice
    if choice is None:
        return "; ".join(parts)
    every = "every step" if choice.every == 1 else f"every {choice.every} steps"
    notes = {
        "random": f"{choice.layers} of {len(phase.blocks)} layers, drawn anew {every}",
        "signal_to_noise": (
            f"the best {100 * (choice.share or 1.0):g} % of the matrices of each kind: estimate"
        ),
        "settled_gradient": "freezes from the input as gradients settle: upper bound",
        "relative_gradient": "rates by relative gradient norm: upper bound",
    }
    return "; ".join([*parts, notes[choice.by]])
