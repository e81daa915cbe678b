"""What makes a list of phases a schedule: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hf_transfer_plugin.adapt.choice_rules import checked_choice
from hf_transfer_plugin.adapt.numbers import require_count, require_number, require_share
from hf_transfer_plugin.adapt.rate_curves import CURVES
from hf_transfer_plugin.errors import ScheduleError, did_you_mean
from hf_transfer_plugin.phases import Phase

__all__ = ["checked_phases", "fixed_ends", "phase_label"]


def phase_label(index: int, phase: Phase) -> str:
    """Return how an error or a log names a phase, such as `phase 1 ("full")`."""
    selectors = phase.train if isinstance(phase.train, str) else " ".join(phase.train)
    return f'phase {index} ("{phase.name or selectors}")'


def fixed_ends(phase: Phase) -> Mapping[str, Any]:
    """Return name -> value of the ends that are known before training."""
    ends = {name: getattr(phase, name) for name in ("until_fraction", "until_step", "until_epoch")}
    return {name: value for name, value in ends.items() if value is not None}


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
    if type(phase.restore_best) is not bool:
        raise ScheduleError(
            f"{label} has restore_best = {phase.restore_best!r}", "true or false", "correct it"
        )
    return replace(
        phase,
        train=tuple(selectors),
        rate=_factor(label, phase.rate, "rate"),
        decay=require_share(phase.decay, f"decay of {label}", 1.0),
        rates=_rates(label, phase.rates),
        curve=_curve(label, phase),
        warmup=require_share(phase.warmup, f"warmup of {label}", 1.0, zero=True),
        choose=checked_choice(label, phase.choose),
    )


def _factor(label: str, value: object, what: str) -> float:
    number = require_number(value, f"{what} of {label}")
    if number <= 0:
        raise ScheduleError(
            f"{label} has {what} = {value!r}",
            "a factor on the learning rate above 0",
            "to train nothing of a layer group leave it out of train",
        )
    return number


def _rates(label: str, rates: object) -> dict[str, float]:
    if not isinstance(rates, Mapping) or not all(isinstance(key, str) and key for key in rates):
        raise ScheduleError(
            f"{label} has rates = {rates!r}",
            "a mapping from selector to factor, such as {embeddings: 0.1}",
            "correct rates, or leave it out",
        )
    return {key: _factor(label, value, f"rates[{key}]") for key, value in rates.items()}


def _curve(label: str, phase: Phase) -> str:
    if not isinstance(phase.curve, str) or (phase.curve and phase.curve not in CURVES):
        raise ScheduleError(
            f"{label} has curve = {phase.curve!r}{did_you_mean(str(phase.curve), CURVES)}",
            f"one of {', '.join(CURVES)}, or none to follow Trainer's scheduler",
            "correct curve, or leave it out",
        )
    if phase.warmup and not phase.curve:
        raise ScheduleError(
            f"{label} has warmup = {phase.warmup} and no curve",
            "a curve that begins anew in the phase: Trainer's scheduler has its own warmup_steps",
            'add curve, such as "linear"',
        )
    return phase.curve


def _check_end(label: str, phase: Phase, is_last: bool) -> None:
    given = dict(fixed_ends(phase))
    if len(given) > 1:
        raise ScheduleError(
            f"{label} has {' and '.join(f'{name} = {value!r}' for name, value in given.items())}",
            "one of the two" if len(given) == 2 else "one of them",
            "keep the one that is meant",
        )
    if phase.until_plateau is not None:
        require_count(phase.until_plateau, f"until_plateau of {label}", 1)
        given["until_plateau"] = phase.until_plateau
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
            "until_fraction, until_step, until_epoch or until_plateau",
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
    if phase.until_epoch is not None:
        require_share(phase.until_epoch, f"until_epoch of {label}", float("inf"))


def _check_order(phases: tuple[Phase, ...]) -> None:
    latest: dict[str, float] = {}
    waiting = ""
    for index, phase in enumerate(phases):
        label = phase_label(index, phase)
        if latest.get("until_fraction", 0.0) >= 1:
            raise ScheduleError(
                f"{label} begins where training ends: the phase before it has until_fraction = 1",
                "room for every phase",
                "lower until_fraction of the phase before it",
            )
        for name, value in fixed_ends(phase).items():
            if waiting:
                raise ScheduleError(
                    f"{label} has {name} = {value}, and {waiting} may last longer than that",
                    "a latest end for a phase that waits for a plateau, when a later one is fixed",
                    f"give {waiting} {name} too, or end {label} with until_plateau alone",
                )
            if value <= latest.get(name, 0.0):
                raise ScheduleError(
                    f"{label} has {name} = {value}, which is not after {latest[name]}, "
                    "where an earlier phase ends",
                    "ends that grow from phase to phase",
                    f"raise {name}, or put the phases in order",
                )
            latest[name] = value
        if not fixed_ends(phase):
            waiting = label
