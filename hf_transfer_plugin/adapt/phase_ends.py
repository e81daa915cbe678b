"""Where each phase of a schedule begins and ends: pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hf_transfer_plugin.adapt.numbers import require_count, require_number
from hf_transfer_plugin.adapt.phase_rules import fixed_ends, phase_label
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.phases import Phase

__all__ = ["end_every", "end_to_end", "phase_bounds"]


def phase_bounds(
    phases: Sequence[Phase],
    total_steps: int,
    steps_per_epoch: float | None = None,
    plateaus: Sequence[int] = (),
) -> tuple[tuple[int, int], ...]:
    """Return the first optimizer step of each phase and the step after its last.

    A fraction or an epoch is rounded to the nearest step and then moved by as little as it takes
    to leave each phase one step; `until_step` is never moved. A phase that waits for a plateau
    ends at the next step in `plateaus`; without one it goes on to its latest end or to the end
    of the run, and the phases after it get no step.

    Args:
        phases: phases that `checked_phases` returned.
        total_steps: optimizer steps of the whole run.
        steps_per_epoch: optimizer steps of an epoch, for phases that end at an epoch.
        plateaus: the steps at which the phases that wait for a plateau ended, so far.

    Raises:
        ScheduleError: naming the phase that would get no step.
    """
    require_count(total_steps, "total_steps", 1)
    ends = _planned_ends(phases, total_steps, steps_per_epoch)
    _leave_room(phases, ends)
    noted = list(plateaus)
    reached = 0
    bounds = []
    for index, phase in enumerate(phases):
        start, end = reached, ends[index]
        if phase.until_plateau is not None and noted and noted[0] <= end:
            end = noted.pop(0)
        begun = not _open_before(phases, index) or start < total_steps
        if begun and not 0 <= start < end <= total_steps:
            raise ScheduleError(
                f"{phase_label(index, phase)} would get no step: it lies between step "
                f"{start} and step {end} of {total_steps}",
                f"at least one optimizer step for each of the {len(phases)} phases",
                "train longer, use fewer phases, or move the ends of the phases",
            )
        reached = end
        bounds.append((start, end))
    return tuple(bounds)


def _planned_ends(
    phases: Sequence[Phase], total_steps: int, steps_per_epoch: float | None
) -> list[int]:
    ends: list[int] = []
    for index, phase in enumerate(phases[:-1]):
        start = ends[-1] if ends else 0
        if phase.until_step is not None:
            ends.append(phase.until_step)
        elif phase.until_epoch is None and phase.until_fraction is None:
            ends.append(total_steps)
        else:
            end = (phase.until_fraction or 0) * total_steps
            if phase.until_epoch is not None:
                end = phase.until_epoch * _known(steps_per_epoch, phase_label(index, phase))
            ends.append(max(math.floor(end + 0.5), start + 1))
    return [*ends, total_steps]


def _known(steps_per_epoch: float | None, label: str) -> float:
    if steps_per_epoch is None:
        raise ScheduleError(
            f"{label} ends at an epoch, and the number of optimizer steps in an epoch is unknown",
            "steps_per_epoch (a Trainer knows it when the train dataset has a length)",
            "give steps_per_epoch, or end the phase with until_fraction or until_step",
        )
    return steps_per_epoch


def _leave_room(phases: Sequence[Phase], ends: list[int]) -> None:
    """Move rounded ends down until each phase after them has a step."""
    for index in reversed(range(len(phases) - 1)):
        phase = phases[index]
        rounded = phase.until_fraction is not None or phase.until_epoch is not None
        if phase.until_step is None and rounded:
            ends[index] = min(ends[index], ends[index + 1] - 1)


def _open_before(phases: Sequence[Phase], index: int) -> bool:
    """Tell whether an earlier phase may last until the run ends."""
    return any(
        phase.until_plateau is not None and not fixed_ends(phase) for phase in phases[:index]
    )


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
    sums: Iterable[float] = (math.fsum(lengths[: i + 1]) for i in range(len(phases) - 1))
    ended = (replace(p, until_fraction=round(e, 12)) for p, e in zip(phases, sums, strict=False))
    return (*ended, phases[-1])


def end_every(
    phases: Sequence[Phase],
    shares: Mapping[int, float],
    epochs: float | None,
    steps: int | None,
) -> tuple[Phase, ...]:
    """Return the phases with ends at equal distances; the last has none.

    Args:
        phases: first to last, without ends.
        shares: shares of the run that were asked for as well.
        epochs: epochs of a phase.
        steps: optimizer steps of a phase.

    Raises:
        ScheduleError: when more than one way to end a phase is given.
    """
    if shares or (epochs is not None and steps is not None):
        raise ScheduleError(
            f"every_epochs is {epochs}, every_steps is {steps}, and {len(shares)} shares of the "
            "run are given",
            "one way to say how long a phase lasts",
            "keep every_epochs, every_steps, or head_fraction and final_fraction",
        )
    if steps is not None:
        require_count(steps, "every_steps", 1)
        ended = [replace(p, until_step=(i + 1) * steps) for i, p in enumerate(phases[:-1])]
    else:
        each = require_number(epochs, "every_epochs")
        ended = [replace(p, until_epoch=(i + 1) * each) for i, p in enumerate(phases[:-1])]
    return (*ended, phases[-1])
