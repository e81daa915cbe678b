"""Freezing schedules: which layer groups train at which step, as data and a pure function."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from hf_transfer_plugin.adapt.named_schedules import NAMES, NamedSchedules
from hf_transfer_plugin.adapt.numbers import require_count
from hf_transfer_plugin.adapt.phase_ends import phase_bounds
from hf_transfer_plugin.adapt.phase_rules import checked_phases, phase_label
from hf_transfer_plugin.adapt.schedule_reading import (
    bound_arguments,
    fail_unknown,
    phase_from,
)
from hf_transfer_plugin.adapt.schedule_state import ScheduleState
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.phases import Phase

__all__ = ["FreezingSchedule"]

# Beside the arguments of its constructor, a schedule in a config takes what the two methods take.
_RATES = ("decay", "rates", "curve", "warmup")
_PLATEAU = ("patience", "restore_best")


@dataclass(frozen=True)
class FreezingSchedule(NamedSchedules):
    """Phases of training, each with the layer groups that train in it.

    `schedule.at(step, total_steps)` depends on nothing but its arguments, so a run that is
    resumed at any step goes on exactly as it would have.

    Examples:
        >>> schedule = FreezingSchedule.lp_ft(fraction=0.3)
        >>> schedule.boundaries(10)
        ((0, 3), (3, 10))
        >>> schedule.at(3, 10).name
        'full'

    Attributes:
        phases: first to last; every phase but the last says where it ends.
    """

    def __post_init__(self) -> None:
        """Check the phases and bring them into one canonical form."""
        object.__setattr__(self, "phases", checked_phases(self.phases))

    def boundaries(
        self,
        total_steps: int,
        *,
        steps_per_epoch: float | None = None,
        plateaus: Sequence[int] = (),
    ) -> tuple[tuple[int, int], ...]:
        """Return (first step, step after the last) of each phase.

        Args:
            total_steps: optimizer steps of the whole run.
            steps_per_epoch: optimizer steps of an epoch, for phases that end at an epoch.
            plateaus: steps at which the phases that wait for a plateau ended, so far; phases
                after one that still waits have no steps yet.

        Raises:
            ScheduleError: when a phase would get no step.
        """
        return phase_bounds(self.phases, total_steps, steps_per_epoch, plateaus)

    def states(
        self,
        total_steps: int,
        *,
        steps_per_epoch: float | None = None,
        plateaus: Sequence[int] = (),
    ) -> tuple[ScheduleState, ...]:
        """Return what holds at the first step of each phase; arguments as in `boundaries`."""
        bounds = phase_bounds(self.phases, total_steps, steps_per_epoch, plateaus)
        pairs = zip(self.phases, bounds, strict=True)
        return tuple(ScheduleState(i, phase, *bound) for i, (phase, bound) in enumerate(pairs))

    def at(
        self,
        step: int,
        total_steps: int,
        *,
        steps_per_epoch: float | None = None,
        plateaus: Sequence[int] = (),
    ) -> ScheduleState:
        """Return what holds while optimizer step `step` is made.

        Args:
            step: optimizer steps made before it, from 0; `total_steps` means after the last.
            total_steps: optimizer steps of the whole run.
            steps_per_epoch: optimizer steps of an epoch, for phases that end at an epoch.
            plateaus: steps at which the phases that wait for a plateau ended, so far.

        Raises:
            ScheduleError: when the step lies outside the run, or a phase would get no step.
        """
        states = self.states(total_steps, steps_per_epoch=steps_per_epoch, plateaus=plateaus)
        if require_count(step, "step", 0) > total_steps:
            raise ScheduleError(
                f"step is {step}", f"a step up to total_steps = {total_steps}", "change step"
            )
        begun = [state for state in states if state.start < total_steps]
        state = next((state for state in begun if step < state.end), begun[-1])
        choice = state.settings.choose
        if choice is not None and choice.by == "random":
            last = min(step, total_steps - 1)
            return replace(state, draw=(last - state.start) // (choice.every or 1))
        return state

    def with_rates(
        self,
        *,
        decay: float | None = None,
        rates: Mapping[str, float] | None = None,
        curve: str | None = None,
        warmup: float | None = None,
    ) -> Self:
        """Return the schedule with these rates in every phase.

        Args:
            decay: factor for each layer group further from the head, in (0, 1]; discriminative
                rates of ULMFiT: 1 / 2.6.
            rates: selector -> factor of these layer groups.
            curve: shape of the rate, begun anew in each phase.
            warmup: share of each phase in which the rate rises.
        """
        given = {"decay": decay, "rates": rates, "curve": curve, "warmup": warmup}
        changes: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        return type(self)(tuple(replace(phase, **changes) for phase in self.phases))

    def with_plateau(self, patience: int, *, restore_best: bool = True) -> Self:
        """Return the schedule with phases that end when validation stops improving.

        Each phase but the last waits for its plateau and has no other end; the next one begins
        with the best weights of the one before it.

        Args:
            patience: evaluations without improvement.
            restore_best: go back to the best weights at the end of a phase.
        """
        if len(self.phases) == 1:
            raise ScheduleError(
                f"a plateau for the only phase ({phase_label(0, self.phases[0])})",
                "a phase after it: the last phase runs until training ends",
                "use EarlyStoppingCallback to end training on a plateau",
            )
        free = {"until_fraction": None, "until_step": None, "until_epoch": None}
        changes: dict[str, Any] = {**free, "until_plateau": patience, "restore_best": restore_best}
        waiting = (replace(phase, **changes) for phase in self.phases[:-1])
        return type(self)((*waiting, self.phases[-1]))

    @classmethod
    def from_phases(cls, phases: Sequence[Phase | Mapping[str, Any]]) -> Self:
        """Build a schedule from `Phase` records or mappings with their fields."""
        if isinstance(phases, str | Mapping) or not isinstance(phases, Sequence):
            raise ScheduleError(
                f"phases is {phases!r}", "a list of phases", "write the phases as a list"
            )
        return cls(tuple(phase_from(index, phase) for index, phase in enumerate(phases)))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build a schedule from `{name: lp_ft, fraction: 0.3}` or `{phases: [...]}`.

        Raises:
            ScheduleError: for an unknown name, key or argument, with the closest known one.
        """
        if not isinstance(config, Mapping):
            raise ScheduleError(
                f"schedule is {config!r}", "a mapping with name or phases", "write {name: full}"
            )
        if "phases" in config:
            for key in config:
                if key != "phases":
                    fail_unknown("key beside phases", key, ["phases"])
            return cls.from_phases(config["phases"])
        if "name" not in config:
            fail_unknown("schedule without name or phases:", dict(config), ["name", "phases"])
        name = config["name"]
        if name not in NAMES:
            fail_unknown("schedule", name, NAMES)
        given = {key: value for key, value in config.items() if key != "name"}
        rates = {key: given.pop(key) for key in _RATES if key in given}
        plateau = {key: given.pop(key) for key in _PLATEAU if key in given}
        constructor = getattr(cls, name)
        positional, keywords = bound_arguments(name, constructor, given, (*_RATES, *_PLATEAU))
        schedule: Self = constructor(*positional, **keywords).with_rates(**rates)
        if "restore_best" in plateau and "patience" not in plateau:
            fail_unknown("key without patience:", "restore_best", ["patience"])
        return schedule.with_plateau(**plateau) if plateau else schedule

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Self:
        """Build a schedule from a YAML file that holds what `from_config` takes."""
        from hf_transfer_plugin.strict_yaml import read_mapping

        expected = "a YAML file with {name: ...} or {phases: [...]}"
        return cls.from_config(read_mapping(path, ScheduleError, expected))

    def to_config(self) -> dict[str, Any]:
        """Return `{phases: [...]}` in plain values, which `from_config` turns into an equal one."""
        return {"phases": [_without_defaults(phase) for phase in self.phases]}


_DEFAULTS = {each.name: each.default for each in fields(Phase)} | {"rates": {}, "rate": None}


def _without_defaults(phase: Phase) -> dict[str, Any]:
    given = {k: v for k, v in phase.to_json().items() if v is not None and v != _DEFAULTS[k]}
    if "choose" in given:
        given["choose"] = {k: v for k, v in given["choose"].items() if v is not None}
    return given
