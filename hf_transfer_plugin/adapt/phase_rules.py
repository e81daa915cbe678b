"""What makes a list of phases a schedule, and where each phase begins and ends: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.records import Phase

__all__ = [
    "checked_phases",
    "end_to_end",
    "phase_bounds",
    "phase_label",
    "require_count",
    "require_number",
]


def phase_label(index: int, phase: Phase) -> str:
    """Return how an error or a log names a phase, such as `phase 1 ("full")`."""
    selectors = phase.train if isinstance(phase.train, str) else " ".join(phase.train)
    return f'phase {index} ("{phase.name or selectors}")'


def require_number(value: object, what: str) -> float:
    """Return a finite number that is given as a number.

    Args:
        value: what arrived.
        what: how the error names it.

    Raises:
        ScheduleError: for text, a truth value, NaN or infinity.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        action = f"give {what} as a plain number"
        if isinstance(value, str):
            action += ", without quotes (YAML reads 1e-3 as text: write 1.0e-3)"
        raise ScheduleError(f"{what} is {value!r}", "a finite number", action)
    return float(value)


def require_count(value: object, what: str, minimum: int) -> int:
    """Return a whole number of at least `minimum`.

    Raises:
        ScheduleError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ScheduleError(
            f"{what} is {value!r}", f"a whole number from {minimum} up", f"change {what}"
        )
    return value


def checked_phases(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Return the phases in one canonical form, or say which of them contradicts what.

    Args:
        phases: first to last; `train` may also be one selector or a list.

    Raises:
        ScheduleError: naming the phase that is wrong in itself or against the one before it.
    """
    if not phases:
        raise ScheduleError(
            "a schedule without phases", "at least one phase", "use FreezingSchedule.full()"
        )
    checked = tuple(_canonical(index, phase) for index, phase in enumerate(phases))
    for index, phase in enumerate(checked):
        _check_end(phase_label(index, phase), phase, is_last=index == len(checked) - 1)
    _check_order(checked)
    return checked


def _canonical(index: int, phase: Phase) -> Phase:
    train: object = phase.train
    selectors = (train,) if isinstance(train, str) else train
    if (
        not isinstance(selectors, list | tuple)
        or not selectors
        or not all(isinstance(item, str) and item for item in selectors)
    ):
        raise ScheduleError(
            f"phase {index} has train = {train!r}",
            'one selector or more, such as "head", "layer.1*", "top:2" or "*"',
            "name the layer groups that train; a phase that trains nothing cannot run",
        )
    if not isinstance(phase.name, str):
        raise ScheduleError(f"phase {index} has name = {phase.name!r}", "text", "quote the name")
    label = phase_label(index, phase)
    rate = require_number(phase.rate, f"rate of {label}")
    if rate <= 0:
        raise ScheduleError(
            f"{label} has rate = {phase.rate!r}",
            "a factor on the learning rate above 0",
            "to train nothing of a layer group leave it out of train",
        )
    return replace(phase, train=tuple(selectors), rate=rate)


def _check_end(label: str, phase: Phase, is_last: bool) -> None:
    ends = {"until_fraction": phase.until_fraction, "until_step": phase.until_step}
    given = {name: value for name, value in ends.items() if value is not None}
    if len(given) == 2:
        raise ScheduleError(
            f"{label} has until_fraction = {phase.until_fraction!r} and "
            f"until_step = {phase.until_step!r}",
            "one of the two",
            "keep the one that is meant",
        )
    if is_last and given:
        name, value = given.popitem()
        raise ScheduleError(
            f"{label} is the last phase and has {name} = {value!r}",
            "a last phase without an end: it runs until training ends",
            f"remove {name}, or add a phase after it",
        )
    if not is_last and not given:
        raise ScheduleError(
            f"{label} has no end and is not the last phase",
            "until_fraction or until_step",
            "say where the phase ends",
        )
    if phase.until_fraction is not None:
        fraction = require_number(phase.until_fraction, f"until_fraction of {label}")
        if not 0 < fraction <= 1:
            raise ScheduleError(
                f"{label} has until_fraction = {phase.until_fraction!r}",
                "a share of all optimizer steps in (0, 1]",
                "for a number of steps use until_step",
            )
    if phase.until_step is not None:
        require_count(phase.until_step, f"until_step of {label}", 1)


def _check_order(phases: tuple[Phase, ...]) -> None:
    latest: dict[str, float] = {}
    for index, phase in enumerate(phases):
        label = phase_label(index, phase)
        if latest.get("until_fraction", 0.0) >= 1:
            raise ScheduleError(
                f"{label} begins where training ends: the phase before it has until_fraction = 1",
                "room for every phase",
                "lower until_fraction of the phase before it",
            )
        for name, value in _ends(phase).items():
            if value <= latest.get(name, 0.0):
                raise ScheduleError(
                    f"{label} has {name} = {value}, which is not after {latest[name]}, "
                    "where an earlier phase ends",
                    "ends that grow from phase to phase",
                    f"raise {name}, or put the phases in order",
                )
            latest[name] = value


def _ends(phase: Phase) -> Mapping[str, Any]:
    ends = {"until_fraction": phase.until_fraction, "until_step": phase.until_step}
    return {name: value for name, value in ends.items() if value is not None}


def phase_bounds(phases: Sequence[Phase], total_steps: int) -> tuple[tuple[int, int], ...]:
    """Return the first optimizer step of each phase and the step after its last.

    A fraction is rounded to the nearest step and then moved by as little as it takes to leave
    each phase one step; `until_step` is never moved.

    Args:
        phases: phases that `checked_phases` returned.
        total_steps: optimizer steps of the whole run.

    Raises:
        ScheduleError: naming the phase that would get no step.
    """
    require_count(total_steps, "total_steps", 1)
    ends: list[int] = []
    for phase in phases[:-1]:
        start = ends[-1] if ends else 0
        if phase.until_step is not None:
            ends.append(phase.until_step)
        else:
            ends.append(max(math.floor((phase.until_fraction or 0) * total_steps + 0.5), start + 1))
    ends.append(total_steps)
    for index in reversed(range(len(phases) - 1)):
        if phases[index].until_step is None:
            ends[index] = min(ends[index], ends[index + 1] - 1)
    bounds = tuple(zip([0, *ends[:-1]], ends, strict=True))
    for index, (start, end) in enumerate(bounds):
        if not 0 <= start < end <= total_steps:
            raise ScheduleError(
                f"{phase_label(index, phases[index])} would get no step: it lies between step "
                f"{start} and step {end} of {total_steps}",
                f"at least one optimizer step for each of the {len(phases)} phases",
                "train longer, use fewer phases, or move the ends of the phases",
            )
    return bounds


def end_to_end(phases: Sequence[Phase], shares: Mapping[int, float]) -> tuple[Phase, ...]:
    """Return the phases with the fractions at which they end.

    Args:
        phases: first to last, without ends.
        shares: index of a phase -> its share of the run; the other phases divide equally what
            is left.

    Raises:
        ScheduleError: when the shares leave the other phases nothing.
    """
    for index, share in shares.items():
        require_number(share, f"share of {phase_label(index, phases[index])}")
    free, left = len(phases) - len(shares), 1 - math.fsum(shares.values())
    if min(shares.values(), default=1) <= 0 or (left <= 0 if free else abs(left) > 1e-9):
        named = ", ".join(f"{share} for {phases[index].name}" for index, share in shares.items())
        raise ScheduleError(
            f"shares of the run: {named}",
            f"shares above 0 that leave room for the {free} other phases",
            "change head_fraction or final_fraction",
        )
    lengths = [shares.get(index, left / max(free, 1)) for index in range(len(phases))]
    ends = [math.fsum(lengths[: index + 1]) for index in range(len(phases) - 1)]
    ended = (
        replace(p, until_fraction=round(end, 12)) for p, end in zip(phases, ends, strict=False)
    )
    return (*ended, phases[-1])
