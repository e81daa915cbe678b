"""Freezing schedules: which layer groups train at which step, as data and a pure function."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from hf_transfer_plugin.adapt.phase_rules import (
    checked_phases,
    end_to_end,
    phase_bounds,
    require_count,
)
from hf_transfer_plugin.adapt.schedule_reading import (
    bound_arguments,
    fail_unknown,
    phase_from,
)
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.layers import LayerGroups, select_groups
from hf_transfer_plugin.records import Phase

__all__ = ["FreezingSchedule", "ScheduleState"]

NAMES = (
    "chain_thaw",
    "full",
    "gradual_unfreezing",
    "linear_probe",
    "lp_ft",
    "surgical",
    "top_layers",
)


@dataclass(frozen=True)
class ScheduleState:
    """What holds at one optimizer step.

    Attributes:
        phase: index of the phase, from 0.
        name: its name, or its selectors when it has none.
        train: selectors of the layer groups that train.
        rate: factor on the learning rate.
        start: first optimizer step of the phase.
        end: the step after its last.
    """

    phase: int
    name: str
    train: tuple[str, ...]
    rate: float
    start: int
    end: int

    def resolve(self, groups: LayerGroups) -> dict[str, float]:
        """Return the name of each layer group that trains -> factor on its learning rate.

        Args:
            groups: `layer_groups(model)`.

        Raises:
            ScheduleError: when a selector matches no layer group.
        """
        return dict.fromkeys(select_groups(groups, self.train), self.rate)


@dataclass(frozen=True)
class FreezingSchedule:
    """Phases of training, each with the layer groups that train in it.

    `schedule.at(step, total_steps)` depends on nothing but its arguments, so a run that is
    resumed at any step goes on exactly as it would have.

    Example:
        >>> schedule = FreezingSchedule.lp_ft(fraction=0.3)
        >>> schedule.boundaries(10)
        ((0, 3), (3, 10))
        >>> schedule.at(3, 10).name
        'full'

    Attributes:
        phases: first to last; every phase but the last says where it ends.
    """

    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        """Check the phases and bring them into one canonical form."""
        object.__setattr__(self, "phases", checked_phases(self.phases))

    def boundaries(self, total_steps: int) -> tuple[tuple[int, int], ...]:
        """Return (first step, step after the last) of each phase.

        Args:
            total_steps: optimizer steps of the whole run.

        Raises:
            ScheduleError: when a phase would get no step.
        """
        return phase_bounds(self.phases, total_steps)

    def at(self, step: int, total_steps: int) -> ScheduleState:
        """Return what holds while optimizer step `step` is made.

        Args:
            step: optimizer steps made before it, from 0; `total_steps` means after the last.
            total_steps: optimizer steps of the whole run.

        Raises:
            ScheduleError: when the step lies outside the run, or a phase would get no step.
        """
        bounds = self.boundaries(total_steps)
        if require_count(step, "step", 0) > total_steps:
            raise ScheduleError(
                f"step is {step}", f"a step up to total_steps = {total_steps}", "change step"
            )
        index = next((i for i, (_, end) in enumerate(bounds) if step < end), len(bounds) - 1)
        phase = self.phases[index]
        name = phase.name or " ".join(phase.train)
        return ScheduleState(index, name, phase.train, phase.rate, *bounds[index])

    @classmethod
    def linear_probe(cls) -> Self:
        """Train the head (and what lies between it and the last layer); freeze the rest."""
        return cls((Phase(train=("top:0",), name="head"),))

    @classmethod
    def full(cls, rate: float = 1.0) -> Self:
        """Train everything, with a factor on the learning rate."""
        return cls((Phase(train=("*",), rate=rate, name="full"),))

    @classmethod
    def top_layers(cls, n: int) -> Self:
        """Train the head and the `n` last layers; freeze the rest."""
        return cls((_top(require_count(n, "n", 0)),))

    @classmethod
    def gradual_unfreezing(
        cls,
        layers: int,
        *,
        per_phase: int = 1,
        head_fraction: float | None = None,
        final_fraction: float | None = None,
        train_all: bool = True,
    ) -> Self:
        """Thaw from the head down, a few layers at a time (ULMFiT, Howard & Ruder 2018).

        The paper thaws one layer an epoch and gains from it only together with discriminative
        rates: gradual unfreezing alone hardly beats full fine-tuning.

        Args:
            layers: layers to thaw, counted from the head.
            per_phase: layers thawed at each transition.
            head_fraction: share of the run for the head alone; None: as long as the others.
            final_fraction: share of the run for the last phase; None: as long as the others.
            train_all: end with a phase that trains everything, embeddings included; otherwise
                end with the last of the `layers`.
        """
        require_count(layers, "layers", 1)
        require_count(per_phase, "per_phase", 1)
        depths = [*range(0, layers, per_phase), layers]
        phases = [_top(depth) for depth in depths] + [Phase(("*",), name="full")] * bool(train_all)
        fixed = {0: head_fraction, len(phases) - 1: final_fraction}
        return cls(
            end_to_end(phases, {i: share for i, share in fixed.items() if share is not None})
        )

    @classmethod
    def lp_ft(cls, fraction: float = 0.3, rate: float = 1.0) -> Self:
        """Train the head first, then everything (LP-FT, Kumar et al. 2022).

        Args:
            fraction: share of the run for the head alone.
            rate: factor on the learning rate once everything trains.
        """
        head = Phase(train=("top:0",), until_fraction=fraction, name="head")
        return cls((head, Phase(train=("*",), rate=rate, name="full")))

    @classmethod
    def chain_thaw(cls, layers: int | Sequence[str]) -> Self:
        """Train the head alone, then each layer alone, then everything (DeepMoji, Felbo 2017).

        The phases are equally long; the paper ends each when validation stops improving, and
        gives the embeddings a phase of their own before the first layer.

        Args:
            layers: number of layers that are named "layer.0" up, or the names of layer groups,
                such as `[group.name for group in layer_groups(model) if group.is_block]`.
        """
        if isinstance(layers, str) or not isinstance(layers, Sequence):
            count = require_count(layers, "layers", 1)
            layers = [f"layer.{depth}" for depth in range(count)]
        middle = [Phase(train=(name,), name=name) for name in layers]
        phases = [Phase(("top:0",), name="head"), *middle, Phase(("*",), name="full")]
        return cls(end_to_end(phases, {}))

    @classmethod
    def surgical(cls, *selectors: str) -> Self:
        """Train only the chosen layer groups (surgical fine-tuning, Lee et al. 2023).

        The paper keeps the head of the source; a head with new classes must be among the
        selectors, or it stays random.

        Args:
            *selectors: globs over layer group names, or "top:N".
        """
        return cls((Phase(train=selectors, name="surgical"),))

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
        constructor = getattr(cls, name)
        given = {key: value for key, value in config.items() if key != "name"}
        positional, keywords = bound_arguments(name, constructor, given)
        schedule: Self = constructor(*positional, **keywords)
        return schedule

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Self:
        """Build a schedule from a YAML file that holds what `from_config` takes."""
        from hf_transfer_plugin.strict_yaml import read_mapping

        expected = "a YAML file with {name: ...} or {phases: [...]}"
        return cls.from_config(read_mapping(path, ScheduleError, expected))

    def to_config(self) -> dict[str, Any]:
        """Return `{phases: [...]}` in plain values, which `from_config` turns into an equal one."""
        phases = (phase.to_json() for phase in self.phases)
        return {
            "phases": [{k: v for k, v in phase.items() if v not in (None, "")} for phase in phases]
        }


def _top(layers: int) -> Phase:
    return Phase(train=(f"top:{layers}",), name="head" if layers == 0 else f"top {layers}")
